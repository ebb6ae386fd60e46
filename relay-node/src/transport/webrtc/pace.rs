//! Keeps a stack that always wants to be called at once from keeping a core to itself.
//!
//! It does so when it has something to do that cannot be done, as when no number is left for a stream.
//! Pure: the clock is an argument.

use std::time::Instant;

use super::limits;

/// How often in a row the stack wanted to be called at once.
#[derive(Debug, Default)]
pub(super) struct Pace {
    in_vain: u32,
}

impl Pace {
    /// When to call the stack that wants to be called then.
    pub(super) fn next(&mut self, now: Instant, wanted: Instant) -> Instant {
        if wanted > now {
            self.in_vain = 0;
            return wanted;
        }
        self.in_vain = self.in_vain.saturating_add(1);
        match self.in_vain > limits::CALLS_IN_VAIN {
            true => now + limits::PAUSE_IN_VAIN,
            false => wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_always_due_is_called_some_times_a_second() {
        let start = Instant::now();
        let (mut pace, mut now, mut calls) = (Pace::default(), start, 0);
        while now < start + Duration::from_secs(1) {
            now = pace.next(now, start).max(now);
            calls += 1;
            assert!(calls < 100, "it turns");
        }
        assert!(calls > 10, "it is called all the same");
    }

    #[test]
    fn what_is_due_now_and_then_is_called_in_time() {
        let mut now = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..1_000 {
            assert_eq!(pace.next(now, now), now);
            let later = now + Duration::from_millis(1);
            assert_eq!(pace.next(now, later), later);
            now = later;
        }
    }
}
