//! Witness sets: who may witness names, and how one set follows another.
//!
//! Knows quorums, epochs and the signatures that hand over from one set to the next. Does not know
//! what witnesses sign about names (`certificate`), nor where they are reached.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::limits::{MAX_SAFE_INTEGER, MAX_WITNESS_SET, MAX_WITNESS_SETS, MAX_WITNESSES};
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// Precedes a set in the bytes that its predecessor signs.
const SET_PREFIX: &[u8] = b"warren-witness-set-1\0";

/// The witnesses of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Encode, Decode)]
#[cbor(array)]
pub struct WitnessSet {
    #[n(0)]
    epoch: u64,
    #[n(1)]
    from: Millis,
    #[n(2)]
    keys: Vec<PublicKey>,
}

impl WitnessSet {
    /// A set that signs from `from` on. Keys may come in any order; equal ones count once.
    pub fn new(
        epoch: u64,
        from: Millis,
        keys: impl IntoIterator<Item = PublicKey>,
    ) -> Result<WitnessSet, Refusal> {
        let keys: BTreeSet<PublicKey> = keys.into_iter().collect();
        let set = WitnessSet {
            epoch,
            from,
            keys: keys.into_iter().collect(),
        };
        set.check().map(|()| set)
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<WitnessSet, Refusal> {
        if bytes.len() > MAX_WITNESS_SET {
            return Err(Refusal::Oversized);
        }
        let set: WitnessSet = cbor::decode(bytes)?;
        set.check().map(|()| set)
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Whether it is one that somebody may have made.
    pub(in crate::proto) fn check(&self) -> Result<(), Refusal> {
        let ascending = self.keys.windows(2).all(|pair| pair[0] < pair[1]);
        let counted = (1..=MAX_WITNESSES).contains(&self.keys.len());
        let numbers = self.epoch <= MAX_SAFE_INTEGER && self.from <= MAX_SAFE_INTEGER;
        match ascending && counted && numbers {
            true => Ok(()),
            false => Err(Refusal::Malformed),
        }
    }

    /// Its number.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When it takes over from its predecessor.
    pub fn from(&self) -> Millis {
        self.from
    }

    /// Who belongs to it, in ascending order.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// How many must sign: a majority up to three, more than two thirds beyond.
    pub fn quorum(&self) -> usize {
        match self.keys.len() {
            count @ 0..=3 => count / 2 + 1,
            count => 2 * count / 3 + 1,
        }
    }

    /// The number of a member in the set.
    pub fn position(&self, key: &PublicKey) -> Option<u64> {
        self.keys.binary_search(key).ok().map(|at| at as u64)
    }

    /// The member with that number.
    pub fn member(&self, position: u64) -> Option<&PublicKey> {
        self.keys.get(usize::try_from(position).ok()?)
    }

    /// What a member of this set signs to hand over to `next`.
    pub fn endorse(&self, network: &NetworkId, next: &WitnessSet, key: &SigningKey) -> Vec<u8> {
        let signed = succession(network, self, next);
        key.sign(&signed).to_vec()
    }
}

fn succession(network: &NetworkId, old: &WitnessSet, next: &WitnessSet) -> Vec<u8> {
    let previous = *blake3::hash(&old.encode()).as_bytes();
    let body = (
        network.as_str(),
        minicbor::bytes::ByteArray::from(previous),
        next,
    );
    [SET_PREFIX, &cbor::encode(&body)].concat()
}

/// A set with the signatures of its predecessor.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Succession {
    /// The new set.
    #[n(0)]
    pub set: WitnessSet,
    /// Members of the old set, by number in ascending order, and their signatures.
    #[n(1)]
    pub signatures: Vec<Endorsement>,
}

/// One member's signature of the next set.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Endorsement {
    /// The member's number in the old set.
    #[n(0)]
    pub member: u64,
    /// Its signature.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl Succession {
    /// Whether a quorum of `old` signed this set as its successor.
    pub fn follows(&self, old: &WitnessSet, network: &NetworkId) -> Result<(), Refusal> {
        self.set.check()?;
        let next_epoch = old.epoch.checked_add(1) == Some(self.set.epoch);
        let ascending = self
            .signatures
            .windows(2)
            .all(|pair| pair[0].member < pair[1].member);
        if !next_epoch || !ascending || self.set.from <= old.from {
            return Err(Refusal::Malformed);
        }
        if self.signatures.len() < old.quorum() {
            return Err(Refusal::BadSignature);
        }
        let signed = succession(network, old, &self.set);
        let valid = |endorsement: &Endorsement| {
            old.member(endorsement.member)
                .is_some_and(|key| key.verify(&signed, &endorsement.signature))
        };
        match self.signatures.iter().all(valid) {
            true => Ok(()),
            false => Err(Refusal::BadSignature),
        }
    }
}

/// The sets that somebody believes in: one that was pinned, and those that followed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSets {
    network: NetworkId,
    /// Oldest first, epochs without gaps; the proof that each followed, for others.
    chain: Vec<Succession>,
}

impl KnownSets {
    /// Pins a set: embedded, or taken at first use.
    pub fn pinned(network: NetworkId, set: WitnessSet) -> KnownSets {
        let first = Succession {
            set,
            signatures: Vec::new(),
        };
        KnownSets {
            network,
            chain: vec![first],
        }
    }

    /// The network they witness for.
    pub fn network(&self) -> &NetworkId {
        &self.network
    }

    /// The newest set.
    pub fn current(&self) -> &WitnessSet {
        &self.chain.last().expect("never empty").set
    }

    /// All of them, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &WitnessSet> {
        self.chain.iter().map(|link| &link.set)
    }

    /// The set of an epoch.
    pub fn get(&self, epoch: u64) -> Option<&WitnessSet> {
        self.all().find(|set| set.epoch == epoch)
    }

    /// When the signatures of an epoch stopped: its successor took over.
    pub fn ended(&self, epoch: u64) -> Option<Millis> {
        self.get(epoch.checked_add(1)?).map(WitnessSet::from)
    }

    /// Takes the next set, if the current one signed it. True if it was new.
    pub fn learn(&mut self, next: Succession) -> Result<bool, Refusal> {
        if self.get(next.set.epoch) == Some(&next.set) {
            return Ok(false);
        }
        next.follows(self.current(), &self.network)?;
        self.chain.push(next);
        if self.chain.len() > MAX_WITNESS_SETS {
            self.chain.remove(0);
        }
        Ok(true)
    }

    /// The successions after an epoch, oldest first.
    pub fn after(&self, epoch: u64) -> &[Succession] {
        let start = self.chain.partition_point(|link| link.set.epoch <= epoch);
        &self.chain[start..]
    }

    /// For storage: what [`Self::restore`] reads.
    pub fn export(&self) -> Vec<u8> {
        cbor::encode(&(self.network.clone(), self.chain.clone()))
    }

    /// Reads what was exported; the links are checked again.
    pub fn restore(bytes: &[u8]) -> Result<KnownSets, Refusal> {
        let (network, chain): (NetworkId, Vec<Succession>) = cbor::decode(bytes)?;
        let mut links = chain.into_iter();
        let first = links.next().ok_or(Refusal::Malformed)?;
        first.set.check()?;
        let mut sets = KnownSets {
            network,
            chain: vec![first],
        };
        for link in links {
            sets.learn(link)?;
        }
        Ok(sets)
    }
}

#[cfg(test)]
mod tests;
