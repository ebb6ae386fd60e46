//! Every limit of the protocol in one table, each with the reason for its number.
//!
//! Knows numbers only. It does not know who enforces them: the code that parses, stores or sends does.

mod chat;
mod direct;
mod files;
mod keeping;
mod signaling;
mod streams;

use std::time::Duration;

pub use self::chat::*;
pub use self::direct::*;
pub use self::files::*;
pub use self::keeping::*;
pub use self::signaling::*;
pub use self::streams::*;
use crate::proto::Millis;

/// One second in [`Millis`].
pub const SECOND: Millis = 1_000;
/// One minute in [`Millis`].
pub const MINUTE: Millis = 60 * SECOND;
/// One hour in [`Millis`].
pub const HOUR: Millis = 60 * MINUTE;
/// One day in [`Millis`].
pub const DAY: Millis = 24 * HOUR;

// Numbers and time

/// Largest integer in any message: JavaScript keeps integers exact only up to 2⁵³−1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
/// Clock error tolerated in either direction: phones without time sync drift by minutes, not hours.
pub const CLOCK_TOLERANCE: Millis = 10 * MINUTE;
/// Longest life of a signed record: a year and a month of grace, so a forgotten record dies.
pub const MAX_LIFETIME: Millis = 400 * DAY;
/// Clocks remembered for the median: more relays than a peer ever talks to at once.
pub const MAX_CLOCK_SAMPLES: usize = 32;
/// A clock answer slower than this says too little about the time.
pub const MAX_CLOCK_ROUND_TRIP: Millis = 30 * SECOND;

// Values and envelopes

/// Content of one stored value: fits a record and its framing into one 16 KiB WebRTC message.
pub const MAX_CONTENT: usize = 8 * 1024;
/// Payload of an envelope: the largest value with the few bytes of its CBOR head.
pub const MAX_PAYLOAD: usize = MAX_CONTENT + 16;
/// A whole envelope: payload, names, key and signature, with room to spare.
pub const MAX_ENVELOPE: usize = 10 * 1024;
/// A record's domain: one short word chosen by us.
pub const MAX_DOMAIN: usize = 32;
/// A record's label: holds a hex public key or a sentence, not content.
pub const MAX_LABEL: usize = 128;
/// A network id: it is part of every protocol name, which other implementations cap at 140 bytes.
pub const MAX_NETWORK_ID: usize = 32;
/// A namespace: typed by people, hashed before it travels.
pub const MAX_NAMESPACE: usize = 128;
/// Nesting of JSON values: readers in every language parse this without a deep stack.
pub const MAX_JSON_DEPTH: usize = 64;

// Peers and providers

/// A peer id in bytes: an identity multihash of an Ed25519 key has 38, a SHA-256 one 34.
pub const MAX_PEER_ID: usize = 64;
/// One multiaddr: two certificate hashes, a circuit and two peer ids fit.
pub const MAX_ADDRESS: usize = 256;
/// Addresses in a peer record: several interfaces times our transports.
pub const MAX_PEER_ADDRESSES: usize = 16;
/// Relays, and mailboxes, in a peer record: a peer keeps two homes; eight leaves room.
pub const MAX_PEER_RELAYS: usize = 8;
/// Capabilities in a peer record: a list of features, not a description.
pub const MAX_CAPABILITIES: usize = 16;
/// One capability: a short token such as `relay` or `mailbox`.
pub const MAX_CAPABILITY: usize = 64;
/// Life of a peer record: a tab that vanished is forgotten within half an hour.
pub const PEER_RECORD_LIFETIME: Millis = 30 * MINUTE;
/// Life of the proof that a transport key runs for an author: one signature per day of use.
pub const AUTHOR_PROOF_LIFETIME: Millis = DAY;
/// Life of a provider entry: as for peer records; members renew at half of it.
pub const PROVIDER_LIFETIME: Millis = 30 * MINUTE;
/// Providers under one key: a room of a few hundred is found whole; more need no one list.
pub const MAX_PROVIDERS_PER_KEY: usize = 256;
/// Addresses of a provider: the direct one and the one over a relay; the rest is asked for.
pub const MAX_PROVIDER_ADDRESSES: usize = 2;
/// Entries of one network prefix under one key: one attacker's machines fill a quarter of it.
pub const MAX_PROVIDERS_PER_PREFIX: usize = 64;
/// Entries in one answer: 64 of the largest ones stay below a control message.
pub const PROVIDER_PAGE: usize = 64;

