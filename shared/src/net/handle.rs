//! How the rest of a peer talks to its driver: commands one way, events the other.

use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::{FutureExt, SinkExt};
use libp2p::{Multiaddr, PeerId};
use serde::Serialize;
use serde_json::Value;

use super::address::Via;
use super::rpc::{RpcReply, RpcRequest};
use super::snapshot::Snapshot;
use crate::error::{Code, Error, Result};
use crate::platform;
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

pub(super) type Reply<T> = oneshot::Sender<T>;

pub(super) enum Command {
    Closest {
        key: Vec<u8>,
        reply: Reply<Vec<Route>>,
    },
    Ask {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: Request,
        reply: Reply<Result<Answer>>,
    },
    AskName {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: names::Request,
        reply: Reply<Result<names::Answer>>,
    },
    Call {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: RpcRequest,
        reply: Reply<Result<RpcReply>>,
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
    Homes(Reply<Vec<PeerId>>),
    IsConnected {
        peer: PeerId,
        reply: Reply<bool>,
    },
    Declare(Vec<Multiaddr>),
    Listen {
        address: Multiaddr,
        reply: Reply<Result<()>>,
    },
    Close(Reply<()>),
}

/// A cheap, cloneable way to a running driver. Every method fails with `CLOSED` once it has stopped.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    id: PeerId,
}

impl Handle {
    pub(super) fn new(commands: mpsc::Sender<Command>, id: PeerId) -> Self {
        Handle { commands, id }
    }

    /// Who this peer is.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Walks the network to the nodes closest to a key, nearest first.
    pub async fn closest(&self, key: Vec<u8>) -> Result<Vec<Route>> {
        self.request(|reply| Command::Closest { key, reply }).await
    }

    /// Sends one record request to one node, dialling it when needed.
    pub async fn ask(&self, route: Route, request: Request) -> Result<Answer> {
        let Route { peer, addresses } = route;
        self.request(|reply| Command::Ask {
            peer,
            addresses,
            request,
            reply,
        })
        .await?
    }

    /// Sends one request about a name to a witness, dialling it when needed.
    pub async fn ask_name(&self, route: Route, request: names::Request) -> Result<names::Answer> {
        let Route { peer, addresses } = route;
        self.request(|reply| Command::AskName {
            peer,
            addresses,
            request,
            reply,
        })
        .await?
    }

    /// Calls a method of another peer.
    pub async fn call(&self, route: Route, method: &str, params: Value) -> Result<Value> {
        let Route { peer, addresses } = route;
        let request = RpcRequest::new(method, params);
        let reply = self
            .request(|reply| Command::Call {
                peer,
                addresses,
                request,
                reply,
            })
            .await??;
        reply.into_result()
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

    /// Round-trip time to a peer, asked through the command protocol.
    pub async fn ping(&self, route: Route) -> Result<Duration> {
        let start = platform::now();
        self.call(route, "warren.ping", Value::Null).await?;
        Ok(Duration::from_millis(platform::now().saturating_sub(start)))
    }

    /// Where this peer stands: `joining`, `joined`, `lost`, `offline` or `closed`.
    pub async fn state(&self) -> Result<&'static str> {
        self.request(Command::State).await
    }

    /// The relays this peer is connected to.
    pub async fn homes(&self) -> Result<Vec<PeerId>> {
        self.request(Command::Homes).await
    }

    /// Whether there is a connection to a peer.
    pub async fn is_connected(&self, peer: PeerId) -> Result<bool> {
        self.request(|reply| Command::IsConnected { peer, reply })
            .await
    }

    /// Relays this peer knows, to pass on.
    pub async fn relay_hints(&self) -> Result<Vec<RelayHint>> {
        self.request(Command::Hints).await
    }

    /// Vouches for addresses at which this peer can be reached from outside.
    pub async fn declare(&self, addresses: Vec<Multiaddr>) -> Result<()> {
        self.send(Command::Declare(addresses)).await
    }

    /// Starts to listen on one more address.
    pub async fn listen(&self, address: Multiaddr) -> Result<()> {
        self.request(|reply| Command::Listen { address, reply })
            .await?
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
