//! From an address, or a proven caller, to an authenticated connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::webrtc::{Muxer, Side, Target, authenticate};
use warren_shared::platform;
use warren_shared::webrtc::fingerprint::Fingerprint;
use warren_shared::webrtc::ufrag::Call;

use super::agent::{self, Agent};
use super::driver::Driver;
use super::gateway::Incoming;
use super::path::Path;
use super::session::{Peer, Pipe};
use super::socket::{Reader, Socket};
use super::state::Shared;
use super::table::{Mailbox, mailbox};
use super::way::Direct;
use super::{Certificate, limits};

/// A connection of its own needs no more: what does not fit waits in the system.
const BUFFERS: usize = 2;

/// What both directions need to prove who this peer is.
#[derive(Clone)]
pub(super) struct Local {
    pub(super) key: Keypair,
    pub(super) certificate: Certificate,
}

/// The handshake of a caller.
pub(super) async fn accept(local: Local, incoming: Incoming) -> Result<(PeerId, StreamMuxerBox)> {
    let Incoming { peer, permit, .. } = incoming;
    let _permit = permit;
    in_time(async {
        let (caller, channel) = connected(&peer).await?;
        let own = local.certificate.fingerprint();
        let id = authenticate(channel, &local.key, Side::Server, caller, own).await?;
        peer.authenticated();
        Ok((id, muxer(peer)))
    })
    .await
}

/// A connection to a server with one of those certificates.
pub(super) async fn dial(local: Local, target: Target) -> Result<(PeerId, StreamMuxerBox)> {
    let server = target.socket;
    let socket = Arc::new(Socket::bind(any(server)).map_err(|error| {
        Error::new(Code::DialFailed, "no UDP socket could be opened").caused_by(error)
    })?);
    let call = Call::v1(&platform::entropy());
    let agent = Agent::client(&local.certificate, &call)?;
    let (mailbox, post) = mailbox();
    let shared = Shared::new();
    let path = Path::to_server(server, agent::SERVER, Instant::now());
    let driver = Driver::new(
        agent,
        post,
        shared.clone(),
        Direct::new(socket.clone(), path, None),
    );
    tokio::spawn(async move {
        // The socket is read for as long as the connection lives.
        tokio::select! {
            () = driver.run() => {}
            () = read(socket, Some(server), mailbox) => {}
        }
    });
    let peer = Peer::new(shared);
    in_time(async {
        let (seen, channel) = connected(&peer).await?;
        // Until here this peer has said nothing.
        if !target.certificates.contains(&seen) {
            return Err(Error::new(
                Code::DialFailed,
                "the server has another certificate than its address says",
            ));
        }
        let own = local.certificate.fingerprint();
        let id = authenticate(channel, &local.key, Side::Client, own, seen).await?;
        Ok((id, muxer(peer)))
    })
    .await
}

/// Reads what comes from there, or from anywhere.
pub(super) async fn read(socket: Arc<Socket>, from: Option<SocketAddr>, mailbox: Mailbox) {
    let mut reader = Reader::new(&socket, BUFFERS);
    loop {
        let read = reader.read(&socket, |arrived| {
            if from.is_none_or(|from| arrived.source == from) {
                mailbox.put(arrived);
            }
        });
        if let Err(error) = read.await {
            tracing::debug!(%error, "the socket of a WebRTC connection cannot be read");
            return;
        }
    }
}

async fn connected(peer: &Peer) -> Result<(Fingerprint, Pipe)> {
    peer.connected().await.map_err(|error| {
        Error::new(Code::DialFailed, "the WebRTC handshake failed").caused_by(error)
    })
}

pub(super) fn muxer(peer: Peer) -> StreamMuxerBox {
    StreamMuxerBox::new(Muxer::new(peer))
}

async fn in_time<T>(handshake: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limits::HANDSHAKE, handshake)
        .await
        .unwrap_or_else(|_| {
            Err(Error::new(
                Code::TimedOut,
                "the other end did not finish the WebRTC handshake",
            ))
        })
}

fn any(like: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match like.is_ipv4() {
        true => Ipv4Addr::UNSPECIFIED.into(),
        false => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(ip, 0)
}
