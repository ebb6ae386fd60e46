//! WebSockets that the HTTP server has upgraded, as inbound connections of libp2p.
//!
//! Page, API and WebSocket share one port, so the HTTP server owns the socket and hands over what
//! it has upgraded. This module knows how such a socket becomes a libp2p connection. It does not
//! listen on anything itself, and it never dials: `libp2p-websocket` does that.

mod address;
mod listeners;
mod stream;

use std::{
    future::{Pending, Ready, ready},
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use futures::SinkExt;
use libp2p::{
    Multiaddr, Transport,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};
use tokio::sync::mpsc;

use self::{address::WsAddress, listeners::Listeners};

pub use self::stream::WsStream;

/// Bounds of the hand-over between the HTTP server and the swarm.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Upgraded sockets waiting for the swarm. The swarm takes one per poll, so a queue that is
    /// full means that it does not keep up; more waiting would only hide that from the browser.
    pub accept_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { accept_queue: 128 }
    }
}

/// Joins an HTTP server (which keeps the acceptor) to a swarm (which keeps the transport).
pub fn channel(limits: Limits) -> (WsAcceptor, WsTransport) {
    let (sender, receiver) = mpsc::channel(limits.accept_queue);
    let transport = WsTransport {
        incoming: receiver,
        listeners: Listeners::default(),
    };
    (WsAcceptor { sender }, transport)
}

/// Sizes a WebSocket for libp2p traffic: noise frames of at most 64 KiB, in thousands of sockets.
///
/// The stock sizes (64 MiB per message, 256 KiB of buffers) suit a few chatty sockets.
pub fn configure(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(stream::MAX_INBOUND_MESSAGE)
        .max_frame_size(stream::MAX_INBOUND_MESSAGE)
        .read_buffer_size(16 * 1024)
        // Messages are coalesced before they get here; buffering them again only costs memory.
        .write_buffer_size(0)
        .max_write_buffer_size(4 * stream::MAX_OUTBOUND_MESSAGE)
}

/// The HTTP server's end: takes sockets that were upgraded.
#[derive(Debug, Clone)]
pub struct WsAcceptor {
    sender: mpsc::Sender<Incoming>,
}

#[derive(Debug)]
struct Incoming {
    socket: WebSocket,
    local: SocketAddr,
    remote: SocketAddr,
    tls: bool,
}

impl WsAcceptor {
    /// Offers a socket to the swarm. When the swarm is too busy or gone, the socket is closed with
    /// 1013 (try again later) and the browser falls back to its other transports.
    pub async fn accept(
        &self,
        socket: WebSocket,
        local: SocketAddr,
        remote: SocketAddr,
        tls: bool,
    ) {
        let incoming = Incoming {
            socket,
            local: canonical(local),
            remote: canonical(remote),
            tls,
        };
        if let Err(error) = self.sender.try_send(incoming) {
            tracing::warn!(%remote, "WebSocket refused: the swarm does not keep up");
            refuse(error.into_inner().socket).await;
        }
    }
}

async fn refuse(mut socket: WebSocket) {
    let frame = CloseFrame {
        code: close_code::AGAIN,
        reason: "the relay is busy, try again later".into(),
    };
    // The remote may be gone already, and then there is nobody left to tell.
    let closing = async {
        let _ = socket.send(Message::Close(Some(frame))).await;
        let _ = SinkExt::close(&mut socket).await;
    };
    let _ = tokio::time::timeout(stream::CLOSE_PATIENCE, closing).await;
}

/// IPv4 connections to a dual-stack socket come as `::ffff:a.b.c.d`, which no address filter or
/// quota of ours would recognise.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The swarm's end: a libp2p transport that only ever has inbound connections.
pub struct WsTransport {
    incoming: mpsc::Receiver<Incoming>,
    listeners: Listeners,
}

/// What a listener yields for each upgraded socket.
type Upgrade = Ready<io::Result<WsStream<WebSocket>>>;

impl WsTransport {
    fn announce(&self, incoming: Incoming) -> Option<TransportEvent<Upgrade, io::Error>> {
        let Incoming {
            socket,
            local,
            remote,
            tls,
        } = incoming;
        let Some((listener_id, security)) = self.listeners.owner_of(local, tls) else {
            tracing::debug!(%remote, %local, "WebSocket dropped: no listener for this address");
            return None;
        };
        Some(TransportEvent::Incoming {
            listener_id,
            upgrade: ready(Ok(WsStream::new(socket))),
            local_addr: WsAddress::new(local, security).to_multiaddr(),
            send_back_addr: WsAddress::new(remote, security).to_multiaddr(),
        })
    }
}

impl Transport for WsTransport {
    type Output = WsStream<WebSocket>;
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Pending<io::Result<Self::Output>>;

    /// Accepts `/ip4|ip6/…/tcp/…` followed by `/ws`, `/tls/ws` or `/wss`. An unspecified address
    /// announces every interface that has an address of that family, and follows changes.
    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        let parsed =
            WsAddress::parse(&address).ok_or(TransportError::MultiaddrNotSupported(address))?;
        self.listeners
            .add(id, parsed)
            .map_err(TransportError::Other)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.listeners.remove(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        loop {
            if let Poll::Ready(event) = self.listeners.poll(cx) {
                return Poll::Ready(event);
            }
            match self.incoming.poll_recv(cx) {
                Poll::Ready(Some(incoming)) => {
                    if let Some(event) = self.announce(incoming) {
                        return Poll::Ready(event);
                    }
                }
                // The HTTP server is gone: so are its addresses.
                Poll::Ready(None) if self.listeners.close_all() => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}
