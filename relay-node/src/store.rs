//! Records and providers on disk, in one redb file.
//!
//! Writes go through one thread, which commits whatever has queued up in a single transaction with
//! fsync and only then answers: a put costs the caller the time of a commit, not one commit each,
//! and the network loop never waits. Reads run beside them on snapshots. Knows how things are kept,
//! not whether they are true: only validated records come in.

mod batch;
mod ledger;
mod mailbox;
mod medium;
mod names;
mod news;
mod open;
mod providers;
mod schema;
mod shelf;
mod writer;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use redb::{Database, ReadableDatabase};
use tokio::sync::{Semaphore, mpsc};
use warren_shared::{
    error::Result,
    proto::{
        Millis,
        key::Key,
        record::{Prefix, ProviderEntry, ProviderSet, Record},
    },
    store::{
        AnnounceError, Outcome, RecordStore, Source, StoreError, StoreLimits, StoreStats, Swept,
    },
};

pub use self::news::NewZone;
use self::{
    medium::Medium,
    news::News,
    schema::{Counters, Fault, META, PROVIDERS, RECORDS, decode},
    writer::Writer,
};

/// Reads at one time. More would only queue for the same disk, on threads of the runtime.
const CONCURRENT_READS: usize = 32;

/// The store of a relay.
#[derive(Debug)]
pub struct RedbStore {
    medium: Arc<Medium>,
    writer: Writer,
    reads: Semaphore,
    news: News,
}

impl RedbStore {
    /// Opens or creates the file `warren.redb` in a directory. After a crash this returns what was
    /// committed, without a scan of the file. Blocks.
    pub fn open(directory: &Path, limits: StoreLimits) -> Result<Self> {
        let directory = directory.to_owned();
        Self::open_with(move || open::open(&directory), limits)
    }

    /// Whether there is one in a directory.
    pub fn exists(directory: &Path) -> bool {
        directory.join(open::FILE).is_file()
    }

    fn open_with(
        open: impl Fn() -> Result<Database> + Send + Sync + 'static,
        limits: StoreLimits,
    ) -> Result<Self> {
        let medium = Arc::new(Medium::new(Box::new(open))?);
        let writer = Writer::start(medium.clone(), limits)?;
        Ok(Self {
            medium,
            writer,
            reads: Semaphore::new(CONCURRENT_READS),
            news: News::default(),
        })
    }

    /// The zones of names that come in from now on, once they are durable. For one listener; what it
    /// does not take in time is left out.
    pub fn new_zones(&self) -> mpsc::Receiver<NewZone> {
        self.news.listen()
    }

    /// Why it does not work just now, if it does not. It opens its file again by itself.
    pub fn failure(&self) -> Option<String> {
        self.medium.failure()
    }

    /// Gives the file free, even if others still hold this store: it only fails from then on. Blocks
    /// for the transaction under way.
    pub fn close(&self) {
        self.medium.close();
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&redb::ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::Failed(error.to_string());
        let _permit = self.reads.acquire().await.map_err(|error| failed(&error))?;
        let medium = self.medium.clone();
        let read = move || {
            let result = medium.with(|database| work(&database.begin_read()?));
            if result.is_err() {
                medium.mend();
            }
            result
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| failed(&error))?
    }
}

#[async_trait]
impl RecordStore for RedbStore {
    async fn put_from(
        &self,
        source: Source,
        record: Record,
        now: Millis,
    ) -> Result<Outcome, StoreError> {
        let zone = news::zone_in(&record);
        let put = self
            .writer
            .run(move |batch| batch.put(source, record, now))
            .await?;
        if let (Some(bytes), Ok(Outcome::Stored)) = (zone, &put) {
            let witnessed = false;
            self.news.tell(NewZone { bytes, witnessed });
        }
        put
    }

    async fn get(&self, key: Key, now: Millis) -> Result<Option<Record>, StoreError> {
        self.read(move |snapshot| {
            let records = snapshot.open_table(RECORDS)?;
            let row = records.get(&key.to_bytes())?;
            Ok(row.and_then(|row| {
                let (_, expires, .., bytes) = row.value();
                (expires > now).then(|| decode(key, bytes)).flatten()
            }))
        })
        .await
    }

    async fn announce(
        &self,
        key: Key,
        entry: ProviderEntry,
        prefix: Option<Prefix>,
        now: Millis,
    ) -> Result<(), AnnounceError> {
        let announced = self
            .writer
            .run(move |batch| batch.announce(key, entry, prefix, now));
        Ok(announced.await??)
    }

    async fn withdraw(&self, key: Key, peer: &[u8]) -> Result<(), StoreError> {
        let peer = peer.to_vec();
        self.writer
            .run(move |batch| batch.withdraw(key, &peer))
            .await
    }

    async fn providers(
        &self,
        key: Key,
        after: Option<Vec<u8>>,
        now: Millis,
    ) -> Result<(Vec<ProviderEntry>, bool), StoreError> {
        self.read(move |snapshot| {
            let providers = snapshot.open_table(PROVIDERS)?;
            let row = providers.get(&key.to_bytes())?;
            let set = row.and_then(|row| ProviderSet::decode(row.value().1).ok());
            Ok(set
                .map(|set| set.page(after.as_deref(), now))
                .unwrap_or_default())
        })
        .await
    }

    async fn sweep(&self, now: Millis) -> Result<Swept, StoreError> {
        let mut total = Swept::default();
        // In pieces, so that puts get their turn in between.
        loop {
            let (swept, more) = self.writer.run(move |batch| batch.sweep(now)).await?;
            total.records += swept.records;
            total.providers += swept.providers;
            if !more {
                return Ok(total);
            }
        }
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.read(|snapshot| {
            let counters = Counters::load(&snapshot.open_table(META)?)?;
            Ok(StoreStats {
                records: counters.records,
                bytes: counters.bytes,
                providers: counters.providers,
            })
        })
        .await
    }
}

pub use self::names::RedbNames;
pub use self::shelf::RedbShelf;

#[cfg(test)]
mod tests;
