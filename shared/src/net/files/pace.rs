//! Sending no faster than this peer's owner wants.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::platform;

/// A rate that all who are sent something share, in the order in which they ask.
#[derive(Default)]
pub(super) struct Rate(Mutex<State>);

#[derive(Default)]
struct State {
    /// Bytes in a second; 0: as many as can be.
    limit: u64,
    /// When the next bytes may go, in microseconds.
    free: u64,
}

impl Rate {
    pub fn limit(&self, bytes_per_second: Option<u64>) {
        self.state().limit = bytes_per_second.unwrap_or(0);
    }

    pub fn is_limited(&self) -> bool {
        self.state().limit > 0
    }

    /// Waits until so many bytes may go.
    pub async fn take(&self, bytes: usize) {
        let wait = self.state().wait(bytes, platform::now() * 1_000);
        if wait > 0 {
            platform::sleep(Duration::from_micros(wait)).await;
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, bytes: usize, now: u64) -> u64 {
        if self.limit == 0 {
            return 0;
        }
        let start = self.free.max(now);
        self.free = start + (bytes as u64).saturating_mul(1_000_000) / self.limit;
        start - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_wait_for_those_before_them() {
        let mut state = State {
            limit: 1_000,
            free: 0,
        };
        assert_eq!(state.wait(500, 10_000_000), 0);
        assert_eq!(state.wait(500, 10_000_000), 500_000);
        assert_eq!(state.wait(1, 10_900_000), 100_000);
        assert_eq!(state.wait(1, 60_000_000), 0, "idle time is not saved up");
        state.limit = 0;
        assert_eq!(state.wait(usize::MAX, 60_000_000), 0);
    }
}