// Wire

/// One control message: what a reader must be ready to buffer for a stranger.
pub const MAX_FRAME: usize = 64 * 1024;
/// Bytes of a frame's length prefix: 3 × 7 bits hold 64 KiB.
pub const MAX_FRAME_PREFIX: usize = 3;

// Reading

/// Answers weighed in one read: three times the replication of Kademlia, with spares.
pub const MAX_GATHERED: usize = 64;
/// How long it is tried to reach somebody: a relay is connected a moment before it is known what it can be asked.
pub const REACH_PATIENCE: Millis = 10 * SECOND;
/// How long after one attempt at that comes the next: identify takes a few round trips.
pub const REACH_AGAIN: Duration = Duration::from_millis(250);

// Storing

/// Immutable values, and signed records nobody renews, are forgotten this long after the last put.
pub const RECORD_RETENTION: Millis = 48 * HOUR;
/// Records in one store: at 10 KiB each about 1 GiB, what a small server can spare.
pub const MAX_STORED_RECORDS: u64 = 100_000;
/// Bytes of records in one store: see above.
pub const MAX_STORED_BYTES: u64 = 1024 * 1024 * 1024;
/// Peer records in one store, apart from the others so that values never crowd them out; most have
/// less than 1 KiB, and they live half an hour.
pub const MAX_STORED_PEERS: u64 = 50_000;
/// One source (an address prefix, or a peer behind a proxy) holds at most one in so many of what a
/// store takes: a large school fits, and three quarters stay for everybody else.
pub const SOURCES_TO_FILL_A_STORE: u64 = 4;
/// Signed records of one owner in one store: many labels, but not a store filled by one key.
pub const MAX_RECORDS_PER_OWNER: u64 = 1_000;
/// Provider entries in one store: at about 500 bytes each some 100 MiB.
pub const MAX_STORED_PROVIDERS: u64 = 200_000;

// Joining

/// The text of a join document: a page reads it before it trusts anyone.
pub const MAX_JOIN_TEXT: usize = 64 * 1024;
/// Life of a join document: it survives a day in a cache or in a chat message.
pub const JOIN_LIFETIME: Millis = DAY;
/// Addresses of the relay in its join document: as in a peer record.
pub const MAX_JOIN_ADDRESSES: usize = 16;
/// Other relays named in a join document: enough to survive the loss of some.
pub const MAX_JOIN_RELAYS: usize = 8;
/// Of these, witnesses: whoever joins needs them for the first name.
pub const MAX_JOIN_WITNESSES: usize = 5;
/// Addresses per other relay: its transports on one or two interfaces.
pub const MAX_HINT_ADDRESSES: usize = 8;
/// One address or URL as text: a multiaddr of 256 bytes in its longer textual form.
pub const MAX_ADDRESS_TEXT: usize = 512;
/// Witness keys in a join document: quorums beyond this are not usable by people.
pub const MAX_WITNESSES: usize = 64;
/// A software version string.
pub const MAX_VERSION_TEXT: usize = 64;

// Names

