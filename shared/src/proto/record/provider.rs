//! Providers of one key: who says to have, or to be interested in, something.
//!
//! Knows the quotas and the paging. Entries are hints: nothing here proves that the named peer
//! agrees; whoever dials it authenticates it.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::Refusal;
use super::peer::bounded;
use crate::limits::{
    MAX_ADDRESS, MAX_PEER_ID, MAX_PROVIDER_ADDRESSES, MAX_PROVIDERS_PER_KEY,
    MAX_PROVIDERS_PER_PREFIX, MAX_SAFE_INTEGER, PROVIDER_LIFETIME, PROVIDER_PAGE,
};
use crate::proto::{Millis, cbor};

/// One provider, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ProviderEntry {
    /// Peer id in bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub peer: Vec<u8>,
    /// At most two multiaddrs in bytes.
    #[cbor(n(1), with = "cbor::byte_lists")]
    pub addresses: Vec<Vec<u8>>,
    /// When the entry ends.
    #[n(2)]
    pub expires: Millis,
}

impl ProviderEntry {
    /// Whether sizes and numbers are within the limits.
    pub fn check(&self) -> Result<(), Refusal> {
        self.check_sizes()?;
        if self.expires > MAX_SAFE_INTEGER {
            Err(Refusal::Malformed)
        } else {
            Ok(())
        }
    }

    fn check_sizes(&self) -> Result<(), Refusal> {
        bounded(std::slice::from_ref(&self.peer), 1, MAX_PEER_ID)?;
        bounded(&self.addresses, MAX_PROVIDER_ADDRESSES, MAX_ADDRESS)
    }
}

/// Until when an entry may live.
fn longest(now: Millis) -> Millis {
    now.saturating_add(PROVIDER_LIFETIME)
}

/// Where an announcement came from: the unit of the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(flat)]
pub enum Prefix {
    /// An IPv4 /24.
    #[n(0)]
    V4(#[cbor(n(0), with = "minicbor::bytes")] [u8; 3]),
    /// An IPv6 /48.
    #[n(1)]
    V6(#[cbor(n(0), with = "minicbor::bytes")] [u8; 6]),
    /// A relay, by a hash of its peer id: its clients share one quota.
    #[n(2)]
    Relay(#[n(0)] u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Slot {
    #[n(0)]
    entry: ProviderEntry,
    #[n(1)]
    prefix: Option<Prefix>,
}

/// The providers of one key, ordered by peer id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderSet {
    slots: BTreeMap<Vec<u8>, Slot>,
}

impl ProviderSet {
    /// No providers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or renews an entry. A life beyond 30 minutes is cut to that. `None` as prefix
    /// (loopback and private networks) is exempt from the quota.
    pub fn insert(
        &mut self,
        mut entry: ProviderEntry,
        prefix: Option<Prefix>,
        now: Millis,
    ) -> Result<(), Refusal> {
        self.admit(&entry, prefix, now)?;
        entry.expires = entry.expires.min(longest(now));
        self.slots
            .insert(entry.peer.clone(), Slot { entry, prefix });
        Ok(())
    }

    /// Whether [`Self::insert`] would succeed; drops what has expired.
    pub fn admit(
        &mut self,
        entry: &ProviderEntry,
        prefix: Option<Prefix>,
        now: Millis,
    ) -> Result<(), Refusal> {
        let expires = entry.expires.min(longest(now));
        entry.check_sizes()?;
        if expires > MAX_SAFE_INTEGER {
            return Err(Refusal::Malformed);
        }
        if expires <= now {
            return Err(Refusal::Expired);
        }
        self.sweep(now);
        self.check_room(&entry.peer, prefix)
    }

    fn check_room(&self, peer: &[u8], prefix: Option<Prefix>) -> Result<(), Refusal> {
        let others = || {
            self.slots
                .iter()
                .filter(|(known, _)| known.as_slice() != peer)
        };
        let neighbours = others().filter(|(_, slot)| slot.prefix == prefix).count();
        let quota_used = prefix.is_some() && neighbours >= MAX_PROVIDERS_PER_PREFIX;
        if quota_used || others().count() >= MAX_PROVIDERS_PER_KEY {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Forgets a peer; whether it was there.
    pub fn remove(&mut self, peer: &[u8]) -> bool {
        self.slots.remove(peer).is_some()
    }

    /// Whether a peer is listed.
    pub fn contains(&self, peer: &[u8]) -> bool {
        self.slots.contains_key(peer)
    }

    /// The live entries after a peer id, and whether there are more.
    pub fn page(&self, after: Option<&[u8]>, now: Millis) -> (Vec<ProviderEntry>, bool) {
        let start = match after {
            Some(peer) => std::ops::Bound::Excluded(peer),
            None => std::ops::Bound::Unbounded,
        };
        let mut live = self
            .slots
            .range::<[u8], _>((start, std::ops::Bound::Unbounded))
            .map(|(_, slot)| &slot.entry)
            .filter(|entry| entry.expires > now);
        let page = live.by_ref().take(PROVIDER_PAGE).cloned().collect();
        (page, live.next().is_some())
    }

    /// Who is listed, announced from where, and until when.
    pub fn origins(&self) -> impl Iterator<Item = (&[u8], Option<Prefix>, Millis)> {
        let slots = self.slots.iter();
        slots.map(|(peer, slot)| (peer.as_slice(), slot.prefix, slot.entry.expires))
    }

    /// Drops what has expired; how many.
    pub fn sweep(&mut self, now: Millis) -> usize {
        let before = self.slots.len();
        self.slots.retain(|_, slot| slot.entry.expires > now);
        before - self.slots.len()
    }

    /// Entries, expired ones not yet swept included.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// For storage.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&self.slots.values().cloned().collect::<Vec<_>>())
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<ProviderSet, Refusal> {
        let slots: Vec<Slot> = cbor::decode(bytes)?;
        if slots.len() > MAX_PROVIDERS_PER_KEY {
            return Err(Refusal::Oversized);
        }
        slots.iter().try_for_each(|slot| slot.entry.check())?;
        let slots = slots
            .into_iter()
            .map(|slot| (slot.entry.peer.clone(), slot))
            .collect();
        Ok(ProviderSet { slots })
    }
}

#[cfg(test)]
mod tests;
