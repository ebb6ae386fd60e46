//! Limits of chat rooms and of the topics that carry them.

use std::time::Duration;

use super::{MINUTE, SECOND};
use crate::proto::Millis;

/// Text of one chat message.
pub const MAX_CHAT_TEXT: usize = 16 * 1024;
/// A message as it travels: its text, names, keys, two signatures and the seal.
pub const MAX_CHAT_PACKET: usize = MAX_CHAT_TEXT + 2 * 1024;
/// A passphrase, in bytes: a paragraph.
pub const MAX_PASSPHRASE: usize = 1_024;
/// A nickname, in bytes: fits a line beside a message.
pub const MAX_NICK: usize = 64;
/// A reaction, in bytes: the longest joined emoji have 35.
pub const MAX_REACTION: usize = 48;
/// A file's name and its media type, in bytes: as in file systems and in MIME.
pub const MAX_FILE_NAME: usize = 255;
/// See [`MAX_FILE_NAME`].
pub const MAX_MEDIA_TYPE: usize = 128;
/// The CID of a file as text: 32 bytes of hash in any base fit.
pub const MAX_CID_TEXT: usize = 128;
/// How far other clocks can push ours when messages are put in order.
pub const CHAT_CLOCK_AHEAD: Millis = 2 * MINUTE;
/// Messages of one room that a peer keeps: weeks of a lively room, and what a page sorts at once.
pub const MAX_ROOM_MESSAGES: usize = 4_096;
/// Their bytes: what a page can hold of several rooms.
pub const MAX_ROOM_BYTES: usize = 8 * 1024 * 1024;
/// Of these, messages of one author: four of them are needed to push others out.
pub const MAX_ROOM_MESSAGES_PER_AUTHOR: usize = MAX_ROOM_MESSAGES / 4;
/// In a full room one message from history may push out one that was heard for so many that are heard: more loss than
/// that is not usual.
pub const HISTORY_GIVES_WAY: usize = 8;
/// So many may do so at once: what a path loses in some minutes.
pub const HISTORY_GIVES_WAY_SPARE: usize = 64;
/// Gaps that are remembered of one author's session: beyond, its older messages count as missing.
pub const MAX_GAPS_PER_SESSION: usize = 256;
/// Members of one room that a peer knows to be there.
pub const MAX_ROOM_MEMBERS: usize = 512;
/// Of these, devices of one author, or tabs that were closed without a word.
pub const MAX_ROOM_DEVICES: usize = 8;
/// Rooms of one peer at a time.
pub const MAX_ROOMS: usize = 64;
/// A member says this often that it is there: lost ones are noticed after two and a half times that.
pub const PRESENCE_EVERY: Millis = 5 * SECOND;
/// So many members may say so at that pace; in larger rooms everybody slows down in proportion.
pub const PRESENCE_CROWD: usize = 32;
/// The slowest pace.
pub const PRESENCE_SLOWEST: Millis = MINUTE;
/// A newcomer is answered within this, by everybody at another moment.
pub const PRESENCE_ANSWER: Millis = SECOND;
/// However many come, all members together say so about this often in a second. Everybody verifies what everybody says: when fifty
/// come together, and each is answered by all within a second, a small machine does nothing else, loses some, and greets them again.
pub const PRESENCE_PER_SECOND: Millis = 16;
/// In a room with others something is heard more often than that: after such a silence much may have been missed.
pub const CHAT_SILENCE: Millis = 6 * PRESENCE_EVERY;
/// Who was typing and said nothing more has stopped.
pub const TYPING_LASTS: Millis = 6 * SECOND;
/// Messages that one author may send at once, and then in a second, typing and presence included.
pub const CHAT_BURST: u32 = 40;
/// See [`CHAT_BURST`].
pub const CHAT_PER_SECOND: u32 = 4;
/// What receivers let pass, as multiples of that: paths bunch messages together.
pub const CHAT_LENIENCE: u32 = 2;
/// Messages that a relay takes from one connected peer at once, and then in a second: several rooms.
pub const CHAT_SOURCE_BURST: u32 = 400;
/// See [`CHAT_SOURCE_BURST`].
pub const CHAT_SOURCE_PER_SECOND: u32 = 50;
/// What is taken from another relay, as a multiple of what is taken from one peer: it speaks for many.
pub const CHAT_RELAY_SHARE: u32 = 20;
/// What a relay reads from one peer at once, and then in a second, in packets, whether it passes them on or not: more
/// than an honest peer has to say, also when it comes back to all its rooms, and what costs next to nothing. Whoever has
/// more to say waits in its own connection.
pub const CHAT_READ_BURST: u32 = 64;
/// See [`CHAT_READ_BURST`].
pub const CHAT_READ_PER_SECOND: u32 = 100;
/// What a relay reads at once of what one peer has to say in one topic, when that is new there; later it is
/// [`CHAT_BURST`]. New peer ids cost nothing, and everybody in a room verifies what each of them says.
pub const CHAT_VOICE_FIRST: u32 = 4;
/// And then in a second: a burst is said within seconds, and everybody else in the room hardly notices.
pub const CHAT_VOICE_PER_SECOND: u32 = 16;
/// So many bytes more weigh as much as a packet more.
pub const CHAT_READ_BYTES: usize = 4 * 1024;
/// Subscriptions weigh less: a relay has all of its topics to say before it is known as one.
pub const CHAT_READ_TOPICS: usize = 4;
/// What is read from all peers of one IPv4 address or IPv6 /64 together, as a multiple of that: an office behind a NAT
/// fits. After one of them was cut off it is that of one peer, as long as that one stays out.
pub const CHAT_ADDRESS_SHARE: u32 = 16;
/// What is passed on from all peers of one address in one room, as a multiple of what is passed on from one: new peer
/// ids cost nothing, and few people of one office speak at once.
pub const CHAT_CROWD: u32 = 4;
/// Peers of one address that were cut off in the time of [`CHAT_BARRED`], after which the address stays out as well.
pub const CHAT_CUT_OFF_PER_ADDRESS: u32 = 8;
/// Points of offences with which a relay cuts a peer off: four packets that are not valid, which nobody sends by
/// mistake, or a few hundred beyond its rates, which nobody types.
pub const CHAT_OFFENCES: u32 = 1_000;
/// For a packet that is not valid.
pub const CHAT_OFFENCE_INVALID: u32 = 250;
/// For a packet beyond a rate, or more to say in one topic than is read.
pub const CHAT_OFFENCE_EXCESS: u32 = 3;
/// For more to say in all topics than is read: who comes back to many rooms has.
pub const CHAT_OFFENCE_HASTE: u32 = 1;
/// Points that are forgiven in a second: a hasty peer is held to its rate and stays.
pub const CHAT_FORGIVEN_PER_SECOND: u32 = 2;
/// How long the connections of a peer are refused that was cut off: offending again costs more time than it takes.
pub const CHAT_BARRED: Millis = 10 * MINUTE;
/// Peers that are refused so: new ids cost nothing, so that more would be of no use.
pub const MAX_BARRED: usize = 1_024;
/// Authors, peers, or peers in rooms, whose rate is remembered, and peers whose offences are.
pub const MAX_CHAT_RATES: usize = 4_096;
/// Requests for history that one room has under way.
pub const HISTORY_ASKED: usize = 3;
/// Members that are asked for history, whoever else has something else: so many connections a room costs a peer.
/// Four, each chosen by everybody for themselves, connect all members of any room.
pub const HISTORY_PARTNERS: usize = 4;
/// One of the others is asked this often, if it goes on to have something else.
pub const HISTORY_GUEST_EVERY: Millis = 10 * SECOND;
/// Messages that may be under way to one member when another one has them already: a lively room, and a path that hangs for a moment.
pub const HISTORY_UNDER_WAY: u64 = 16;
/// First wait before the same holder is asked again, doubling while it has nothing new.
pub const HISTORY_RETRY: Millis = 2 * SECOND;
/// Longest such wait for one that could not be reached.
pub const HISTORY_RETRY_UNREACHED: Millis = 16 * SECOND;
/// Longest such wait.
pub const HISTORY_RETRY_LONGEST: Millis = 5 * MINUTE;
/// How long a request for history may take.
pub const HISTORY_DEADLINE: Duration = Duration::from_secs(10);
/// Requests for history on one connection.
pub const HISTORY_STREAMS: usize = 12;
/// Bytes of messages in one answer: with the rest of it below a control message.
pub const HISTORY_PAGE: usize = 48 * 1024;
/// Messages that a request says are there already, at eight bytes each: all that a peer keeps.
pub const MAX_HISTORY_HAVE: usize = MAX_ROOM_MESSAGES;
/// Streams of gossipsub on one connection, of which two are opened: one, and one to spare while it is replaced.
pub const GOSSIP_STREAMS: usize = 4;
/// Messages that wait for a relay which has not yet joined a topic, or which is slow to read.
pub const GOSSIP_QUEUE: usize = 256;
/// Packets that wait at a relay for one peer that reads slowly: 12 MiB at most, and some seconds of a lively room.
/// What is beyond is found missing later.
pub const GOSSIP_BACKLOG: usize = 512;
/// Topics that a relay routes: all of them fit one message, in which it tells a neighbour which they are.
pub const MAX_TOPICS: usize = 400;
/// Of these, topics that one peer asks for.
pub const MAX_TOPICS_PER_PEER: usize = 64;
/// Relays whose word about topics waits in a tab until somebody wants to chat.
pub const LENT_TOPICS: usize = 32;
/// Packets in one message of gossipsub: peers of ours send one, and what comes together is looked at together.
pub const GOSSIP_TOGETHER: usize = 16;
/// A message of gossipsub: all topics of a relay at once, or a few packets; the frame of a leaf holds it. A packet has a limit
/// of its own, [`MAX_CHAT_PACKET`].
pub const MAX_GOSSIP: usize = 63 * 1024;
/// For so long a packet that comes again is known at a relay: whoever repeats others uses up their rate with older ones only.
pub const GOSSIP_REMEMBERED: Duration = Duration::from_secs(5 * 60);
