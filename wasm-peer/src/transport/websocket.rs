//! WebSocket behind a module of ours, so that the implementation underneath can be replaced.

use libp2p::identity::Keypair;
use warren_shared::error::Result;
use warren_shared::net::swarm::{Connections, authenticated};

pub(super) fn transport(key: &Keypair) -> Result<Connections> {
    authenticated(libp2p_websocket_websys::Transport::default(), key)
}
