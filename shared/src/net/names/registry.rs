//! The rows of a witness for its operator: what there is, and which names it refuses.
//!
//! Works on the ledger alone, so also for a witness that must not sign, or does not run.

use std::sync::Arc;

use super::ledger::{Kept, NameLedger};
use crate::error::{Code, Error, Result};
use crate::limits::MAX_REFUSAL_REASON;
use crate::proto::Millis;
use crate::proto::names::Label;
use crate::proto::names::wire::Response;
use crate::proto::names::witness::row::{Denial, Row};
use crate::proto::names::witness::{Outcome, ZoneWrite};
use crate::store::StoreError;

/// What an operator may do to the rows of a witness. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<dyn NameLedger>);

impl Registry {
    /// Of these rows.
    pub fn new(ledger: Arc<dyn NameLedger>) -> Registry {
        Registry(ledger)
    }

    /// So many names after one, in their order.
    pub async fn page(&self, after: Option<Label>, most: usize) -> Result<Vec<(Label, Row)>> {
        self.0.page(after, most).await.map_err(unusable)
    }

    /// Refuses a name from now on: it is neither claimed nor resolved here. What was signed is not
    /// forgotten.
    pub async fn refuse(&self, name: Label, reason: String, now: Millis) -> Result<()> {
        if reason.trim().is_empty() || reason.len() > MAX_REFUSAL_REASON {
            let what = format!("a reason has 1 to {MAX_REFUSAL_REASON} bytes");
            return Err(Error::new(Code::InvalidArgument, what));
        }
        self.set(name, Some(Denial { reason, since: now })).await
    }

    /// Refuses a name no longer.
    pub async fn allow(&self, name: Label) -> Result<()> {
        self.set(name, None).await
    }

    async fn set(&self, name: Label, denied: Option<Denial>) -> Result<()> {
        let work = move |kept: Kept| Outcome {
            // Nothing is kept of a name only because it is not refused.
            row: (kept.row.is_some() || denied.is_some()).then(|| Row {
                denied,
                ..kept.row.unwrap_or_default()
            }),
            zone: ZoneWrite::Keep,
            response: Response::Abandoned,
        };
        match self.0.change(name, Box::new(work)).await {
            Ok(Response::Refused { why, .. }) => {
                let full = Error::new(Code::Overloaded, "this witness has no room for more names");
                Err(full.caused_by(why))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(unusable(error)),
        }
    }
}

fn unusable(error: StoreError) -> Error {
    Error::new(
        Code::StorageFailed,
        "the rows of the witness cannot be used",
    )
    .caused_by(error)
    .with_remedy("Check the disk of this relay.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::names::MemoryLedger;

    fn run<T>(future: impl Future<Output = T>) -> T {
        futures::executor::block_on(future)
    }

    #[test]
    fn a_refusal_needs_a_reason_and_ends() {
        let registry = Registry::new(Arc::new(MemoryLedger::default()));
        let name: Label = "alice".parse().unwrap();
        let refused =
            |rows: &[(Label, Row)]| rows.iter().filter(|it| it.1.denied.is_some()).count();
        for reason in [
            String::new(),
            " ".to_owned(),
            "x".repeat(MAX_REFUSAL_REASON + 1),
        ] {
            let error = run(registry.refuse(name.clone(), reason, 1)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
        }
        run(registry.refuse(name.clone(), "a court said so".to_owned(), 7)).unwrap();
        let rows = run(registry.page(None, 9)).unwrap();
        assert_eq!((rows.len(), refused(&rows)), (1, 1));
        assert_eq!(rows[0].1.denied.as_ref().map(|it| it.since), Some(7));
        run(registry.allow(name.clone())).unwrap();
        assert_eq!(refused(&run(registry.page(None, 9)).unwrap()), 0);
        assert!(run(registry.page(Some(name), 9)).unwrap().is_empty());
    }
}
