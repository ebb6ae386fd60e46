//! Other peers by id, and what this one publishes about itself.

use std::sync::atomic::Ordering;

#[cfg(feature = "server")]
use futures::future::join_all;
use libp2p::{Multiaddr, PeerId};

use super::values::{WRITE_TRIES, next_seq};
use super::{Node, parse_peer};
use crate::error::{Code, Result};
use crate::limits;
use crate::net::address;
use crate::net::handle::{Handle, Route};
use crate::net::overlay::Overlay;
use crate::proto::Millis;
#[cfg(feature = "server")]
use crate::proto::join::RelayHint;
use crate::proto::record::Record;
use crate::proto::record::peer::{AuthorProof, PeerRecord};
use crate::sorted::sort_short;

impl Node {
    /// The signed record of a peer: where it can be reached, and for whom it runs.
    pub async fn find_peer(&self, peer: PeerId) -> Result<(PeerRecord, Millis)> {
        self.overlay.find_peer(peer).await
    }

    /// Where other witnesses of names say that they are, as far as that is found: some of them, if there are
    /// many. And how many were looked for. Nothing while it is not known who they are.
    #[cfg(feature = "server")]
    pub async fn witness_hints(&self) -> Option<(Vec<RelayHint>, usize)> {
        let sets = self.names().agent().sets().await.ok()?;
        let own = self.keys.transport.public();
        let others = sets.current().keys().iter().filter(|key| **key != own);
        let asked = others
            .take(limits::MAX_JOIN_WITNESSES)
            .filter_map(|key| key.to_peer_id().parse::<PeerId>().ok())
            .map(|peer| async move {
                let (record, _) = self.find_peer(peer).await.ok()?;
                Some(hint(peer, record))
            });
        let found = join_all(asked).await;
        let wanted = found.len();
        Some((found.into_iter().flatten().collect(), wanted))
    }

    /// Connects to a peer by id alone, or at an address.
    pub async fn connect(&self, target: &str) -> Result<PeerId> {
        if target.starts_with('/') {
            // Of who is to be reached by WebRTC the circuit is dialled: what is direct follows by itself.
            let address = address::parse(&target.replace("/p2p-circuit/webrtc", "/p2p-circuit"))?;
            return self
                .handle
                .dial(address::peer_of(&address), vec![address])
                .await;
        }
        let peer = parse_peer(target)?;
        let route = self.route_to(peer).await?;
        self.handle.dial(Some(peer), route.addresses).await
    }

    /// Addresses to reach a peer at: none when it is connected already.
    pub async fn route_to(&self, peer: PeerId) -> Result<Route> {
        self.overlay.route_to(peer).await
    }

    /// Where this peer can be reached, direct addresses of public kind first.
    pub(super) async fn reachable_at(&self) -> Result<Vec<Multiaddr>> {
        self.handle.reachable_at().await
    }

    /// Publishes where this peer can be reached; nothing to do before there is an address.
    pub async fn publish_peer_record(&self) -> Result<()> {
        let reachable = self.reachable_at().await?;
        let snapshot = self.handle.snapshot().await?;
        let relays: Vec<Vec<u8>> = snapshot
            .relays
            .iter()
            .filter(|relay| relay.reserved)
            .filter_map(|relay| relay.id.parse().ok())
            .map(|peer: PeerId| peer.to_bytes())
            .take(limits::MAX_PEER_RELAYS)
            .collect();
        // Of places at other relays the application tells whom it likes.
        let of_homes = |address: &&Multiaddr| {
            address::relay_of(address).is_none_or(|relay| relays.contains(&relay.to_bytes()))
        };
        let addresses = reachable.iter().filter(of_homes);
        let addresses: Vec<Vec<u8>> = addresses
            .map(|address| address.to_vec())
            .filter(|address| address.len() <= limits::MAX_ADDRESS)
            .take(limits::MAX_PEER_ADDRESSES)
            .collect();
        if addresses.is_empty() {
            return Ok(());
        }
        let keys = &self.keys;
        let now = self.overlay.client().now();
        let author = AuthorProof::sign(&keys.author, &keys.transport.public(), &keys.network, now)?;
        let record = PeerRecord {
            addresses,
            // Each relay keeps messages for those that it forwards connections to.
            mailboxes: relays.clone(),
            relays,
            capabilities: keys.capabilities.clone(),
            author: Some(author),
        };
        self.write_peer_record(&record).await
    }

    /// The clock may have been ahead when the last version was written, here or in an earlier run:
    /// a newer version than ours is only ever an older one of ourselves.
    async fn write_peer_record(&self, record: &PeerRecord) -> Result<()> {
        let keys = &self.keys;
        let place = PeerRecord::key(&keys.transport.public());
        let mut outcome = Ok(());
        for _ in 0..WRITE_TRIES {
            let now = self.overlay.client().now();
            let seq = next_seq(self.peer_seq.load(Ordering::Relaxed), now);
            self.peer_seq.fetch_max(seq, Ordering::Relaxed);
            let envelope = record.sign(&keys.transport, &keys.network, seq, now)?;
            match self.overlay.store(Record::Signed(envelope)).await {
                Err(error) if error.code() == Code::Older => outcome = Err(error),
                other => return other.map(drop),
            }
            if let Some(Record::Signed(newer)) = self.overlay.record_at(place).await? {
                self.peer_seq.fetch_max(newer.body().seq, Ordering::Relaxed);
            }
        }
        outcome
    }
}

impl Handle {
    /// Where this peer can be reached, direct addresses of public kind first.
    pub(in crate::net) async fn reachable_at(&self) -> Result<Vec<Multiaddr>> {
        let told = self.addresses().await?;
        let mut addresses: Vec<Multiaddr> =
            told.iter().filter_map(|text| text.parse().ok()).collect();
        let rank = |address: &Multiaddr| {
            let ip = address::ip_of(address);
            (
                address::is_relayed(address),
                ip.is_some_and(|ip| ip.is_loopback()),
                ip.is_some_and(|ip| ip.is_ipv6()),
            )
        };
        sort_short(&mut addresses, |one, two| rank(one).cmp(&rank(two)));
        // One direct and one relayed address say more than two of a kind.
        if let Some(relayed) = addresses
            .iter()
            .position(address::is_relayed)
            .filter(|position| *position > 1)
        {
            let address = addresses.remove(relayed);
            addresses.insert(1, address);
        }
        Ok(addresses)
    }
}

#[cfg(feature = "server")]
fn hint(peer: PeerId, record: PeerRecord) -> RelayHint {
    let best = address::best_mix(
        address::parsed(record.addresses),
        limits::MAX_HINT_ADDRESSES,
    );
    RelayHint {
        peer: peer.to_string(),
        addresses: best.iter().map(ToString::to_string).collect(),
        http: None,
    }
}
