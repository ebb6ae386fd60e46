//! Who holds how much of a store, and who gives way when it is full.
//!
//! Counts; knows nothing of records. One rule for every back end: no source holds more than its
//! limit, and a full store takes from the source that holds most, as long as that leaves it with more
//! than the newcomer has. So nobody gives way who holds no more than an equal share.

use std::collections::{BTreeMap, BTreeSet};

use super::StoreLimits;
use crate::proto::cbor;
use crate::proto::record::{Prefix, ProviderSet, Record, peer::PEER_DOMAIN};

/// Whom a stored thing is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(u64);

impl Source {
    /// This node itself: it has no limit and never gives way.
    pub const OWN: Source = Source(0);

    /// A network prefix. Without one, behind a proxy or on the same machine, each peer counts for
    /// itself: what many people share must not be one person's to use up.
    pub fn of(prefix: Option<Prefix>, peer: &[u8]) -> Source {
        let mut hasher = blake3::Hasher::new();
        match prefix {
            Some(prefix) => hasher.update(b"prefix").update(&cbor::encode(&prefix)),
            None => hasher.update(b"peer").update(peer),
        };
        let mut short = [0; 8];
        short.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Source(u64::from_be_bytes(short))
    }

    /// For storage.
    pub fn to_u64(self) -> u64 {
        self.0
    }

    /// What [`Self::to_u64`] gave.
    pub fn from_u64(number: u64) -> Source {
        Source(number)
    }
}

/// How much of something all sources together, and each of them, may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// All together.
    pub total: u64,
    /// Each.
    pub each: u64,
}

/// Whether there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Free,
    /// After something of this source was removed, there may be.
    After(Source),
    /// There is none for that source.
    Full,
}

/// How much of one kind each source holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    held: BTreeMap<Source, u64>,
    /// Those who may have to give way, the heaviest last.
    order: BTreeSet<(u64, Source)>,
    total: u64,
}

impl Shares {
    /// What all hold.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What one holds.
    pub fn held(&self, source: Source) -> u64 {
        self.held.get(&source).copied().unwrap_or(0)
    }

    /// Counts something that was stored.
    pub fn add(&mut self, source: Source, amount: u64) {
        self.set(source, self.held(source).saturating_add(amount));
    }

    /// Counts something that was removed.
    pub fn remove(&mut self, source: Source, amount: u64) {
        self.set(source, self.held(source).saturating_sub(amount));
    }

    fn set(&mut self, source: Source, amount: u64) {
        let before = match amount {
            0 => self.held.remove(&source),
            _ => self.held.insert(source, amount),
        }
        .unwrap_or(0);
        self.total = self.total - before + amount;
        if source != Source::OWN {
            self.order.remove(&(before, source));
            if amount > 0 {
                self.order.insert((amount, source));
            }
        }
    }

    /// Whether a source may hold `more`.
    pub fn room(&self, source: Source, more: u64, share: Share) -> Room {
        let wanted = match source {
            Source::OWN => more,
            _ => self.held(source).saturating_add(more),
        };
        if wanted > share.each && source != Source::OWN {
            return Room::Full;
        }
        if self.total.saturating_add(more) <= share.total {
            return Room::Free;
        }
        match self.order.last() {
            Some((most, heaviest)) if *most > wanted && *heaviest != source => {
                Room::After(*heaviest)
            }
            _ => Room::Full,
        }
    }
}

/// Records that do not compete with those of other pools for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pool {
    /// Peer records: without them nobody is found, so values must not crowd them out.
    Peers,
    /// All others.
    Values,
}

impl Pool {
    /// Where a record counts.
    pub fn of(record: &Record) -> Pool {
        match record {
            Record::Signed(envelope) if envelope.body().domain == PEER_DOMAIN => Pool::Peers,
            _ => Pool::Values,
        }
    }

    /// For storage.
    pub fn to_u8(self) -> u8 {
        self as u8
    }

    /// What [`Self::to_u8`] gave.
    pub fn from_u8(number: u8) -> Pool {
        match number {
            0 => Pool::Peers,
            _ => Pool::Values,
        }
    }
}

/// What one record takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Whom it counts for.
    pub source: Source,
    /// Among which records.
    pub pool: Pool,
    /// How long it is.
    pub bytes: u64,
}

/// Who holds which part of the records of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordShares {
    peers: Shares,
    values: Shares,
    bytes: Shares,
}

