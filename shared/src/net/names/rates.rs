//! How often somebody may do something: so many at once, and as many again in a minute.
//!
//! Pure: time is an argument. Whoever has not come for a while is forgotten, because by then it would
//! have its full share again. However many come, none of them costs more than a little: forgetting is
//! done once for as many newcomers as are looked at for it, and there is room for so many only.

use std::collections::HashMap;
use std::hash::Hash;

use crate::proto::Millis;

const MINUTE: Millis = 60_000;
/// After at least so many newcomers, those with a full share are forgotten.
const SWEEP_AT: usize = 4_096;
/// More are not known at once; who is new then has no share.
const MOST: usize = 65_536;

/// The shares of everybody who came lately.
#[derive(Debug)]
pub struct Rates<K> {
    a_minute: u32,
    shares: HashMap<K, Share>,
    /// How many were new since those with a full share were forgotten, and how many stayed then.
    newcomers: usize,
    stayed: usize,
}

#[derive(Debug)]
struct Share {
    left: f64,
    at: Millis,
}

impl Share {
    fn grown(&self, full: f64, now: Millis) -> f64 {
        let elapsed = now.saturating_sub(self.at) as f64;
        (self.left + elapsed * full / MINUTE as f64).min(full)
    }
}

impl<K: Eq + Hash> Rates<K> {
    /// Everybody has a full share.
    pub fn new(a_minute: u32) -> Self {
        Rates {
            a_minute,
            shares: HashMap::new(),
            newcomers: 0,
            stayed: 0,
        }
    }

    /// Takes one from the share of `who`, if there is one.
    pub fn take(&mut self, who: K, now: Millis) -> bool {
        if !self.shares.contains_key(&who) && !self.has_room(now) {
            return false;
        }
        let full = f64::from(self.a_minute);
        let share = self.shares.entry(who).or_insert(Share {
            left: full,
            at: now,
        });
        share.left = share.grown(full, now);
        // A clock that went back must not stop the share from growing.
        share.at = now;
        if share.left < 1.0 {
            return false;
        }
        share.left -= 1.0;
        true
    }

    /// Whether there is room for one more.
    fn has_room(&mut self, now: Millis) -> bool {
        if self.newcomers >= self.stayed.max(SWEEP_AT) {
            let full = f64::from(self.a_minute);
            self.shares.retain(|_, share| share.grown(full, now) < full);
            (self.newcomers, self.stayed) = (0, self.shares.len());
        }
        self.newcomers += 1;
        self.shares.len() < MOST
    }

    /// Gives one back that was taken for nothing.
    pub fn give_back(&mut self, who: &K) {
        if let Some(share) = self.shares.get_mut(who) {
            share.left = (share.left + 1.0).min(f64::from(self.a_minute));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spent_and_grows_again() {
        let mut rates = Rates::new(6);
        let spent =
            |rates: &mut Rates<u8>, who, now| (0..100).filter(|_| rates.take(who, now)).count();
        assert_eq!(spent(&mut rates, 1, 0), 6);
        assert_eq!(spent(&mut rates, 2, 0), 6, "others have their own");
        assert_eq!(spent(&mut rates, 1, MINUTE / 6 + 1), 1);
        assert_eq!(spent(&mut rates, 1, 100 * MINUTE), 6);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut rates = Rates::new(1);
        rates.give_back(&1);
        for _ in 0..3 {
            assert!(rates.take(1, 0) && !rates.take(1, 0));
            rates.give_back(&1);
        }
        rates.give_back(&1);
        assert!(
            rates.take(1, 0) && !rates.take(1, 0),
            "no more than a share"
        );
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let mut rates = Rates::new(1);
        assert!(rates.take(1, 100 * MINUTE) && !rates.take(1, 0));
        assert!(rates.take(1, MINUTE + 1));
    }

    #[test]
    fn those_who_stay_away_are_forgotten() {
        let mut rates = Rates::new(2);
        for who in 0..SWEEP_AT {
            rates.take(who, 0);
        }
        rates.take(usize::MAX, 10 * MINUTE);
        assert_eq!(rates.shares.len(), 1);
    }

    #[test]
    fn a_flood_of_newcomers_is_looked_at_seldom_and_bounded() {
        let mut rates = Rates::new(1);
        let (mut sweeps, mut looked_at, mut before) = (0, 0, 0);
        for who in 0..4 * MOST {
            assert_eq!(rates.take(who, 0), who < MOST, "{who}");
            if rates.newcomers <= before {
                (sweeps, looked_at) = (sweeps + 1, looked_at + rates.shares.len());
            }
            before = rates.newcomers;
        }
        assert_eq!(rates.shares.len(), MOST);
        assert!(sweeps > 0 && looked_at <= 8 * MOST, "{sweeps}: {looked_at}");
        assert!(!rates.take(7, 0), "it has spent its share");
        let later = 10 * MINUTE;
        let room = (0..2 * MOST).any(|who| rates.take(4 * MOST + who, later));
        assert!(room, "those who stayed away are forgotten");
    }
}
