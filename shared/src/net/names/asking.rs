//! Sends requests to witnesses, wherever they are: to others over the network, to this node's own
//! role without.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use libp2p::{Multiaddr, PeerId};

#[cfg(feature = "server")]
use super::service::NameService;
use crate::error::Result;
use crate::net::address;
use crate::net::handle::{Handle, Route};
use crate::net::overlay::{Kademlia, Overlay};
use crate::platform;
use crate::proto::key::PublicKey;
use crate::proto::names::wire::{Request, Response};
use crate::proto::record::Record;
use crate::proto::record::peer::PeerRecord;

/// What is known of a witness's place is tried alone for so long: a dial takes a few round trips.
const HEAD_START: Duration = Duration::from_secs(1);

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
        if !handle.is_connected(peer).await.ok()? {
            self.reach(handle, to, peer).await.ok()?;
        }
        let route = Route {
            peer,
            addresses: Vec::new(),
        };
        let answer = handle.ask_name(route, request).await;
        answer.map(|answer| answer.response).ok()
    }

    /// Connects to a witness where other relays say that it is, or the routing table, or where it says
    /// itself: whichever is true. The walk through the network to its own word takes many round trips and
    /// others' time, so what is known has a head start.
    async fn reach(&self, handle: &Handle, key: PublicKey, peer: PeerId) -> Result<PeerId> {
        let hinted = handle.way_to(peer).await.unwrap_or_default();
        let patience = match hinted.is_empty() {
            true => Duration::ZERO,
            false => HEAD_START,
        };
        let as_known = handle.dial(Some(peer), hinted).boxed();
        let as_said = async {
            let addresses = self.recorded(key).await;
            handle.dial(Some(peer), addresses).await
        };
        match select(as_known, platform::sleep(patience)).await {
            Either::Left((Err(_), _)) => as_said.await,
            Either::Left((reached, _)) => reached,
            Either::Right(((), as_known)) => {
                let (first, other) = select(as_known, as_said.boxed()).await.factor_first();
                match first {
                    Err(_) => other.await,
                    reached => reached,
                }
            }
        }
    }

    /// The addresses in a witness's peer record.
    async fn recorded(&self, key: PublicKey) -> Vec<Multiaddr> {
        let record = self.overlay.record_at(PeerRecord::key(&key)).await;
        let Ok(Some(Record::Signed(envelope))) = record else {
            return Vec::new();
        };
        let record = PeerRecord::open(&envelope);
        address::parsed(record.map(|record| record.addresses).unwrap_or_default())
    }
}
