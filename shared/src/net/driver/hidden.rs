//! With `relay_only` this peer dials relays, and all others over circuits.

use libp2p::{Multiaddr, PeerId};

use super::super::address;
use super::super::streams::{Protocol, Service};
use super::Driver;
use crate::error::{Code, Error};

/// What nobody but relays is asked for.
const OF_RELAYS: [Service; 3] = [Service::Record, Service::Names, Service::Mailbox];

impl Driver {
    /// Leaves the addresses at which a peer may be dialled. Whether it cannot be, because none of them is left.
    pub(super) fn hide(
        &self,
        peer: Option<PeerId>,
        protocol: Option<&Protocol>,
        addresses: &mut Vec<Multiaddr>,
    ) -> bool {
        if !self.swarm.behaviour().streams.hiding.is_on() || addresses.is_empty() {
            return false;
        }
        let named = peer.or_else(|| addresses.iter().find_map(address::peer_of));
        // Those that were named as relays, or have proven that they are.
        let relay = named.is_some_and(|peer| !self.keeper.routes(&peer).is_empty());
        if relay || protocol.is_some_and(|protocol| self.is_of_relays(protocol)) {
            return false;
        }
        addresses.retain(address::is_relayed);
        addresses.is_empty() && !peer.is_some_and(|peer| self.table.is_connected(&peer))
    }

    fn is_of_relays(&self, protocol: &Protocol) -> bool {
        let mut all = OF_RELAYS.iter();
        all.any(|service| service.protocol(&self.network).name == protocol.name)
    }
}

/// Why such a peer is not dialled.
pub(super) fn hidden() -> Error {
    let text =
        "this peer shows its address to relays only, and no circuit to the other one is known";
    Error::new(Code::DialFailed, text)
        .with_remedy("Name an address with /p2p-circuit in it, or leave --relay-only out.")
}
