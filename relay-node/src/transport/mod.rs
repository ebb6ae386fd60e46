//! The native transports, composed into the one kind of connection the shared crate drives.

pub mod webrtc;
pub mod ws;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::{Multiaddr, PeerId, Transport, dns, quic, tcp, websocket};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::address::is_relayed;
use warren_shared::net::discover::AskAddress;
use warren_shared::net::node::keypair;
use warren_shared::net::swarm::{Connections, authenticated};
use warren_shared::proto::key::SigningKey;

use self::webrtc::Certificate;
use self::ws::WsTransport;

/// Everything a native node can dial and listen on. Circuits are added by the shared crate.
pub fn connections(
    key: &SigningKey,
    certificate: Option<&Certificate>,
    websockets: Option<WsTransport>,
) -> Result<Connections> {
    // Several TLS stacks are in the tree; without a choice the first handshake would panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = keypair(key)?;
    let streams = || resolving(tcp::tokio::Transport::new(tcp::Config::new().nodelay(true)));
    let dialled_ws = authenticated(websocket::Config::new(streams()?), &key)?;
    // Name resolution accepts every address and fails late, so what it stands before comes last.
    let mut all = either(dialled_ws, authenticated(streams()?, &key)?);
    all = either(
        boxed(quic::tokio::Transport::new(quic::Config::new(&key))),
        all,
    );
    if let Some(certificate) = certificate {
        all = either(webrtc::transport(&key, certificate), all);
    }
    if let Some(websockets) = websockets {
        all = either(authenticated(websockets, &key)?, all);
    }
    Ok(all)
}

/// Asks relays which network they route for, before there is a node.
pub(crate) fn asking(key: &SigningKey) -> Result<impl AskAddress> {
    let pair = keypair(key)?;
    Ok((|| connections(key, None, None), pair))
}

/// Addresses that a native node may dial as a home: everything but circuits.
pub fn dialable(address: &Multiaddr) -> bool {
    !is_relayed(address)
}

fn resolving<T>(transport: T) -> Result<dns::tokio::Transport<T>> {
    dns::tokio::Transport::system(transport).map_err(|error| {
        Error::new(
            Code::ConfigInvalid,
            "the system's DNS settings cannot be read",
        )
        .caused_by(error)
        .with_remedy("check /etc/resolv.conf")
    })
}

fn boxed<T, M>(transport: T) -> Connections
where
    T: Transport<Output = (PeerId, M)> + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
    M: libp2p::core::muxing::StreamMuxer + Send + 'static,
    M::Substream: Send + 'static,
    M::Error: Send + Sync + 'static,
{
    transport
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed()
}

/// What the one or the other of them dials and takes.
pub fn either(
    first: Boxed<(PeerId, StreamMuxerBox)>,
    second: Boxed<(PeerId, StreamMuxerBox)>,
) -> Connections {
    OrTransport::new(first, second)
        .map(|either, _| either.into_inner())
        .boxed()
}
