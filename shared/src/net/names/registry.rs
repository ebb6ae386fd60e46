//! The rows of a witness for its operator: what there is, which names it refuses, and what other
//! witnesses certified.
//!
//! Works on the ledger alone, so also for a witness that must not sign, or does not run.

use std::sync::Arc;

use futures::channel::oneshot;

use super::ledger::{Kept, NameLedger};
use crate::error::{Code, Error, Result};
use crate::limits::MAX_REFUSAL_REASON;
use crate::proto::Millis;
use crate::proto::names::certificate::Certificate;
use crate::proto::names::wire::{NameRefusal, Response};
use crate::proto::names::witness::row::{Denial, Row};
use crate::proto::names::witness::{Outcome, ZoneWrite, show};
use crate::proto::names::{KnownSets, Label};
use crate::store::StoreError;

/// What became of a certificate that the operator showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is in force here from now on.
    Adopted,
    /// It is in force here already, or a later one is.
    Known,
    /// It is not believed; why, in a word.
    Refused(&'static str),
}

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

    /// Takes note of a certificate of that name, if the witnesses in `sets` signed it. Signs nothing.
    pub async fn import(
        &self,
        name: &Label,
        certificate: &[u8],
        sets: &KnownSets,
        now: Millis,
    ) -> Result<Imported> {
        let certificate = match Certificate::decode(certificate) {
            Ok(certificate) if certificate.claim.name() == name => certificate,
            Ok(_) => return Ok(Imported::Refused("other-name")),
            Err(refusal) => return Ok(Imported::Refused(refusal.as_str())),
        };
        let of_network = certificate.claim.network() == sets.network();
        if of_network && sets.get(certificate.epoch).is_none() {
            return Ok(Imported::Refused("unknown-epoch"));
        }
        let binding = match certificate.verify(sets) {
            Ok(binding) => binding,
            Err(refusal) => return Ok(Imported::Refused(refusal.as_str())),
        };
        let (tell, told) = oneshot::channel();
        let work = move |kept: Kept| {
            let shown = show(&binding, kept.row, now);
            let _ = tell.send(shown.taken);
            Outcome {
                row: shown.row,
                zone: shown.zone,
                response: Response::Abandoned,
            }
        };
        let done = self.0.change(name.clone(), Box::new(work)).await;
        if let Response::Refused { why, .. } = done.map_err(unusable)? {
            return Ok(Imported::Refused(why.as_str()));
        }
        Ok(match told.await {
            Ok(Ok(true)) => Imported::Adopted,
            Ok(Ok(false)) => Imported::Known,
            Ok(Err(why)) => Imported::Refused(why.as_str()),
            Err(_) => Imported::Refused(NameRefusal::StorageFailed.as_str()),
        })
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
    use crate::proto::NetworkId;
    use crate::selftest::names::samples::{alice, certificate, sets, two_sets};
    use crate::selftest::samples::NOW;

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

    #[test]
    fn only_what_verifies_is_imported() {
        let registry = Registry::new(Arc::new(MemoryLedger::default()));
        let import = |name: &Label, certificate: &Certificate, sets: &KnownSets| {
            run(registry.import(name, &certificate.encode(), sets, NOW)).unwrap()
        };
        let genuine = certificate();
        let mut alone = genuine.clone();
        alone.finals.pop();
        let mut later = genuine.clone();
        later.epoch = 2;
        let elsewhere =
            KnownSets::pinned(NetworkId::from_entropy([9; 10]), sets().current().clone());
        let bob: Label = "bob".parse().unwrap();
        for (name, certificate, sets, why) in [
            (&alice(), &alone, &sets(), "bad-signature"),
            (&alice(), &later, &sets(), "unknown-epoch"),
            (&alice(), &later, &two_sets(), "bad-signature"),
            (&alice(), &genuine, &elsewhere, "wrong-network"),
            (&bob, &genuine, &sets(), "other-name"),
        ] {
            assert_eq!(import(name, certificate, sets), Imported::Refused(why));
        }
        let nonsense = run(registry.import(&bob, b"nonsense", &sets(), NOW)).unwrap();
        assert!(matches!(nonsense, Imported::Refused(_)));
        assert!(run(registry.page(None, 9)).unwrap().is_empty());

        assert_eq!(import(&alice(), &genuine, &sets()), Imported::Adopted);
        assert_eq!(import(&alice(), &genuine, &sets()), Imported::Known);
        let rows = run(registry.page(None, 9)).unwrap();
        assert!(rows[0].1.held(NOW).is_some());

        run(registry.refuse(alice(), "a court said so".to_owned(), NOW)).unwrap();
        let denied = Imported::Refused("denied");
        assert_eq!(import(&alice(), &genuine, &sets()), denied);
    }
}
