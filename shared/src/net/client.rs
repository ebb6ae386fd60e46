//! Stores records at given nodes and reads them back: asks in parallel, believes only what
//! verifies, repairs nodes that had an older record or none.

mod providers;

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::{self, FuturesUnordered};

pub use self::providers::{ProviderLists, Reach, merged};
use super::answers::SharedStore;
use super::handle::{Handle, Route};
use crate::error::{Code, Error, Result};
use crate::proto::clock::ClockOffset;
use crate::proto::gather::{Gather, Weight};
use crate::proto::key::Key;
use crate::proto::record::wire::{Answer, Request, Response};
use crate::proto::record::{Decision, Record, Refusal, supersedes};
use crate::proto::reputation::Evidence;
use crate::proto::{Millis, NetworkId};
use crate::sorted::SortedMap;
use crate::store::Outcome;
use crate::{limits, platform};

/// Where a record ended up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreReport {
    /// Nodes that have it durably.
    pub stored: usize,
    /// Nodes that refused it, by reason.
    pub refused: SortedMap<&'static str, usize>,
}

/// Asks nodes for records, and counts this node's own store as one of them when it has one.
#[derive(Clone)]
pub struct RecordClient {
    handle: Handle,
    network: NetworkId,
    own: Option<SharedStore>,
    clock: Arc<Mutex<ClockOffset>>,
}

impl RecordClient {
    /// Asks through `handle`, and asks `own` as one of the nodes.
    pub fn new(handle: Handle, network: NetworkId, own: Option<SharedStore>) -> Self {
        RecordClient {
            handle,
            network,
            own,
            clock: Arc::default(),
        }
    }

    /// The way to the driver.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// As [`Self::now`], but never further from the device's clock than a day: whoever sets the clock
    /// chooses which leases live.
    pub fn now_for_names(&self) -> Millis {
        self.clock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .correct_within(platform::now(), limits::MAX_NAME_CLOCK)
    }

    /// Takes over what another client has learned of the time.
    #[cfg(feature = "apps")]
    pub fn set_clock(&self, offset: i64) {
        let now = platform::now();
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.observe([], now.saturating_add_signed(offset), now, now);
    }

    /// The time that the relays agree on.
    pub fn now(&self) -> Millis {
        self.clock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .correct(platform::now())
    }

    /// Asks, and learns what time it is there.
    async fn ask(&self, route: Route, request: Request) -> Result<Answer> {
        let peer = route.peer;
        let sent = platform::now();
        let answer = self.handle.ask(route, request).await?;
        let offset = {
            let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
            clock.observe(peer.to_bytes(), answer.now, sent, platform::now());
            clock.offset()
        };
        self.handle.set_clock_offset(offset).await;
        Ok(answer)
    }

    /// Sends one request to all routes at once. `heard` says of each response what was wrong with it;
    /// the last error comes back.
    async fn tell_all(
        &self,
        routes: Vec<Route>,
        request: Request,
        heard: &mut (dyn FnMut(Response) -> Result<()> + Send),
    ) -> Option<Error> {
        let routes = routes.into_iter().take(limits::REPLICATION);
        let mut answers: FuturesUnordered<_> = routes
            .map(|route| self.ask(route, request.clone()))
            .collect();
        let mut last = None;
        while let Some(answer) = answers.next().await {
            last = answer
                .and_then(|answer| heard(answer.response))
                .err()
                .or(last);
        }
        last
    }

    /// Stores at all routes at once.
    pub async fn write(&self, routes: Vec<Route>, record: Record) -> Result<StoreReport> {
        let key = record.key();
        let bytes = record.bytes().to_vec();
        let mut report = StoreReport::default();
        let mut newer = false;
        let mut last = None;
        if let Some(own) = &self.own {
            match own.put(record.clone(), self.now()).await {
                Ok(Outcome::Stored | Outcome::Same) => report.stored += 1,
                Ok(Outcome::Older(found)) => newer |= self.is_newer(&found, &record),
                Err(error) => {
                    last = Some(
                        Error::new(Code::StorageFailed, "this node's own store failed")
                            .caused_by(error),
                    )
                }
            }
        }
        let put = Request::Put { key, record: bytes };
        let mut heard = |response| match response {
            Response::Stored => {
                report.stored += 1;
                Ok(())
            }
            Response::Refused { why, newer: found } => {
                *report.refused.or_default(why.as_str()) += 1;
                newer |= found.is_some_and(|found| self.is_newer(&found, &record));
                Err(why.into())
            }
            _ => Err(beside_the_point("a store")),
        };
        let last = self.tell_all(routes, put, &mut heard).await.or(last);
        if newer {
            return Err(Error::new(
                Code::Older,
                "the network holds a newer version of this record",
            ));
        }
        match (report.stored, last) {
            (0, Some(error)) => Err(error),
            (0, None) => Err(no_node()),
            _ => Ok(report),
        }
    }