/// A whole name as text, as in DNS.
pub const MAX_NAME: usize = 253;
/// One label of a name, as in DNS.
pub const MAX_NAME_LABEL: usize = 63;
/// Text that somebody offers as a name is not even normalised beyond this: 253 characters of four
/// bytes each.
pub const MAX_NAME_TEXT: usize = 1_024;
/// How long a final signature of a witness counts: a lost transfer or a half-made claim ends with it.
pub const NAME_LEASE: Millis = 7 * DAY;
/// For how long a name is claimed at most.
pub const NAME_TERM: Millis = 365 * DAY;
/// After a term ran out only its owner can have the name for so long: people go on holidays.
pub const NAME_GRACE: Millis = 30 * DAY;
/// How long a provisional signature counts: three round trips over slow links, several times over.
pub const NAME_PROVISIONAL: Millis = 60 * SECOND;
/// A key that left a provisional unfinished waits so long, doubling, before it may try that name again.
pub const NAME_BAR: Millis = 10 * MINUTE;
/// Longest such wait.
pub const NAME_BAR_LONGEST: Millis = DAY;
/// Keys whose attempts a witness remembers for one name; each cost its owner a proof of work.
pub const MAX_NAME_BARS: usize = 16;
/// A proposal raises the generation by at most this: numbers last longer than the network.
pub const NAME_GENERATION_STEP: u64 = 1_000;
/// A fresh lease is given when the old one is older than this: one write a day and name, however
/// many readers ask.
pub const NAME_LEASE_REUSE: Millis = DAY;
/// Bits of work for a name of eight or more characters: about a second of a phone.
pub const NAME_WORK_BITS: u32 = 20;
/// Bits of work more for each character below eight: the shortest names cost a minute or two.
pub const NAME_WORK_SHORT: usize = 8;
/// A claim: key, label, generation, and the handover inside it.
pub const MAX_CLAIM: usize = 1_024;
/// A certificate: its claim and the signatures of all witnesses of the largest set.
pub const MAX_CERTIFICATE: usize = 16 * 1024;
/// Entries of one zone: an envelope holds about that many short ones.
pub const MAX_ZONE_ENTRIES: usize = 256;
/// Resources of one entry.
pub const MAX_ZONE_RESOURCES: usize = 16;
/// A text or URL in a zone.
pub const MAX_ZONE_TEXT: usize = 1_024;
/// Shortest time to live: readers ask no more often.
pub const MIN_ZONE_TTL: u64 = 5;
/// Longest time to live in seconds: what is wrong is gone after a day.
pub const MAX_ZONE_TTL: u64 = 86_400;
/// Time to live that a zone starts with, in seconds.
pub const ZONE_TTL: u64 = 300;
/// Aliases followed for one name: more is a mistake.
pub const MAX_ALIASES: usize = 8;
/// Witness sets remembered: the newest ones, and those whose leases may live.
pub const MAX_WITNESS_SETS: usize = 8;
/// A witness set as it travels, with the signatures of its predecessor.
pub const MAX_WITNESS_SET: usize = 10 * 1024;
/// What a witness keeps of one name, beside its zone.
pub const MAX_NAME_ROW: usize = 32 * 1024;
/// Why an operator refuses a name: a sentence and a reference.
pub const MAX_REFUSAL_REASON: usize = 512;
/// How long a request to a witness may take.
pub const NAME_DEADLINE: Duration = Duration::from_secs(10);
/// Requests to and from witnesses at one time, for each connection.
pub const NAME_STREAMS: usize = 48;
/// Questions about names that a witness answers to one address prefix in a minute.
pub const NAME_READS_PER_PREFIX: u32 = 1_200;
/// How far relays can correct a peer's clock where names are concerned.
pub const MAX_NAME_CLOCK: Millis = DAY;
/// Changes that a witness makes for one address prefix in a minute: a classroom can claim names.
pub const NAME_CHANGES_PER_PREFIX: u32 = 240;
/// Changes that a witness makes for one key in a minute: a claim takes four.
pub const NAME_CHANGES_PER_KEY: u32 = 60;
/// Names of which a witness keeps rows: some gigabytes at most.
pub const MAX_WITNESSED: u64 = 1_000_000;
/// Operations on names under way in one peer.
pub const NAME_OPERATIONS: usize = 16;
/// How long one witness may take to answer before it counts as silent.
pub const NAME_ANSWER: Millis = 5 * SECOND;
/// A claim that has not come to an end after this has failed.
pub const NAME_OPERATION: Millis = 3 * MINUTE;
/// Attempts to win a name against others who want it at the same moment.
pub const NAME_ATTEMPTS: u32 = 6;
/// First wait between such attempts, doubling, with jitter.
pub const NAME_RETRY: Millis = 2 * SECOND;
/// Names whose resolution a peer remembers.
pub const MAX_RESOLVED: usize = 4_096;
/// Of these, how many a peer that ends may find again: one file, read and checked at the start.
pub const MAX_KEPT_NAMES: usize = 256;
/// Names below whose generation and zone a reader never goes again; the oldest are forgotten beyond.
pub const MAX_NAME_FLOORS: usize = 16_384;
/// The same for names of keys, which cost nothing.
pub const MAX_KEY_FLOORS: usize = 4_096;
/// How long a reader remembers that a name does not exist.
pub const NAME_MISSING_TTL: Millis = 30 * SECOND;
/// Own names that are looked at together when all are listed.
pub const NAME_LISTED_AT_ONCE: usize = 16;
/// Who lists the own names does not wait longer than this for what the network says of them.
pub const NAME_LISTING: Duration = Duration::from_secs(10);
/// A name that is watched is asked for anew this often: a change is seen in well under a minute, and a
/// page that is left open costs each witness two small questions a minute.
pub const NAME_WATCH_EVERY: Millis = 30 * SECOND;
/// What another one who watches the same name has heard so lately is not asked for again.
pub const NAME_WATCH_RECENT: Millis = 20 * SECOND;
/// First wait after a watched name could not be asked for, doubling.
pub const NAME_WATCH_RETRY: Millis = 10 * SECOND;
/// Longest such wait.
pub const NAME_WATCH_RETRY_LONGEST: Millis = 5 * MINUTE;
/// How long an answer past its time to live is still given while it is asked for again.
pub const NAME_STALE: Millis = DAY;
/// A reader renews the lease of a name that it resolves when less than this is left of it.
pub const NAME_RENEW_BEFORE: Millis = 4 * DAY;
/// An owner extends its term when less than this is left of it.
pub const NAME_EXTEND_BEFORE: Millis = 60 * DAY;
/// An owner shows its certificate and zone to the witnesses this often.
pub const NAME_RENEW_EVERY: Millis = DAY;
/// Resolutions under way in one peer.
pub const MAX_RESOLUTIONS: usize = 256;

