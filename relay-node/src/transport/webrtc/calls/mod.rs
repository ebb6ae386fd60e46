//! Direct connections that two peers negotiate over a circuit: the native end of libp2p's `/webrtc`.
//!
//! What is said, and when, is in the shared crate. Here is the stack that it asks: one UDP socket for each family of
//! addresses and a full ICE agent per attempt (`stack`, `way`), what it tells of the ways to this machine (`hosts`,
//! `questions`), and the transport where connections that stand come out. Everything of an attempt ends with it.
//! There is no mDNS: names that end in `.local` are passed over.

mod hosts;
mod questions;
mod stack;
mod way;

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{Ready, ready};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport};
use warren_shared::error::{Error, Result};
use warren_shared::net::address;
use warren_shared::net::swarm::Connections;
use warren_shared::net::webrtc::agent::{Stacks, Vessel};

pub use self::hosts::reachable;
use self::stack::CallStack;
use super::Certificate;
use super::session::Peer;
use super::upgrade::muxer;

/// Who is at the other end, where it is seen, and the connection.
type Adopted = (PeerId, Option<SocketAddr>, Peer);

/// What negotiates connections, and the transport where they come out.
pub fn calls() -> Result<(Arc<dyn Stacks>, Connections)> {
    let certificate = Certificate::from_pem(&Certificate::generate()?)?;
    let (adopt, adopted) = mpsc::unbounded();
    let stacks = Calls { certificate, adopt };
    Ok((Arc::new(stacks), Arrivals { adopted }.boxed()))
}

struct Calls {
    certificate: Certificate,
    /// As many as there are attempts, which the negotiation bounds.
    adopt: mpsc::UnboundedSender<Adopted>,
}

impl Stacks for Calls {
    fn make(&self, servers: Vec<String>) -> Box<dyn Vessel> {
        let certificate = self.certificate.clone();
        Box::new(CallStack::new(certificate, &servers, self.adopt.clone()))
    }
}

struct Arrivals {
    adopted: mpsc::UnboundedReceiver<Adopted>,
}

impl Transport for Arrivals {
    type Output = (PeerId, StreamMuxerBox);
    type Error = Error;
    type ListenerUpgrade = Ready<Result<Self::Output>>;
    type Dial = Ready<Result<Self::Output>>;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> std::result::Result<(), TransportError<Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> std::result::Result<Self::Dial, TransportError<Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    /// What was negotiated looks as if the remote had called.
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Error>> {
        let Poll::Ready(Some((peer, seen, session))) = self.adopted.poll_next_unpin(cx) else {
            return Poll::Pending;
        };
        Poll::Ready(TransportEvent::Incoming {
            listener_id: ListenerId::next(),
            send_back_addr: address::with_peer(way_to(seen), peer),
            local_addr: way_to(None),
            upgrade: ready(Ok((peer, muxer(session)))),
        })
    }
}

/// Peers tell each other where they see them, and js-libp2p wants to hear of an IP address in any case.
fn way_to(seen: Option<SocketAddr>) -> Multiaddr {
    let seen = seen.unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
    Multiaddr::from(seen.ip())
        .with(Protocol::Udp(seen.port()))
        .with(Protocol::WebRTC)
}

#[cfg(test)]
mod tests;
