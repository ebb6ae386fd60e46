//! The one loop that drives a swarm. It moves messages between commands, the swarm, the store and
//! the pure state machines; it decides nothing itself. Protocols never grow in here.

mod failures;
#[cfg(feature = "server")]
mod gossip;
#[cfg(feature = "server")]
mod hidden;
mod homes;
mod requests;
mod swarm_events;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select_biased};
use libp2p::kad::QueryId;
use libp2p::swarm::{ConnectionId, Swarm};
use libp2p::{Multiaddr, PeerId};

use super::address;
use super::answers::Answers;
use super::behaviour::{Behaviour, Role};
use super::budget::{Asker, Budget};
use super::handle::{Command, HostHint, Reply, Route};
use super::heartbeat::Heartbeats;
use super::keeper::Keeper;
use super::subscribers::Subscribers;
use super::table::Table;
use crate::error::Result;
use crate::proto::NetworkId;
use crate::sorted::SortedMap;
use crate::{limits, platform};

pub(super) use self::failures::listen_error;

/// Something the driver waits for beside the swarm.
pub(super) enum Done {
    /// A request was answered, or its job has panicked.
    Job(Asker),
    /// A home gave a sign of life over a connection, or it did not.
    Beat(PeerId, Option<ConnectionId>),
    /// A packet of a topic was checked, or its check has panicked.
    #[cfg(feature = "server")]
    Checked(
        crate::proto::chat::Topic,
        Option<Box<super::gossip::router::Checked>>,
    ),
}

type Job = BoxFuture<'static, Done>;

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
    jobs: FuturesUnordered<Job>,
    budget: Budget,
    waiting: Waiting,
    namespaces: Vec<String>,
    clock_offset: i64,
    /// Addresses that an operator vouches for.
    declared: Vec<Multiaddr>,
    /// Which topics a relay routes.
    #[cfg(feature = "server")]
    router: super::gossip::router::Router,
    /// Strangers that say they are relays, and the dial that is to prove it while it is under way.
    proofs: HashMap<PeerId, Option<ConnectionId>>,
    /// Relays that were named as homes and belong to other networks, and what was said about them.
    strangers: HashMap<PeerId, String>,
    changed: bool,
}

/// Callers that wait for the network.
#[derive(Default)]
pub(super) struct Waiting {
    closest: HashMap<QueryId, Reply<Vec<Route>>>,
    dials: SortedMap<ConnectionId, Reply<Result<PeerId>>>,
    /// Those that wanted to dial a peer while a dial to it was under way.
    followers: SortedMap<PeerId, Vec<Follower>>,
    /// Those that want to be reached through a relay.
    places: Vec<(PeerId, Reply<Result<()>>)>,
}

type Follower = (Vec<Multiaddr>, Reply<Result<PeerId>>);

impl Driver {
    pub fn new(
        swarm: Swarm<Behaviour>,
        network: NetworkId,
        role: Role,
        commands: mpsc::Receiver<Command>,
        keeper: Keeper,
        answers: Arc<Answers>,
        #[cfg(feature = "server")] history: super::chat::HistorySlot,
    ) -> Self {
        Driver {
            #[cfg(feature = "server")]
            router: super::gossip::router::Router::new(network.clone(), history),
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
            budget: Budget::default(),
            waiting: Waiting::default(),
            namespaces: Vec::new(),
            clock_offset: 0,
            declared: Vec::new(),
            proofs: HashMap::new(),
            strangers: HashMap::new(),
            changed: true,
        }
    }

    /// Runs until it is told to close. The publisher and the probes hold handles as long as it runs, so
    /// it does not end by itself when its users are gone.
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
                // What is done comes before what is new: there is no end of that while somebody floods.
                done = self.jobs.select_next_some() => self.on_done(done),
                event = self.swarm.select_next_some() => self.on_swarm(event),
                () = timer => self.keeper.tick(platform::now()),
                () = snapshot_due => {
                    self.publish_snapshot();
                    snapshot_due = platform::sleep(limits::SNAPSHOT_EVERY).fuse();
                }
            }
        }
    }

    async fn close(mut self, reply: Option<Reply<()>>) {
        // Whose streams end from here on is told that this peer was closed.
        self.commands.close();
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
            Command::Open {
                peer,
                mut addresses,
                protocol,
                reply,
            } => {
                #[cfg(feature = "server")]
                self.hide(Some(peer), Some(&protocol), &mut addresses);
                self.choose(&mut addresses);
                let streams = &mut self.swarm.behaviour_mut().streams;
                streams.open(peer, addresses, protocol, reply);
            }
            Command::Dial {
                peer,
                mut addresses,
                reply,
            } => {
                #[cfg(feature = "server")]
                if self.hide(peer, None, &mut addresses) {
                    return drop(reply.send(Err(hidden::hidden())));
                }
                self.choose(&mut addresses);
                self.dial(peer, addresses, reply);
            }
            Command::Disconnect { peer } => {
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::Learn(hint) => self.learn(hint),
            Command::Probed { peer, alive } => self.keeper.probed(&peer, alive, platform::now()),
            Command::Hint(hint) => self.on_hint(hint),
            Command::Subscribe { snapshots, reply } => {
                let _ = reply.send(self.subscribers.add(snapshots));
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
            Command::State(reply) => drop(reply.send(self.subscribers.current().0)),
            Command::Addresses(reply) => drop(reply.send(self.addresses())),
            Command::Near { key, reply } => drop(reply.send(self.near(key))),
            Command::Homes(reply) => drop(reply.send(self.keeper.connected_homes())),
            Command::Reserved(reply) => drop(reply.send(self.keeper.reserved_homes())),
            Command::WayTo { relay, reply } => drop(reply.send(self.keeper.routes(&relay))),
            Command::IsConnected { peer, reply } => {
                let _ = reply.send(self.table.is_connected(&peer));
            }
            Command::Links(reply) => drop(reply.send(self.table.links())),
            Command::Hints(reply) => drop(reply.send(self.keeper.hints(platform::now()))),
            Command::Declare(addresses) => {
                for address in &addresses {
                    self.swarm.add_external_address(address.clone());
                }
                self.declared.extend(addresses);
                self.addresses_changed();
            }
            #[cfg(feature = "server")]
            Command::Tell(event) => self.subscribers.send(event),
            Command::Reserve { relay, reply } => self.reserve_for(relay, reply),
            Command::Release { relay } => self.release(relay),
            Command::Close(_) => unreachable!("handled by the loop"),
        }
    }

    fn choose(&self, addresses: &mut Vec<Multiaddr>) {
        address::one_circuit_each(addresses, |relay| self.table.is_connected(relay));
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
}

/// Builds the channel pair between handles and a driver.
pub(super) fn command_channel() -> (mpsc::Sender<Command>, mpsc::Receiver<Command>) {
    mpsc::channel(limits::COMMAND_QUEUE)
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests;
