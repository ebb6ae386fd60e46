//! How a file is fetched, and how that goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

/// How a download goes, for people to look at: several files may be counted together.
#[derive(Debug, Default)]
pub struct Tally {
    /// Verified bytes that came and were written.
    pub came: AtomicU64,
    /// Pieces that came.
    pub pieces: AtomicU64,
    /// Sources that were left because they sent what is not the file.
    pub liars: AtomicUsize,
    /// Sources that send, or could.
    pub sources: AtomicUsize,
}

/// How to fetch.
#[derive(Clone)]
pub struct How {
    /// Gives up when nothing has come for so long.
    pub patience: Duration,
    /// Every source has all of it: whoever has a directory has its files.
    pub whole: bool,
    /// Bytes that are asked for at a time.
    pub in_flight: u64,
    /// Where it is counted.
    pub tally: Arc<Tally>,
}
