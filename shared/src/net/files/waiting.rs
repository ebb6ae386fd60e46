//! Who waits for pieces of a file, and who reads it: what comes first depends on that.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;

use crate::platform;
use crate::proto::files::readers::Readers;

/// See the module.
#[derive(Default)]
pub(super) struct Waiting(Mutex<State>);

#[derive(Default)]
struct State {
    waiters: Vec<(u64, oneshot::Sender<()>)>,
    readers: Readers,
}

impl Waiting {
    /// Somebody reads a piece.
    pub fn read(&self, piece: u64) {
        self.state().readers.read(piece, platform::now());
    }

    /// When a piece has come; nothing if it is there.
    pub fn arrival(
        &self,
        piece: u64,
        there: impl FnOnce() -> bool,
    ) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        // Under the lock: it may come at this moment.
        if there() {
            return None;
        }
        let (arrived, arrival) = oneshot::channel();
        state.sweep();
        state.waiters.push((piece, arrived));
        Some(arrival)
    }

    /// A piece is there.
    pub fn arrived(&self, piece: u64) {
        let mut state = self.state();
        for (_, waiter) in state.waiters.extract_if(.., |(of, _)| *of == piece) {
            let _ = waiter.send(());
        }
    }

    /// Where something is wanted soon, the most urgent first.
    pub fn places(&self) -> Vec<u64> {
        let mut state = self.state();
        state.sweep();
        let State { waiters, readers } = &mut *state;
        let waiting = waiters.iter().map(|(piece, _)| *piece);
        readers.places(waiting, platform::now())
    }

    /// Nobody waits any more.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whoever does not wait any more does not read there, either.
    fn sweep(&mut self) {
        let gone: Vec<u64> = self
            .waiters
            .extract_if(.., |(_, waiter)| waiter.is_canceled())
            .map(|(piece, _)| piece)
            .collect();
        for piece in gone {
            if !self.waiters.iter().any(|(of, _)| *of == piece) {
                self.readers.leave(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn who_waits_comes_first_and_who_goes_away_counts_no_more() {
        let waiting = Waiting::default();
        waiting.read(7);
        let seven = waiting.arrival(7, || false).expect("it is missing");
        waiting.read(40);
        let forty = waiting.arrival(40, || false).expect("it is missing");
        assert_eq!(waiting.places(), [7, 40]);
        assert!(waiting.arrival(3, || true).is_none());
        // It has come, and its reader is about to read on.
        waiting.arrived(7);
        assert_eq!(seven.now_or_never(), Some(Ok(())));
        assert_eq!(waiting.places(), [40, 7]);
        drop(forty);
        assert_eq!(waiting.places(), [7]);
        let again = waiting.arrival(9, || false).expect("it is missing");
        waiting.clear();
        assert!(again.now_or_never().is_some_and(|arrival| arrival.is_err()));
        assert_eq!(waiting.places(), [0u64; 0]);
    }
}
