//! How the rest of a peer talks to its driver: commands one way, events the other.

mod places;

use futures::channel::{mpsc, oneshot};
use futures::{FutureExt, SinkExt, StreamExt};
use libp2p::{Multiaddr, PeerId};
use serde::Serialize;

use super::address::Via;
use super::codec::{Message, invalid};
use super::snapshot::Snapshot;
use super::standings::Standings;
use super::streams::{self, Failure, Opened, Protocol, Service};
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::proto::NetworkId;
use crate::proto::join::RelayHint;
use crate::proto::names::wire as names;
use crate::proto::record::wire::{Answer, Request};

/// What the host noticed about the machine around the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostHint {
    Online,
    Offline,
    Visible,
    Hidden,
    /// The machine or the tab slept: no connection can be trusted until it answers.
    Woke,
}

/// What happened; structured, and separate from the log.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", content = "detail", rename_all = "camelCase")]
pub enum Event {
    /// Something a person would see changed; coalesced.
    Snapshot(Box<Snapshot>),
    #[serde(rename_all = "camelCase")]
    State {
        state: &'static str,
        previous: &'static str,
        reason: Option<String>,
    },
    #[serde(rename_all = "camelCase")]
    Relay {
        id: String,
        state: &'static str,
        transport: Option<Via>,
        reason: Option<String>,
    },
    #[serde(rename_all = "camelCase")]
    Connection {
        change: &'static str,
        peer: String,
        address: String,
        transport: Via,
        relayed: bool,
    },
    /// What became of an attempt to do without a circuit: `direct`, or `kept` and why.
    #[cfg(feature = "apps")]
    #[serde(rename_all = "camelCase")]
    Upgrade {
        peer: String,
        state: &'static str,
        reason: Option<String>,
        retry_at: Option<crate::proto::Millis>,
    },
    #[serde(rename_all = "camelCase")]
    Addresses { addresses: Vec<String> },
    #[serde(rename_all = "camelCase")]
    Warning {
        code: String,
        message: String,
        remedy: String,
    },
    /// This subscriber was too slow; so many events were dropped.
    #[serde(rename_all = "camelCase")]
    Lagged { dropped: u64 },
}

/// A peer on the way to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Who is expected to answer.
    pub peer: PeerId,
    /// Where; may be empty when the peer is connected already.
    pub addresses: Vec<Multiaddr>,
}

/// A connection: to whom, how, and whether this end dialled.
pub type Link = (PeerId, Via, bool);

pub(super) type Reply<T> = oneshot::Sender<T>;

pub(super) enum Command {
    Closest {
        key: Vec<u8>,
        reply: Reply<Vec<Route>>,
    },
    Open {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        protocol: Protocol,
        reply: Reply<std::result::Result<Opened, Failure>>,
    },
    Dial {
        peer: Option<PeerId>,
        addresses: Vec<Multiaddr>,
        reply: Reply<Result<PeerId>>,
    },
    Disconnect {
        peer: PeerId,
    },
    Learn(RelayHint),
    Probed {
        peer: String,
        alive: bool,
    },
    Hint(HostHint),
    Subscribe {
        snapshots: bool,
        reply: Reply<mpsc::Receiver<Event>>,
    },
    Snapshot(Reply<Box<Snapshot>>),
    SetNamespaces(Vec<String>),
    ClockOffset(i64),
    Hints(Reply<Vec<RelayHint>>),
    State(Reply<&'static str>),
    Addresses(Reply<Vec<String>>),
    Near {
        key: Vec<u8>,
        reply: Reply<Vec<Route>>,
    },
    Homes(Reply<Vec<PeerId>>),
    Reserved(Reply<Vec<PeerId>>),
    WayTo {
        relay: PeerId,
        reply: Reply<Vec<Multiaddr>>,
    },
    IsConnected {
        peer: PeerId,
        reply: Reply<bool>,
    },
    Links(Reply<Vec<Link>>),
    Declare(Vec<Multiaddr>),
    #[cfg(feature = "server")]
    Tell(Event),
    Reserve {
        relay: PeerId,
        reply: Reply<Result<()>>,
    },
    Release {
        relay: PeerId,
    },
    Close(Reply<()>),
}

/// A cheap, cloneable way to a running driver. Every method fails with `CLOSED` once it has stopped.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    id: PeerId,
    network: NetworkId,
    standings: Standings,
}

