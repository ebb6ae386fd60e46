//! How much of this node's work others may ask for at one time: all together, each peer, and each
//! address prefix.

use std::collections::HashMap;
use std::hash::Hash;
#[cfg(feature = "apps")]
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::PeerId;

use crate::limits::{JOBS, JOBS_PER_PEER, JOBS_PER_PREFIX};
use crate::proto::record::provider::Prefix;

/// Who asked for a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub peer: PeerId,
    /// Where it was seen; nothing when that says nothing about who it is.
    pub prefix: Option<Prefix>,
}

/// Jobs under way.
pub(super) struct Budget {
    limits: Limits,
    all: usize,
    peers: HashMap<PeerId, usize>,
    prefixes: HashMap<Prefix, usize>,
}

/// How many there may be: all together, of a peer, of a prefix.
pub(super) struct Limits(pub usize, pub usize, pub usize);

impl Default for Budget {
    fn default() -> Self {
        Budget::new(Limits(JOBS, JOBS_PER_PEER, JOBS_PER_PREFIX))
    }
}

impl Budget {
    /// Nobody asked for anything yet.
    pub fn new(limits: Limits) -> Self {
        Budget {
            limits,
            all: 0,
            peers: HashMap::new(),
            prefixes: HashMap::new(),
        }
    }

    /// Counts one more job, unless a limit is reached.
    pub fn take(&mut self, asker: Asker) -> bool {
        let of_peer = self.peers.get(&asker.peer).copied().unwrap_or(0);
        let of_prefix = asker.prefix.and_then(|prefix| self.prefixes.get(&prefix));
        let Limits(all, per_peer, per_prefix) = self.limits;
        let full = self.all >= all
            || of_peer >= per_peer
            || of_prefix.is_some_and(|jobs| *jobs >= per_prefix);
        if full {
            return false;
        }
        self.all += 1;
        *self.peers.entry(asker.peer).or_default() += 1;
        if let Some(prefix) = asker.prefix {
            *self.prefixes.entry(prefix).or_default() += 1;
        }
        true
    }

    /// A job has ended.
    pub fn give_back(&mut self, asker: Asker) {
        self.all = self.all.saturating_sub(1);
        less(&mut self.peers, &asker.peer);
        if let Some(prefix) = &asker.prefix {
            less(&mut self.prefixes, prefix);
        }
    }
}

/// A budget of several tasks. Cheap to clone.
#[cfg(feature = "apps")]
#[derive(Clone, Default)]
pub(super) struct SharedBudget(Arc<Mutex<Budget>>);

#[cfg(feature = "apps")]
impl SharedBudget {
    pub fn new(limits: Limits) -> Self {
        SharedBudget(Arc::new(Mutex::new(Budget::new(limits))))
    }

    /// Counts one more job, unless a limit is reached. It has ended when its place is dropped.
    pub fn place(&self, asker: Asker) -> Option<Place> {
        let taken = self.budget().take(asker);
        taken.then(|| Place(self.clone(), asker))
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A share of this node's time.
#[cfg(feature = "apps")]
pub(super) struct Place(SharedBudget, Asker);

#[cfg(feature = "apps")]
impl Drop for Place {
    fn drop(&mut self) {
        self.0.budget().give_back(self.1);
    }
}

fn less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(prefix: Option<u8>) -> Asker {
        Asker {
            peer: PeerId::random(),
            prefix: prefix.map(|number| Prefix::V4([number, 0, 0])),
        }
    }

    fn take_all(budget: &mut Budget, mut next: impl FnMut() -> Asker) -> usize {
        std::iter::from_fn(|| budget.take(next()).then_some(())).count()
    }

    #[test]
    fn a_peer_and_a_prefix_leave_room_for_others() {
        let mut budget = Budget::default();
        let greedy = asker(Some(1));
        assert_eq!(take_all(&mut budget, || greedy), JOBS_PER_PEER);
        let rest = take_all(&mut budget, || asker(Some(1)));
        assert_eq!(rest, JOBS_PER_PREFIX - JOBS_PER_PEER);
        assert!(budget.take(asker(Some(2))));
        assert!(!budget.take(greedy));
        budget.give_back(greedy);
        assert!(budget.take(greedy));
    }

    #[test]
    fn all_together_have_a_limit_and_nothing_is_remembered_of_those_who_left() {
        let mut budget = Budget::default();
        let mut taken = Vec::new();
        loop {
            let asker = asker(None);
            if !budget.take(asker) {
                break;
            }
            taken.push(asker);
        }
        assert_eq!(taken.len(), JOBS);
        taken.into_iter().for_each(|asker| budget.give_back(asker));
        assert!(budget.peers.is_empty() && budget.prefixes.is_empty());
    }
}