impl RecordShares {
    /// Counts a record that was stored.
    pub fn add(&mut self, record: Holding) {
        self.count(record.pool).add(record.source, 1);
        if record.pool == Pool::Values {
            self.bytes.add(record.source, record.bytes);
        }
    }

    /// Counts a record that was removed.
    pub fn remove(&mut self, record: Holding) {
        self.count(record.pool).remove(record.source, 1);
        if record.pool == Pool::Values {
            self.bytes.remove(record.source, record.bytes);
        }
    }

    fn count(&mut self, pool: Pool) -> &mut Shares {
        match pool {
            Pool::Peers => &mut self.peers,
            Pool::Values => &mut self.values,
        }
    }

    /// Whether there is room for a record.
    pub fn room(&self, record: Holding, limits: &StoreLimits) -> Room {
        match record.pool {
            Pool::Peers => self.peers.room(record.source, 1, limits.peers),
            Pool::Values => match self.values.room(record.source, 1, limits.records) {
                Room::Free => self.bytes.room(record.source, record.bytes, limits.bytes),
                other => other,
            },
        }
    }

    /// Whom a record counts for that both have put: who holds less. Otherwise a heavy source could
    /// take over the records of others by putting them again, and have them removed with its own.
    pub fn lighter(&self, pool: Pool, a: Source, b: Source) -> Source {
        let held = |source| match (source, pool) {
            (Source::OWN, _) => 0,
            (_, Pool::Peers) => self.peers.held(source),
            (_, Pool::Values) => self.values.held(source),
        };
        if held(b) < held(a) { b } else { a }
    }
}

/// How many entries of one set each source has.
pub fn provider_sources(set: &ProviderSet) -> BTreeMap<Source, u64> {
    let mut counts = BTreeMap::new();
    for (peer, prefix, _) in set.origins() {
        *counts.entry(Source::of(prefix, peer)).or_default() += 1;
    }
    counts
}

/// The entry of a source that gives way: the one that would expire first.
pub fn provider_to_remove(set: &ProviderSet, source: Source) -> Option<Vec<u8>> {
    set.origins()
        .filter(|(peer, prefix, _)| Source::of(*prefix, peer) == source)
        .min_by_key(|(_, _, expires)| *expires)
        .map(|(peer, _, _)| peer.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { total: 10, each: 8 };

    fn source(number: u8) -> Source {
        Source::of(Some(Prefix::V4([number, 0, 0])), &[])
    }

    #[test]
    fn the_heaviest_gives_way_until_shares_are_equal() {
        let mut shares = Shares::default();
        shares.add(source(1), 8);
        assert_eq!(shares.room(source(1), 1, SHARE), Room::Full);
        shares.add(source(2), 2);
        while let Room::After(heaviest) = shares.room(source(3), 1, SHARE) {
            assert_eq!(heaviest, source(1), "the other is under its share");
            shares.remove(heaviest, 1);
            shares.add(source(3), 1);
        }
        let held = [1, 2, 3].map(|number| shares.held(source(number)));
        assert_eq!((held, shares.total()), ([4, 2, 4], 10));
    }

    #[test]
    fn the_own_node_never_gives_way_and_is_always_let_in() {
        let mut shares = Shares::default();
        shares.add(Source::OWN, 9);
        shares.add(source(1), 1);
        assert_eq!(shares.room(source(2), 1, SHARE), Room::Full);
        shares.add(source(1), 1);
        assert_eq!(shares.room(Source::OWN, 1, SHARE), Room::After(source(1)));
    }

    #[test]
    fn prefixes_are_sources_and_where_there_is_none_peers_are() {
        let net = Some(Prefix::V4([203, 0, 113]));
        assert_eq!(Source::of(net, b"a"), Source::of(net, b"b"));
        assert_ne!(Source::of(None, b"a"), Source::of(None, b"b"));
    }

    #[test]
    fn a_record_put_by_two_counts_for_the_lighter() {
        let mut shares = RecordShares::default();
        let (heavy, light) = (source(1), source(2));
        for _ in 0..3 {
            shares.add(Holding {
                source: heavy,
                pool: Pool::Values,
                bytes: 1,
            });
        }
        assert_eq!(shares.lighter(Pool::Values, light, heavy), light);
        assert_eq!(shares.lighter(Pool::Values, heavy, light), light);
        assert_eq!(
            shares.lighter(Pool::Values, Source::OWN, light),
            Source::OWN
        );
    }
}