impl Handle {
    pub(super) fn new(commands: mpsc::Sender<Command>, id: PeerId, network: NetworkId) -> Self {
        Handle {
            commands,
            id,
            network,
            standings: Standings::default(),
        }
    }

    /// Who this peer is.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Which network it belongs to.
    pub fn network(&self) -> &NetworkId {
        &self.network
    }

    /// What was seen of other peers: whoever deals with one tells it there.
    pub fn standings(&self) -> &Standings {
        &self.standings
    }

    /// Walks the network to the nodes closest to a key, nearest first.
    pub async fn closest(&self, key: Vec<u8>) -> Result<Vec<Route>> {
        self.request(|reply| Command::Closest { key, reply }).await
    }

    /// The nodes closest to a key of those that this peer knows, without asking anybody. The connected
    /// ones come first.
    pub async fn near(&self, key: Vec<u8>) -> Result<Vec<Route>> {
        self.request(|reply| Command::Near { key, reply }).await
    }

    /// Sends one record request to one node, dialling it when needed. Dropped before the answer, it
    /// withdraws the request; the node may have done what it was asked for.
    pub async fn ask(&self, route: Route, request: Request) -> Result<Answer> {
        self.exchange(Service::Record, route, &request).await
    }

    /// Sends one request about a name to a witness, as [`Self::ask`] does.
    pub async fn ask_name(&self, route: Route, request: names::Request) -> Result<names::Answer> {
        self.exchange(Service::Names, route, &request).await
    }

    /// Sends one request of some service, as [`Self::ask`] does.
    pub(super) async fn exchange<Q: Message, A: Message>(
        &self,
        service: Service,
        route: Route,
        question: &Q,
    ) -> Result<A> {
        let (peer, began) = (route.peer, platform::now());
        let answer = self.exchange_frames(service, route, question.to_frame());
        let answer = answer
            .await
            .and_then(|frame| A::from_frame(&frame).map_err(|reason| Failure::Io(invalid(reason))));
        self.standings.asked(&peer, began, answer.as_ref().err());
        answer.map_err(|failure| failure.at(&peer))
    }

    /// Not generic, because a browser downloads it once for each type otherwise.
    async fn exchange_frames(
        &self,
        service: Service,
        route: Route,
        question: Vec<u8>,
    ) -> std::result::Result<Vec<u8>, Failure> {
        let protocol = service.protocol(&self.network);
        let once = || async {
            let opened = self.open(route.clone(), protocol.clone()).await?;
            streams::ask(opened.stream, &question, service.deadline()).await
        };
        // Connections that nobody used for long, or that lost a race, break just when they are used.
        let answer = match once().await {
            Err(failure) if protocol.hasty && failure.is_cut() => once().await,
            other => other,
        };
        answer.map_err(|failure| self.unless_stopped(failure))
    }

    /// Opens a stream to a peer, dialling it when needed. It keeps its connection open until it is
    /// dropped.
    pub async fn open(
        &self,
        route: Route,
        protocol: Protocol,
    ) -> std::result::Result<Opened, Failure> {
        let Route { peer, addresses } = route;
        let (reply, opened) = oneshot::channel();
        let command = Command::Open {
            peer,
            addresses,
            protocol,
            reply,
        };
        let sent = self.send(command).await;
        sent.map_err(|_| Failure::Stopped)?;
        let opened = opened.await.unwrap_or(Err(Failure::ConnectionClosed));
        opened.map_err(|failure| self.unless_stopped(failure))
    }

    /// What ends all connections of a peer says more than that one of them ended.
    fn unless_stopped(&self, failure: Failure) -> Failure {
        match self.commands.is_closed() {
            true => Failure::Stopped,
            false => failure,
        }
    }

    /// Connects to a peer, or says why that failed at each address.
    pub async fn dial(&self, peer: Option<PeerId>, addresses: Vec<Multiaddr>) -> Result<PeerId> {
        self.request(|reply| Command::Dial {
            peer,
            addresses,
            reply,
        })
        .await?
    }

    /// Closes all connections to a peer.
    pub async fn disconnect(&self, peer: PeerId) -> Result<()> {
        self.send(Command::Disconnect { peer }).await
    }

