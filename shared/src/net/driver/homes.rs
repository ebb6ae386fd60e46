//! What the driver does to stay attached to home relays: it carries out what the state machines ask for.

use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::super::address::{self, Via};
use super::super::behaviour::Role;
use super::super::discover::wrong_network;
use super::super::handle::{Event, Reply};
use super::super::heartbeat::Due;
use super::super::keeper::Step;
use super::super::ping;
use super::super::protocols::{self, network_of};
use super::failures::{dial_error, no_place};
use super::{Done, Driver};
use crate::error::Result;
use crate::limits::{MAX_HINT_ADDRESSES, MAX_PROOFS};
use crate::platform;
use crate::proto::Millis;
use crate::proto::join::RelayHint;

impl Driver {
    pub(super) fn learn(&mut self, hint: RelayHint) {
        if let Some(peer) = self.keeper.learn(hint) {
            self.learned(peer);
        }
    }

    /// What a peer says about itself. A relay is learned only where this node has dialled it and it
    /// has proven who it is: anybody can call himself a relay, and name addresses of others.
    pub(super) fn meet_relay(&mut self, peer: PeerId, claimed: Vec<Multiaddr>) {
        let dialled = self.table.dialled(&peer);
        if !dialled.is_empty() {
            if self.keeper.meet(peer, claimed, &dialled) {
                self.learned(peer);
            }
        } else if self.role == Role::Relay {
            for address in &claimed {
                let kad = &mut self.swarm.behaviour_mut().kad;
                kad.add_address(&peer, address.clone());
            }
            self.prove(peer, claimed);
        }
    }

    fn learned(&mut self, peer: PeerId) {
        let open = self.table.best(&peer).map(|open| Via::of(&open.address));
        match open.filter(|_| !self.keeper.is_connected(&peer)) {
            Some(via) => self.attached(peer, via),
            None if open.is_some() => self.route_through(&peer),
            None => {}
        }
        self.changed = true;
    }

    /// A relay that may be a home is connected.
    pub(super) fn attached(&mut self, peer: PeerId, via: Via) {
        let now = platform::now();
        if self.keeper.connected(&peer, via, now) {
            self.route_through(&peer);
            if self.role == Role::Peer {
                self.beats.start(peer, now);
            }
            self.subscribers.relay(&peer, "connected", Some(via), None);
        }
    }

    /// Dials a stranger once where it says it is, because others are told of relays.
    fn prove(&mut self, peer: PeerId, claimed: Vec<Multiaddr>) {
        let claimed = address::best_mix(self.keeper.dialable(claimed), MAX_HINT_ADDRESSES);
        let under_way = self.proofs.values().flatten().count();
        let tried = self.proofs.contains_key(&peer);
        if tried || under_way >= MAX_PROOFS || claimed.is_empty() {
            return;
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(claimed)
            .build();
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => drop(self.proofs.insert(peer, Some(connection))),
            Err(error) => tracing::debug!(%peer, %error, "a relay could not be proven"),
        }
    }

    /// Puts a connected relay into the routing table. Before it is connected it stays out, or
    /// routing would dial it a second time beside us.
    pub(super) fn route_through(&mut self, peer: &PeerId) {
        for known in self.keeper.routes(peer) {
            self.swarm.behaviour_mut().kad.add_address(peer, known);
        }
    }

    pub(super) fn proof_ended(&mut self, peer: &PeerId, id: ConnectionId) {
        if let Some(proof) = self
            .proofs
            .get_mut(peer)
            .filter(|proof| **proof == Some(id))
        {
            *proof = None;
        }
    }

    pub(super) fn keep_homes(&mut self) {
        while let Some(step) = self.keeper.next_step() {
            self.changed = true;
            let now = platform::now();
            match step {
                Step::Dial { peer, addresses } => self.dial_home(peer, addresses, now),
                Step::Reserve { peer } => self.reserve(peer),
                Step::Check { peer } => self.beats.hurry(&peer, now),
                Step::State { state, reason } => {
                    self.subscribers.state(state, reason);
                    // A page would show the new state above the old relays otherwise.
                    self.publish_snapshot();
                }
            }
        }
    }

