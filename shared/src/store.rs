//! Where records and provider entries are kept: the trait, and an implementation in memory.
//!
//! Every back end makes the same decisions; `conformance` holds them to it. No clock in here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::limits;
use crate::proto::Millis;
use crate::proto::key::{Key, PublicKey};
use crate::proto::record::provider::{Prefix, ProviderEntry, ProviderSet};
use crate::proto::record::{Decision, Record, Refusal, supersedes};

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored durably.
    Stored,
    /// It was there already; its life is extended.
    Same,
    /// A newer one is there, and comes back.
    Older(Vec<u8>),
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A limit is reached.
    #[error("the store is full")]
    Full,
    /// The back end failed.
    #[error("{0}")]
    Failed(String),
}

/// Why a provider was not listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnounceError {
    /// The entry breaks a rule.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The back end failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How much is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct StoreStats {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Provider entries.
    pub providers: u64,
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Expired records.
    pub records: u64,
    /// Expired provider entries.
    pub providers: u64,
}

/// How much may be stored.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records of one owner.
    pub per_owner: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits {
            records: limits::MAX_STORED_RECORDS,
            bytes: limits::MAX_STORED_BYTES,
            per_owner: limits::MAX_RECORDS_PER_OWNER,
        }
    }
}

/// A place for records and provider entries. What returns has happened durably.
#[async_trait]
pub trait RecordStore: Send + Sync + 'static {
    /// Stores a verified record unless a newer one is there.
    async fn put(&self, record: Record, now: Millis) -> Result<Outcome, StoreError>;
    /// The record at a key, unless it has expired.
    async fn get(&self, key: Key, now: Millis) -> Result<Option<Record>, StoreError>;
    /// Lists a provider.
    async fn announce(
        &self,
        key: Key,
        entry: ProviderEntry,
        prefix: Option<Prefix>,
        now: Millis,
    ) -> Result<(), AnnounceError>;
    /// Takes a provider off the list.
    async fn withdraw(&self, key: Key, peer: &[u8]) -> Result<(), StoreError>;
    /// A page of providers after a peer id, and whether there are more.
    async fn providers(
        &self,
        key: Key,
        after: Option<Vec<u8>>,
        now: Millis,
    ) -> Result<(Vec<ProviderEntry>, bool), StoreError>;
    /// Removes what has expired.
    async fn sweep(&self, now: Millis) -> Result<Swept, StoreError>;
    /// Counts what is there.
    async fn stats(&self) -> Result<StoreStats, StoreError>;
}

/// When a store may forget a record.
pub fn kept_until(record: &Record, now: Millis) -> Millis {
    let longest = now.saturating_add(limits::RECORD_RETENTION);
    record
        .expires()
        .map_or(longest, |expires| expires.min(longest))
}

/// Whose quota a record counts against.
pub fn owner_of(record: &Record) -> Option<PublicKey> {
    match record {
        Record::Value(_) => None,
        Record::Signed(envelope) => Some(envelope.body().key),
    }
}

/// Keeps everything in memory.
#[derive(Default)]
pub struct MemoryStore {
    limits: StoreLimits,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    records: BTreeMap<Key, (Record, Millis)>,
    providers: BTreeMap<Key, ProviderSet>,
}

impl MemoryStore {
    /// With limits of its own.
    pub fn new(limits: StoreLimits) -> Self {
        MemoryStore {
            limits,
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, inner: &Inner, record: &Record) -> bool {
        let bytes: u64 = inner
            .records
            .values()
            .map(|(record, _)| record.bytes().len() as u64)
            .sum();
        let owned = |owner| {
            inner
                .records
                .values()
                .filter(|(known, _)| owner_of(known) == Some(owner))
                .count() as u64
        };
        (inner.records.len() as u64) < self.limits.records
            && bytes + record.bytes().len() as u64 <= self.limits.bytes
            && owner_of(record).is_none_or(|owner| owned(owner) < self.limits.per_owner)
    }
}

#[async_trait]
impl RecordStore for MemoryStore {
    async fn put(&self, record: Record, now: Millis) -> Result<Outcome, StoreError> {
        let mut inner = self.inner();
        let until = kept_until(&record, now);
        let known = inner
            .records
            .get(&record.key())
            .filter(|(_, until)| *until > now);
        let outcome = match known.map(|(known, _)| (supersedes(known, &record), known)) {
            Some((Decision::Older, known)) => return Ok(Outcome::Older(known.bytes().to_vec())),
            Some((Decision::Same, _)) => Outcome::Same,
            Some((Decision::Store, _)) => Outcome::Stored,
            None if !self.has_room(&inner, &record) => return Err(StoreError::Full),
            None => Outcome::Stored,
        };
        inner.records.insert(record.key(), (record, until));
        Ok(outcome)
    }

    async fn get(&self, key: Key, now: Millis) -> Result<Option<Record>, StoreError> {
        let inner = self.inner();
        let found = inner.records.get(&key).filter(|(_, until)| *until > now);
        Ok(found.map(|(record, _)| record.clone()))
    }

    async fn announce(
        &self,
        key: Key,
        entry: ProviderEntry,
        prefix: Option<Prefix>,
        now: Millis,
    ) -> Result<(), AnnounceError> {
        let mut inner = self.inner();
        if !inner.providers.contains_key(&key) && inner.providers.len() >= limits::MAX_PROVIDER_KEYS
        {
            return Err(StoreError::Full.into());
        }
        let set = inner.providers.entry(key).or_insert_with(ProviderSet::new);
        set.insert(entry, prefix, now)
            .map_err(AnnounceError::Refused)
    }

    async fn withdraw(&self, key: Key, peer: &[u8]) -> Result<(), StoreError> {
        if let Some(set) = self.inner().providers.get_mut(&key) {
            set.remove(peer);
        }
        Ok(())
    }

    async fn providers(
        &self,
        key: Key,
        after: Option<Vec<u8>>,
        now: Millis,
    ) -> Result<(Vec<ProviderEntry>, bool), StoreError> {
        let inner = self.inner();
        Ok(inner
            .providers
            .get(&key)
            .map_or((Vec::new(), false), |set| set.page(after.as_deref(), now)))
    }

    async fn sweep(&self, now: Millis) -> Result<Swept, StoreError> {
        let mut inner = self.inner();
        let before = inner.records.len();
        inner.records.retain(|_, (_, until)| *until > now);
        let records = (before - inner.records.len()) as u64;
        let providers = inner
            .providers
            .values_mut()
            .map(|set| set.sweep(now) as u64)
            .sum();
        inner.providers.retain(|_, set| !set.is_empty());
        Ok(Swept { records, providers })
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let inner = self.inner();
        Ok(StoreStats {
            records: inner.records.len() as u64,
            bytes: inner
                .records
                .values()
                .map(|(record, _)| record.bytes().len() as u64)
                .sum(),
            providers: inner.providers.values().map(|set| set.len() as u64).sum(),
        })
    }
}