    /// Tells the peer about a relay it may use as a home and for routing.
    pub async fn learn(&self, hint: RelayHint) -> Result<()> {
        self.send(Command::Learn(hint)).await
    }

    /// Tells the peer what happened to the machine it runs on.
    pub async fn hint(&self, hint: HostHint) -> Result<()> {
        self.send(Command::Hint(hint)).await
    }

    /// Tells subscribers what happened beside the driver.
    #[cfg(feature = "server")]
    pub(super) async fn tell(&self, event: Event) -> Result<()> {
        self.send(Command::Tell(event)).await
    }

    /// All events from now on; a slow reader loses the newest and is told how many. Snapshots among
    /// them cost the more the larger the peer's tables are: see [`Self::events_only`].
    pub async fn events(&self) -> Result<mpsc::Receiver<Event>> {
        self.subscribe(true).await
    }

    /// As [`Self::events`], without snapshots.
    pub async fn events_only(&self) -> Result<mpsc::Receiver<Event>> {
        self.subscribe(false).await
    }

    async fn subscribe(&self, snapshots: bool) -> Result<mpsc::Receiver<Event>> {
        self.request(|reply| Command::Subscribe { snapshots, reply })
            .await
    }

    /// Where this peer can be reached, as in a snapshot.
    pub async fn addresses(&self) -> Result<Vec<String>> {
        self.request(Command::Addresses).await
    }

    /// The peer as it is now.
    pub async fn snapshot(&self) -> Result<Box<Snapshot>> {
        self.request(Command::Snapshot).await
    }

    /// Where this peer stands: `joining`, `joined`, `lost`, `offline` or `closed`.
    pub async fn state(&self) -> Result<&'static str> {
        self.request(Command::State).await
    }

    /// The relays this peer is connected to.
    pub async fn homes(&self) -> Result<Vec<PeerId>> {
        self.request(Command::Homes).await
    }

    /// Those of them that hold a place for this peer: others reach it there.
    pub async fn reserved(&self) -> Result<Vec<PeerId>> {
        self.request(Command::Reserved).await
    }

    /// Waits until a relay is connected.
    pub async fn joined(&self) -> Result<()> {
        let mut events = self.events_only().await?;
        if self.state().await? == "joined" {
            return Ok(());
        }
        while let Some(event) = events.next().await {
            if let Event::State {
                state: "joined", ..
            } = event
            {
                return Ok(());
            }
        }
        Err(closed())
    }

    /// Whether there is a connection to a peer.
    pub async fn is_connected(&self, peer: PeerId) -> Result<bool> {
        self.request(|reply| Command::IsConnected { peer, reply })
            .await
    }

    /// Every connection.
    pub async fn links(&self) -> Result<Vec<Link>> {
        self.request(Command::Links).await
    }

    /// Relays this peer knows, to pass on.
    pub async fn relay_hints(&self) -> Result<Vec<RelayHint>> {
        self.request(Command::Hints).await
    }

    /// Where a relay may be, as somebody said or as it was reached before.
    pub async fn way_to(&self, relay: PeerId) -> Result<Vec<Multiaddr>> {
        self.request(|reply| Command::WayTo { relay, reply }).await
    }

    /// Vouches for addresses at which this peer can be reached from outside.
    pub async fn declare(&self, addresses: Vec<Multiaddr>) -> Result<()> {
        self.send(Command::Declare(addresses)).await
    }

    /// Closes every connection and stops the driver; harmless when it has stopped.
    pub async fn close(&self) {
        let _ = self.request(Command::Close).await;
    }

    pub(super) async fn probed(&self, peer: String, alive: bool) {
        let _ = self.send(Command::Probed { peer, alive }).await;
    }

    pub(crate) async fn set_namespaces(&self, namespaces: Vec<String>) {
        let _ = self.send(Command::SetNamespaces(namespaces)).await;
    }

    pub(crate) async fn set_clock_offset(&self, offset: i64) {
        let _ = self.send(Command::ClockOffset(offset)).await;
    }

    async fn request<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.map(|answer| answer.map_err(|_| closed())).await
    }

    async fn send(&self, command: Command) -> Result<()> {
        self.commands
            .clone()
            .send(command)
            .await
            .map_err(|_| closed())
    }
}

fn closed() -> Error {
    Error::new(Code::Closed, "this peer has been closed")
}
