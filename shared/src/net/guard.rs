//! Keeps one subscriber from taking every inbound connection, on all transports together, and peers out that
//! were cut off.

mod barred;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::address;
#[cfg(feature = "server")]
use super::admission::Subscriber;
use super::admission::{Admission, Permit};
use crate::limits;

use self::barred::Barred;

/// Counts inbound connections by the address that they come from.
pub struct Behaviour {
    handshakes: Admission,
    connections: Admission,
    open: HashMap<ConnectionId, Places>,
    barred: Barred,
}

struct Places {
    handshake: Option<Permit>,
    _connection: Permit,
}

/// Too many connections come from one address.
#[derive(Debug)]
struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many connections from this address")
    }
}

impl std::error::Error for TooMany {}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            handshakes: Admission::new(usize::MAX, limits::PENDING_PER_SUBSCRIBER),
            connections: Admission::new(usize::MAX, limits::CONNECTIONS_PER_SUBSCRIBER),
            open: HashMap::new(),
            barred: Barred::default(),
        }
    }
}

impl Behaviour {
    /// Refuses connections with a peer until then.
    #[cfg(feature = "server")]
    pub fn bar(&mut self, peer: PeerId, until: crate::proto::Millis) {
        self.barred.add(peer, until);
    }

    /// Somebody of this address was cut off until then. When that happens often nobody else is let in from there.
    #[cfg(feature = "server")]
    pub fn bar_often(&mut self, subscriber: Subscriber, until: crate::proto::Millis) {
        self.barred.add_often(subscriber, until);
    }

    fn admit(&mut self, id: ConnectionId, remote: &Multiaddr) -> Option<()> {
        // What comes through a circuit is limited by its relay.
        let Some(ip) = address::ip_of(remote).filter(|_| !address::is_relayed(remote)) else {
            return Some(());
        };
        if self.barred.refuses(ip) {
            return None;
        }
        let places = Places {
            handshake: Some(self.handshakes.admit(ip)?),
            _connection: self.connections.admit(ip)?,
        };
        self.open.insert(id, places);
        Some(())
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.admit(id, remote)
            .ok_or_else(|| ConnectionDenied::new(TooMany))
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.barred.refuse(&peer)?;
        if let Some(places) = self.open.get_mut(&id) {
            places.handshake = None;
        }
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.barred.refuse(&peer)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let ended = match event {
            FromSwarm::ConnectionClosed(closed) => closed.connection_id,
            FromSwarm::ListenFailure(failure) => failure.connection_id,
            _ => return,
        };
        self.open.remove(&ended);
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Knocks {
        guard: Behaviour,
        next: usize,
    }

    impl Knocks {
        fn knock(&mut self, from: &str) -> Option<ConnectionId> {
            let id = ConnectionId::new_unchecked(self.next);
            self.next += 1;
            let (local, remote) = (Multiaddr::empty(), from.parse().unwrap());
            let answer = self
                .guard
                .handle_pending_inbound_connection(id, &local, &remote);
            answer.ok().map(|()| id)
        }

        fn establish(&mut self, id: ConnectionId) {
            let nowhere = Multiaddr::empty();
            let peer = PeerId::random();
            self.guard
                .handle_established_inbound_connection(id, peer, &nowhere, &nowhere)
                .unwrap();
        }
    }

    const ONE: &str = "/ip4/198.51.100.1/tcp/1";
    const SAME_BY_UDP: &str = "/ip4/198.51.100.1/udp/2/quic-v1";
    const OTHER: &str = "/ip4/198.51.100.2/tcp/1";

    #[test]
    fn handshakes_and_connections_of_one_address_are_counted_on_all_transports() {
        let mut knocks = Knocks {
            guard: Behaviour::default(),
            next: 0,
        };
        let mut open = Vec::new();
        while let Some(id) = knocks.knock(ONE) {
            open.push(id);
        }
        assert_eq!(open.len(), limits::PENDING_PER_SUBSCRIBER);
        assert!(knocks.knock(SAME_BY_UDP).is_none());
        assert!(knocks.knock(OTHER).is_some());
        assert!(knocks.knock("/ip4/127.0.0.1/tcp/1").is_some(), "a proxy");
        let mut waiting = open.clone();
        loop {
            waiting.drain(..).for_each(|id| knocks.establish(id));
            let Some(id) = knocks.knock(SAME_BY_UDP) else {
                break;
            };
            open.push(id);
            waiting.push(id);
        }
        assert_eq!(open.len(), limits::CONNECTIONS_PER_SUBSCRIBER);
        drop(knocks.guard.open.remove(&open[0]));
        assert!(knocks.knock(ONE).is_some());
    }
}
