//! Other peers by id, and the members of namespaces.

use libp2p::{Multiaddr, PeerId};

use super::address;
use super::handle::{Handle, Route};
use super::node::key_of;
use super::overlay::{Kademlia, Overlay};
use crate::error::{Code, Error, Result};
use crate::proto::Millis;
use crate::proto::key::Key;
use crate::proto::record::peer::PeerRecord;
use crate::proto::record::{ProviderEntry, Record};

impl Kademlia {
    /// The peer that looks.
    pub fn handle(&self) -> &Handle {
        self.client().handle()
    }

    /// The signed record of a peer, where it can be reached and for whom it runs, and when it expires.
    pub async fn find_peer(&self, peer: PeerId) -> Result<(PeerRecord, Millis)> {
        self.peer_record(peer).await?.ok_or_else(|| {
            Error::new(
                Code::NotFound,
                format!("{peer} has published no addresses, or they have expired"),
            )
        })
    }

    /// The same, or nothing when there is none.
    pub(super) async fn peer_record(&self, peer: PeerId) -> Result<Option<(PeerRecord, Millis)>> {
        let key = PeerRecord::key(&key_of(&peer)?);
        match self.record_at(key).await? {
            None => Ok(None),
            Some(Record::Signed(envelope)) => {
                let record = PeerRecord::open(&envelope)?;
                Ok(Some((record, envelope.body().expires)))
            }
            Some(_) => Err(Error::new(Code::Internal, "a peer record is always signed")),
        }
    }

    /// Addresses to reach a peer at: none when it is connected already.
    pub async fn route_to(&self, peer: PeerId) -> Result<Route> {
        let addresses = match self.handle().is_connected(peer).await? {
            true => Vec::new(),
            false => address::parsed(self.find_peer(peer).await?.0.addresses),
        };
        Ok(Route { peer, addresses })
    }

    /// Everyone listed in a namespace, this peer left out.
    pub async fn members_of(&self, namespace: &str) -> Result<Vec<ProviderEntry>> {
        let key = Key::namespace(self.handle().network(), namespace)?;
        let own = self.handle().id().to_bytes();
        let mut found = self.providers_of(key).await?;
        found.retain(|entry| entry.peer != own);
        Ok(found)
    }
}

/// The way to a peer that is connected.
pub fn connected(peer: PeerId) -> Route {
    let addresses: Vec<Multiaddr> = Vec::new();
    Route { peer, addresses }
}
