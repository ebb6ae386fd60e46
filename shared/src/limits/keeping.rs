//! Limits of keeping: what relays hold of files for publishers that leave.

use std::time::Duration;

use super::{DAY, MAX_ENVELOPE, MAX_LISTINGS_PER_FILE};
use crate::proto::Millis;

/// Streams for this on one connection, of which one is opened: requests go one after the other, because each may take as long as a
/// file does.
pub const KEEP_STREAMS: usize = 2;
/// A request: an id, a size, and the envelope around them with its longest names.
pub const MAX_KEEP_REQUEST: usize = 1_024;
/// A request with the listing that goes with it.
pub const MAX_KEEP_MESSAGE: usize = MAX_KEEP_REQUEST + MAX_ENVELOPE + 16;
/// The longest time for which a relay promises to keep a file: whoever wants more comes back.
pub const KEEP_LONGEST: Millis = 90 * DAY;
/// One author, and one source (an address prefix, or a peer behind a proxy), has at most one in so many of what a relay
/// keeps: one key does not fill it.
pub const KEEP_SHARES: u64 = 4;
/// Authors for whom a relay keeps the same file: as many as may list it.
pub const MAX_KEEPERS: usize = MAX_LISTINGS_PER_FILE;
/// Files and directories that a relay keeps: each is announced every ten minutes, with its words.
pub const MAX_KEPT: usize = 10_000;
/// What a kept file takes beside its bytes and hashes, so that empty ones are not for nothing: its map, its note, and
/// their entries.
pub const KEPT_FILE: u64 = 8 * 1024;
/// What a file of a kept directory takes beside its bytes and hashes: its entries, and the rest of its last block.
pub const KEPT_MEMBER: u64 = 4 * 1024;
/// Files of directories that a relay keeps in all: each costs its memory a few hundred bytes.
pub const MAX_KEPT_MEMBERS: u64 = 256 * 1024;
/// Files of one kept directory that are found by their own ids, as many as who shares it names. All of them together take
/// half of the places at most: the others are for what authors asked for.
pub const KEPT_MEMBERS_ANNOUNCED: usize = 512;
/// What is written beside a kept file: who asked for it, and what they list it as.
pub const MAX_KEPT_NOTE: usize = MAX_KEEPERS * (MAX_KEEP_MESSAGE + 32);
/// Requests to keep something that are worked on at once, all peers together: most of them wait for a file to come.
pub const KEEP_JOBS: usize = 64;
/// Of these, for one peer: the one that goes on, and one after a broken connection.
pub const KEEP_JOBS_PER_PEER: usize = 2;
/// Of these, for one address prefix.
pub const KEEP_JOBS_PER_PREFIX: usize = 16;
/// Files that a relay fetches at a time: more would only be slower, each.
pub const KEEP_FETCHES: usize = 4;
/// A publisher that nothing comes from for so long is given up.
pub const KEEP_PATIENCE: Duration = Duration::from_secs(60);
/// How often a relay says how much of a file has come: it is heard as a sign of life, too.
pub const KEEP_TOLD_EVERY: Duration = Duration::from_secs(2);
/// How long a publisher waits for that sign.
pub const KEEP_ANSWER: Duration = Duration::from_secs(60);
/// How often a publisher asks a relay whose stream breaks before it answers.
pub const KEEP_TRIES: usize = 4;
/// How long it waits before each of them.
pub const KEEP_AGAIN: Duration = Duration::from_millis(250);
/// Files and words that a relay which keeps files is named for.
pub const MAX_KEPT_ANNOUNCED: usize = 16 * 1_024;
