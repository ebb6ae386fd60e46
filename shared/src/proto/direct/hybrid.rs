//! A hybrid logical clock: times that only rise, and rise above whatever was heard.
//!
//! Knows one number. Somebody else's clock pulls it ahead by at most [`MAX_CLOCK_LEAD`].

use crate::limits::MAX_CLOCK_LEAD;
use crate::proto::Millis;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hybrid {
    /// The last time that was given or heard.
    pub last: Millis,
}

impl Hybrid {
    /// A time for what happens now, later than everything before.
    pub fn tick(&mut self, now: Millis) -> Millis {
        // A clock that was ahead once does not stay ahead for ever.
        let known = self.last.min(now.saturating_add(MAX_CLOCK_LEAD));
        self.last = now.max(known + 1);
        self.last
    }

    /// Something of this time was heard; what time it counts for.
    pub fn hear(&mut self, time: Millis, now: Millis) -> Millis {
        let time = time.min(now.saturating_add(MAX_CLOCK_LEAD));
        self.last = self.last.max(time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_later_than_what_it_answers() {
        let mut clock = Hybrid::default();
        assert_eq!(clock.hear(5_000, 1_000), 5_000);
        assert_eq!(clock.tick(1_000), 5_001);
        assert_eq!(clock.tick(1_000), 5_002);
        assert_eq!(clock.tick(9_000), 9_000);
        assert_eq!(clock.tick(8_000), 9_001, "the own clock went back");
    }

    #[test]
    fn a_wild_clock_pulls_by_two_minutes() {
        let mut clock = Hybrid::default();
        let most = 1_000 + MAX_CLOCK_LEAD;
        assert_eq!(clock.hear(u64::MAX, 1_000), most);
        assert_eq!(clock.tick(1_000), most + 1);
        let mut ahead = Hybrid { last: u64::MAX };
        assert_eq!(ahead.tick(1_000), most + 1, "an own clock that was wrong");
    }
}