    pub(super) fn dial_home(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, now: u64) {
        if self.table.is_connected(&peer) {
            return;
        }
        if let Some(reason) = self.strangers.get(&peer) {
            return self.home_failed(peer, reason.clone());
        }
        if addresses.is_empty() {
            return self.home_failed(
                peer,
                "none of its addresses can be dialled from here".into(),
            );
        }
        self.table.attempt(peer, &addresses, now);
        self.subscribers.relay(&peer, "dialing", None, None);
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Disconnected)
            .addresses(addresses)
            .build();
        if let Err(error) = self.swarm.dial(options) {
            self.home_failed(peer, dial_error(&error).to_string());
        }
    }

    pub(super) fn home_failed(&mut self, peer: PeerId, reason: String) {
        self.table.attempts_ended(&peer, &reason);
        if self.keeper.dial_failed(&peer, &reason, platform::now()) {
            self.subscribers.relay(&peer, "failed", None, Some(reason));
        }
        self.changed = true;
    }

    /// A relay that was named as a home but does not route for our network is left, and not dialled
    /// again. What is connected to us for other reasons may speak what it likes.
    pub(super) fn refuse_stranger(&mut self, peer: PeerId, protocols: &[StreamProtocol]) {
        if !self.keeper.connected_homes().contains(&peer) {
            return;
        }
        let theirs = network_of(protocols);
        let error = wrong_network(&peer.to_string(), theirs.as_ref(), &self.network);
        tracing::warn!(%error, "leaving a relay");
        self.strangers.insert(peer, error.to_string());
        self.home_failed(peer, error.to_string());
        self.subscribers.send(Event::Warning {
            code: error.code().as_str().to_owned(),
            message: error.to_string(),
            remedy: error.remedy().to_owned(),
        });
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Asks a connected relay to forward connections to this peer; [`Self::reserved`] has its answer.
    fn reserve(&mut self, peer: PeerId) {
        let Some(connection) = self.table.best(&peer) else {
            return self.reserved(peer, Err(no_place(None)));
        };
        let circuit = address::with_peer(connection.address.clone(), peer)
            .with(libp2p::multiaddr::Protocol::P2pCircuit);
        match self.swarm.listen_on(circuit) {
            Ok(listener) => self.keeper.reserving(peer, listener),
            Err(error) => self.reserved(peer, Err(no_place(Some(&error)))),
        }
    }

    /// The same for somebody who waits for the answer. What was asked already is not asked twice.
    pub(super) fn reserve_for(&mut self, relay: PeerId, reply: Reply<Result<()>>) {
        let place = self.keeper.place_at(&relay);
        if place == Some(true) {
            return drop(reply.send(Ok(())));
        }
        self.waiting.places.push((relay, reply));
        if place.is_none() {
            self.reserve(relay);
        }
    }

    /// A relay forwards connections from now on, or does so no more, or not at all.
    pub(super) fn reserved(&mut self, relay: PeerId, answer: Result<()>) {
        if let Err(error) = &answer {
            tracing::debug!(%relay, %error, "no reservation");
        }
        self.keeper
            .reserved(&relay, answer.is_ok(), platform::now());
        self.changed = true;
        let places = &mut self.waiting.places;
        let waiting = places.extract_if(.., |(asked, _)| *asked == relay);
        let told = waiting.map(|(_, reply)| reply.send(answer.clone()).is_ok());
        // Who has given up waiting does not give up the place.
        if told.reduce(|one, other| one | other) == Some(false) && answer.is_ok() {
            self.release(relay);
        }
    }

    /// Gives up a place that an application has asked for, with the connection: the stock client does not expect that one is given
    /// up while the relay is asked for more time, which cannot be seen from here. Homes are kept.
    pub(super) fn release(&mut self, relay: PeerId) {
        if self.keeper.place_at(&relay).is_some() && !self.keeper.is_connected(&relay) {
            let _ = self.swarm.disconnect_peer_id(relay);
        }
    }

    pub(super) fn until_next_duty(&self) -> Duration {
        let now = platform::now();
        let beat = self.beats.next_wake().unwrap_or(Millis::MAX);
        self.keeper
            .wait(now)
            .min(Duration::from_millis(beat.saturating_sub(now)))
    }

    /// Asks homes for a sign of life; a silent one is disconnected, and so replaced.
    pub(super) fn keep_beating(&mut self) {
        while let Some(due) = self.beats.due(platform::now()) {
            match due {
                Due::Ask(peer) => self.beat(peer),
                Due::Silent(peer) => {
                    tracing::warn!(%peer, "a home relay is silent: disconnecting");
                    let _ = self.swarm.disconnect_peer_id(peer);
                }
            }
        }
    }

    fn beat(&mut self, peer: PeerId) {
        let (reply, opened) = oneshot::channel();
        let protocol = protocols::rpc(&self.network);
        let streams = &mut self.swarm.behaviour_mut().streams;
        streams.open(peer, Vec::new(), protocol, reply);
        let answered = async move {
            let opened = opened.await.ok()?.ok()?;
            ping::ping(opened.stream).await?;
            Some(opened.connection)
        };
        let beat = answered.map(move |connection| Done::Beat(peer, connection));
        self.jobs.push(beat.boxed());
    }
}
