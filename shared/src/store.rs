//! Where a node keeps records and providers: the trait of all back ends, and their common rules.
//!
//! Knows what a store promises. It never validates: only a [`Record`] that was validated can be
//! put. It reads no clock: `now` is an argument everywhere.

pub mod conformance;
mod memory;
pub mod shares;

pub use memory::MemoryStore;
pub use shares::{Share, Source};

use std::fmt;

use async_trait::async_trait;

use self::shares::{Holding, Pool};
use crate::error::{Code, Error};
use crate::limits::{
    CLOCK_TOLERANCE, MAX_RECORDS_PER_OWNER, MAX_STORED_BYTES, MAX_STORED_PEERS,
    MAX_STORED_PROVIDERS, MAX_STORED_RECORDS, RECORD_RETENTION, SOURCES_TO_FILL_A_STORE,
};
use crate::proto::Millis;
use crate::proto::key::Key;
use crate::proto::record::{Prefix, ProviderEntry, Record, Refusal};

/// A record with its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// When it was last put.
    pub received: Millis,
    /// When the store forgets it.
    pub expires: Millis,
    /// Whom it counts for.
    pub source: Source,
}

impl Stored {
    /// A record as it is to be stored, or the refusal when its time is over.
    pub fn new(record: Record, source: Source, now: Millis) -> Result<Stored, StoreError> {
        let expires = keep_until(&record, now);
        if expires <= now {
            return Err(StoreError::Expired);
        }
        Ok(Stored {
            record,
            received: now,
            expires,
            source,
        })
    }

    /// What it takes up.
    pub fn holding(&self) -> Holding {
        Holding {
            source: self.source,
            pool: Pool::of(&self.record),
            bytes: self.record.bytes().len() as u64,
        }
    }
}

/// Until when a record put at `received` is kept: 48 h, or until a signed record has expired
/// beyond doubt (readers tolerate the same ten minutes). Each put of it begins anew.
pub fn keep_until(record: &Record, received: Millis) -> Millis {
    let retention = received.saturating_add(RECORD_RETENTION);
    match record.expires() {
        Some(expires) => retention.min(expires.saturating_add(CLOCK_TOLERANCE)),
        None => retention,
    }
}

/// What became of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored now.
    Stored,
    /// It was stored already; its retention begins anew.
    Same,
    /// A newer record is stored: this one.
    Older(Vec<u8>),
}

/// Why a store could not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// A limit of the store, or that of the source, is reached.
    Full,
    /// The record's time is over.
    Expired,
    /// More is waiting to be stored than the medium keeps up with.
    Overloaded,
    /// The medium failed; the text says how.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Full => f.write_str("the store has no room"),
            StoreError::Expired => f.write_str("the record has expired"),
            StoreError::Overloaded => f.write_str("the store does not keep up"),
            StoreError::Failed(cause) => write!(f, "the store failed: {cause}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        match error {
            StoreError::Full => Refusal::Full.into(),
            StoreError::Expired => Refusal::Expired.into(),
            StoreError::Overloaded => Refusal::RateLimited.into(),
            StoreError::Failed(cause) => {
                Error::new(Code::StorageFailed, "the store failed").caused_by(cause)
            }
        }
    }
}

/// Why an announcement was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnnounceError {
    /// The entry breaks a rule or a quota.
    Refused(Refusal),
    /// The store could not do its work.
    Store(StoreError),
}

impl fmt::Display for AnnounceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnnounceError::Refused(why) => why.fmt(f),
            AnnounceError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AnnounceError {}

impl From<Refusal> for AnnounceError {
    fn from(why: Refusal) -> Self {
        AnnounceError::Refused(why)
    }
}

impl From<StoreError> for AnnounceError {
    fn from(error: StoreError) -> Self {
        AnnounceError::Store(error)
    }
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Expired records.
    pub records: u64,
    /// Expired provider entries.
    pub providers: u64,
}

/// What a store holds, including what has expired since the last sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Records.
    pub records: u64,
    /// Bytes of those records.
    pub bytes: u64,
    /// Provider entries.
    pub providers: u64,
}

/// How much a store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Records that are no peer records.
    pub records: Share,
    /// Bytes of those.
    pub bytes: Share,
    /// Peer records.
    pub peers: Share,
    /// Provider entries of all keys.
    pub providers: Share,
    /// Signed records of one owner.
    pub max_per_owner: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        let share = |total| Share {
            total,
            each: total / SOURCES_TO_FILL_A_STORE,
        };
        StoreLimits {
            records: share(MAX_STORED_RECORDS),
            bytes: share(MAX_STORED_BYTES),
            peers: share(MAX_STORED_PEERS),
            providers: share(MAX_STORED_PROVIDERS),
            max_per_owner: MAX_RECORDS_PER_OWNER,
        }
    }
}

/// A back end. Every method is atomic, and methods may run concurrently.
#[async_trait]
pub trait RecordStore: Send + Sync + 'static {
    /// Keeps the record if it wins over the one that is there. Durable when it returns. It counts
    /// for the source: when the store is full, those who hold most of it give way.
    async fn put_from(
        &self,
        source: Source,
        record: Record,
        now: Millis,
    ) -> Result<Outcome, StoreError>;

    /// Keeps a record of this node itself.
    async fn put(&self, record: Record, now: Millis) -> Result<Outcome, StoreError> {
        self.put_from(Source::OWN, record, now).await
    }

    /// The live record of a key.
    async fn get(&self, key: Key, now: Millis) -> Result<Option<Record>, StoreError>;

    /// Lists a provider, under the quotas of [`ProviderSet`](crate::proto::record::ProviderSet) and
    /// of its source. Need not be durable: the provider
    /// renews it.
    async fn announce(
        &self,
        key: Key,
        entry: ProviderEntry,
        prefix: Option<Prefix>,
        now: Millis,
    ) -> Result<(), AnnounceError>;

    /// Forgets a provider; also when there is none.
    async fn withdraw(&self, key: Key, peer: &[u8]) -> Result<(), StoreError>;

    /// A page of live providers after a peer id, and whether there are more.
    async fn providers(
        &self,
        key: Key,
        after: Option<Vec<u8>>,
        now: Millis,
    ) -> Result<(Vec<ProviderEntry>, bool), StoreError>;

    /// Removes what has expired.
    async fn sweep(&self, now: Millis) -> Result<Swept, StoreError>;

    /// What it holds.
    async fn stats(&self) -> Result<StoreStats, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_store_conforms() {
        futures::executor::block_on(conformance::run_all(MemoryStore::new));
    }
}
