//! The one loop that drives a swarm. It moves messages between commands, the swarm, the store and
//! the pure state machines; it decides nothing itself. Protocols never grow in here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select_biased};
use libp2p::kad::{self, QueryId};
use libp2p::request_response::{self, OutboundRequestId, ResponseChannel};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify, ping, relay};

use super::address::{self, Via};
use super::answers::Answers;
use super::behaviour::{Behaviour, BehaviourEvent, Role};
use super::handle::{Command, Event, HostHint, Reply, Route};
use super::heartbeat::{Due, Heartbeats};
use super::keeper::{Keeper, Step};
use super::rpc::{RpcReply, RpcRequest};
use super::snapshot::{BucketView, RoutedView, RoutingView, Snapshot};
use super::subscribers::Subscribers;
use super::table::{Connection, Table};
use crate::error::{Code, Error, Result};
use crate::proto::join::RelayHint;
use crate::proto::record::wire::{Answer, Request};
use crate::proto::{Millis, NetworkId};
use crate::{limits, platform};

/// Something the driver waits for beside the swarm.
pub(super) enum Done {
    Record(ResponseChannel<Answer>, Answer),
    Rpc(ResponseChannel<RpcReply>, RpcReply),
}

pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    network: NetworkId,
    role: Role,
    commands: mpsc::Receiver<Command>,
    keeper: Keeper,
    answers: Arc<Answers>,
    table: Table,
    beats: Heartbeats,
    subscribers: Subscribers,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    waiting: Waiting,
    namespaces: Vec<String>,
    clock_offset: i64,
    changed: bool,
}

/// Callers that wait for the network.
#[derive(Default)]
pub(super) struct Waiting {
    closest: HashMap<QueryId, Reply<Vec<Route>>>,
    asks: HashMap<OutboundRequestId, Reply<Result<Answer>>>,
    calls: HashMap<OutboundRequestId, Reply<Result<RpcReply>>>,
    dials: HashMap<ConnectionId, Reply<Result<PeerId>>>,
    beats: HashMap<OutboundRequestId, PeerId>,
}

impl Driver {
    pub fn new(
        swarm: Swarm<Behaviour>,
        network: NetworkId,
        role: Role,
        commands: mpsc::Receiver<Command>,
        keeper: Keeper,
        answers: Arc<Answers>,
    ) -> Self {
        Driver {
            swarm,
            network,
            role,
            commands,
            keeper,
            answers,
            table: Table::default(),
            beats: Heartbeats::default(),
            subscribers: Subscribers::default(),
            jobs: FuturesUnordered::new(),
            waiting: Waiting::default(),
            namespaces: Vec::new(),
            clock_offset: 0,
            changed: true,
        }
    }

    /// Runs until it is told to close or every handle is gone.
    pub async fn run(mut self) {
        let mut snapshot_due = platform::sleep(Duration::ZERO).fuse();
        loop {
            self.keep_homes();
            self.keep_beating();
            let mut timer = platform::sleep(self.until_next_duty()).fuse();
            select_biased! {
                command = self.commands.next() => match command {
                    Some(Command::Close(reply)) => return self.close(Some(reply)).await,
                    Some(command) => self.on_command(command),
                    None => return self.close(None).await,
                },
                event = self.swarm.select_next_some() => self.on_swarm(event),
                done = self.jobs.select_next_some() => self.on_done(done),
                () = timer => self.keeper.tick(platform::now()),
                () = snapshot_due => {
                    self.publish_snapshot();
                    snapshot_due = platform::sleep(limits::SNAPSHOT_EVERY).fuse();
                }
            }
        }
    }

