//! The witness role of a node: takes requests, keeps the rates, and lets nothing out that is not
//! durable.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::ledger::{Kept, NameLedger};
use super::rates::Rates;
use super::shares::Shares;
use crate::limits::{NAME_CHANGES_PER_KEY, NAME_CHANGES_PER_PREFIX, NAME_READS_PER_PREFIX};
use crate::net::budget::Asker;
use crate::platform;
use crate::proto::key::PublicKey;
use crate::proto::names::KnownSets;
use crate::proto::names::wire::{Answer, NameRefusal, Request, Response};
use crate::proto::names::witness::{Job, Witness, ZoneWrite};
use crate::store::StoreError;

/// Answers requests about names out of a ledger.
pub struct NameService {
    witness: RwLock<Arc<Witness>>,
    ledger: Arc<dyn NameLedger>,
    limits: Mutex<Limits>,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

struct Limits {
    reads: Shares,
    changes: Shares,
    keys: Rates<PublicKey>,
}

impl NameService {
    /// A witness with its rows.
    pub fn new(witness: Witness, ledger: Arc<dyn NameLedger>) -> Self {
        NameService {
            witness: RwLock::new(Arc::new(witness)),
            ledger,
            limits: Mutex::new(Limits {
                reads: Shares::new(NAME_READS_PER_PREFIX),
                changes: Shares::new(NAME_CHANGES_PER_PREFIX),
                keys: Rates::new(NAME_CHANGES_PER_KEY),
            }),
            refusals: Mutex::default(),
        }
    }

    /// The witness sets it knows.
    pub fn sets(&self) -> KnownSets {
        self.witness().sets().clone()
    }

    /// How many requests were refused, by reason.
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.refusals).clone()
    }

    pub(in crate::net) async fn answer(&self, asker: Option<Asker>, request: Request) -> Answer {
        let now = platform::now();
        let response = self.respond(asker, request, now).await;
        self.finished(now, response)
    }

    pub(in crate::net) fn too_busy(&self) -> Answer {
        self.finished(platform::now(), NameRefusal::RateLimited.bare())
    }

    fn finished(&self, now: u64, response: Response) -> Answer {
        if let Response::Refused { why, .. } = &response {
            *locked(&self.refusals).entry(why.as_str()).or_default() += 1;
        }
        Answer { now, response }
    }

    fn witness(&self) -> Arc<Witness> {
        let witness = self.witness.read();
        witness.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn respond(&self, asker: Option<Asker>, request: Request, now: u64) -> Response {
        let witness = self.witness();
        if let Request::Sets { after } = request {
            return witness.sets_after(after);
        }
        let reads_only = matches!(request, Request::Ask { .. });
        if !self.within_rates(asker, reads_only, now) {
            return NameRefusal::RateLimited.bare();
        }
        let job = match witness.read(&request, now) {
            Ok(job) => job,
            Err(why) => return why.bare(),
        };
        let key = asking(&job).filter(|_| asker.is_some());
        if key.is_some_and(|key| !locked(&self.limits).keys.take(key, now)) {
            return NameRefusal::RateLimited.bare();
        }
        let (response, changed) = self.work(witness, job, now).await;
        if let Some(key) = key.filter(|_| !changed) {
            // Anybody can show again what an owner has signed: that must not use up the owner's share.
            locked(&self.limits).keys.give_back(&key);
        }
        response
    }

    /// The response, and whether the row or the zone changed for it.
    async fn work(&self, witness: Arc<Witness>, job: Job, now: u64) -> (Response, bool) {
        let name = job.name().clone();
        let changed = Arc::new(AtomicBool::new(false));
        let result = if job.writes() {
            let written = changed.clone();
            let work = move |kept: Kept| {
                // Requests wait for the disk: what counts is the time when the row is read.
                let now = platform::now();
                let outcome = witness.work(&job, kept.row, kept.zone.as_deref(), now);
                let writes = outcome.row.is_some() || outcome.zone != ZoneWrite::Keep;
                written.store(writes, Ordering::Relaxed);
                outcome
            };
            self.ledger.change(name, Box::new(work)).await
        } else {
            let kept = self.ledger.read(name).await;
            kept.map(|kept| {
                witness
                    .work(&job, kept.row, kept.zone.as_deref(), now)
                    .response
            })
        };
        let response = result.unwrap_or_else(|error| failed(&error));
        (response, changed.load(Ordering::Relaxed))
    }

    /// This node's own questions have no limit.
    fn within_rates(&self, asker: Option<Asker>, reads_only: bool, now: u64) -> bool {
        let Some(asker) = asker else {
            return true;
        };
        let mut limits = locked(&self.limits);
        match reads_only {
            true => limits.reads.take(asker, now),
            false => limits.changes.take(asker, now),
        }
    }
}

/// Whose key asks for a change, if the request says so.
fn asking(job: &Job) -> Option<PublicKey> {
    match job {
        Job::Propose(claim, _) | Job::Finalise(claim, _) => Some(claim.owner()),
        Job::Publish(zone, ..) => Some(zone.owner()),
        Job::Abandon(abandon) => Some(abandon.owner()),
        Job::Ask(_) | Job::Renew(_) => None,
    }
}

fn failed(error: &StoreError) -> Response {
    match error {
        StoreError::Full => NameRefusal::Full.bare(),
        StoreError::Overloaded => NameRefusal::RateLimited.bare(),
        StoreError::Expired | StoreError::Failed(_) => {
            tracing::error!(%error, "the rows of the witness failed");
            NameRefusal::StorageFailed.bare()
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::names::MemoryLedger;
    use crate::proto::names::claim::{Draft, Right};
    use crate::proto::names::name::Root;
    use crate::proto::names::work::Hardness;
    use crate::proto::names::zone::Zone;
    use crate::selftest::names::samples::{alice, certificate_of, sets, witnesses};
    use crate::selftest::samples::{author, network};

    #[test]
    fn showing_again_what_an_owner_signed_does_not_use_up_its_share() {
        let now = platform::now();
        let draft = Draft {
            network: network(),
            name: alice(),
            generation: 1,
            right: Right::Free { work: 0 },
            recovery: None,
            issued: now,
        };
        let certificate = certificate_of(&draft.sign(&author()).unwrap());
        let witness = Witness::new(witnesses().remove(0), sets(), Hardness::NONE);
        let service = NameService::new(witness, Arc::new(MemoryLedger::default()));
        let stranger = Asker {
            peer: libp2p::PeerId::random(),
            prefix: None,
        };
        let publish = |seq| {
            let zone = Zone {
                generation: 1,
                ..Zone::default()
            };
            let (root, times) = (Root::Human(alice()), (now, now + 60_000));
            let zone = zone.sign(&author(), &network(), &root, seq, times).unwrap();
            let request = Request::Publish {
                zone: zone.bytes().to_vec(),
                certificate: Some(certificate.encode()),
            };
            let asked = service.respond(Some(stranger), request, now);
            matches!(futures::executor::block_on(asked), Response::Signed { .. })
        };
        assert!(publish(1));
        for _ in 0..NAME_CHANGES_PER_KEY + 1 {
            assert!(publish(1), "the same again costs the owner nothing");
        }
        let changes = (2..200).take_while(|seq| publish(*seq)).count() as u32;
        assert_eq!(changes + 1, NAME_CHANGES_PER_KEY, "new ones do");
    }
}
