//! A relay's mailboxes: who may do what, over a store.
//!
//! Anybody leaves things within its quota; only a peer that proves whom it runs for is given what waits
//! for that author, and has it forgotten.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::net::budget::Asker;
use crate::net::node::key_of;
use crate::platform;
use crate::proto::Millis;
use crate::proto::direct::mailbox::{self, Leaving, MemoryTable, Sender};
use crate::proto::direct::wire::{MailboxAnswer, MailboxRequest, Waiting};
use crate::proto::key::{NetworkId, PublicKey};
use crate::proto::record::Refusal;
use crate::proto::record::peer::AuthorProof;
use crate::store::{Source, StoreError};

/// Keeps what is left, by the rules of `proto::direct::mailbox`.
#[async_trait]
pub trait MailboxStore: Send + Sync + 'static {
    /// Keeps things durably, all in one transaction: see [`mailbox::leave_all`].
    async fn leave(
        &self,
        all: Vec<Leaving>,
        now: Millis,
    ) -> Result<Result<usize, Refusal>, StoreError>;

    /// Forgets what is done with, and gives what waits after a place, and whether there is more.
    async fn fetch(
        &self,
        to: PublicKey,
        after: u64,
        done: Vec<u64>,
        now: Millis,
    ) -> Result<(Vec<Waiting>, bool), StoreError>;
}

/// The mailboxes of a relay.
pub struct MailboxService {
    network: NetworkId,
    store: Arc<dyn MailboxStore>,
}

impl MailboxService {
    /// In a network, on a store.
    pub fn new(network: NetworkId, store: Arc<dyn MailboxStore>) -> Self {
        MailboxService { network, store }
    }

    /// Answers a request.
    pub(in crate::net) async fn answer(
        &self,
        asker: Asker,
        request: MailboxRequest,
    ) -> MailboxAnswer {
        let answer = match request {
            MailboxRequest::Leave { to, parcels } => {
                let bytes = asker.peer.to_bytes();
                let sender = Sender {
                    peer: Source::of(None, &bytes).to_u64(),
                    source: Source::of(asker.prefix, &bytes).to_u64(),
                };
                let leaving = parcels.into_iter().map(|left| Leaving {
                    to,
                    sender,
                    id: left.id,
                    sealed: left.sealed,
                });
                self.leave(leaving.collect()).await
            }
            MailboxRequest::Fetch { proof, after, done } => {
                self.fetch(asker, &proof, after, done).await
            }
        };
        answer.unwrap_or_else(|why| MailboxAnswer::Refused { why })
    }

    async fn leave(&self, all: Vec<Leaving>) -> Result<MailboxAnswer, Refusal> {
        let kept = self.store.leave(all, platform::now()).await;
        let count = kept.map_err(failed)?? as u64;
        Ok(MailboxAnswer::Kept { count })
    }

    async fn fetch(
        &self,
        asker: Asker,
        proof: &[u8],
        after: u64,
        done: Vec<u64>,
    ) -> Result<MailboxAnswer, Refusal> {
        let now = platform::now();
        let key = key_of(&asker.peer).map_err(|_| Refusal::WrongKey)?;
        let author = AuthorProof::check(proof, &key, &self.network, now)?;
        let found = self.store.fetch(author, after, done, now).await;
        let (entries, more) = found.map_err(failed)?;
        Ok(MailboxAnswer::Waiting { entries, more })
    }
}

fn failed(error: StoreError) -> Refusal {
    match error {
        StoreError::Full => Refusal::Full,
        StoreError::Expired => Refusal::Expired,
        StoreError::Overloaded => Refusal::RateLimited,
        StoreError::Failed(error) => {
            tracing::error!(error, "the mailbox store failed");
            Refusal::StorageFailed
        }
    }
}

/// Mailboxes in memory.
#[derive(Clone, Default)]
pub struct MemoryMailbox(Arc<Mutex<MemoryTable>>);

#[async_trait]
impl MailboxStore for MemoryMailbox {
    async fn leave(
        &self,
        all: Vec<Leaving>,
        now: Millis,
    ) -> Result<Result<usize, Refusal>, StoreError> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(kept) = mailbox::leave_all(&mut *table, &all, now);
        Ok(kept)
    }

    async fn fetch(
        &self,
        to: PublicKey,
        after: u64,
        done: Vec<u64>,
        now: Millis,
    ) -> Result<(Vec<Waiting>, bool), StoreError> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(()) = mailbox::done(&mut *table, &to, &done);
        let Ok(found) = mailbox::waiting(&*table, &to, after, now);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;

    use super::*;
    use crate::proto::direct::wire::Left;
    use crate::proto::key::SigningKey;

    fn network() -> NetworkId {
        "test-net".parse().unwrap()
    }

    fn asker(key: &SigningKey) -> Asker {
        Asker {
            peer: PeerId::from_bytes(&key.public().to_peer_id_bytes()).unwrap(),
            prefix: None,
        }
    }

    fn fetch(author: &SigningKey, peer: &SigningKey, done: Vec<u64>) -> MailboxRequest {
        let now = platform::now();
        let proof = AuthorProof::sign(author, &peer.public(), &network(), now).unwrap();
        MailboxRequest::Fetch {
            proof: proof.bytes().to_vec(),
            after: 0,
            done,
        }
    }

    #[tokio::test]
    async fn only_the_recipient_is_given_what_waits_and_has_it_forgotten() {
        let keys = [1, 2, 3, 4].map(|seed| SigningKey::from_seed([seed; 32]));
        let [author, peer, other, stranger] = &keys;
        let service = MailboxService::new(network(), Arc::new(MemoryMailbox::default()));
        let leave = MailboxRequest::Leave {
            to: author.public(),
            parcels: vec![Left {
                id: [1; 16],
                sealed: vec![7; 50],
            }],
        };
        let kept = service.answer(asker(stranger), leave).await;
        assert_eq!(kept, MailboxAnswer::Kept { count: 1 });
        let of_other = service
            .answer(asker(peer), fetch(other, peer, vec![1]))
            .await;
        let MailboxAnswer::Waiting { entries, .. } = of_other else {
            panic!("{of_other:?}");
        };
        assert!(entries.is_empty(), "the mailbox of another author");
        // The proof of another peer proves nothing of this one.
        let stolen = service
            .answer(asker(stranger), fetch(author, peer, vec![1]))
            .await;
        let why = Refusal::WrongKey;
        assert_eq!(stolen, MailboxAnswer::Refused { why });
        let found = service
            .answer(asker(peer), fetch(author, peer, Vec::new()))
            .await;
        let MailboxAnswer::Waiting { entries, more } = found else {
            panic!("{found:?}");
        };
        assert_eq!((entries.len(), more), (1, false));
        let done = vec![entries[0].place];
        let left = service.answer(asker(peer), fetch(author, peer, done)).await;
        assert_eq!(
            left,
            MailboxAnswer::Waiting {
                entries: Vec::new(),
                more: false
            }
        );
    }
}