    async fn close(mut self, reply: Option<Reply<()>>) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let mut patience = platform::sleep(Duration::from_millis(500)).fuse();
        while self.swarm.network_info().num_peers() > 0 {
            select_biased! {
                () = patience => break,
                _ = self.swarm.select_next_some() => {}
            }
        }
        self.subscribers.state("closed", None);
        drop(self);
        if let Some(reply) = reply {
            let _ = reply.send(());
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Closest { key, reply } => {
                let query = self.swarm.behaviour_mut().kad.get_closest_peers(key);
                self.waiting.closest.insert(query, reply);
            }
            Command::Ask {
                peer,
                addresses,
                request,
                reply,
            } => self.ask(peer, addresses, request, reply),
            Command::Call {
                peer,
                addresses,
                request,
                reply,
            } => self.call(peer, addresses, request, reply),
            Command::Dial {
                peer,
                addresses,
                reply,
            } => self.dial(peer, addresses, reply),
            Command::Disconnect { peer } => {
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::Learn(hint) => self.learn(hint),
            Command::Probed { peer, alive } => self.keeper.probed(&peer, alive, platform::now()),
            Command::Hint(hint) => self.on_hint(hint),
            Command::Subscribe(reply) => {
                let _ = reply.send(self.subscribers.add());
                self.changed = true;
            }
            Command::Snapshot(reply) => {
                let _ = reply.send(Box::new(self.snapshot()));
            }
            Command::SetNamespaces(namespaces) => {
                self.namespaces = namespaces;
                self.changed = true;
            }
            Command::ClockOffset(offset) => self.clock_offset = offset,
            Command::Hints(reply) => drop(reply.send(self.keeper.hints())),
            Command::Declare(addresses) => {
                for address in addresses {
                    self.swarm.add_external_address(address);
                }
                self.addresses_changed();
            }
            Command::Listen { address, reply } => {
                let listening = self.swarm.listen_on(address.clone());
                let _ = reply.send(
                    listening
                        .map(drop)
                        .map_err(|error| listen_error(&address, &error)),
                );
            }
            Command::Close(_) => unreachable!("handled by the loop"),
        }
    }

    fn on_hint(&mut self, hint: HostHint) {
        let now = platform::now();
        match hint {
            HostHint::Online => self.keeper.network(true, now),
            HostHint::Offline => self.keeper.network(false, now),
            HostHint::Visible => self.keeper.visible(true, now),
            HostHint::Hidden => self.keeper.visible(false, now),
            HostHint::Woke => self.keeper.woke(now),
        }
    }

    fn ask(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: Request,
        reply: Reply<Result<Answer>>,
    ) {
        let id = self
            .swarm
            .behaviour_mut()
            .record
            .send_request_with_addresses(&peer, request, addresses);
        self.waiting.asks.insert(id, reply);
    }

    fn call(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: RpcRequest,
        reply: Reply<Result<RpcReply>>,
    ) {
        let id = self
            .swarm
            .behaviour_mut()
            .rpc
            .send_request_with_addresses(&peer, request, addresses);
        self.waiting.calls.insert(id, reply);
    }

