//! How fast a source is, and how much is to be asked of it so that it never waits.
//!
//! Knows deliveries and their times. The rate of a request is what came between its sending and its end, also of
//! other requests, so that it is right however many are under way.

use std::collections::VecDeque;

use crate::limits::{MAX_PIECES_PER_SOURCE, PIECE, SECOND};
use crate::proto::Millis;

/// Requests whose rates are remembered: the best one of them counts, the others were held up.
const SAMPLES: usize = 8;
/// Pieces that are asked of one that is not known yet: one comes, the next is on its way.
const FIRST: u64 = 2;
/// Of one that takes longer than this for a piece no second one is asked.
const SLOW_PIECE: Millis = 4 * SECOND;
/// What a busy machine takes for an answer, whatever the way to it, and what it takes here to write one.
const HESITATION: Millis = 5;

/// What was measured of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Bytes that it gave.
    pub delivered: u64,
    /// When it gave the last ones, or was asked after it had nothing to do.
    pub last: Millis,
    /// The shortest time from a request to the beginning of its answer: what waits in the way of others does not count.
    pub latency: Option<Millis>,
    rates: VecDeque<u64>,
    /// Pieces that it gave.
    pieces: u64,
    /// What it had given, and when, when it was last asked after it had nothing to do.
    began: (u64, Millis),
}

/// What was when a request was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    delivered: u64,
    last: Millis,
    sent: Millis,
}

impl Pace {
    /// A request is sent, to a source that has nothing else to do or has.
    pub fn sent(&mut self, alone: bool, now: Millis) -> Mark {
        if alone {
            self.last = now;
            self.began = (self.delivered, now);
        }
        Mark {
            delivered: self.delivered,
            last: self.last,
            sent: now,
        }
    }

    /// Something came for it. The beginning of an answer is no bytes.
    pub fn came(&mut self, mark: &Mark, first: bool, bytes: u64, now: Millis) {
        self.delivered += bytes;
        if bytes > 0 {
            self.last = self.last.max(now);
        }
        if first {
            let took = now.saturating_sub(mark.sent);
            self.latency = Some(self.latency.map_or(took, |known| known.min(took)));
        }
    }

    /// All came for it.
    pub fn ended(&mut self, mark: &Mark, now: Millis) {
        self.pieces += 1;
        let took = now.saturating_sub(mark.last).max(1);
        if self.rates.len() == SAMPLES {
            self.rates.pop_front();
        }
        let bytes = self.delivered - mark.delivered;
        self.rates.push_back(bytes.saturating_mul(SECOND) / took);
    }

    /// The best rate of late, in bytes a second; nothing before the first piece.
    pub fn best(&self) -> Option<u64> {
        self.rates.iter().copied().max()
    }

    /// The mean rate of late.
    pub fn mean(&self) -> Option<u64> {
        let count = self.rates.len() as u64;
        (count > 0).then(|| self.rates.iter().sum::<u64>() / count)
    }

    /// So many pieces keep it busy: what it sends in two round trips, and at least one more than is coming. No more than that, and one
    /// more for each that came: data channels lose what is too much for them, and then stand still for seconds.
    pub fn window(&self) -> u64 {
        let Some(rate) = self.best() else {
            return FIRST;
        };
        if rate.saturating_mul(SLOW_PIECE) < PIECE * SECOND {
            return 1;
        }
        let trips = 2 * self.latency.unwrap_or(0) + HESITATION;
        let bytes = rate.saturating_mul(trips) / SECOND;
        let most = MAX_PIECES_PER_SOURCE.min(FIRST + self.pieces);
        bytes.div_ceil(PIECE).clamp(FIRST, most)
    }

    /// How long it takes for so many bytes; nothing when that is not known. Before the first piece has come it is as fast
    /// as it was since it was asked, if that is a while ago.
    pub fn needs(&self, bytes: u64, now: Millis) -> Option<Millis> {
        let (before, began) = self.began;
        let waited = now.saturating_sub(began);
        let first = || (waited >= SECOND).then(|| (self.delivered - before) * SECOND / waited);
        let rate = self.mean().or_else(first)?.max(1);
        Some(bytes.saturating_mul(SECOND) / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that answers after `latency` and sends `rate` bytes a second, for so many rounds of its window.
    fn after(latency: Millis, rate: u64, rounds: usize) -> Pace {
        let (mut pace, mut now) = (Pace::default(), 1_000);
        for _ in 0..rounds {
            let window = pace.window();
            let marks: Vec<Mark> = (0..window).map(|n| pace.sent(n == 0, now)).collect();
            for (number, mark) in (1..).zip(&marks) {
                let begin = now + latency + (number - 1) * PIECE * SECOND / rate;
                let end = now + latency + number * PIECE * SECOND / rate;
                pace.came(mark, true, 0, begin);
                pace.came(mark, false, PIECE, end);
                pace.ended(mark, end);
            }
            now = pace.last;
        }
        pace
    }

    #[test]
    fn much_is_asked_over_a_long_fast_way() {
        assert_eq!(Pace::default().window(), FIRST);
        let far = after(100, 50_000_000, 12);
        let product = 50_000_000 / 10 / PIECE;
        assert!(
            (product..=2 * product + 2).contains(&far.window()),
            "{}",
            far.window()
        );
        assert!(after(400, 500_000_000, 20).window() == MAX_PIECES_PER_SOURCE);
        assert_eq!(after(1, 50_000_000, 12).window(), FIRST);
        assert_eq!(after(100, 1_000_000, 12).window(), FIRST);
    }

    #[test]
    fn of_a_slow_one_one_piece_is_asked() {
        let slow = after(100, 20_000, 2);
        assert_eq!(slow.window(), 1);
        let needs = slow.needs(100_000, slow.last).unwrap();
        assert!((4_900..5_300).contains(&needs), "{needs}");
        let mut silent = Pace::default();
        silent.sent(true, 1_000);
        assert_eq!(silent.needs(100, 1_500), None);
        assert_eq!(silent.needs(100, 3_000), Some(100 * SECOND));
        assert_eq!(slow.latency, Some(100));
    }
}