// Home relays

/// Home relays a peer stays connected to: one may vanish without anyone noticing.
pub const HOMES_WANTED: usize = 2;
/// Dials at the first start, all at once: the fastest of three wins the race to join.
pub const HOMES_FIRST_DIALS: usize = 3;
/// Relays remembered as possible homes: hints come from strangers and are bounded.
pub const MAX_KNOWN_HOMES: usize = 32;
/// Of these, relays that only say of themselves that they are: those that people and join documents
/// name find a place in any case.
pub const MAX_MET_HOMES: usize = 16;
/// Strangers at one time whose word a relay checks by dialling them.
pub const MAX_PROOFS: usize = 64;
/// First wait before a lost home is tried again: shorter than a relay's restart.
pub const HOME_RETRY_FIRST: Millis = 250;
/// Longest wait while the user looks: leaves 3 s of the promised 5 s for the dial itself.
pub const HOME_RETRY_VISIBLE: Millis = 2 * SECOND;
/// Longest wait in a hidden tab, and for relays beyond the three best: browsers wake a hidden tab
/// about once a minute anyway.
pub const HOME_RETRY_HIDDEN: Millis = 30 * SECOND;
/// Between WebRTC dials that go out beside unanswered probes, for relays whose URL is out of reach.
pub const HOME_BLIND_DIAL: Millis = 3 * SECOND;
/// Dials of one absent relay before they become rare: a tab may open 500 peer connections in its
/// life, and closed ones count until they are collected.
pub const HOME_DIAL_BUDGET: u32 = 100;
/// Failed dials of a relay that answers its probes before they become rare: it does not want us.
pub const HOME_UNWELCOME: u32 = 10;
/// A relay that could not be reached for so long is no longer named to those who join.
pub const HINT_PATIENCE: Millis = 10 * 60 * SECOND;
/// A connection that lived shorter is not proof of health: its home is retried with backoff.
pub const HOME_STABLE: Millis = 10 * SECOND;
/// A dial, probe or reservation without any answer counts as failed; the driver's own deadlines
/// are shorter.
pub const HOME_ATTEMPT_DEADLINE: Millis = 15 * SECOND;

// ---- connections and protocols -----------------------------------------------------------------

