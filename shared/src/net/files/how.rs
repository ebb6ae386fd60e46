//! How a file is fetched, and how that goes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libp2p::PeerId;

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
    pub sources: Present,
}

/// Who is a source now. Whoever has several of the files is one.
#[derive(Debug, Default)]
pub struct Present(Mutex<HashMap<PeerId, usize>>);

impl Present {
    pub(super) fn comes(&self, peer: PeerId) {
        *self.state().entry(peer).or_default() += 1;
    }

    pub(super) fn goes(&self, peer: &PeerId) {
        let mut state = self.state();
        if let Some(files) = state.get_mut(peer) {
            *files -= 1;
            if *files == 0 {
                state.remove(peer);
            }
        }
    }

    /// Those that are.
    pub fn peers(&self) -> Vec<PeerId> {
        self.state().keys().copied().collect()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.state().len()
    }

    fn state(&self) -> MutexGuard<'_, HashMap<PeerId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_several_files_is_one_source_until_the_last_of_them() {
        let (present, [one, two]) = (Present::default(), [PeerId::random(), PeerId::random()]);
        for peer in [one, one, two] {
            present.comes(peer);
        }
        assert_eq!(present.count(), 2);
        present.goes(&one);
        present.goes(&two);
        assert_eq!(present.peers(), [one]);
        present.goes(&one);
        present.goes(&one);
        assert_eq!(present.count(), 0);
    }
}
