//! The one function that builds a swarm.
//!
//! The platform brings an authenticated, multiplexed transport; circuits are put in front of it
//! here, because they are carried by it and the WebSocket transport ignores what follows `/ws`.

use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, Swarm};
use libp2p::{PeerId, Transport, relay};

use super::behaviour::{Behaviour, Role};
use super::circuits::Circuits;
use super::closing::Closing;
use super::muxing::Yamux;
use super::noise::Noise;
use crate::error::Result;
use crate::proto::NetworkId;
use crate::{limits, platform};

/// What a platform offers: connections whose remote is authenticated and that carry many streams.
pub type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// Builds the swarm of one peer.
pub(super) fn build(
    key: &Keypair,
    network: &NetworkId,
    role: Role,
    ping_every: Duration,
    base: Connections,
) -> Result<Swarm<Behaviour>> {
    let id = key.public().to_peer_id();
    let (circuits, relay_client) = relay::client::new(id);
    let circuits = authenticated(Circuits(circuits), key)?;
    let transport = OrTransport::new(circuits, base)
        .map(|either, _| {
            let (peer, connection) = either.into_inner();
            (peer, StreamMuxerBox::new(Closing::new(connection)))
        })
        .boxed();
    let behaviour = Behaviour::new(key, network, role, ping_every, relay_client);
    Ok(Swarm::new(transport, behaviour, id, swarm_config()))
}

/// Settings that every swarm of ours shares. A stream for which there is one protocol only waits for no
/// confirmation of it: what is to be sent goes with the proposal, which saves a round trip.
pub(super) fn swarm_config() -> Config {
    Config::with_executor(platform::executor())
        .with_substream_upgrade_protocol_override(Version::V1Lazy)
        .with_idle_connection_timeout(limits::IDLE_CONNECTION)
        .with_dial_concurrency_factor(std::num::NonZeroU8::new(8).expect("eight is not zero"))
}

/// Puts noise and yamux on a transport of plain byte streams.
pub fn authenticated<T, S>(transport: T, key: &Keypair) -> Result<Connections>
where
    T: Transport<Output = S> + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let bytes = transport.map(|stream, _| Box::new(stream) as Bytes).boxed();
    secured(bytes, key)
}

/// A byte stream of any transport. Boxed, because a browser would download noise and yamux once for
/// each kind.
type Bytes = Box<dyn ByteStream>;

trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

fn secured(transport: Boxed<Bytes>, key: &Keypair) -> Result<Connections> {
    Ok(transport
        .upgrade(Version::V1Lazy)
        .authenticate(Noise::of(key)?)
        .multiplex(Yamux)
        .timeout(limits::DIAL_DEADLINE)
        .boxed())
}
