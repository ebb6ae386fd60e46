//! Sends requests to witnesses, wherever they are: to others over the network, to this node's own
//! role without.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{Either, select};
use libp2p::{Multiaddr, PeerId};

#[cfg(feature = "server")]
use super::service::NameService;
use crate::net::handle::{Handle, Route};
use crate::net::overlay::{Kademlia, Overlay};
use crate::proto::key::PublicKey;
use crate::proto::names::wire::{Request, Response};
use crate::proto::record::Record;
use crate::proto::record::peer::PeerRecord;

/// The way to the witnesses. Cheap to clone.
#[derive(Clone)]
pub(super) struct Asking {
    pub overlay: Arc<Kademlia>,
    #[cfg(feature = "server")]
    pub service: Option<Arc<NameService>>,
    #[cfg(feature = "server")]
    pub own: PublicKey,
}

impl Asking {
    /// What a witness says, or nothing when it is silent.
    pub async fn ask(&self, to: PublicKey, request: Request) -> Option<Response> {
        #[cfg(feature = "server")]
        if let (true, Some(service)) = (to == self.own, &self.service) {
            return Some(service.answer(None, request).await.response);
        }
        let peer: PeerId = to.to_peer_id().parse().ok()?;
        let handle = self.overlay.client().handle();
        let addresses = match handle.is_connected(peer).await.ok()? {
            true => Vec::new(),
            false => self.addresses(handle, to, peer).await,
        };
        let answer = handle.ask_name(Route { peer, addresses }, request).await;
        answer.map(|answer| answer.response).ok()
    }

    /// Where a witness may be: as other relays say, or as it says itself. Nowhere in particular when it
    /// was reached meanwhile: the routing table may know the way, and walking through the network to its
    /// peer record takes many round trips.
    async fn addresses(&self, handle: &Handle, key: PublicKey, peer: PeerId) -> Vec<Multiaddr> {
        let hinted = handle.way_to(peer).await.unwrap_or_default();
        if !hinted.is_empty() {
            return hinted;
        }
        let dialled = handle.dial(Some(peer), Vec::new()).boxed();
        match select(dialled, self.recorded(key).boxed()).await {
            Either::Left((Ok(_), _)) => Vec::new(),
            Either::Left((Err(_), recorded)) => recorded.await,
            Either::Right((recorded, _)) => recorded,
        }
    }

    /// The addresses in a witness's peer record.
    async fn recorded(&self, key: PublicKey) -> Vec<Multiaddr> {
        let record = self.overlay.record_at(PeerRecord::key(&key)).await;
        let Ok(Some(Record::Signed(envelope))) = record else {
            return Vec::new();
        };
        let record = PeerRecord::open(&envelope);
        let bytes = record.map(|record| record.addresses).unwrap_or_default();
        let parsed = bytes.into_iter().map(Multiaddr::try_from);
        parsed.filter_map(Result::ok).collect()
    }
}