/// Connections of a tab or command-line peer: its homes, and the peers it talks to.
pub const PEER_CONNECTIONS: u32 = 128;
/// Connections of a relay: a few thousand tabs, below the usual limit of open files.
pub const RELAY_CONNECTIONS: u32 = 8_192;
/// With so many a relay lets go of peers that did harm: newcomers find room before it is full.
pub const RELAY_TRIMS_AT: usize = RELAY_CONNECTIONS as usize / 8 * 7;
/// Two transports raced, a circuit, and one to spare while a better path replaces a worse one.
pub const CONNECTIONS_PER_PEER: u32 = 6;
/// Handshakes under way: each costs a task and buffers before anybody has proven anything.
pub const PENDING_CONNECTIONS: u32 = 512;
/// Connections that a tab or command-line peer accepts: the others stay for homes and own dials.
pub const PEER_INBOUND: u32 = 96;
/// Inbound connections from one IPv4 address or IPv6 /64, all transports together: a busy office
/// behind one NAT fits, one machine cannot take the whole relay.
pub const CONNECTIONS_PER_SUBSCRIBER: usize = 256;
/// Handshakes under way from one such address: a quarter of all, and a class that comes back at once.
pub const PENDING_PER_SUBSCRIBER: usize = 128;
/// A connection nobody uses is closed after this; homes are kept by their reservation.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(600);
/// How long a peer that is being closed waits for what is to be kept.
pub const CLOSING: Duration = Duration::from_secs(2);
/// How long a connection that is being closed waits until the remote is told: longer than transports wait.
pub const FAREWELL: Duration = Duration::from_secs(3);
/// How long one address may take to be dialled and authenticated.
pub const DIAL_DEADLINE: Duration = Duration::from_secs(10);
/// When a circuit is asked for again of a relay that is silent, and up to twice as long: longer than one takes through a slow relay.
pub const CIRCUIT_AGAIN: Duration = Duration::from_secs(2);
/// A store or a read at one node, disk included.
pub const RECORD_DEADLINE: Duration = Duration::from_secs(8);
/// Record requests under way on one connection.
pub const RECORD_STREAMS: usize = 64;
/// Requests and commands that a node works on at once, all peers together.
pub const JOBS: usize = 2_048;
/// Of these, for one peer: more than any of ours asks at a time.
pub const JOBS_PER_PEER: usize = 128;
/// Of these, for one address prefix: four of them are needed to keep a node busy.
pub const JOBS_PER_PREFIX: usize = 512;

// JSON commands

/// How long a caller waits unless it says otherwise: a command may do work at the other end before it answers.
pub const RPC_DEADLINE: Duration = Duration::from_secs(30);
/// The longest that a caller may wait for a result, or for the next one, and the longest that a method may
/// take for it: whoever needs more streams its progress.
pub const RPC_LONGEST: Duration = Duration::from_secs(300);
/// How long a request may take to arrive, a result to be taken, and a caller to leave after the last one.
pub const RPC_TRANSFER: Duration = Duration::from_secs(20);
/// Messages of calls under way on one connection.
pub const RPC_STREAMS: usize = 64;
/// Messages that a node works on at once, all peers together.
pub const RPC_CALLS: usize = 1_024;
/// Of these, for one peer: two connections full of those that one of ours opens.
pub const RPC_CALLS_PER_PEER: usize = 64;
/// Of these, for one address prefix: four of them are needed to keep a node busy.
pub const RPC_CALLS_PER_PREFIX: usize = 256;
/// Requests of one batch.
pub const MAX_RPC_BATCH: usize = 32;
/// Of these, how many are worked on at once: a batch is one call for the limits above.
pub const RPC_BATCH_AT_ONCE: usize = 4;
/// The name of a method: a few words with dots between them.
pub const MAX_METHOD: usize = 128;
/// The id of a request as text: a UUID, with room to spare.
pub const MAX_RPC_ID: usize = 64;
/// The message of an error: a sentence or two.
pub const MAX_RPC_MESSAGE: usize = 512;
/// Methods that one peer serves: an interface, not a database.
pub const MAX_METHODS: usize = 256;
/// Callers and namespaces of which is remembered what was looked up to let somebody call.
pub const MAX_RPC_KNOWN: usize = 256;
/// For how long it is: members come and go by the half hour.
pub const RPC_KNOWN_FOR: Millis = MINUTE;
/// Peers of which is remembered how they behaved: everybody that a peer deals with in a week.
pub const MAX_STANDINGS: usize = 1_024;
/// What was seen of them is kept this often: little is lost, and a disk hardly notices.
pub const STANDINGS_KEPT_EVERY: Duration = Duration::from_secs(60);
/// Members of a namespace among which the best is looked for: more would cost more than they bring.
pub const MAX_CANDIDATES: usize = 32;
/// Of these, how many are asked at a time.
pub const CANDIDATES_AT_ONCE: usize = 8;
/// How long one of them may take to say what it has: who takes longer is not the best.
pub const CANDIDATE_PATIENCE: Duration = Duration::from_secs(5);
/// Whoever was not found is looked up again only after so long: each time costs the network a walk.
pub const RPC_UNKNOWN_FOR: Millis = 5 * SECOND;