    fn dial(
        &mut self,
        peer: Option<PeerId>,
        addresses: Vec<Multiaddr>,
        reply: Reply<Result<PeerId>>,
    ) {
        if let Some(peer) = peer.filter(|peer| self.table.is_connected(peer)) {
            let _ = reply.send(Ok(peer));
            return;
        }
        let options = match (peer, addresses.as_slice()) {
            (Some(peer), _) => DialOpts::peer_id(peer)
                .addresses(addresses)
                .extend_addresses_through_behaviour()
                .build(),
            (None, [address]) => DialOpts::unknown_peer_id().address(address.clone()).build(),
            (None, _) => {
                let _ = reply.send(Err(Error::new(
                    Code::InvalidAddress,
                    "an address without a peer id is dialled alone",
                )));
                return;
            }
        };
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.waiting.dials.insert(connection, reply);
            }
            Err(error) => {
                let _ = reply.send(Err(dial_error(&error)));
            }
        }
    }

    fn learn(&mut self, hint: RelayHint) {
        let Some((peer, addresses)) = self.keeper.learn(hint) else {
            return;
        };
        for known in addresses {
            self.swarm.behaviour_mut().kad.add_address(&peer, known);
        }
        if let Some(via) = self.table.best(&peer).map(|open| Via::of(&open.address)) {
            self.keeper.connected(&peer, via, platform::now());
        }
        self.changed = true;
    }

    fn keep_homes(&mut self) {
        while let Some(step) = self.keeper.next_step() {
            self.changed = true;
            let now = platform::now();
            match step {
                Step::Dial { peer, addresses } => self.dial_home(peer, addresses, now),
                Step::Reserve { peer } => self.reserve(peer),
                Step::Check { peer } => self.beats.hurry(&peer, now),
                Step::State { state, reason } => self.subscribers.state(state, reason),
            }
        }
    }

    fn dial_home(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, now: u64) {
        if self.table.is_connected(&peer) {
            return;
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
            .condition(libp2p::swarm::dial_opts::PeerCondition::Disconnected)
            .addresses(addresses)
            .build();
        if let Err(error) = self.swarm.dial(options) {
            self.home_failed(peer, dial_error(&error).to_string());
        }
    }

    fn home_failed(&mut self, peer: PeerId, reason: String) {
        self.table.attempts_ended(&peer, &reason);
        if self.keeper.dial_failed(&peer, &reason, platform::now()) {
            self.subscribers.relay(&peer, "failed", None, Some(reason));
        }
        self.changed = true;
    }

    fn reserve(&mut self, peer: PeerId) {
        let Some(connection) = self.table.best(&peer) else {
            return;
        };
        let circuit = address::with_peer(connection.address.clone(), peer)
            .with(libp2p::multiaddr::Protocol::P2pCircuit);
        match self.swarm.listen_on(circuit) {
            Ok(listener) => self.keeper.reserving(peer, listener),
            Err(error) => {
                tracing::debug!(%peer, %error, "reservation could not be asked for");
                self.keeper.reserved(&peer, false, platform::now());
            }
        }
    }

    fn until_next_duty(&self) -> Duration {
        let now = platform::now();
        let beat = self.beats.next_wake().unwrap_or(Millis::MAX);
        self.keeper
            .wait(now)
            .min(Duration::from_millis(beat.saturating_sub(now)))
    }

    /// Asks homes for a sign of life; a silent one is disconnected, and so replaced.
    fn keep_beating(&mut self) {
        while let Some(due) = self.beats.due(platform::now()) {
            match due {
                Due::Ask(peer) => {
                    let ping = RpcRequest::new("warren.ping", serde_json::Value::Null);
                    let id = self.swarm.behaviour_mut().rpc.send_request(&peer, ping);
                    self.waiting.beats.insert(id, peer);
                }
                Due::Silent(peer) => {
                    tracing::warn!(%peer, "a home relay is silent: disconnecting");
                    let _ = self.swarm.disconnect_peer_id(peer);
                }
            }
        }
    }

    fn on_done(&mut self, done: Done) {
        let behaviour = self.swarm.behaviour_mut();
        match done {
            Done::Record(channel, answer) => drop(behaviour.record.send_response(channel, answer)),
            Done::Rpc(channel, reply) => drop(behaviour.rpc.send_response(channel, reply)),
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                concurrent_dial_errors,
                ..
            } => {
                let address = endpoint.get_remote_address().clone();
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
                num_established,
                cause,
                ..
            } => {
                self.closed(
                    peer_id,
                    connection_id,
                    num_established,
                    cause.map(|cause| cause.to_string()),
                );
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id,
                connection_id,
                error,
            } => {
                self.dial_ended(peer_id, connection_id, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening");
                if self.role == Role::Relay && !address::is_relayed(&address) {
                    self.swarm.add_external_address(address);
                }
                self.addresses_changed();
            }
            SwarmEvent::ExpiredListenAddr { .. } => self.addresses_changed(),
            SwarmEvent::ListenerClosed {
                listener_id,
                reason,
                ..
            } => {
                if let Err(error) = &reason {
                    tracing::debug!(%error, "listener closed");
                }
                self.keeper.listener_closed(listener_id, platform::now());
                self.addresses_changed();
            }
            SwarmEvent::ListenerError { error, .. } => tracing::debug!(%error, "listener error"),
            _ => {}
        }
    }

    fn opened(&mut self, peer: PeerId, id: ConnectionId, address: Multiaddr, dialled: bool) {
        let now = platform::now();
        let via = Via::of(&address);
        self.table.attempt_won(&peer, &address, now);
        self.subscribers.connection("open", &peer, &address, via);
        self.table.open(
            id,
            Connection {
                peer,
                address,
                dialled,
                since: now,
                rtt_ms: None,
            },
        );
        if self.keeper.connected(&peer, via, now) {
            if self.role == Role::Peer {
                self.beats.start(peer, now);
            }
            self.subscribers.relay(&peer, "connected", Some(via), None);
        }
        if let Some(reply) = self.waiting.dials.remove(&id) {
            let _ = reply.send(Ok(peer));
        }
        self.changed = true;
    }

    fn closed(&mut self, peer: PeerId, id: ConnectionId, remaining: u32, cause: Option<String>) {
        self.changed = true;
        let Some(connection) = self.table.close(id) else {
            return;
        };
        let via = Via::of(&connection.address);
        self.subscribers
            .connection("close", &peer, &connection.address, via);
        if remaining == 0 {
            self.beats.stop(&peer);
            let reason = cause.unwrap_or_else(|| "the connection was closed".into());
            self.table.attempts_ended(&peer, &reason);
            if self.keeper.disconnected(&peer, platform::now()) {
                self.subscribers
                    .relay(&peer, "lost", Some(via), Some(reason));
            }
        }
    }

    fn dial_ended(
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
        if let Some(peer) = peer
            && !self.table.is_connected(&peer)
        {
            self.home_failed(peer, dial_error(error).to_string());
        }
    }

    fn addresses_changed(&mut self) {
        let addresses = self.addresses();
        self.subscribers.addresses(addresses);
        self.changed = true;
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.identified(peer_id, info)
            }
            BehaviourEvent::Ping(event) => self.pinged(event),
            BehaviourEvent::Kad(event) => self.routed(event),
            BehaviourEvent::Record(event) => self.record_event(event),
            BehaviourEvent::Rpc(event) => self.rpc_event(event),
            BehaviourEvent::RelayClient(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                ..
            }) => {
                self.keeper.reserved(&relay_peer_id, true, platform::now());
                self.changed = true;
            }
            _ => {}
        }
    }

    fn identified(&mut self, peer: PeerId, info: identify::Info) {
        self.table.set_agent(peer, info.agent_version);
        self.changed = true;
        if !info
            .protocols
            .contains(&super::protocols::kad(&self.network))
        {
            return;
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
            let addresses = addresses.iter().map(ToString::to_string).collect();
            return self.learn(RelayHint {
                peer: peer.to_string(),
                addresses,
                http: None,
            });
        }
        for known in addresses {
            self.swarm.behaviour_mut().kad.add_address(&peer, known);
        }
    }

    fn pinged(&mut self, event: ping::Event) {
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

    fn routed(&mut self, event: kad::Event) {
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

    fn record_event(&mut self, event: request_response::Event<Request, Answer>) {
        use request_response::{Event, Message};
        match event {
            Event::Message {
                peer,
                connection_id,
                message:
                    Message::Request {
                        request, channel, ..
                    },
            } => {
                let seen_at = self
                    .table
                    .address(connection_id)
                    .and_then(address::quota_prefix);
                let busy = self.jobs.len() >= limits::RECORD_TASKS;
                let answers = self.answers.clone();
                self.jobs.push(
                    async move {
                        Done::Record(channel, answers.record(peer, seen_at, request, busy).await)
                    }
                    .boxed(),
                );
            }
            Event::Message {
                message:
                    Message::Response {
                        request_id,
                        response,
                    },
                ..
            } => {
                if let Some(reply) = self.waiting.asks.remove(&request_id) {
                    let _ = reply.send(Ok(response));
                }
            }
            Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                if let Some(reply) = self.waiting.asks.remove(&request_id) {
                    let _ = reply.send(Err(request_error(&peer, &error)));
                }
            }
            _ => {}
        }
    }

    fn rpc_event(&mut self, event: request_response::Event<RpcRequest, RpcReply>) {
        use request_response::{Event, Message};
        match event {
            Event::Message {
                peer,
                message:
                    Message::Request {
                        request, channel, ..
                    },
                ..
            } => {
                let answers = self.answers.clone();
                self.jobs.push(
                    async move { Done::Rpc(channel, answers.rpc(peer, request).await) }.boxed(),
                );
            }
            Event::Message {
                peer,
                connection_id,
                message:
                    Message::Response {
                        request_id,
                        response,
                    },
            } => {
                if self.waiting.beats.remove(&request_id).is_some() {
                    if let Some(rtt) = self.beats.answered(&peer, platform::now()) {
                        self.table.set_rtt(connection_id, rtt);
                    }
                } else if let Some(reply) = self.waiting.calls.remove(&request_id) {
                    let _ = reply.send(Ok(response));
                }
            }
            Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                self.waiting.beats.remove(&request_id);
                if let Some(reply) = self.waiting.calls.remove(&request_id) {
                    let _ = reply.send(Err(request_error(&peer, &error)));
                }
            }
            _ => {}
        }
    }

    fn publish_snapshot(&mut self) {
        if self.changed && self.subscribers.any() {
            self.changed = false;
            let snapshot = self.snapshot();
            self.subscribers.send(Event::Snapshot(Box::new(snapshot)));
        }
    }

    /// Where this peer can be reached: what it listens on, circuits included, and what an operator declared.
    fn addresses(&self) -> Vec<String> {
        let id = *self.swarm.local_peer_id();
        let mut all: Vec<String> = self
            .swarm
            .listeners()
            .chain(self.swarm.external_addresses())
            .map(|address| address::with_peer(address.clone(), id).to_string())
            .collect();
        all.sort();
        all.dedup();
        all
    }

    fn snapshot(&mut self) -> Snapshot {
        let (state, reason) = self.subscribers.current();
        Snapshot {
            state,
            reason,
            id: self.swarm.local_peer_id().to_string(),
            network: self.network.to_string(),
            addresses: self.addresses(),
            clock_offset_ms: self.clock_offset,
            relays: self.keeper.views(&self.table),
            connections: self.table.views(),
            routing: self.routing(),
            namespaces: self.namespaces.clone(),
            refusals: self.answers.refusals(),
        }
    }

    fn routing(&mut self) -> RoutingView {
        let mut view = RoutingView::default();
        for bucket in self.swarm.behaviour_mut().kad.kbuckets() {
            let index = bucket.range().0.ilog2().unwrap_or(0);
            let peers: Vec<_> = bucket
                .iter()
                .map(|entry| RoutedView {
                    id: entry.node.key.preimage().to_string(),
                    addresses: entry.node.value.iter().map(ToString::to_string).collect(),
                    connected: entry.status == kad::NodeStatus::Connected,
                })
                .collect();
            if !peers.is_empty() {
                view.size += peers.len();
                view.buckets.push(BucketView { index, peers });
            }
        }
        view
    }
}

