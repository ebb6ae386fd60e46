//! Who may see where this peer is. With `relay_only` nobody but relays: all others are reached over circuits.

use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId};

#[cfg(feature = "server")]
use super::address::is_relayed;

/// Whether this peer hides. Tabs cannot dial what would show them to others than relays, WebRTC aside, so they never do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hiding {
    #[cfg(feature = "server")]
    on: bool,
}

impl Hiding {
    /// If it is wanted.
    #[cfg(feature = "server")]
    pub fn new(on: bool) -> Hiding {
        Hiding { on }
    }

    /// Whether it does.
    #[cfg(feature = "server")]
    pub fn is_on(self) -> bool {
        self.on
    }

    /// How a peer is dialled at these addresses. Whoever hides dials it nowhere else, unless a direct address among them says
    /// that it may see this peer.
    pub fn options(self, peer: PeerId, addresses: Vec<Multiaddr>) -> DialOpts {
        #[cfg(feature = "server")]
        if self.on && addresses.iter().all(is_relayed) {
            return DialOpts::peer_id(peer).addresses(addresses).build();
        }
        DialOpts::peer_id(peer)
            .addresses(addresses)
            .extend_addresses_through_behaviour()
            .build()
    }
}