    /// A node may claim "older" to censor; the claim counts only with a valid record that wins.
    fn is_newer(&self, found: &[u8], than: &Record) -> bool {
        Record::validate(than.key(), found, &self.network, self.now())
            .is_ok_and(|found| supersedes(&found, than) == Decision::Older)
    }

    /// The best record that any of the routes has.
    pub async fn read(&self, routes: Vec<Route>, key: Key) -> Result<Option<Record>> {
        if routes.is_empty() && self.own.is_none() {
            return Err(no_node());
        }
        let (gather, failure) = self.gather(routes, key, limits::READ_PARALLEL).await;
        self.repair(&gather);
        match (gather.into_best(), failure) {
            (None, Some(error)) => Err(error),
            (best, _) => Ok(best),
        }
    }

    /// A record that enough of the routes have, none of them a better one. All are asked at once: of those
    /// that are merely known, many do not have it. Nobody is told of it who has an
    /// older one: nobody knows that they are to have it.
    pub async fn agreed(&self, routes: Vec<Route>, key: Key) -> Option<Record> {
        if routes.len() < limits::READ_QUORUM {
            return None;
        }
        let (gather, _) = self.gather(routes, key, limits::REPLICATION).await;
        let agreed = gather.done(limits::READ_QUORUM);
        gather.into_best().filter(|_| agreed)
    }

    /// Asks so many at a time, until enough agree or all were asked; why nobody at all could be asked, if
    /// so.
    async fn gather(
        &self,
        routes: Vec<Route>,
        key: Key,
        at_once: usize,
    ) -> (Gather<Route>, Option<Error>) {
        let mut gather = Gather::new(key, self.network.clone());
        let own = match &self.own {
            Some(store) => store.get(key, self.now()).await.ok().flatten(),
            None => None,
        };
        if let Some(record) = own {
            gather.add_own(record);
        }
        let mut reached = self.own.is_some();
        let mut failure = None;
        let mut answers = stream::iter(routes.into_iter().take(limits::REPLICATION))
            .map(|route| async move {
                let answer = self.ask(route.clone(), Request::Get { key }).await;
                (route, answer)
            })
            .buffer_unordered(at_once);
        while !gather.done(limits::READ_QUORUM) {
            let Some((route, answer)) = answers.next().await else {
                break;
            };
            match answer {
                Ok(answer) => {
                    reached = true;
                    let (peer, size) = (route.peer, size_of(&answer.response));
                    let weight = gather.add(route, answer.response, self.now());
                    if let Some(evidence) = evidence_of(weight, size) {
                        self.handle.standings().note(&peer, evidence);
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        drop(answers);
        (gather, failure.filter(|_| !reached))
    }

    /// Gives the winning record to nodes that should have it; nobody waits for that.
    fn repair(&self, gather: &Gather<Route>) {
        let Some(best) = gather.best() else { return };
        let (key, bytes) = (best.key(), best.bytes().to_vec());
        for route in gather.stale().iter().cloned() {
            let client = self.clone();
            let request = Request::Put {
                key,
                record: bytes.clone(),
            };
            platform::spawn(async move {
                if let Err(error) = client.ask(route, request).await {
                    tracing::debug!(%error, "a stale node could not be repaired");
                }
            });
        }
    }
}

/// Bytes of the record in an answer.
fn size_of(response: &Response) -> u64 {
    match response {
        Response::Found { record } => record.len() as u64,
        _ => 0,
    }
}

/// What a record says about who gave it.
fn evidence_of(weight: Weight, size: u64) -> Option<Evidence> {
    match weight {
        Weight::Better | Weight::Same | Weight::Older => Some(Evidence::Verified(size)),
        // Clocks differ.
        Weight::Invalid(Refusal::Expired | Refusal::FutureDated) => None,
        Weight::Invalid(_) => Some(Evidence::Invalid),
        Weight::Missing | Weight::Nothing => None,
    }
}

fn beside_the_point(question: &str) -> Error {
    Error::new(
        Code::ProtocolViolation,
        format!("a node answered {question} with something else"),
    )
}

pub(super) fn no_node() -> Error {
    Error::new(Code::NoRelay, "no node of the network is within reach")
}
