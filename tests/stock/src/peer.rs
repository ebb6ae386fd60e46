//! What node and page have in common: the protocols they speak.

use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::identity::Keypair;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{Config, NetworkBehaviour, Swarm};
use libp2p::{PeerId, identify, ping};

/// Longer than any pause between two measurements.
const IDLE: Duration = Duration::from_secs(600);

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    identify: identify::Behaviour,
    ping: Toggle<ping::Behaviour>,
    pub streams: libp2p_stream::Behaviour,
}

/// Who pings, and answers pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pings {
    ByItself,
    /// By the caller. The behaviour's own pings would collide with those: the other end keeps only the latest stream.
    ByCaller,
}

/// Puts the protocols on a transport.
pub fn swarm(
    key: &Keypair,
    transport: Boxed<(PeerId, StreamMuxerBox)>,
    config: Config,
    pings: Pings,
) -> Swarm<Behaviour> {
    let behaviour = Behaviour {
        identify: identify::Behaviour::new(identify::Config::new(
            "/stock/1.0.0".to_owned(),
            key.public(),
        )),
        ping: (pings == Pings::ByItself)
            .then(ping::Behaviour::default)
            .into(),
        streams: libp2p_stream::Behaviour::new(),
    };
    Swarm::new(
        transport,
        behaviour,
        key.public().to_peer_id(),
        config.with_idle_connection_timeout(IDLE),
    )
}
