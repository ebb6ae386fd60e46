//! Weighs the answers of several nodes about one key.
//!
//! Knows which record wins and who should be told of it. Believes only what validates; an answer
//! that does not counts for nothing. Does not ask anybody: the caller does, one answer of
//! each node at a time.

use super::Millis;
use super::key::{Key, NetworkId, Space};
use super::record::wire::Response;
use super::record::{Decision, Record, Refusal, supersedes};
use crate::limits::MAX_GATHERED;

/// What an answer was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The best record so far.
    Better,
    /// The best record once more.
    Same,
    /// A valid record that is not the best.
    Older,
    /// The node has none.
    Missing,
    /// Nothing usable: refused, off topic, or beyond the number of answers weighed.
    Nothing,
    /// A record that does not validate.
    Invalid(Refusal),
}

/// Collects the answers about one key. `T` is how the caller names a node.
#[derive(Clone, Debug)]
pub struct Gather<T> {
    key: Key,
    network: NetworkId,
    best: Option<Record>,
    /// Nodes that gave the best record.
    holders: usize,
    stale: Vec<T>,
    /// Nodes whose record was the best until a better one came.
    current: Vec<T>,
    answers: usize,
}

impl<T: Clone> Gather<T> {
    /// Nothing is known yet.
    pub fn new(key: Key, network: NetworkId) -> Self {
        Gather {
            key,
            network,
            best: None,
            holders: 0,
            stale: Vec::new(),
            current: Vec::new(),
            answers: 0,
        }
    }

    /// The record in the caller's own store, which validated it before; it counts as one answer.
    pub fn add_own(&mut self, record: Record) -> Weight {
        if record.key() != self.key {
            return Weight::Invalid(Refusal::WrongKey);
        }
        self.weigh(record, None)
    }

    /// A node's answer to a `Get`. Each node must be added once only.
    pub fn add(&mut self, node: T, response: Response, now: Millis) -> Weight {
        if self.answers >= MAX_GATHERED {
            return Weight::Nothing;
        }
        self.answers += 1;
        match response {
            Response::Found { record } => self.found(node, &record, now),
            Response::Missing => {
                self.stale.push(node);
                Weight::Missing
            }
            _ => Weight::Nothing,
        }
    }

    fn found(&mut self, node: T, bytes: &[u8], now: Millis) -> Weight {
        match Record::validate(self.key, bytes, &self.network, now) {
            Ok(record) => self.weigh(record, Some(node)),
            Err(Refusal::Expired) => {
                self.stale.push(node);
                Weight::Invalid(Refusal::Expired)
            }
            Err(why) => Weight::Invalid(why),
        }
    }

    fn weigh(&mut self, record: Record, node: Option<T>) -> Weight {
        let decision = self
            .best
            .as_ref()
            .map_or(Decision::Store, |best| supersedes(best, &record));
        match decision {
            Decision::Store => {
                self.stale.append(&mut self.current);
                self.best = Some(record);
                self.holders = 1;
                self.current.extend(node);
                Weight::Better
            }
            Decision::Same => {
                self.holders += 1;
                self.current.extend(node);
                Weight::Same
            }
            Decision::Older => {
                self.stale.extend(node);
                Weight::Older
            }
        }
    }

    /// The winning record.
    pub fn best(&self) -> Option<&Record> {
        self.best.as_ref()
    }

    /// The winning record, to keep.
    pub fn into_best(self) -> Option<Record> {
        self.best
    }

    /// Nodes that answered with an older or expired record, or none: to be given the winner.
    pub fn stale(&self) -> &[T] {
        &self.stale
    }

    /// Whether asking on is pointless: an immutable value proves itself at the first answer; a
    /// signed record needs `quorum` nodes that agree on the winner.
    pub fn done(&self, quorum: usize) -> bool {
        let needed = if self.key.space == Space::Value {
            1
        } else {
            quorum.max(1)
        };
        self.holders >= needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DAY;
    use crate::proto::key::SigningKey;
    use crate::proto::record::{MutableValue, Value, ValueBlock};

    const NOW: Millis = 1_700_000_000_000;

    fn network() -> NetworkId {
        "net".parse().unwrap()
    }

    fn signed(seq: u64) -> Record {
        let block = ValueBlock::new(&Value::Json(seq.to_string())).unwrap();
        let key = SigningKey::from_seed([1; 32]);
        let times = (NOW, NOW + DAY);
        Record::Signed(MutableValue::sign(&key, &network(), "l", &block, seq, times).unwrap())
    }

    fn found(record: &Record) -> Response {
        Response::Found {
            record: record.bytes().to_vec(),
        }
    }

    fn gather(key: Key) -> Gather<&'static str> {
        Gather::new(key, network())
    }

    #[test]
    fn the_newest_wins_and_the_others_are_stale() {
        let mut gather = gather(signed(1).key());
        assert_eq!(gather.add("a", found(&signed(1)), NOW), Weight::Better);
        assert_eq!(gather.add("b", found(&signed(1)), NOW), Weight::Same);
        assert_eq!(gather.add("c", Response::Missing, NOW), Weight::Missing);
        assert!(gather.done(2));
        assert_eq!(gather.add("d", found(&signed(2)), NOW), Weight::Better);
        assert!(!gather.done(2), "the agreement was on another record");
        assert_eq!(gather.add("e", found(&signed(1)), NOW), Weight::Older);
        let refused = Response::Refused {
            why: Refusal::RateLimited,
            newer: None,
        };
        assert_eq!(gather.add("f", refused, NOW), Weight::Nothing);
        let mut stale = gather.stale().to_vec();
        stale.sort_unstable();
        assert_eq!(stale, ["a", "b", "c", "e"]);
        assert_eq!(gather.into_best(), Some(signed(2)));
    }

    #[test]
    fn a_forgery_is_not_believed() {
        let mut gather = gather(signed(1).key());
        let mut forged = signed(9).bytes().to_vec();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        let forged = Response::Found { record: forged };
        assert_eq!(
            gather.add("m", forged, NOW),
            Weight::Invalid(Refusal::BadSignature)
        );
        gather.add("a", found(&signed(1)), NOW);
        assert!(gather.stale().is_empty(), "a liar is not repaired");
        assert_eq!(gather.best(), Some(&signed(1)));
    }

    #[test]
    fn one_valid_answer_is_enough_for_an_immutable_value() {
        let record = Record::Value(ValueBlock::new(&Value::Bytes(vec![1])).unwrap());
        let mut gather = gather(record.key());
        gather.add("a", Response::Missing, NOW);
        assert!(!gather.done(3));
        gather.add("b", found(&record), NOW);
        assert!(gather.done(3));
    }

    #[test]
    fn the_own_record_counts_once_and_must_fit() {
        let mut gather = gather(signed(1).key());
        let other = Record::Value(ValueBlock::new(&Value::Bytes(vec![1])).unwrap());
        assert_eq!(gather.add_own(other), Weight::Invalid(Refusal::WrongKey));
        assert_eq!(gather.add_own(signed(2)), Weight::Better);
        assert!(gather.done(1) && !gather.done(2));
        gather.add("a", found(&signed(1)), NOW);
        assert_eq!(gather.stale(), ["a"]);
    }

    #[test]
    fn the_number_of_answers_is_bounded() {
        let mut gather = gather(signed(1).key());
        for _ in 0..1000 {
            gather.add("a", Response::Missing, NOW);
        }
        assert_eq!(gather.stale().len(), MAX_GATHERED);
    }
}
