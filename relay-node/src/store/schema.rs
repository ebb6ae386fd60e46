//! The tables of the file and the numbers beside them. A change here is a new [`VERSION`].

use std::fmt;

use redb::{ReadableTable, StorageError, Table, TableDefinition};
use warren_shared::proto::{
    envelope::Envelope,
    key::{Key, Space},
    record::{Record, ValueBlock},
};

/// What this program reads and writes.
pub(super) const VERSION: u64 = 4;

/// Whatever redb may say. It ends the transaction, and nothing in it has happened.
#[derive(Debug)]
pub(super) struct Fault(Box<redb::Error>);

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

impl Fault {
    /// Whether the medium failed, after which an open database stays useless.
    pub(super) fn is_of_the_medium(&self) -> bool {
        matches!(*self.0, redb::Error::Io(_) | redb::Error::PreviousIo)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A [`Key`] as bytes.
pub(super) type Location = &'static [u8; 33];
/// Received, expires, source, pool, owner (empty for immutable values), the record. All but the
/// record stand apart so that what goes can be removed without verifying a signature.
pub(super) type RecordRow = (u64, u64, u64, u8, &'static [u8], &'static [u8]);
/// Source, pool, expires, location: what of a source gives way first.
pub(super) type SourceRow = (u64, u8, u64, Location);
/// Source and location of a set with entries of that source.
pub(super) type ProviderSourceRow = (u64, Location);
/// When something is due for a look, and where it is.
pub(super) type Due = (u64, Location);
/// When the set is due, and the encoded set.
pub(super) type ProviderRow = (u64, &'static [u8]);

pub(super) const RECORDS: TableDefinition<'_, Location, RecordRow> =
    TableDefinition::new("records");
pub(super) const RECORDS_DUE: TableDefinition<'_, Due, ()> = TableDefinition::new("records-due");
/// With the length of the record.
pub(super) const RECORDS_BY_SOURCE: TableDefinition<'_, SourceRow, u64> =
    TableDefinition::new("records-by-source");
pub(super) const OWNERS: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("owners");
pub(super) const PROVIDERS: TableDefinition<'_, Location, ProviderRow> =
    TableDefinition::new("providers");
pub(super) const PROVIDERS_DUE: TableDefinition<'_, Due, ()> =
    TableDefinition::new("providers-due");
/// With the number of those entries.
pub(super) const PROVIDERS_BY_SOURCE: TableDefinition<'_, ProviderSourceRow, u64> =
    TableDefinition::new("providers-by-source");
/// A row of the witness for each name.
pub(super) const NAMES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("names");
/// The newest zone of each.
pub(super) const ZONES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("zones");
/// What waits for authors that are away: see `proto::direct::mailbox`.
pub(super) const MAILBOX: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("mailbox");
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

pub(super) const VERSION_FIELD: &str = "version";
/// When the rows of names were begun.
pub(super) const NAMES_SINCE: &str = "names-since";

/// Totals, kept beside what they count so that limits cost no scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) providers: u64,
}

impl Counters {
    pub(super) fn load(meta: &impl ReadableTable<&'static str, u64>) -> Result<Self, StorageError> {
        let field = |name| Ok::<_, StorageError>(meta.get(name)?.map_or(0, |count| count.value()));
        Ok(Self {
            records: field("records")?,
            bytes: field("bytes")?,
            providers: field("providers")?,
        })
    }

    pub(super) fn save(self, meta: &mut Table<'_, &'static str, u64>) -> Result<(), StorageError> {
        for (name, count) in [
            ("records", self.records),
            ("bytes", self.bytes),
            ("providers", self.providers),
        ] {
            meta.insert(name, count)?;
        }
        Ok(())
    }
}

/// A stored record, verified once more. `None`, and a line in the log, when the file holds
/// something else: it then counts as absent, and the next put replaces it.
pub(super) fn decode(key: Key, bytes: &[u8]) -> Option<Record> {
    let record = match key.space {
        Space::Value => ValueBlock::open(bytes).map(Record::Value),
        Space::Record | Space::Namespace => Envelope::open(bytes).map(Record::Signed),
    };
    match record {
        Ok(record) if record.key() == key => Some(record),
        Ok(_) => {
            tracing::error!(%key, "the store holds another record than it should");
            None
        }
        Err(refusal) => {
            tracing::error!(%key, %refusal, "the store holds a damaged record");
            None
        }
    }
}
