//! Whom a search asks: those whom nodes name for its words, each once.
//!
//! Knows no network. What a node says of who shares something is a hint. The lists of all nodes are read in turn; as long as
//! others may come, each has a small share of those who are asked; and who cannot be reached hardly counts. So none decides
//! alone who is asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::limits::{MAX_SEARCHED, SEARCHED_OF_A_LIST};
use crate::proto::record::ProviderEntry;

/// What one node says.
#[derive(Clone, Debug)]
struct List {
    entries: VecDeque<ProviderEntry>,
    given: usize,
}

/// Those who are still to be asked, and who was.
#[derive(Clone, Debug)]
pub struct Sharers {
    lists: VecDeque<List>,
    /// Whether more lists may come.
    waits: bool,
    /// Peers that need not be asked again.
    asked: BTreeSet<Vec<u8>>,
    /// Where peers were said to be and were not reached.
    missed: BTreeMap<Vec<u8>, Vec<Vec<Vec<u8>>>>,
    left: usize,
}

impl Sharers {
    /// Nobody yet. Whoever searches does not ask itself.
    pub fn new(own: Vec<u8>) -> Sharers {
        Sharers {
            lists: VecDeque::new(),
            waits: true,
            asked: BTreeSet::from([own]),
            missed: BTreeMap::new(),
            left: MAX_SEARCHED,
        }
    }

    /// A node names some.
    pub fn named(&mut self, mut entries: Vec<ProviderEntry>) {
        entries.truncate(MAX_SEARCHED);
        let entries = entries.into();
        self.lists.push_back(List { entries, given: 0 });
    }

    /// No more lists come.
    pub fn all_named(&mut self) {
        self.waits = false;
    }

    /// The next one to ask.
    pub fn choose(&mut self) -> Option<ProviderEntry> {
        if self.is_over() {
            return None;
        }
        for _ in 0..self.lists.len() {
            let mut list = self.lists.pop_front()?;
            let new = (!self.waits || list.given < SEARCHED_OF_A_LIST)
                .then(|| list.entries.iter().position(|one| self.is_new(one)))
                .flatten();
            let entry = new.and_then(|at| list.entries.remove(at));
            list.given += usize::from(entry.is_some());
            self.lists.push_back(list);
            if let Some(entry) = entry {
                self.asked.insert(entry.peer.clone());
                self.left -= 1;
                return Some(entry);
            }
        }
        None
    }

    fn is_new(&self, entry: &ProviderEntry) -> bool {
        let missed = self.missed.get(&entry.peer);
        let missed = missed.is_some_and(|places| places.contains(&entry.addresses));
        !missed && !self.asked.contains(&entry.peer)
    }

    /// Somebody was not reached. Another one may be asked instead, or the same one where others say that it is; but not
    /// for ever.
    pub fn not_reached(&mut self, entry: ProviderEntry) {
        self.asked.remove(&entry.peer);
        let misses: usize = self.missed.values().map(Vec::len).sum();
        self.left += usize::from(misses < MAX_SEARCHED);
        self.missed
            .entry(entry.peer)
            .or_default()
            .push(entry.addresses);
    }

    /// Nobody will be asked any more, whoever is named.
    pub fn is_over(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIAR: std::ops::Range<usize> = 1_000..2_000;
    const HONEST: std::ops::Range<usize> = 0..MAX_SEARCHED / 2;

    fn entries(peers: impl IntoIterator<Item = usize>) -> Vec<ProviderEntry> {
        let entry = |peer: usize| ProviderEntry {
            peer: peer.to_be_bytes().to_vec(),
            addresses: Vec::new(),
            expires: 1,
        };
        peers.into_iter().map(entry).collect()
    }

    fn all(sharers: &mut Sharers) -> Vec<ProviderEntry> {
        std::iter::from_fn(|| sharers.choose()).collect()
    }

    #[test]
    fn each_is_asked_once_and_nobody_asks_itself() {
        let own = entries([2]).remove(0).peer;
        let mut sharers = Sharers::new(own);
        assert_eq!(sharers.choose(), None);
        sharers.named(entries([1, 2, 3]));
        assert_eq!(sharers.choose(), entries([1]).pop());
        sharers.named(entries([1, 3, 4]));
        assert_eq!(all(&mut sharers), entries([3, 4]));
        sharers.named(entries([4, 3]));
        assert_eq!(sharers.choose(), None);
        assert!(!sharers.is_over());
    }

    #[test]
    fn whoever_answers_first_and_names_many_keeps_nobody_from_being_asked() {
        let mut sharers = Sharers::new(Vec::new());
        sharers.named(entries(LIAR));
        assert_eq!(all(&mut sharers).len(), SEARCHED_OF_A_LIST);
        sharers.named(entries(HONEST));
        let mut asked = all(&mut sharers);
        assert_eq!(asked.len(), SEARCHED_OF_A_LIST);
        sharers.all_named();
        asked.extend(all(&mut sharers));
        assert!(sharers.is_over());
        for honest in entries(HONEST) {
            assert!(asked.contains(&honest));
        }
    }

    #[test]
    fn a_node_that_is_alone_names_as_many_as_are_asked() {
        let mut sharers = Sharers::new(Vec::new());
        sharers.named(entries(LIAR));
        sharers.all_named();
        assert_eq!(all(&mut sharers).len(), MAX_SEARCHED);
        sharers.named(entries(HONEST));
        assert_eq!(sharers.choose(), None);
    }

    #[test]
    fn those_who_are_not_reached_hardly_count_and_are_asked_elsewhere() {
        let mut sharers = Sharers::new(Vec::new());
        let moved = ProviderEntry {
            addresses: vec![vec![7]],
            ..entries([1]).remove(0)
        };
        sharers.named(entries([1]));
        sharers.named(vec![moved.clone()]);
        let first = sharers.choose().unwrap();
        assert_eq!(sharers.choose(), None, "it is being asked");
        sharers.not_reached(first);
        assert_eq!(sharers.choose(), Some(moved));
        sharers.named(entries([1]));
        assert_eq!(sharers.choose(), None, "it is not there");

        sharers.all_named();
        let mut missed = 1;
        for round in 1.. {
            sharers.named(entries(round * 1_000..(round + 1) * 1_000));
            let Some(next) = sharers.choose() else { break };
            sharers.not_reached(next);
            missed += 1;
        }
        assert!(sharers.is_over());
        assert_eq!(missed, 2 * MAX_SEARCHED - 1, "one was reached");
    }
}
