//! Whom a search asks: those whom nodes name for its words, each once.
//!
//! Knows no network. What a node says of who shares something is a hint; the lists of all nodes are read in turn, so that
//! none of them decides alone who is asked.

use std::collections::{BTreeSet, VecDeque};

use crate::limits::MAX_SEARCHED;
use crate::proto::record::ProviderEntry;

/// Those who are still to be asked, and who was.
#[derive(Clone, Debug)]
pub struct Sharers {
    lists: VecDeque<VecDeque<ProviderEntry>>,
    /// Peers that need not be asked again.
    known: BTreeSet<Vec<u8>>,
    left: usize,
}

impl Sharers {
    /// Nobody yet. Whoever searches does not ask itself.
    pub fn new(own: Vec<u8>) -> Sharers {
        Sharers {
            lists: VecDeque::new(),
            known: BTreeSet::from([own]),
            left: MAX_SEARCHED,
        }
    }

    /// A node names some.
    pub fn named(&mut self, list: Vec<ProviderEntry>) {
        self.lists.push_back(list.into());
    }

    /// The next one to ask.
    pub fn next(&mut self) -> Option<ProviderEntry> {
        if self.is_over() {
            return None;
        }
        while let Some(mut list) = self.lists.pop_front() {
            let new = list.iter().position(|one| !self.known.contains(&one.peer));
            let Some(entry) = new.and_then(|at| list.drain(..=at).next_back()) else {
                continue;
            };
            self.lists.push_back(list);
            self.known.insert(entry.peer.clone());
            self.left -= 1;
            return Some(entry);
        }
        None
    }

    /// Nobody will be asked any more, whoever is named.
    pub fn is_over(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(peers: impl IntoIterator<Item = usize>) -> Vec<ProviderEntry> {
        let entry = |peer: usize| ProviderEntry {
            peer: peer.to_be_bytes().to_vec(),
            addresses: Vec::new(),
            expires: 1,
        };
        peers.into_iter().map(entry).collect()
    }

    fn all(sharers: &mut Sharers) -> Vec<ProviderEntry> {
        std::iter::from_fn(|| sharers.next()).collect()
    }

    #[test]
    fn each_is_asked_once_and_nobody_asks_itself() {
        let own = entries([2]).remove(0).peer;
        let mut sharers = Sharers::new(own);
        assert_eq!(sharers.next(), None);
        sharers.named(entries([1, 2, 3]));
        assert_eq!(sharers.next(), entries([1]).pop());
        sharers.named(entries([1, 3, 4]));
        assert_eq!(all(&mut sharers), entries([3, 4]));
        sharers.named(entries([4, 3]));
        assert_eq!(sharers.next(), None);
        assert!(!sharers.is_over());
    }

    #[test]
    fn a_node_that_names_many_does_not_keep_others_from_being_asked() {
        let mut sharers = Sharers::new(Vec::new());
        sharers.named(entries(1_000..2_000));
        sharers.named(entries(0..MAX_SEARCHED / 2));
        let asked = all(&mut sharers);
        assert_eq!(asked.len(), MAX_SEARCHED);
        assert!(sharers.is_over());
        for honest in entries(0..MAX_SEARCHED / 2) {
            assert!(asked.contains(&honest));
        }
        sharers.named(entries([7_000]));
        assert_eq!(sharers.next(), None);
    }
}
