//! Who holds how much of this store, in memory: counted when it opens, then kept along.

use redb::{Database, ReadableDatabase, ReadableTable};
use warren_shared::store::{
    Source,
    shares::{Holding, Pool, RecordShares, Shares},
};

use super::schema::{Fault, PROVIDERS_BY_SOURCE, RECORDS_BY_SOURCE};

/// The shares of records and of provider entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) records: RecordShares,
    pub(super) providers: Shares,
}

impl Ledger {
    /// Reads the small indexes, not the records.
    pub(super) fn load(database: &Database) -> Result<Self, Fault> {
        let snapshot = database.begin_read()?;
        let mut ledger = Self::default();
        for row in snapshot.open_table(RECORDS_BY_SOURCE)?.iter()? {
            let (key, bytes) = row?;
            let (source, pool, ..) = key.value();
            ledger.records.add(Holding {
                source: Source::from_u64(source),
                pool: Pool::from_u8(pool),
                bytes: bytes.value(),
            });
        }
        for row in snapshot.open_table(PROVIDERS_BY_SOURCE)?.iter()? {
            let (key, count) = row?;
            let source = Source::from_u64(key.value().0);
            ledger.providers.add(source, count.value());
        }
        Ok(ledger)
    }
}
