//! A store in memory: for tests, and for nodes that keep nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::shares::{Pool, RecordShares, Room, Shares, provider_sources, provider_to_remove};
use super::{
    AnnounceError, Outcome, RecordStore, Source, StoreError, StoreLimits, StoreStats, Stored, Swept,
};
use crate::proto::Millis;
use crate::proto::key::{Key, PublicKey, Space};
use crate::proto::record::{
    Decision, Prefix, ProviderEntry, ProviderSet, Record, Refusal, supersedes,
};

const FIRST_KEY: Key = Key {
    space: Space::Value,
    hash: [0; 32],
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
    by_source: BTreeSet<(Source, Pool, Millis, Key)>,
    shares: RecordShares,
    per_owner: BTreeMap<PublicKey, u64>,
    bytes: u64,
    providers: BTreeMap<Key, ProviderSet>,
    provider_keys: BTreeSet<(Source, Key)>,
    provider_shares: Shares,
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
    async fn put_from(
        &self,
        source: Source,
        record: Record,
        now: Millis,
    ) -> Result<Outcome, StoreError> {
        self.state().put(Stored::new(record, source, now)?)
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
            providers: state.provider_shares.total(),
        })
    }
}

impl State {
    fn put(&mut self, mut new: Stored) -> Result<Outcome, StoreError> {
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
        let old = self.remove(key);
        if let Some(old) = &old {
            let pool = Pool::of(&new.record);
            new.source = self.shares.lighter(pool, old.source, new.source);
        }
        if !self.make_room(&new) {
            old.into_iter().for_each(|old| self.insert(key, old));
            return Err(StoreError::Full);
        }
        self.insert(key, new);
        Ok(outcome)
    }

    /// Lets the heaviest sources give way until the record fits; whether it does.
    fn make_room(&mut self, new: &Stored) -> bool {
        let owner = owner(&new.record);
        if owner.is_some_and(|owner| self.owned(&owner) >= self.limits.max_per_owner) {
            return false;
        }
        let holding = new.holding();
        loop {
            match self.shares.room(holding, &self.limits) {
                Room::Free => return true,
                Room::Full => return false,
                Room::After(heaviest) => self.evict(heaviest, holding.pool),
            }
        }
    }

    /// Removes what would expire first of a source.
    fn evict(&mut self, source: Source, pool: Pool) {
        let first = (source, pool, 0, FIRST_KEY);
        let (.., key) = *self
            .by_source
            .range(first..)
            .next()
            .expect("a source that holds records is in the index");
        self.remove(key);
    }

    fn owned(&self, owner: &PublicKey) -> u64 {
        self.per_owner.get(owner).copied().unwrap_or(0)
    }

    fn insert(&mut self, key: Key, stored: Stored) {
        self.bytes += stored.record.bytes().len() as u64;
        self.by_expiry.insert((stored.expires, key));
        let holding = stored.holding();
        self.by_source
            .insert((holding.source, holding.pool, stored.expires, key));
        self.shares.add(holding);
        if let Some(owner) = owner(&stored.record) {
            *self.per_owner.entry(owner).or_default() += 1;
        }
        self.records.insert(key, stored);
    }

    fn remove(&mut self, key: Key) -> Option<Stored> {
        let stored = self.records.remove(&key)?;
        let holding = stored.holding();
        self.by_source
            .remove(&(holding.source, holding.pool, stored.expires, key));
        self.shares.remove(holding);
        self.bytes -= stored.record.bytes().len() as u64;
        self.by_expiry.remove(&(stored.expires, key));
        if let Some(owner) = owner(&stored.record) {
            let left = self.owned(&owner).saturating_sub(1);
            match left {
                0 => drop(self.per_owner.remove(&owner)),
                _ => drop(self.per_owner.insert(owner, left)),
            }
        }
        Some(stored)
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
        self.change_set(key, |set| set.admit(&entry, prefix, now))?;
        if !self.lists(key, &entry.peer) {
            let source = Source::of(prefix, &entry.peer);
            if !self.make_provider_room(source, now) {
                return Err(Refusal::Full.into());
            }
        }
        Ok(self.change_set(key, |set| set.insert(entry, prefix, now))?)
    }

    fn make_provider_room(&mut self, source: Source, now: Millis) -> bool {
        let share = self.limits.providers;
        if self.provider_shares.room(source, 1, share) != Room::Free {
            self.sweep_providers(now);
        }
        loop {
            match self.provider_shares.room(source, 1, share) {
                Room::Free => return true,
                Room::Full => return false,
                Room::After(heaviest) => self.evict_provider(heaviest),
            }
        }
    }

    fn evict_provider(&mut self, source: Source) {
        let (_, key) = *self
            .provider_keys
            .range((source, FIRST_KEY)..)
            .next()
            .expect("a source that holds entries is in the index");
        self.change_set(key, |set| {
            let peer = provider_to_remove(set, source);
            peer.map(|peer| set.remove(&peer))
        });
    }

    fn lists(&self, key: Key, peer: &[u8]) -> bool {
        self.providers
            .get(&key)
            .is_some_and(|set| set.contains(peer))
    }

    /// Changes the providers of a key, counts them anew and forgets the set when it is empty.
    fn change_set<R>(&mut self, key: Key, change: impl FnOnce(&mut ProviderSet) -> R) -> R {
        let set = self.providers.entry(key).or_default();
        for (source, count) in provider_sources(set) {
            self.provider_shares.remove(source, count);
            self.provider_keys.remove(&(source, key));
        }
        let result = change(set);
        for (source, count) in provider_sources(set) {
            self.provider_shares.add(source, count);
            self.provider_keys.insert((source, key));
        }
        if set.is_empty() {
            self.providers.remove(&key);
        }
        result
    }

    fn sweep_providers(&mut self, now: Millis) -> u64 {
        let keys: Vec<Key> = self.providers.keys().copied().collect();
        let swept = keys
            .into_iter()
            .map(|key| self.change_set(key, |set| set.sweep(now)) as u64);
        swept.sum()
    }
}

fn owner(record: &Record) -> Option<PublicKey> {
    match record {
        Record::Value(_) => None,
        Record::Signed(envelope) => Some(envelope.body().key),
    }
}
