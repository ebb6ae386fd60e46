//! WebSocket: what a browser has when UDP does not get through.

mod socket;

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::{BoxFuture, Pending};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, Transport};
use send_wrapper::SendWrapper;
use warren_shared::error::Result;
use warren_shared::net::swarm::{Connections, authenticated};

use self::socket::Socket;

pub(super) fn transport(key: &Keypair) -> Result<Connections> {
    authenticated(Dialler, key)
}

struct Dialler;

impl Transport for Dialler {
    type Output = Socket;
    type Error = std::io::Error;
    type ListenerUpgrade = Pending<std::io::Result<Socket>>;
    type Dial = BoxFuture<'static, std::io::Result<Socket>>;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let Some(url) = url_of(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        // Everything here stays on the one thread that the page or worker has.
        Ok(SendWrapper::new(async move { Socket::open(&url).await }).boxed())
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Poll::Pending
    }
}

/// What a browser calls the address; a peer at its end says nothing to it.
fn url_of(address: &Multiaddr) -> Option<String> {
    let mut parts = address.iter();
    let host: Box<dyn Display> = match parts.next()? {
        Protocol::Ip4(ip) => Box::new(ip),
        Protocol::Ip6(ip) => Box::new(["[", &ip.to_string(), "]"].concat()),
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => Box::new(name),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else {
        return None;
    };
    let (scheme, path) = match (parts.next()?, parts.next()) {
        (Protocol::Tls, Some(Protocol::Ws(path))) | (Protocol::Wss(path), _) => ("wss", path),
        (Protocol::Ws(path), _) => ("ws", path),
        _ => return None,
    };
    Some(
        [
            scheme,
            "://",
            &host.to_string(),
            ":",
            &port.to_string(),
            &path,
        ]
        .concat(),
    )
}
