//! Which addresses the swarm believes it listens on.
//!
//! The HTTP server has bound the port long before; a listener here is only the swarm's name for it.
//! For an unspecified address the interfaces of the machine are watched, as libp2p's TCP does.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
};

use futures::StreamExt;
use if_watch::{IfEvent, tokio::IfWatcher};
use libp2p::core::transport::{ListenerId, TransportEvent};

use super::{
    Upgrade,
    address::{Security, WsAddress},
};

type Event = TransportEvent<Upgrade, io::Error>;

#[derive(Default)]
pub(super) struct Listeners {
    active: Vec<Listener>,
    events: VecDeque<Event>,
}

struct Listener {
    id: ListenerId,
    address: WsAddress,
    /// Only for an unspecified address.
    interfaces: Option<IfWatcher>,
}

impl Listeners {
    pub(super) fn add(&mut self, id: ListenerId, address: WsAddress) -> io::Result<()> {
        let interfaces = if address.socket.ip().is_unspecified() {
            Some(IfWatcher::new()?)
        } else {
            self.events.push_back(TransportEvent::NewAddress {
                listener_id: id,
                listen_addr: address.to_multiaddr(),
            });
            None
        };
        self.active.push(Listener {
            id,
            address,
            interfaces,
        });
        Ok(())
    }

    pub(super) fn remove(&mut self, id: ListenerId) -> bool {
        let before = self.active.len();
        self.active.retain(|listener| listener.id != id);
        let removed = self.active.len() < before;
        if removed {
            self.events.push_back(closed(id));
        }
        removed
    }

    /// True when there was a listener left to close.
    pub(super) fn close_all(&mut self) -> bool {
        let ids: Vec<_> = self.active.drain(..).map(|listener| listener.id).collect();
        self.events.extend(ids.iter().copied().map(closed));
        !ids.is_empty()
    }

    /// The listener that a connection to `local` belongs to: the one with that very address, else
    /// one for all interfaces, else any (the machine may be reached by an address that it does not
    /// know of, such as a container's).
    pub(super) fn owner_of(&self, local: SocketAddr, tls: bool) -> Option<(ListenerId, Security)> {
        let score = |listener: &&Listener| listener.match_score(local);
        self.active
            .iter()
            .filter(|listener| listener.address.security.is_tls() == tls)
            .max_by_key(score)
            .map(|listener| (listener.id, listener.address.security))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        for listener in &mut self.active {
            if let Poll::Ready(event) = listener.poll(cx) {
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }
}

impl Listener {
    fn match_score(&self, local: SocketAddr) -> u8 {
        let own = self.address.socket;
        let same_port = own.port() == local.port();
        let all = own.ip().is_unspecified() && own.is_ipv4() == local.is_ipv4();
        match (same_port, own.ip() == local.ip(), all) {
            (true, true, _) => 3,
            (true, false, true) => 2,
            (true, false, false) => 1,
            (false, ..) => 0,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        while let Some(interfaces) = &mut self.interfaces {
            match interfaces.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(change))) => {
                    if let Some(event) = self.on_change(change) {
                        return Poll::Ready(event);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    // The addresses found so far stay valid; only changes go unnoticed from here.
                    self.interfaces = None;
                    return Poll::Ready(TransportEvent::ListenerError {
                        listener_id: self.id,
                        error,
                    });
                }
                Poll::Ready(None) => self.interfaces = None,
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }

    fn on_change(&self, change: IfEvent) -> Option<Event> {
        match change {
            IfEvent::Up(net) => Some(TransportEvent::NewAddress {
                listener_id: self.id,
                listen_addr: self.at(net.addr())?.to_multiaddr(),
            }),
            IfEvent::Down(net) => Some(TransportEvent::AddressExpired {
                listener_id: self.id,
                listen_addr: self.at(net.addr())?.to_multiaddr(),
            }),
        }
    }

    fn at(&self, ip: IpAddr) -> Option<WsAddress> {
        let own = self.address;
        (own.socket.is_ipv4() == ip.is_ipv4())
            .then(|| WsAddress::new(SocketAddr::new(ip, own.socket.port()), own.security))
    }
}

fn closed(listener_id: ListenerId) -> Event {
    TransportEvent::ListenerClosed {
        listener_id,
        reason: Ok(()),
    }
}
