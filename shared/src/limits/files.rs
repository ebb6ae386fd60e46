//! Limits of files: their trees, messages, downloads and listings.

use std::time::Duration;

use super::{CANDIDATES_AT_ONCE, DAY, MINUTE, SECOND};
use crate::proto::Millis;

/// What is verified at once, and the most that is buffered of a stranger before that.
pub const GROUP: u64 = 16 * 1024;
/// What is asked for at once: with requests of this size the proofs are below one per cent of what is sent.
pub const PIECE: u64 = 256 * 1024;
/// Groups in a piece.
pub const GROUPS_PER_PIECE: u64 = PIECE / GROUP;
/// The largest file: the map of its pieces has 512 KiB, which a tab can hold.
pub const MAX_FILE: u64 = 1 << 40;

/// A path in a directory, in bytes: as long as in most systems.
pub const MAX_PATH: usize = 1_024;
/// Names in a path: deeper trees are mistakes, and cost every reader memory.
pub const MAX_PATH_DEPTH: usize = 32;
/// Files of a directory: a large project with all its parts.
pub const MAX_DIRECTORY_FILES: usize = 65_536;
/// Bytes of an encoded directory: each of that many files with a path of a hundred bytes. It is read into memory.
pub const MAX_DIRECTORY: usize = 12 * 1024 * 1024;

/// Bytes of the runs in which a peer says what it has: a page of a few thousand runs, below a control message.
pub const MAX_RUNS: usize = 16 * 1024;
/// Groups of one request, 16 MiB: so many pieces in a row need one proof. A sender reads them one by one.
pub const MAX_FETCH_GROUPS: u64 = 1_024;
/// Bytes of a stream in one part: two groups with the hashes above them; whoever reads it buffers one.
pub const MAX_PART: usize = 40 * 1024;
/// Requests that may wait on one stream behind the one that is answered: those of the fastest source.
pub const MAX_FETCHES_WAITING: usize = 64;
/// What has come of a piece is written after so long, all of it or not: who sends slowly is seen to send.
pub const FILE_WRITE_AFTER: Millis = 500;
/// Streams for files on one connection: each download has one, and all that it asks for.
pub const FILE_STREAMS: usize = 10;

/// Requests for files that a node works on at once, all peers together: each has a range in memory and a file open, and as much on the
/// way as [`YAMUX_QUEUED`](super::YAMUX_QUEUED) when its reader is slow: 176 MiB in a relay, a quarter of that in a tab.
pub const FILE_JOBS: usize = if cfg!(target_family = "wasm") {
    64
} else {
    256
};
/// Of these, for one peer: a few streams of a few downloads.
pub const FILE_JOBS_PER_PEER: usize = 32;
/// Of these, for one address prefix: four of them are needed to keep a node busy.
pub const FILE_JOBS_PER_PREFIX: usize = 64;
/// What is read of a disk at a time to be sent: one trip to the disk for a piece, with the hashes that prove it.
pub const FILE_READ: usize = PIECE as usize + 4 * 1024;
/// How long a part may take to be taken: whoever reads more slowly than 1 KiB a second keeps nothing busy.
pub const FILE_TRANSFER: Duration = Duration::from_secs(40);
/// How long a stream may be open without a request: longer than downloads pause a source.
pub const FILE_IDLE: Duration = Duration::from_secs(120);
/// Frames of an answer that wait to be verified and written: what a slow disk leaves in memory of each request.
pub const FILE_FRAMES: usize = 8;
/// How soon, and how often at least, it is looked whether a source that a circuit leads to is connected directly by now.
pub const DIRECT_SOUGHT_FIRST: Duration = Duration::from_millis(50);
pub const DIRECT_SOUGHT_RARELY: Duration = Duration::from_secs(2);
/// What is read of a stream at a time: in a tab every read is a trip to another module.
pub const FILE_BUFFER: usize = 64 * 1024;
/// How often it is looked for new sources of a file that is not there yet.
pub const SOURCES_SOUGHT_EVERY: Duration = Duration::from_secs(5);
/// The longest that a source which failed is left alone before it is tried again, however often it did.
pub const SOURCE_FORGIVEN: Millis = 15 * SECOND;
/// Things of one peer that are named in the network: files, directories, and words. Each costs a few requests in
/// ten minutes.
pub const MAX_ANNOUNCED: usize = 1_024;
/// Of these, announcements at the same time.
pub const ANNOUNCED_AT_ONCE: usize = 4;
/// How often they are renewed; they live for half an hour.
pub const ANNOUNCED_EVERY: Duration = Duration::from_secs(600);
/// How long a peer may take to say what it has, or what it shares: pieces that it sends may come first.
pub const FILE_ANSWER: Duration = Duration::from_secs(30);
/// Pages of listings that are read of one peer: some thousand files.
pub const MAX_LISTING_PAGES: usize = 256;
/// Peers that one search asks; as many more may not be reached.
pub const MAX_SEARCHED: usize = 64;
/// How many of them one node decides about as long as others may name some: half of those who are asked at a time.
pub const SEARCHED_OF_A_LIST: usize = CANDIDATES_AT_ONCE / 2;
/// A request whose stream is cut off before anything came of it is repeated after this: what has cut it is over by then.
pub const FILE_ASKED_AGAIN: Duration = Duration::from_millis(50);
/// For how long a listing counts; whoever shares signs it again when it starts.
pub const LISTING_LIFETIME: Millis = 7 * DAY;

/// Words of a listing, and of a search: a long name and ten tags.
pub const MAX_TOKENS: usize = 32;
/// A word, in bytes: 16 letters of any script; longer ones are cut.
pub const MAX_TOKEN: usize = 64;
/// Bytes of listings in one answer: with the rest of it below a control message.
pub const LISTING_PAGE: usize = 48 * 1024;