fn request_error(peer: &PeerId, error: &request_response::OutboundFailure) -> Error {
    use request_response::OutboundFailure::{DialFailure, Timeout, UnsupportedProtocols};
    let code = match error {
        DialFailure => Code::DialFailed,
        Timeout => Code::TimedOut,
        UnsupportedProtocols => Code::Unsupported,
        _ => Code::NotConnected,
    };
    Error::new(code, format!("{peer} did not answer")).caused_by(error)
}

fn dial_error(error: &libp2p::swarm::DialError) -> Error {
    use libp2p::swarm::DialError;
    match error {
        DialError::Transport(failures) => {
            let reasons: Vec<String> = failures
                .iter()
                .map(|(address, failure)| {
                    format!("{}: {}", Via::of(address).as_str(), reason_of(failure))
                })
                .collect();
            Error::new(Code::DialFailed, "no address of the peer answered")
                .caused_by(reasons.join("; "))
        }
        DialError::NoAddresses => Error::new(Code::DialFailed, "no address of the peer is known"),
        DialError::WrongPeerId { obtained, .. } => Error::new(
            Code::DialFailed,
            format!("another peer answered there: {obtained}"),
        ),
        other => Error::new(Code::DialFailed, "the peer could not be dialled").caused_by(other),
    }
}

/// Why an address cannot be listened on.
pub(super) fn listen_error(
    address: &Multiaddr,
    error: &libp2p::TransportError<std::io::Error>,
) -> Error {
    let kind = io_kind(error);
    let code = match kind {
        Some(std::io::ErrorKind::AddrInUse) => Code::PortInUse,
        Some(std::io::ErrorKind::PermissionDenied) => Code::PermissionDenied,
        _ => Code::InvalidAddress,
    };
    Error::new(code, format!("cannot listen on {address}")).caused_by(reason_of(error))
}

fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    let mut cause = Some(error);
    let mut kind = None;
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            // A wrapped error says "other"; the innermost one knows.
            kind = Some(io.kind());
            cause = io
                .get_ref()
                .map(|inner| inner as &(dyn std::error::Error + 'static));
        } else {
            cause = error.source();
        }
    }
    kind
}

/// The innermost cause, which is the one that says something.
fn reason_of(error: &libp2p::TransportError<std::io::Error>) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Builds the channel pair between handles and a driver.
pub(super) fn command_channel() -> (mpsc::Sender<Command>, mpsc::Receiver<Command>) {
    mpsc::channel(limits::COMMAND_QUEUE)
}