/// Whoever leaves a namespace waits this long for nodes to take it off their lists; those that were not
/// reached forget it with its entry.
pub const WITHDRAW_PATIENCE: Duration = Duration::from_secs(5);
/// Nodes that hold each record.
pub const REPLICATION: usize = 20;
/// A walk to the closest nodes.
pub const LOOKUP_DEADLINE: Duration = Duration::from_secs(10);
/// How often the routing table looks for new neighbours by itself.
pub const ROUTING_REFRESH: Duration = Duration::from_secs(300);
/// Equal or newer answers that make a reader of a mutable record stop asking.
pub const READ_QUORUM: usize = 5;
/// Nodes asked at the same time for one record.
pub const READ_PARALLEL: usize = 6;

/// Measurements answered at once: each takes all the bandwidth it gets.
pub const PERF_STREAMS: usize = 8;
/// Measurements on one connection, those included that wait for their turn: enough to keep the eight
/// busy, and too few to fill the queue of all from one connection.
pub const PERF_OPEN: usize = 24;
/// Bytes of one measurement, each way.
pub const PERF_BYTES: u64 = 1024 * 1024 * 1024;
/// How long one measurement may take.
pub const PERF_DEADLINE: Duration = Duration::from_secs(300);

// ---- circuit relay -----------------------------------------------------------------------------

/// Peers that hold a place at one relay.
pub const RELAY_RESERVATIONS: usize = 4_096;
/// Tabs of one peer id while an old connection has not been noticed as dead.
pub const RELAY_RESERVATIONS_PER_PEER: usize = 4;
/// Renewed at half time by the client.
pub const RESERVATION_LIFETIME: Duration = Duration::from_secs(3_600);
/// Circuits open at once through one relay.
pub const RELAY_CIRCUITS: usize = 4_096;
/// Circuits that one peer opens at once.
pub const RELAY_CIRCUITS_PER_PEER: usize = 128;
/// A circuit lives this long: enough for signalling, chat and a patient fallback.
pub const CIRCUIT_LIFETIME: Duration = Duration::from_secs(3_600);
/// Bytes through one circuit.
pub const CIRCUIT_BYTES: u64 = 64 * 1024 * 1024;
/// New circuits and reservations of one peer.
pub const CIRCUITS_PER_PEER_PER_MINUTE: u32 = 240;
/// New circuits and reservations behind one address: a school or a company shares one.
pub const CIRCUITS_PER_IP_PER_MINUTE: u32 = 6_000;

// ---- the driver --------------------------------------------------------------------------------

/// Commands waiting for the driver.
pub const COMMAND_QUEUE: usize = 1_024;
/// Addresses remembered of one relay: four transports on a handful of interfaces.
pub const MAX_HOME_ADDRESSES: usize = 32;
/// A home relay is asked for a sign of life this often: with the patience below and a dial, a lost
/// one is replaced within five seconds.
pub const BEAT_EVERY: Millis = 1_500;
/// How long a home may take to answer: slow radio links need a second, a dead relay never answers.
pub const BEAT_PATIENCE: Millis = 2_500;
/// Events waiting for one subscriber; the newest are dropped beyond, and the subscriber is told.
pub const EVENT_QUEUE: usize = 1_024;
/// At most five snapshots a second reach an application.
pub const SNAPSHOT_EVERY: Duration = Duration::from_millis(200);
/// First wait before a refused reservation is asked for again, doubling to the hidden wait.
pub const HOME_RESERVE_RETRY: Millis = SECOND;
