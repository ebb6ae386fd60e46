//! Every bound of this transport, each with its reason.

use std::time::Duration;

use warren_shared::webrtc::stream;

/// A handshake that takes longer is given up: a slow radio link needs 2 s.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);
/// A remote from which nothing arrives for so long is gone: browsers send a check every 2 to 3 s.
pub(super) const SILENCE: Duration = Duration::from_secs(9);
/// How long the end of a connection may take: what was written is still sent, then the remote is told.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// Callers whose address is not proven: an entry is a few hundred bytes, and lives for a round trip.
pub(super) const PENDING_CALLERS: usize = 1_024;
/// Proven addresses whose call was forgotten meanwhile: only a flood makes it more than one.
pub(super) const PROVEN_CALLERS: usize = 1_024;
/// Largest first packet kept of an unproven caller: STUN and DTLS fit, nothing bigger comes first.
pub(super) const EARLY_PACKET: usize = 1_500;
/// Such packets kept beside the check: a greeting with post-quantum keys fills two.
pub(super) const EARLY_PACKETS: usize = 3;
/// Handshakes under way: as many as the swarm takes.
pub(super) const HANDSHAKES: usize = 512;
/// Handshakes of one network: a school or company shares an address, and dials within seconds.
pub(super) const HANDSHAKES_PER_PREFIX: usize = 128;
/// Calls that have ended and are not taken up again: their clients do not know yet.
pub(super) const ENDED_CALLS: usize = 4_096;
/// Plain STUN answers per second, all together: 100 KiB/s of answers.
pub(super) const ANSWERS: u32 = 1_000;
/// Plain STUN answers per second to one network: a few tabs starting at once.
pub(super) const ANSWERS_PER_PREFIX: u32 = 50;
/// Checks of strangers answered per second: a fifth of a core. Beyond that they cost no more than
/// being looked at, so that connections go on in a flood; honest callers repeat theirs.
pub(super) const CHECKS: u32 = 20_000;
/// Such checks of one network: half of the whole. Honest callers whose neighbour floods us have the
/// better chance the more are answered.
pub(super) const CHECKS_PER_PREFIX: u32 = 10_000;
/// Addresses of one remote: two interfaces, and where it moved to twice.
pub(super) const SOURCES_PER_SESSION: usize = 4;
/// Proven callers that the swarm has not taken: it takes one per poll.
pub(super) const INCOMING: usize = 128;

/// Bytes of datagrams waiting for a connection's task; more are dropped, as by any full queue.
pub(super) const WAITING_DATAGRAMS: usize = 2 * 1024 * 1024;
/// What a waiting datagram costs beyond its bytes.
pub(super) const DATAGRAM_COST: usize = 64;
/// Datagrams that a connection's task takes before it sends what they caused.
pub(super) const DATAGRAMS_PER_TURN: usize = 64;
/// Records that the stack takes before it is asked what to answer: it acknowledges all of them at once. An answer to
/// every other one overflows the small buffer of a browser's socket while that is busy sending, and a limit that is
/// lost then comes again after a second. But browsers send at most four packets for each answer: with one for sixteen
/// records they are half as fast.
pub(super) const RECORDS_AT_ONCE: usize = 4;
/// A record of this size has data in it: alerts and acknowledgements are smaller.
pub(super) const BULK_RECORD: usize = 512;
/// Buffers of a socket: a burst of a whole window of several connections.
pub(super) const SOCKET_BUFFER: usize = 2 * 1024 * 1024;

/// Bytes written by the application and not acknowledged, per stream.
pub(super) const STREAM_BUFFER: usize = 1024 * 1024;
/// Most bytes inside the stack and not acknowledged, all streams together: 10 MiB/s at 100 ms. What
/// is beyond waits outside, where streams take turns.
pub(super) const STACK_BUFFER: usize = 1024 * 1024;
/// Least bytes there: short paths never run dry, and a burst fits the socket buffer of a browser.
pub(super) const STACK_BUFFER_LEAST: usize = 48 * 1024;
/// Bytes that arrived and that nobody has taken, all streams of a connection together.
pub(super) const UNREAD: usize = 16 * 1024 * 1024;
/// The same of one stream: its own bound, so that a reader who pauses costs a stream and not the
/// connection.
pub(super) const UNREAD_PER_STREAM: usize = stream::MAX_UNREAD;
/// What a waiting message costs beyond its bytes: its place in the queue and in the allocator.
pub(super) const MESSAGE_COST: usize = 64;
/// What a remote may have under way on a stream when it has very many.
pub(super) const WINDOW_LEAST: u64 = 64 * 1024;
/// What a caller may send before it has said who it is: the handshake fills a few hundred bytes.
/// What comes beyond waits with the caller, as anything that the network loses.
pub(super) const UNAUTHENTICATED: usize = 64 * 1024;
/// Streams that such a caller may open, for the application to see once it is known: the first ones
/// may overtake the end of the handshake here.
pub(super) const EARLY_STREAMS: u64 = 4;
/// Streams of a connection open at once: the stack looks at each of them for every packet.
pub(super) const STREAMS: usize = 4_096;
/// A stream of ours that the application has dropped is closed when the remote has not confirmed it
/// by then.
pub(super) const OPENING: Duration = Duration::from_secs(10);
/// Streams refused before the connection ends: nobody who means well opens so many more than are
/// taken, and each costs the remote less than us.
pub(super) const REFUSALS: u32 = 256;
/// Calls of the stack that it wanted at once, in a row; it is not asking for anything that happens.
pub(super) const CALLS_IN_VAIN: u32 = 32;
/// Between such calls from then on.
pub(super) const PAUSE_IN_VAIN: Duration = Duration::from_millis(50);
/// Streams that the remote opened and that nobody has accepted.
pub(super) const UNACCEPTED: usize = 512;

/// An attempt at a negotiated connection: the negotiation gives up before, so nothing outlives it for long.
pub(super) const NEGOTIATION: Duration = Duration::from_secs(25);
/// Addresses of this machine that a remote is told: more than machines have, containers aside.
pub(super) const HOSTS: usize = 16;
/// Questions of one attempt to servers that tell how it is seen from outside: two servers, two families.
pub(super) const QUESTIONS: usize = 4;
/// How often each is asked, if it does not answer: for 7.5 seconds in all.
pub(super) const QUESTION_TRIES: u32 = 4;
/// Until a question is asked again, at first; twice as long each time.
pub(super) const QUESTION_AGAIN: Duration = Duration::from_millis(500);
/// What a negotiation may ask of its stack at a time: descriptions and all candidates.
pub(super) const ASKS: usize = 160;
/// What a stack may tell it at a time: all candidates, twice, and how it ends.
pub(super) const NEWS: usize = 64;
/// Addresses from which authentic checks have come, of those that records are taken from.
pub(super) const CHECKED_SOURCES: usize = 16;
