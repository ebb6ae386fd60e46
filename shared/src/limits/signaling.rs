//! Limits of the signalling by which two peers come to a direct connection.

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
