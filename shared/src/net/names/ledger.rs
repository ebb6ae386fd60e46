//! Where a witness keeps its rows. Knows transactions, not rules.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::proto::names::Label;
use crate::proto::names::wire::Response;
use crate::proto::names::witness::row::Row;
use crate::proto::names::witness::{Outcome, ZoneWrite};
use crate::store::StoreError;

/// What is kept of one name.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Its row, if there is one.
    pub row: Option<Row>,
    /// The zone beside it.
    pub zone: Option<Vec<u8>>,
}

/// What is done to a name inside a transaction.
pub type Work = Box<dyn FnOnce(Kept) -> Outcome + Send>;

/// The rows of one witness.
#[async_trait]
pub trait NameLedger: Send + Sync + 'static {
    /// What is kept of a name. A row that cannot be read is an error, never nothing.
    async fn read(&self, name: Label) -> Result<Kept, StoreError>;

    /// Works on a name: one transaction, durable before this returns. When it fails nothing has
    /// happened. What the work wants to say comes back.
    async fn change(&self, name: Label, work: Work) -> Result<Response, StoreError>;

    /// So many names after one, in their order.
    async fn page(
        &self,
        after: Option<Label>,
        most: usize,
    ) -> Result<Vec<(Label, Row)>, StoreError>;
}

/// Rows that are gone when the program ends: for tests.
#[derive(Default)]
pub struct MemoryLedger(Mutex<BTreeMap<Label, Kept>>);

#[async_trait]
impl NameLedger for MemoryLedger {
    async fn read(&self, name: Label) -> Result<Kept, StoreError> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(rows.get(&name).cloned().unwrap_or_default())
    }

    async fn change(&self, name: Label, work: Work) -> Result<Response, StoreError> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = rows.get(&name).cloned().unwrap_or_default();
        let outcome = work(kept.clone());
        kept.row = outcome.row.or(kept.row);
        match outcome.zone {
            ZoneWrite::Keep => {}
            ZoneWrite::Put(bytes) => kept.zone = Some(bytes),
            ZoneWrite::Remove => kept.zone = None,
        }
        rows.insert(name, kept);
        Ok(outcome.response)
    }

    async fn page(
        &self,
        after: Option<Label>,
        most: usize,
    ) -> Result<Vec<(Label, Row)>, StoreError> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let later = rows
            .iter()
            .filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after));
        let with_row = later.filter_map(|(name, kept)| Some((name.clone(), kept.row.clone()?)));
        Ok(with_row.take(most).collect())
    }
}
