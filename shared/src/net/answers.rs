//! What this peer answers to others: record requests out of its store, questions about names as a
//! witness, and what is left in its mailboxes.

use std::sync::{Arc, Mutex, PoisonError};

use super::budget::Asker;
use super::codec::Message;
#[cfg(feature = "server")]
use super::direct::MailboxService;
#[cfg(feature = "server")]
use super::names::NameService;
use super::streams::Service;
use crate::limits;
use crate::platform;
#[cfg(feature = "server")]
use crate::proto::direct::wire::{MailboxAnswer, MailboxRequest};
#[cfg(feature = "server")]
use crate::proto::names::wire as names;
use crate::proto::record::provider::ProviderEntry;
use crate::proto::record::wire::{Answer, Request, Response};
use crate::proto::record::{Record, Refusal};
use crate::proto::{Millis, NetworkId};
use crate::sorted::SortedMap;
use crate::store::{AnnounceError, Outcome, RecordStore, Source, StoreError};

/// A store that several tasks use.
pub type SharedStore = Arc<dyn RecordStore>;

/// Answers requests of other peers; shared by all request tasks.
pub struct Answers {
    network: NetworkId,
    store: Option<SharedStore>,
    #[cfg(feature = "server")]
    names: Option<Arc<NameService>>,
    #[cfg(feature = "server")]
    mailboxes: Option<Arc<MailboxService>>,
    refusals: Mutex<SortedMap<&'static str, u64>>,
}

impl Answers {
    /// Answers record requests only when there is a store, requests about names only when it is a
    /// witness, and those about mailboxes only when it has some.
    pub fn new(
        network: NetworkId,
        store: Option<SharedStore>,
        #[cfg(feature = "server")] names: Option<Arc<NameService>>,
        #[cfg(feature = "server")] mailboxes: Option<Arc<MailboxService>>,
    ) -> Self {
        Answers {
            network,
            store,
            #[cfg(feature = "server")]
            names,
            #[cfg(feature = "server")]
            mailboxes,
            refusals: Mutex::default(),
        }
    }

    /// How many requests were refused, by reason.
    pub fn refusals(&self) -> SortedMap<&'static str, u64> {
        self.refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The frame that answers a frame; nothing when that is not to be understood.
    pub(super) async fn answer(
        &self,
        asker: Asker,
        service: Service,
        frame: &[u8],
    ) -> Option<Vec<u8>> {
        Some(match service {
            Service::Record => self.record(asker, parse(service, frame)?).await.to_frame(),
            #[cfg(feature = "server")]
            Service::Names => self.name(asker, parse(service, frame)?).await.to_frame(),
            #[cfg(feature = "server")]
            Service::Mailbox => self.mailbox(asker, parse(service, frame)?).await.to_frame(),
            // What only relays do, a browser need not download; what apps do, they answer themselves.
            _ => return None,
        })
    }

    /// The frame for those for whose requests this node has no time.
    pub(super) fn too_busy(&self, service: Service) -> Vec<u8> {
        match service {
            Service::Record => self
                .finished(platform::now(), refuse(Refusal::RateLimited))
                .to_frame(),
            #[cfg(feature = "server")]
            Service::Names => self.too_busy_for_names().to_frame(),
            #[cfg(feature = "server")]
            Service::Mailbox => not_kept(Refusal::RateLimited).to_frame(),
            _ => Vec::new(),
        }
    }

    #[cfg(feature = "server")]
    async fn mailbox(&self, asker: Asker, request: MailboxRequest) -> MailboxAnswer {
        match &self.mailboxes {
            Some(service) => service.answer(asker, request).await,
            None => not_kept(Refusal::Unsupported),
        }
    }

    async fn record(&self, asker: Asker, request: Request) -> Answer {
        let now = platform::now();
        let response = match &self.store {
            None => refuse(Refusal::Unsupported),
            Some(store) => self.perform(store, asker, request, now).await,
        };
        self.finished(now, response)
    }

    #[cfg(feature = "server")]
    async fn name(&self, asker: Asker, request: names::Request) -> names::Answer {
        match &self.names {
            Some(service) => service.answer(Some(asker), request).await,
            None => no_witness(),
        }
    }

    #[cfg(feature = "server")]
    fn too_busy_for_names(&self) -> names::Answer {
        let service = self.names.as_ref();
        service.map_or_else(no_witness, |service| service.too_busy())
    }

    fn finished(&self, now: Millis, response: Response) -> Answer {
        if let Response::Refused { why, .. } = &response {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            *refusals.or_default(why.as_str()) += 1;
        }
        Answer { now, response }
    }

    async fn perform(
        &self,
        store: &SharedStore,
        asker: Asker,
        request: Request,
        now: Millis,
    ) -> Response {
        let Asker { peer, prefix } = asker;
        match request {
            Request::Put { key, record } => {
                match Record::validate(key, &record, &self.network, now) {
                    Ok(record) => {
                        let source = Source::of(prefix, &peer.to_bytes());
                        stored(store.put_from(source, record, now).await)
                    }
                    Err(why) => refuse(why),
                }
            }
            Request::Get { key } => match store.get(key, now).await {
                Ok(Some(record)) => Response::Found {
                    record: record.bytes().to_vec(),
                },
                Ok(None) => Response::Missing,
                Err(error) => failed(error),
            },
            Request::Announce {
                key,
                addresses,
                ttl_ms,
            } => {
                let expires = now + ttl_ms.min(limits::PROVIDER_LIFETIME);
                let entry = ProviderEntry {
                    peer: peer.to_bytes(),
                    addresses,
                    expires,
                };
                match store.announce(key, entry, prefix, now).await {
                    Ok(()) => Response::Announced { expires },
                    Err(AnnounceError::Refused(why)) => refuse(why),
                    Err(AnnounceError::Store(error)) => failed(error),
                }
            }
            Request::Withdraw { key } => match store.withdraw(key, &peer.to_bytes()).await {
                Ok(()) => Response::Stored,
                Err(error) => failed(error),
            },
            Request::Providers { key, after } => match store.providers(key, after, now).await {
                Ok((entries, more)) => Response::Providers { entries, more },
                Err(error) => failed(error),
            },
        }
    }
}

fn parse<M: Message>(service: Service, frame: &[u8]) -> Option<M> {
    let parsed = M::from_frame(frame);
    parsed
        .inspect_err(|reason| tracing::debug!(?service, reason, "a request is not understood"))
        .ok()
}

#[cfg(feature = "server")]
fn no_witness() -> names::Answer {
    names::Answer {
        now: platform::now(),
        response: names::NameRefusal::NotWitness.bare(),
    }
}

#[cfg(feature = "server")]
fn not_kept(why: Refusal) -> MailboxAnswer {
    MailboxAnswer::Refused { why }
}

fn refuse(why: Refusal) -> Response {
    Response::Refused { why, newer: None }
}

fn stored(outcome: Result<Outcome, StoreError>) -> Response {
    match outcome {
        Ok(Outcome::Stored | Outcome::Same) => Response::Stored,
        Ok(Outcome::Older(newer)) => Response::Refused {
            why: Refusal::Older,
            newer: Some(newer),
        },
        Err(error) => failed(error),
    }
}

fn failed(error: StoreError) -> Response {
    match error {
        StoreError::Full => refuse(Refusal::Full),
        StoreError::Expired => refuse(Refusal::Expired),
        StoreError::Overloaded => refuse(Refusal::RateLimited),
        StoreError::Failed(error) => {
            tracing::error!(error, "the record store failed");
            refuse(Refusal::StorageFailed)
        }
    }
}