/// Sources of one download that are known: more than any of them is asked.
pub const MAX_SOURCES: usize = 256;
/// Of these, sources that are fetched from at a time: a tab has some hundred connections in all.
pub const MAX_SOURCES_AT_ONCE: usize = 32;
/// Pieces that are asked of one source at a time: 16 MiB, which a gigabit over 60 ms needs twice over.
pub const MAX_PIECES_PER_SOURCE: u64 = 64;
/// Pieces that are asked of all sources at a time, natively: what waits in buffers that a stranger fills.
pub const FILES_IN_FLIGHT: u64 = 64 * 1024 * 1024;
/// The same in a tab, where data channels hold nobody back.
pub const FILES_IN_FLIGHT_TAB: u64 = 16 * 1024 * 1024;
/// Pieces that a player may want before all others: a minute of a film.
pub const MAX_URGENT: usize = 256;
/// Pieces that come first when somebody reads a file in order while it is fetched, 4 MiB: some seconds of a film.
pub const READ_AHEAD: u64 = 16;
/// Places of one file at which somebody waits, and again as many at which somebody has just read: with what is read ahead of each,
/// as much as may come before all others.
pub const MAX_READERS: usize = 8;
/// Whoever has not read for so long reads no more: a player with a full buffer reads again when there is something to come first.
pub const READER_GONE: Millis = 10 * SECOND;
/// Sources that are asked for one piece at the same time: one that hangs, one that is slow, and one more.
pub const MAX_COPIES: usize = 3;
/// A source that is usually fast and was silent for so long is not counted on: tabs in the background pause for less.
pub const SOURCE_UNEASY: Millis = SECOND;
/// No source that has been silent for so long is counted on: what it owes is asked of others as well.
pub const SOURCE_SILENT: Millis = 4 * SECOND;
/// After this the requests to it are given up.
pub const SOURCE_DEAD: Millis = 30 * SECOND;
/// How long a source is left alone after a failure, doubling with each that follows.
pub const SOURCE_PAUSE: Millis = SECOND;
/// Failures one after the other before a source is given up.
pub const SOURCE_FAILURES: u32 = 5;
/// A holder without anything that is wanted is asked again after this for what it has by now.
pub const SOURCE_ASKED_EVERY: Millis = 4 * SECOND;
/// One that has something to give is asked less often.
pub const SOURCE_BUSY_ASKED_EVERY: Millis = 20 * SECOND;
/// How long a slow source makes room for one that waits.
pub const SOURCE_SHED: Millis = MINUTE;
/// How often it is looked for slow ones.
pub const SHED_EVERY: Millis = 10 * SECOND;

/// A path of the system on which a file is shared, in bytes: the longest that Linux opens.
pub const MAX_SYSTEM_PATH: usize = 4_096;
/// Files that one node shares: each costs its memory a few hundred bytes.
pub const MAX_SHARED: usize = 1_000_000;
/// One row of the index: a path, a listing, and numbers.
pub const MAX_INDEX_ROW: usize = 16 * 1024;

/// Tags of a listing.
pub const MAX_TAGS: usize = 16;
/// A tag, in bytes: a few words.
pub const MAX_TAG: usize = 64;
/// Listings of one file that a node gives: each is of another author, and all of them fit one answer.
pub const MAX_LISTINGS_PER_FILE: usize = 4;
/// Listings that a node gives to those who search: those of all that it shares.
pub const MAX_LISTINGS: usize = 100_000;
/// Files that one search finds: more than anybody looks through.
pub const MAX_HITS: usize = 1_000;
/// Holders that one search remembers of a file: as many as a download begins with.
pub const MAX_HOLDERS: usize = 64;

/// Files of a directory no larger than a piece are kept together, many in one kept file: opening a file costs more than reading it.
/// So many bytes of them at a time: what waits in memory for the others, and is fetched again after a crash.
pub const PACK: u64 = 1024 * 1024;
/// So many files at most: their table is in the first piece.
pub const MAX_PACK_FILES: usize = 1_024;
/// Pieces of packs that stay in memory when they were read: those who fetch a directory take many files of one.
pub const PACK_PIECES_KEPT: usize = 8;
/// Small files of a directory that are fetched at the same time: enough that they do not wait for each other's way there and back.
pub const SMALL_AT_ONCE: usize = 28;
/// Larger ones: each has a file open where it is kept.
pub const LARGE_AT_ONCE: usize = 4;
/// Bytes of files, with their hashes, that a peer without a disk keeps in memory: what a page on a phone may have without being
/// ended for it.
pub const FILES_IN_MEMORY: u64 = 256 * 1024 * 1024;
/// What a file takes of that beside its bytes and hashes, so that empty ones are not for nothing.
pub const FILE_IN_MEMORY: u64 = 4 * 1024;
/// How long a tab waits for a file of which nothing comes: as long as the command line.
pub const FETCH_PATIENCE: Duration = Duration::from_secs(60);
/// A file that takes longer to fetch is announced meanwhile; smaller ones are not worth it.
pub const FETCH_WORTH_TELLING: Duration = Duration::from_secs(2);
/// How often an application hears how far a file is: as often as anybody sees.
pub const FETCH_TOLD_EVERY: Duration = Duration::from_millis(200);
/// In how many stretches it hears which pieces are there: a bar on a screen shows no more.
pub const FETCH_TOLD_STRETCHES: u64 = 128;
/// Who closes takes back what it named for so long: a page waits two seconds for all of its closing.
pub const FILES_WITHDRAW_PATIENCE: Duration = Duration::from_secs(1);
/// How many files are taken back at a time: each is a walk through the network.
pub const FILES_WITHDRAWN_AT_ONCE: usize = CANDIDATES_AT_ONCE;
