//! A store in memory: for tests, and for nodes that keep nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    AnnounceError, Outcome, RecordStore, StoreError, StoreLimits, StoreStats, Stored, Swept,
};
use crate::proto::Millis;
use crate::proto::key::{Key, PublicKey};
use crate::proto::record::{
    Decision, Prefix, ProviderEntry, ProviderSet, Record, Refusal, supersedes,
};

/// Keeps records until it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limits: StoreLimits,
    records: BTreeMap<Key, Stored>,
    by_expiry: BTreeSet<(Millis, Key)>,
    per_owner: BTreeMap<PublicKey, u64>,
    bytes: u64,
    providers: BTreeMap<Key, ProviderSet>,
    provider_entries: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(limits: StoreLimits) -> Self {
        let state = State {
            limits,
            ..State::default()
        };
        MemoryStore {
            state: Mutex::new(state),
        }
    }

    /// No method leaves the state half-changed, so a panicked holder does no harm.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RecordStore for MemoryStore {
    async fn put(&self, record: Record, now: Millis) -> Result<Outcome, StoreError> {
        self.state().put(Stored::new(record, now)?)
    }

    async fn get(&self, key: Key, now: Millis) -> Result<Option<Record>, StoreError> {
        let state = self.state();
        let live = state
            .records
            .get(&key)
            .filter(|stored| stored.expires > now);
        Ok(live.map(|stored| stored.record.clone()))
    }

    async fn announce(
        &self,
        key: Key,
        entry: ProviderEntry,
        prefix: Option<Prefix>,
        now: Millis,
    ) -> Result<(), AnnounceError> {
        self.state().announce(key, entry, prefix, now)
    }

    async fn withdraw(&self, key: Key, peer: &[u8]) -> Result<(), StoreError> {
        self.state().change_set(key, |set| set.remove(peer));
        Ok(())
    }

    async fn providers(
        &self,
        key: Key,
        after: Option<Vec<u8>>,
        now: Millis,
    ) -> Result<(Vec<ProviderEntry>, bool), StoreError> {
        let state = self.state();
        let page = state
            .providers
            .get(&key)
            .map(|set| set.page(after.as_deref(), now));
        Ok(page.unwrap_or_default())
    }

    async fn sweep(&self, now: Millis) -> Result<Swept, StoreError> {
        let mut state = self.state();
        Ok(Swept {
            records: state.sweep_records(now),
            providers: state.sweep_providers(now),
        })
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let state = self.state();
        Ok(StoreStats {
            records: state.records.len() as u64,
            bytes: state.bytes,
            providers: state.provider_entries,
        })
    }
}

impl State {
    fn put(&mut self, new: Stored) -> Result<Outcome, StoreError> {
        let now = new.received;
        self.sweep_records(now);
        let key = new.record.key();
        let outcome = match self.records.get(&key) {
            None => Outcome::Stored,
            Some(old) => match supersedes(&old.record, &new.record) {
                Decision::Store => Outcome::Stored,
                Decision::Same => Outcome::Same,
                Decision::Older => return Ok(Outcome::Older(old.record.bytes().to_vec())),
            },
        };
        self.check_room(key, &new.record)?;
        self.remove(key);
        self.insert(key, new);
        Ok(outcome)
    }

    fn check_room(&self, key: Key, record: &Record) -> Result<(), StoreError> {
        let old = self.records.get(&key);
        let old_bytes = old.map_or(0, |old| old.record.bytes().len() as u64);
        let bytes = self.bytes - old_bytes + record.bytes().len() as u64;
        let records_full = old.is_none() && self.records.len() as u64 >= self.limits.max_records;
        let owner_full = old.is_none()
            && owner(record).is_some_and(|owner| self.owned(&owner) >= self.limits.max_per_owner);
        if records_full || owner_full || bytes > self.limits.max_bytes {
            return Err(StoreError::Full);
        }
        Ok(())
    }

    fn owned(&self, owner: &PublicKey) -> u64 {
        self.per_owner.get(owner).copied().unwrap_or(0)
    }

    fn insert(&mut self, key: Key, stored: Stored) {
        self.bytes += stored.record.bytes().len() as u64;
        self.by_expiry.insert((stored.expires, key));
        if let Some(owner) = owner(&stored.record) {
            *self.per_owner.entry(owner).or_default() += 1;
        }
        self.records.insert(key, stored);
    }

    fn remove(&mut self, key: Key) {
        let Some(stored) = self.records.remove(&key) else {
            return;
        };
        self.bytes -= stored.record.bytes().len() as u64;
        self.by_expiry.remove(&(stored.expires, key));
        if let Some(owner) = owner(&stored.record) {
            let left = self.owned(&owner).saturating_sub(1);
            match left {
                0 => drop(self.per_owner.remove(&owner)),
                _ => drop(self.per_owner.insert(owner, left)),
            }
        }
    }

    fn sweep_records(&mut self, now: Millis) -> u64 {
        let mut removed = 0;
        while let Some((_, key)) = self
            .by_expiry
            .first()
            .copied()
            .filter(|first| first.0 <= now)
        {
            self.remove(key);
            removed += 1;
        }
        removed
    }

    fn announce(
        &mut self,
        key: Key,
        entry: ProviderEntry,
        prefix: Option<Prefix>,
        now: Millis,
    ) -> Result<(), AnnounceError> {
        let is_full = |state: &State| {
            state.provider_entries >= state.limits.max_providers
                || (!state.providers.contains_key(&key)
                    && state.providers.len() as u64 >= state.limits.max_provider_keys)
        };
        if is_full(self) && !self.lists(key, &entry.peer) {
            self.sweep_providers(now);
            if is_full(self) {
                return Err(Refusal::Full.into());
            }
        }
        Ok(self.change_set(key, |set| set.insert(entry, prefix, now))?)
    }

    fn lists(&self, key: Key, peer: &[u8]) -> bool {
        self.providers
            .get(&key)
            .is_some_and(|set| set.contains(peer))
    }

    /// Changes the providers of a key, counts them anew and forgets the set when it is empty.
    fn change_set<R>(&mut self, key: Key, change: impl FnOnce(&mut ProviderSet) -> R) -> R {
        let set = self.providers.entry(key).or_default();
        let before = set.len() as u64;
        let result = change(set);
        self.provider_entries = self.provider_entries - before + set.len() as u64;
        if set.is_empty() {
            self.providers.remove(&key);
        }
        result
    }

    fn sweep_providers(&mut self, now: Millis) -> u64 {
        let removed: u64 = self
            .providers
            .values_mut()
            .map(|set| set.sweep(now) as u64)
            .sum();
        self.providers.retain(|_, set| !set.is_empty());
        self.provider_entries -= removed;
        removed
    }
}

fn owner(record: &Record) -> Option<PublicKey> {
    match record {
        Record::Value(_) => None,
        Record::Signed(envelope) => Some(envelope.body().key),
    }
}
