//! How far this device's clock is off: the median of what relays say.
//!
//! Knows samples only. Does not read a clock and does not correct one: callers add the offset.

use super::Millis;
use crate::limits::{MAX_CLOCK_ROUND_TRIP, MAX_CLOCK_SAMPLES, MAX_SAFE_INTEGER};
use crate::sorted::sort_short;

/// Collects one sample per relay and gives their median.
#[derive(Clone, Debug, Default)]
pub struct ClockOffset {
    /// Oldest first; one per peer, so that one relay cannot outvote the others.
    samples: Vec<(Vec<u8>, i64)>,
}

impl ClockOffset {
    /// Without any sample the offset is zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the clock a relay sent; `sent` and `received` are our times around its answer.
    pub fn observe(
        &mut self,
        peer: impl AsRef<[u8]>,
        remote_now: Millis,
        sent: Millis,
        received: Millis,
    ) {
        let Some(round_trip) = received.checked_sub(sent) else {
            return;
        };
        let plausible = [remote_now, received]
            .iter()
            .all(|time| *time <= MAX_SAFE_INTEGER);
        if round_trip > MAX_CLOCK_ROUND_TRIP || !plausible {
            return;
        }
        let offset = remote_now as i64 - (sent + round_trip / 2) as i64;
        self.samples.retain(|(known, _)| known != peer.as_ref());
        if self.samples.len() == MAX_CLOCK_SAMPLES {
            self.samples.remove(0);
        }
        self.samples.push((peer.as_ref().to_vec(), offset));
    }

    /// Milliseconds to add to the own clock. Of two middle samples the smaller correction wins,
    /// so that one of two relays cannot drag the clock.
    pub fn offset(&self) -> i64 {
        let mut offsets: Vec<i64> = self.samples.iter().map(|(_, offset)| *offset).collect();
        sort_short(&mut offsets, Ord::cmp);
        let Some(last) = offsets.len().checked_sub(1) else {
            return 0;
        };
        let (low, high) = (offsets[last / 2], offsets[offsets.len() / 2]);
        if low.abs() <= high.abs() { low } else { high }
    }

    /// The corrected time, for what a wrong clock would make believe: a correction beyond `bound` is
    /// none, because few relays may be all that a peer knows.
    pub fn correct_within(&self, own_now: Millis, bound: Millis) -> Millis {
        match self.offset().unsigned_abs() <= bound {
            true => self.correct(own_now),
            false => own_now,
        }
    }

    /// The corrected time.
    pub fn correct(&self, own_now: Millis) -> Millis {
        own_now.saturating_add_signed(self.offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(offsets: &[i64]) -> ClockOffset {
        let mut clock = ClockOffset::new();
        for (peer, offset) in offsets.iter().enumerate() {
            let remote = 1_000_100_u64.saturating_add_signed(*offset);
            clock.observe([peer as u8], remote, 1_000_000, 1_000_200);
        }
        clock
    }

    #[test]
    fn a_correction_out_of_bounds_is_none() {
        for (offset, bounded) in [(1_000, 1_000), (-1_000, -1_000), (1_001, 0), (-1_001, 0)] {
            let now = with(&[offset]).correct_within(5_000, 1_000);
            assert_eq!(now, 5_000_u64.saturating_add_signed(bounded), "{offset}");
        }
    }

    #[test]
    fn is_the_median() {
        assert_eq!(with(&[]).offset(), 0);
        assert_eq!(with(&[5_000]).offset(), 5_000);
        assert_eq!(with(&[10, 900_000]).offset(), 10);
        assert_eq!(with(&[-900_000, 10]).offset(), 10);
        assert_eq!(with(&[1, 2, 900_000]).offset(), 2);
        assert_eq!(with(&[1, 2, 3, 900_000]).offset(), 2);
    }

    #[test]
    fn one_peer_has_one_vote() {
        let mut clock = with(&[1, 2, 3]);
        for _ in 0..100 {
            clock.observe([9], 9_000_000, 1_000_000, 1_000_000);
        }
        assert_eq!(clock.offset(), 2);
        assert_eq!(clock.correct(100), 102);
    }

    #[test]
    fn ignores_nonsense_and_forgets_the_oldest() {
        let mut clock = ClockOffset::new();
        clock.observe("a", u64::MAX, 0, 0);
        clock.observe("b", 5, 10, 9);
        clock.observe("c", 5, 0, u64::MAX);
        assert_eq!(clock.offset(), 0);
        for peer in 0..100_u8 {
            clock.observe([peer], u64::from(peer), 0, 0);
        }
        assert_eq!(clock.samples.len(), MAX_CLOCK_SAMPLES);
    }
}
