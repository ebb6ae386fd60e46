//! Merges the answers of several nodes to one question for a record. Pure: who is asked, and when
//! to stop waiting, is decided elsewhere.

use super::Millis;
use super::key::{Key, NetworkId, Space};
use super::record::wire::Response;
use super::record::{Decision, Record, supersedes};

/// The answers so far. `P` names an answering node.
pub struct Gather<P> {
    key: Key,
    network: NetworkId,
    best: Option<Record>,
    agreeing: Vec<P>,
    stale: Vec<P>,
    answered: usize,
}

impl<P> Gather<P> {
    /// Starts without any answer.
    pub fn new(key: Key, network: NetworkId) -> Self {
        Gather {
            key,
            network,
            best: None,
            agreeing: Vec::new(),
            stale: Vec::new(),
            answered: 0,
        }
    }

    /// Counts a record that this node holds itself, verified when it was stored.
    pub fn add_own(&mut self, record: Record) {
        self.best = Some(record);
    }

    /// Takes one answer. What does not verify counts as no answer, and its sender is not repaired.
    pub fn add(&mut self, peer: P, response: Response, now: Millis) {
        match response {
            Response::Missing => {
                self.answered += 1;
                self.stale.push(peer);
            }
            Response::Found { record } => {
                if let Ok(record) = Record::validate(self.key, &record, &self.network, now) {
                    self.answered += 1;
                    self.merge(peer, record);
                }
            }
            _ => {}
        }
    }

    fn merge(&mut self, peer: P, record: Record) {
        let decision = match &self.best {
            None => Decision::Store,
            Some(best) => supersedes(best, &record),
        };
        match decision {
            Decision::Store => {
                self.best = Some(record);
                self.stale.append(&mut self.agreeing);
                self.agreeing.push(peer);
            }
            Decision::Same => self.agreeing.push(peer),
            Decision::Older => self.stale.push(peer),
        }
    }

    /// Whether more answers could not change the result: an immutable record proves itself, a
    /// mutable one needs `quorum` nodes without a newer one.
    pub fn done(&self, quorum: usize) -> bool {
        match self.key.space {
            Space::Value => self.best.is_some(),
            _ => self.best.is_some() && self.answered >= quorum,
        }
    }

    /// The winning record.
    pub fn best(&self) -> Option<&Record> {
        self.best.as_ref()
    }

    /// The winning record.
    pub fn into_best(self) -> Option<Record> {
        self.best
    }

    /// Nodes that answered with an older record or none.
    pub fn stale(&self) -> &[P] {
        &self.stale
    }
}
