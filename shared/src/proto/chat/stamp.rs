//! When something was said: a hybrid logical clock, so that an answer never comes before what it answers.

use minicbor::{Decode, Encode};

use crate::limits::CHAT_CLOCK_AHEAD;
use crate::proto::Millis;

/// Ties within one millisecond are told apart so far.
const MAX_COUNT: u64 = 0xffff;

/// A place in the order of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Stamp {
    /// The wall clock, or that of what was seen before, if it is ahead.
    #[n(0)]
    pub time: Millis,
    /// How many came before it at that time.
    #[n(1)]
    pub count: u64,
}

impl Stamp {
    /// Whether it can be meant.
    pub(super) fn is_sound(&self) -> bool {
        self.count <= MAX_COUNT
    }
}

/// The clock of one member.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Stamp);

impl Clock {
    /// The time of something that is said now: later than all that was seen.
    pub fn next(&mut self, now: Millis) -> Stamp {
        let Stamp { time, count } = self.0;
        self.0 = match (now > time, count < MAX_COUNT) {
            (true, _) => Stamp {
                time: now,
                count: 0,
            },
            (false, true) => Stamp {
                time,
                count: count + 1,
            },
            (false, false) => Stamp {
                time: time + 1,
                count: 0,
            },
        };
        self.0
    }

    /// Takes note of what another member said. One whose clock is far ahead does not take ours along.
    pub fn saw(&mut self, stamp: Stamp, now: Millis) {
        if stamp > self.0 && stamp.time <= now.saturating_add(CHAT_CLOCK_AHEAD) {
            self.0 = stamp;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_later_than_what_was_seen() {
        let mut clock = Clock::default();
        let ahead = Stamp {
            time: 5_000,
            count: 3,
        };
        clock.saw(ahead, 1_000);
        let answer = clock.next(1_000);
        assert!(answer > ahead);
        assert!(clock.next(1_000) > answer);
        assert_eq!(clock.next(9_000).time, 9_000);
    }

    #[test]
    fn a_clock_far_ahead_is_not_followed() {
        let mut clock = Clock::default();
        let time = 1_000 + CHAT_CLOCK_AHEAD + 1;
        clock.saw(Stamp { time, count: 0 }, 1_000);
        assert_eq!(clock.next(1_000).time, 1_000);
    }

    #[test]
    fn a_full_millisecond_gives_way_to_the_next() {
        let mut clock = Clock::default();
        let full = Stamp {
            time: 10,
            count: MAX_COUNT,
        };
        clock.saw(full, 10);
        assert!(clock.next(10) > full);
        assert!(clock.0.is_sound());
    }
}
