//! The rows of a witness, in the same file and the same transactions as everything else.

use std::sync::Arc;

use async_trait::async_trait;
use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};
use tokio::sync::oneshot;
use warren_shared::limits::MAX_WITNESSED;
use warren_shared::net::names::{Kept, NameLedger, Work};
use warren_shared::proto::Millis;
use warren_shared::proto::names::Label;
use warren_shared::proto::names::wire::{NameRefusal, Response};
use warren_shared::proto::names::witness::ZoneWrite;
use warren_shared::proto::names::witness::row::Row;
use warren_shared::store::StoreError;

use super::RedbStore;
use super::news::NewZone;
use super::schema::{Fault, NAMES, NAMES_SINCE, ZONES};

/// The tables of names within a transaction.
pub(super) struct Names<'t> {
    rows: Table<'t, &'static str, &'static [u8]>,
    zones: Table<'t, &'static str, &'static [u8]>,
}

impl<'t> Names<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            rows: transaction.open_table(NAMES)?,
            zones: transaction.open_table(ZONES)?,
        })
    }

    /// Works on a name. The outer error ends the transaction, the inner one leaves it as it was.
    fn change(&mut self, name: &Label, work: Work) -> Result<Result<Response, StoreError>, Fault> {
        let name = name.as_str();
        let kept = match kept(&self.rows, &self.zones, name)? {
            Ok(kept) => kept,
            Err(error) => return Ok(Err(error)),
        };
        let is_new = kept.row.is_none();
        let outcome = work(kept);
        if let Some(row) = outcome.row {
            if is_new && self.rows.len()? >= MAX_WITNESSED {
                return Ok(Ok(NameRefusal::Full.bare()));
            }
            self.rows.insert(name, row.encode().as_slice())?;
        }
        match outcome.zone {
            ZoneWrite::Keep => {}
            ZoneWrite::Put(bytes) => drop(self.zones.insert(name, bytes.as_slice())?),
            ZoneWrite::Remove => drop(self.zones.remove(name)?),
        }
        Ok(Ok(outcome.response))
    }
}

/// A row that cannot be read is an error: whoever forgets what it has signed signs it twice.
fn kept(
    rows: &impl ReadableTable<&'static str, &'static [u8]>,
    zones: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Result<Kept, StoreError>, Fault> {
    let row = match rows.get(name)? {
        None => None,
        Some(bytes) => match Row::decode(bytes.value()) {
            Ok(row) => Some(row),
            Err(refusal) => return Ok(Err(damaged(name, refusal))),
        },
    };
    let zone = zones.get(name)?.map(|bytes| bytes.value().to_vec());
    Ok(Ok(Kept { row, zone }))
}

fn damaged(name: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("the row of the name {name} is damaged: {why}"))
}

/// The rows of a witness in the store of a relay.
#[derive(Clone)]
pub struct RedbNames(Arc<RedbStore>);

impl RedbNames {
    /// In this store.
    pub fn new(store: Arc<RedbStore>) -> Self {
        Self(store)
    }

    /// When the rows were begun: whatever was signed before that is not in them.
    pub async fn since(&self, now: Millis) -> Result<Millis, StoreError> {
        let since = self.0.writer.run(move |batch| {
            let known = batch.meta.get(NAMES_SINCE)?.map(|since| since.value());
            match known {
                Some(since) => Ok(since),
                None => {
                    batch.meta.insert(NAMES_SINCE, now)?;
                    Ok(now)
                }
            }
        });
        since.await
    }
}

#[async_trait]
impl NameLedger for RedbNames {
    async fn read(&self, name: Label) -> Result<Kept, StoreError> {
        let read = self.0.read(move |snapshot| {
            let (rows, zones) = (snapshot.open_table(NAMES)?, snapshot.open_table(ZONES)?);
            kept(&rows, &zones, name.as_str())
        });
        read.await?
    }

    async fn change(&self, name: Label, work: Work) -> Result<Response, StoreError> {
        let (put, zone) = oneshot::channel();
        let work: Work = Box::new(move |kept| {
            let outcome = work(kept);
            if let ZoneWrite::Put(bytes) = &outcome.zone {
                let _ = put.send(bytes.clone());
            }
            outcome
        });
        let changed = self
            .0
            .writer
            .run(move |batch| batch.names.change(&name, work));
        let changed = changed.await?;
        if let (Ok(_), Ok(bytes)) = (&changed, zone.await) {
            let witnessed = true;
            self.0.news.tell(NewZone { bytes, witnessed });
        }
        changed
    }

    async fn page(
        &self,
        after: Option<Label>,
        most: usize,
    ) -> Result<Vec<(Label, Row)>, StoreError> {
        let read = self.0.read(move |snapshot| {
            let rows = snapshot.open_table(NAMES)?;
            let mut page = Vec::new();
            let first = after.as_ref().map_or("", Label::as_str);
            for entry in rows.range(first..)? {
                let (name, bytes) = entry?;
                let Some(name) = Label::exact(name.value()) else {
                    continue;
                };
                if after.as_ref() == Some(&name) {
                    continue;
                }
                match Row::decode(bytes.value()) {
                    Ok(row) => page.push((name, row)),
                    Err(refusal) => return Ok(Err(damaged(name.as_str(), refusal))),
                }
                if page.len() >= most {
                    break;
                }
            }
            Ok(Ok(page))
        });
        read.await?
    }
}
