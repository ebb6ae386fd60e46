//! Limits of the signalling by which two peers come to a direct connection.

use std::time::Duration;

use super::SECOND;
use crate::proto::Millis;

/// One message: a browser's description has about 600 bytes, one with all its candidates inside a few thousand.
pub const SIGNALING_MESSAGE: usize = 16 * 1024;
/// The candidate in a message: they have 100 to 350 bytes.
pub const SIGNALING_CANDIDATE: usize = 1_024;
/// Candidates of one end, those in its description included: a machine with ten interfaces, two families
/// and three kinds of candidates. Each costs the other end checks.
pub const SIGNALING_CANDIDATES: usize = 128;
/// All that one attempt reads: a description and the candidates, as long as they usually are.
pub const SIGNALING_BYTES: usize = 64 * 1024;
/// How long it may take until both descriptions are known: two ways over a relay, and a phone that is busy.
/// js-libp2p gives up after ten seconds, too.
pub const SIGNALING_DESCRIBED: Millis = 10 * SECOND;
/// How long an attempt may take in all: ICE has tried all its pairs by then.
pub const SIGNALING_DEADLINE: Millis = 20 * SECOND;
/// An attempt whose signalling was lost after both descriptions were sent may still succeed: the other end
/// may have hung up because it is connected, and connects here within a few round trips.
pub const SIGNALING_ORPHANED: Millis = 5 * SECOND;
/// Attempts and direct connections of one peer at a time: a room of a page is full before, and a browser
/// gives a page 500 connections in its whole life. A native peer may have as many as a relay forwards to it.
pub const SIGNALING_TURNS: usize = if cfg!(target_family = "wasm") {
    64
} else {
    512
};
/// Streams of it at a time on one connection, of which three are opened: an attempt, and those before it that have just ended.
pub const SIGNALING_STREAMS: usize = 6;
/// Who has dialled a circuit uses it first: what is asked over it at once would wait for the browser, which is busy with a
/// connection object for as long.
pub const UPGRADE_SOON: Millis = 40;
/// Who was dialled over a circuit leaves the first attempt to who dialled, who may not know how to, or not want to.
pub const UPGRADE_LATER: Millis = 2 * SECOND;
/// After an attempt that came to nothing the next one waits so long at least, and twice as long each time.
pub const UPGRADE_AGAIN: Millis = 15 * SECOND;
/// And so long at most: networks change without a word.
pub const UPGRADE_AGAIN_MOST: Millis = 600 * SECOND;
/// A circuit that a direct connection has replaced is used by nobody who has heard of that; both ends have by then.
pub const SPARE_LEAST: Duration = Duration::from_secs(2);
/// Offers of one peer that came to nothing, until it is not answered for [`WASTED_FOR`]: its retries come later than that.
pub const WASTED_OFFERS_OF_ONE: usize = 4;
/// The same of all peers: a full room of people without a way to this one. What they cost is gone with them where no
/// browser counts.
pub const WASTED_OFFERS: usize = if cfg!(target_family = "wasm") {
    64
} else {
    4_096
};
/// How long an offer that came to nothing counts.
pub const WASTED_FOR: Millis = 60 * SECOND;
