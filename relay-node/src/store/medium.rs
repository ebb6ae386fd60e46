//! The open database, and opening it anew after its medium has failed: redb works no more after an
//! I/O error, however short the trouble was.

use std::sync::{Mutex, PoisonError, RwLock};

use redb::Database;
use warren_shared::{error::Result, store::StoreError};

use super::schema::Fault;

type Open = Box<dyn Fn() -> Result<Database> + Send + Sync>;

pub(super) struct Medium {
    open: Open,
    database: RwLock<Option<Database>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Since the last success.
    failure: Option<String>,
    /// No use of the open database succeeds any more.
    broken: bool,
    closed: bool,
}

impl Medium {
    pub(super) fn new(open: Open) -> Result<Self> {
        let database = RwLock::new(Some(open()?));
        Ok(Self {
            open,
            database,
            state: Mutex::default(),
        })
    }

    /// Works with the database, and remembers when that fails.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            let failure = self.failure();
            return Err(StoreError::Failed(
                failure.unwrap_or_else(|| "the store was closed".into()),
            ));
        };
        work(database).map_err(|fault| {
            let mut state = self.state();
            state.broken |= fault.is_of_the_medium();
            let failure = state.failure.insert(fault.to_string());
            StoreError::Failed(failure.clone())
        })
    }

    /// Something was written.
    pub(super) fn succeeded(&self) {
        self.state().failure = None;
    }

    /// Opens the database again if it is broken. Waits for those who work with it.
    pub(super) fn mend(&self) {
        if !self.state().broken {
            return;
        }
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        {
            let state = self.state();
            if !state.broken || state.closed {
                return;
            }
        }
        // The file is locked until the old one is gone.
        *database = None;
        match (self.open)() {
            Ok(opened) => {
                *database = Some(opened);
                self.state().broken = false;
                tracing::info!("the store was opened again");
            }
            Err(error) => {
                let remedy = error.remedy();
                tracing::error!(%error, remedy, "the store cannot be opened again");
                self.state().failure = Some(error.to_string());
            }
        }
    }

    /// Why the last write failed, unless another one has succeeded since.
    pub(super) fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// Gives the file free.
    pub(super) fn close(&self) {
        self.state().closed = true;
        *self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Medium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Medium").finish_non_exhaustive()
    }
}
