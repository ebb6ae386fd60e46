//! What the swarm reports: connections, addresses, and the stock protocols' events.

use std::error::Error;

use libp2p::core::ConnectedPoint;
use libp2p::kad::{self};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify, ping, relay};

use super::super::address::{self, Via};
use super::super::behaviour::{BehaviourEvent, Role};
use super::super::handle::Route;
use super::super::protocols;
use super::super::table::Connection;
use super::Driver;
use super::failures::{dial_error, no_place, reason_of};
#[cfg(feature = "server")]
use crate::limits;
use crate::platform;

impl Driver {
    pub(super) fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                concurrent_dial_errors,
                ..
            } => {
                let address = path_of(&endpoint);
                for (failed, error) in concurrent_dial_errors.into_iter().flatten() {
                    self.table.attempt_failed(
                        &peer_id,
                        &failed,
                        reason_of(&error),
                        platform::now(),
                    );
                }
                self.opened(peer_id, connection_id, address, endpoint.is_dialer());
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => {
                self.closed(peer_id, connection_id, cause.map(|cause| cause.to_string()));
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id,
                connection_id,
                error,
            } => {
                self.dial_ended(peer_id, connection_id, &error);
            }
            SwarmEvent::NewListenAddr {
                listener_id,
                address,
            } => {
                tracing::info!(%address, "listening");
                if let Some(relay) = self.keeper.asked_by(listener_id) {
                    self.reserved(relay, Ok(()));
                }
                if self.role == Role::Relay && !address::is_relayed(&address) {
                    self.swarm.add_external_address(address);
                }
                self.addresses_changed();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => self.withdraw(&[address]),
            SwarmEvent::ExternalAddrExpired { .. } => self.addresses_changed(),
            SwarmEvent::ListenerClosed {
                listener_id,
                reason,
                addresses,
            } => {
                if let Some(relay) = self.keeper.listener_closed(listener_id) {
                    let reason = reason.as_ref().err().map(|error| error as &dyn Error);
                    self.reserved(relay, Err(no_place(reason)));
                }
                self.withdraw(&addresses);
            }
            SwarmEvent::ListenerError { error, .. } => tracing::debug!(%error, "listener error"),
            _ => {}
        }
    }

    pub(super) fn opened(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        address: Multiaddr,
        dialled: bool,
    ) {
        let now = platform::now();
        let via = Via::of(&address);
        if dialled && !address::is_relayed(&address) && !self.table.dialled(&peer).is_empty() {
            return self.surplus(peer, id, &address);
        }
        // The remote would not have negotiated another one if it still had this one.
        if via == Via::Webrtc
            && let Some(older) = self.table.negotiated(&peer)
        {
            self.swarm.close_connection(older);
        }
        self.table.attempt_won(&peer, &address, now);
        self.subscribers.connection("open", &peer, &address, via);
        self.table.open(
            id,
            Connection {
                peer,
                address: address.clone(),
                dialled,
                since: now,
                rtt_ms: None,
            },
        );
        self.proof_ended(&peer, id);
        if dialled && !address::is_relayed(&address) {
            self.keeper.proven(&peer);
        }
        self.attached(peer, via);
        if let Some(reply) = self.waiting.dials.remove(&id) {
            let _ = reply.send(Ok(peer));
        }
        self.dial_again(peer);
        #[cfg(feature = "server")]
        self.trim();
        self.changed = true;
    }

    /// When a relay is nearly full, a newcomer takes the place of a peer that did harm.
    #[cfg(feature = "server")]
    fn trim(&mut self) {
        let peers = self.swarm.network_info().num_peers();
        if self.role != Role::Relay || peers < limits::RELAY_TRIMS_AT {
            return;
        }
        let connected = |peer: &PeerId| self.table.is_connected(peer);
        if let Some(peer) = self.keeper.standings().worst(connected) {
            tracing::debug!(%peer, "the relay is nearly full: a peer that did harm has to go");
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// Several dials of one peer may be under way at once: nobody waits for one that hangs. One
    /// connection is enough, and what waited for this one is served by the other.
    fn surplus(&mut self, peer: PeerId, id: ConnectionId, address: &Multiaddr) {
        tracing::debug!(%peer, %address, "already connected: closing the second connection");
        self.swarm.close_connection(id);
        self.table.attempt_unused(&peer, address);
        self.proof_ended(&peer, id);
        if let Some(reply) = self.waiting.dials.remove(&id) {
            let _ = reply.send(Ok(peer));
        }
        self.dial_again(peer);
        self.changed = true;
    }

    /// A surplus connection that is still closing counts for libp2p, but not here.
    pub(super) fn closed(&mut self, peer: PeerId, id: ConnectionId, cause: Option<String>) {
        self.changed = true;
        let Some(connection) = self.table.close(id) else {
            return;
        };
        let via = Via::of(&connection.address);
        let why = cause.as_deref().unwrap_or("closed");
        tracing::debug!(%peer, address = %connection.address, why, "a connection ended");
        self.subscribers
            .connection("close", &peer, &connection.address, via);
        if !self.table.is_connected(&peer) {
            #[cfg(feature = "server")]
            self.left_topics(&peer);
            self.proofs.remove(&peer);
            self.beats.stop(&peer);
            let reason = cause.unwrap_or_else(|| "the connection was closed".into());
            self.table.attempts_ended(&peer, &reason);
            if self.keeper.disconnected(&peer, platform::now()) {
                self.subscribers
                    .relay(&peer, "lost", Some(via), Some(reason));
            }
        }
    }

    pub(super) fn dial_ended(
        &mut self,
        peer: Option<PeerId>,
        id: ConnectionId,
        error: &libp2p::swarm::DialError,
    ) {
        if let (Some(peer), libp2p::swarm::DialError::Transport(failures)) = (peer, error) {
            for (address, failure) in failures {
                self.table
                    .attempt_failed(&peer, address, reason_of(failure), platform::now());
            }
        }
        if let Some(reply) = self.waiting.dials.remove(&id) {
            let _ = reply.send(Err(dial_error(error)));
        }
        if let Some(peer) = &peer {
            self.proof_ended(peer, id);
        }
        if let Some(peer) = peer
            && !self.table.is_connected(&peer)
        {
            self.home_failed(peer, dial_error(error).to_string());
            self.dial_again(peer);
        }
    }

    /// Addresses that this peer has no more, unless an operator vouches for them.
    fn withdraw(&mut self, addresses: &[Multiaddr]) {
        for address in addresses {
            if !self.declared.contains(address) {
                self.swarm.remove_external_address(address);
            }
        }
        self.addresses_changed();
    }

    pub(super) fn addresses_changed(&mut self) {
        let addresses = self.addresses();
        self.subscribers.addresses(addresses);
        self.changed = true;
    }

    pub(super) fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.identified(peer_id, info)
            }
            BehaviourEvent::Ping(event) => self.pinged(event),
            BehaviourEvent::Kad(event) => self.routed(event),
            BehaviourEvent::Streams(asked) => self.asked(asked),
            #[cfg(feature = "server")]
            BehaviourEvent::Gossip(event) => self.gossiped(event),
            _ => {}
        }
    }

    pub(super) fn identified(&mut self, peer: PeerId, info: identify::Info) {
        self.table.set_agent(peer, info.agent_version);
        self.changed = true;
        #[cfg(feature = "server")]
        {
            let relay = info.protocols.contains(&relay::HOP_PROTOCOL_NAME);
            self.is_router(peer, relay);
        }
        if !info.protocols.contains(&protocols::kad(&self.network)) {
            return self.refuse_stranger(peer, &info.protocols);
        }
        // What is local to the remote is local to us only when we met it there.
        let met_locally = self
            .table
            .best(&peer)
            .is_some_and(|met| address::is_loopback(&met.address));
        let addresses: Vec<Multiaddr> = info
            .listen_addrs
            .into_iter()
            .filter(|known| {
                !address::is_relayed(known) && (met_locally || !address::is_loopback(known))
            })
            .collect();
        if info.protocols.contains(&relay::HOP_PROTOCOL_NAME) {
            return self.meet_relay(peer, addresses);
        }
        for known in addresses {
            self.swarm.behaviour_mut().kad.add_address(&peer, known);
        }
    }

    pub(super) fn pinged(&mut self, event: ping::Event) {
        match event.result {
            Ok(rtt) => {
                self.table.set_rtt(event.connection, rtt.as_millis() as u64);
                self.changed = true;
            }
            Err(ping::Failure::Unsupported) => {}
            Err(failure) => {
                tracing::debug!(peer = %event.peer, %failure, "no answer to ping: closing the connection");
                self.swarm.close_connection(event.connection);
            }
        }
    }

    pub(super) fn routed(&mut self, event: kad::Event) {
        match event {
            kad::Event::OutboundQueryProgressed {
                id,
                result: kad::QueryResult::GetClosestPeers(result),
                step,
                ..
            } if step.last => {
                let peers = match result {
                    Ok(found) => found.peers,
                    Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                if let Some(reply) = self.waiting.closest.remove(&id) {
                    let _ = reply.send(
                        peers
                            .into_iter()
                            .map(|info| Route {
                                peer: info.peer_id,
                                addresses: info.addrs,
                            })
                            .collect(),
                    );
                }
            }
            kad::Event::RoutingUpdated { .. } => self.changed = true,
            _ => {}
        }
    }
}

/// How the remote is reached: for one that came through a relay, the circuit it came through,
/// because its own address then says nothing but its id.
fn path_of(endpoint: &ConnectedPoint) -> Multiaddr {
    match endpoint {
        ConnectedPoint::Listener { local_addr, .. } if endpoint.is_relayed() => local_addr.clone(),
        _ => endpoint.get_remote_address().clone(),
    }
}
