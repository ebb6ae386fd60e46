//! Who does what nobody should, and how much of it: points for each source, which fade, bounded in number.
//!
//! Knows points and time. What an offence is, and what becomes of an offender, is decided elsewhere.

use crate::proto::Millis;
use crate::sorted::SortedMap;

/// When a source has done too much.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// With so many points.
    pub limit: u32,
    /// So many are forgiven in a second.
    pub forgiven_per_second: u32,
}

/// What one source has done, in thousandths of points.
#[derive(Clone, Copy, Debug)]
struct Done {
    points: u64,
    since: Millis,
}

/// The points of many sources.
pub struct Offences<K> {
    patience: Patience,
    most: usize,
    sources: SortedMap<K, Done>,
}

impl<K: Ord + Clone> Offences<K> {
    /// At most so many sources are remembered: those with the least points go first.
    pub fn new(patience: Patience, most: usize) -> Self {
        Offences {
            patience,
            most,
            sources: SortedMap::default(),
        }
    }

    /// Adds points to a source; whether it has done too much by now. It then begins anew.
    pub fn add(&mut self, source: K, points: u32, now: Millis) -> bool {
        let known = self
            .sources
            .get(&source)
            .map_or(0, |done| self.left(done, now));
        let points = known + u64::from(points) * 1_000;
        if points >= u64::from(self.patience.limit) * 1_000 {
            self.sources.remove(&source);
            return true;
        }
        if known == 0 {
            self.make_room(now);
        }
        self.sources.insert(source, Done { points, since: now });
        false
    }

    /// How many sources are remembered.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether nobody has done anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn left(&self, done: &Done, now: Millis) -> u64 {
        let passed = now.saturating_sub(done.since);
        let forgiven = passed.saturating_mul(u64::from(self.patience.forgiven_per_second));
        done.points.saturating_sub(forgiven)
    }

    fn make_room(&mut self, now: Millis) {
        if self.sources.len() < self.most {
            return;
        }
        let all = self.sources.iter();
        let least = all.min_by_key(|(_, done)| self.left(done, now));
        if let Some(source) = least.map(|(source, _)| source.clone()) {
            self.sources.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offences(most: usize) -> Offences<u32> {
        let patience = Patience {
            limit: 10,
            forgiven_per_second: 2,
        };
        Offences::new(patience, most)
    }

    #[test]
    fn points_add_up_and_fade() {
        let mut offences = offences(9);
        assert!(!offences.add(1, 9, 0));
        assert!(!offences.add(2, 9, 0), "everybody for itself");
        assert!(!offences.add(1, 2, 1_000), "two were forgiven");
        assert!(offences.add(1, 1, 1_000));
        assert!(!offences.add(1, 9, 1_000), "it begins anew");
        assert!(!offences.add(2, 9, 60_000), "all was forgiven");
        assert!(
            !offences.add(2, 0, 0),
            "a clock that is set back changes nothing"
        );
        assert!(offences.add(2, 1, 0));
    }

    #[test]
    fn two_a_second_are_tolerated_for_ever_and_more_are_not() {
        let mut slow = offences(9);
        assert!((0..10_000).all(|n| !slow.add(1, 1, n * 500)));
        let mut fast = offences(9);
        assert!((0..100).any(|n| fast.add(1, 1, n * 250)));
    }

    #[test]
    fn strangers_drive_out_those_with_the_least_points() {
        let mut offences = offences(4);
        assert!(!offences.add(0, 9, 0));
        for stranger in 1..1_000 {
            assert!(!offences.add(stranger, 1, 0));
            assert!(offences.len() <= 4);
        }
        assert!(offences.add(0, 1, 0), "the worst one is remembered");
    }
}
