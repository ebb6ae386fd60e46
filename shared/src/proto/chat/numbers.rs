//! Which numbers of a session have arrived, as ranges, so that gaps are known.

use crate::limits::MAX_GAPS_PER_SESSION;

/// Numbers from 1 on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    /// Takes note of a number; whether it was new. Of very many gaps the lowest are forgotten: what is
    /// below them counts as missing.
    pub fn add(&mut self, number: u64) -> bool {
        let place = self.0.partition_point(|(_, last)| *last < number);
        let ranges = &mut self.0;
        if ranges.get(place).is_some_and(|(first, _)| *first <= number) {
            return false;
        }
        let before = place > 0 && ranges[place - 1].1 + 1 == number;
        let after = place < ranges.len() && ranges[place].0 == number + 1;
        match (before, after) {
            (true, true) => {
                ranges[place - 1].1 = ranges[place].1;
                ranges.remove(place);
            }
            (true, false) => ranges[place - 1].1 = number,
            (false, true) => ranges[place].0 = number,
            (false, false) => ranges.insert(place, (number, number)),
        }
        if ranges.len() > MAX_GAPS_PER_SESSION {
            ranges.remove(0);
        }
        true
    }

    /// The lowest one.
    pub fn first(&self) -> Option<u64> {
        self.0.first().map(|(first, _)| *first)
    }

    /// The highest one; 0 if there is none.
    pub fn last(&self) -> u64 {
        self.0.last().map_or(0, |(_, last)| *last)
    }

    /// How many are missing from `first` up to `head`, or up to the highest one.
    pub fn missing(&self, first: u64, head: u64) -> u64 {
        let end = head.max(self.last());
        let all = (end + 1).saturating_sub(first);
        let here = self.0.iter().map(|(from, to)| {
            let from = (*from).max(first);
            (to + 1).saturating_sub(from)
        });
        all.saturating_sub(here.sum())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::proto::prng::Prng;

    #[test]
    fn it_counts_as_a_set_does() {
        for seed in 0..50 {
            let mut random = Prng::new(seed);
            let (mut ours, mut theirs) = (Numbers::default(), BTreeSet::new());
            for _ in 0..200 {
                let number = 1 + random.below(120);
                assert_eq!(ours.add(number), theirs.insert(number), "seed {seed}");
                let (first, head) = (1 + random.below(60), random.below(150));
                let end = head.max(*theirs.last().unwrap());
                let missing = (first..=end).filter(|n| !theirs.contains(n)).count();
                assert_eq!(ours.missing(first, head), missing as u64, "seed {seed}");
            }
            assert_eq!(ours.first(), theirs.first().copied());
        }
    }

    #[test]
    fn very_many_gaps_are_forgotten_from_below() {
        let mut numbers = Numbers::default();
        for number in 0..1_000 {
            numbers.add(1 + number * 2);
        }
        assert_eq!(numbers.0.len(), MAX_GAPS_PER_SESSION);
        assert_eq!(numbers.last(), 1_999);
    }
}
