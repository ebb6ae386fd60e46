//! Which relays forward connections to this peer: homes, and others that an application has named.

use libp2p::PeerId;
use libp2p::core::transport::ListenerId;

use super::Keeper;
use crate::proto::Millis;

impl Keeper {
    pub fn reserving(&mut self, peer: PeerId, listener: ListenerId) {
        self.listeners.insert(listener, (peer, false));
    }

    /// Whether a relay that was asked to forward connections does so.
    pub fn place_at(&self, relay: &PeerId) -> Option<bool> {
        let mut places = self.listeners.values();
        let place = places.find(|(peer, _)| peer == relay);
        place.map(|(_, held)| *held)
    }

    /// Whom this listener has asked.
    pub fn asked_by(&self, listener: ListenerId) -> Option<PeerId> {
        self.listeners.get(&listener).map(|(relay, _)| *relay)
    }

    pub fn reserved(&mut self, peer: &PeerId, ok: bool, now: Millis) {
        for (relay, held) in self.listeners.values_mut() {
            if relay == peer {
                *held = ok;
            }
        }
        if let Some(known) = self.known.get_mut(peer) {
            known.reserved = ok;
            self.homes.reserved(&peer.to_string(), ok, now);
        }
    }

    /// Returns the relay that forwards no connections any more, unless it was asked once more meanwhile.
    pub fn listener_closed(&mut self, listener: ListenerId) -> Option<PeerId> {
        let (peer, _) = self.listeners.remove(&listener)?;
        self.place_at(&peer).is_none().then_some(peer)
    }
}
