//! Serves the calls of one application on its node.

mod find;
mod names;
mod page;
mod start;
mod views;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{AbortHandle, BoxFuture, Either, Shared, select};
use futures::{FutureExt, SinkExt};
use libp2p::PeerId;

use self::page::Page;
use self::start::RETRY_FIRST;
use self::views::{entry, find_peer, lifetime, told};
use super::messages::{Call, FullSnapshot, Outgoing, Reply, StartParams};
use crate::error::{Code, Error, Result};
use crate::net::lending::Lender;
use crate::net::names::Solver;
use crate::net::node::parse_peer;
use crate::net::outside::{SharedKeepsakes, SharedOutside};
use crate::net::snapshot::{RoutingView, Snapshot};
use crate::net::swarm::Connections;
use crate::net::turns::Turns;
use crate::net::{Dialable, HostHint, Node};
use crate::proto::key::{Key, SigningKey};
use crate::{limits, platform};

/// How long a call waits for the network before it fails.
const JOIN_PATIENCE: Duration = Duration::from_secs(15);
/// What the platform brings.
pub struct Surroundings {
    /// How HTTP texts are fetched.
    pub outside: SharedOutside,
    /// Where a few things are kept over a restart.
    pub keepsakes: SharedKeepsakes,
    /// How puzzles are solved.
    pub solver: Solver,
    /// Makes authenticated connections for a key and the transports that the application allows.
    #[allow(clippy::type_complexity)]
    pub connections: Box<dyn Fn(&SigningKey, &[String]) -> Result<Connections> + Send + Sync>,
    /// Which addresses can be dialled, given the start parameters.
    pub dialable: fn(&StartParams) -> Dialable,
}

type NodeSlot = Shared<BoxFuture<'static, Option<Node>>>;

/// The engine of one application. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    shared: Arc<SessionState>,
    outgoing: mpsc::Sender<Outgoing>,
}

struct SessionState {
    surroundings: Surroundings,
    life: Mutex<Life>,
    sets: Turns,
}

#[derive(Default)]
struct Life {
    started: Option<Started>,
    closed: bool,
    page: Page,
}

#[derive(Clone)]
struct Started {
    node: NodeSlot,
    id: PeerId,
    author: String,
    ephemeral: bool,
    /// Ends the search for the network.
    search: AbortHandle,
    nudge: mpsc::Sender<()>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Session {
    /// A session and everything it will say.
    pub fn new(surroundings: Surroundings) -> (Session, mpsc::Receiver<Outgoing>) {
        let (outgoing, receiver) = mpsc::channel(limits::EVENT_QUEUE);
        let shared = Arc::new(SessionState {
            surroundings,
            life: Mutex::default(),
            sets: Turns::default(),
        });
        (Session { shared, outgoing }, receiver)
    }

    /// Serves one call; items and the answer go out with its id. Dropping the future cancels it.
    pub async fn serve(&self, id: f64, call: Call) {
        let answer = match self.answer(id, call).await {
            Ok(reply) => Outgoing::Ok { id, reply },
            Err(error) => Outgoing::Error { id, error },
        };
        self.say(answer).await;
    }

    async fn say(&self, message: Outgoing) {
        let _ = self.outgoing.clone().send(message).await;
    }

    async fn answer(&self, id: f64, call: Call) -> Result<Reply> {
        match call {
            Call::Start(params) => self.start(params),
            Call::Snapshot {} => self
                .snapshot()
                .await
                .map(|full| Reply::Snapshot(Box::new(full))),
            Call::Hint { kind } => self.hint(kind.into()).await,
            Call::Close {} => self.close().await,
            Call::Unprovide { namespace } => self.unprovide(&namespace).await,
            other => self.on_network(id, other).await,
        }
    }

    /// A call that met the moment in which a relay was lost is tried again once there is one.
    async fn on_network(&self, id: f64, call: Call) -> Result<Reply> {
        let mut turn = call.queue().map(|name| self.shared.sets.take(name));
        let deadline = platform::now() + JOIN_PATIENCE.as_millis() as u64;
        loop {
            let node = match self.beside(&call).await {
                Some(node) => node,
                None => self.joined().await?,
            };
            if let Some(turn) = &mut turn {
                turn.come().await;
            }
            match self.on_node(id, &node, call.clone()).await {
                Err(error)
                    if matches!(error.code(), Code::NotConnected | Code::NoRelay)
                        && call.may_be_repeated()
                        && platform::now() < deadline =>
                {
                    platform::sleep(RETRY_FIRST).await;
                }
                answer => return answer,
            }
        }
    }

    /// The peer, if the call is about one that it is connected to, or about a relay of no network: that needs no relay.
    async fn beside(&self, call: &Call) -> Option<Node> {
        let node = self.started().ok()?.node_now()?;
        let id = match call {
            Call::Connect { reserve: true, .. } | Call::Disconnect { release: true, .. } => {
                return Some(node);
            }
            Call::Ping { id } | Call::Measure { id, .. } | Call::Disconnect { id, .. } => id,
            _ => return None,
        };
        let connected = node.handle().is_connected(id.parse().ok()?).await;
        connected.ok()?.then_some(node)
    }

    async fn on_node(&self, id: f64, node: &Node, call: Call) -> Result<Reply> {
        match call {
            Call::DhtPut { value } => {
                let (key, report) = node.put(&value.into()).await?;
                Ok(Reply::Put {
                    key: key.to_string(),
                    stored: report.stored,
                })
            }
            Call::DhtSet {
                label,
                value,
                ttl_ms,
            } => {
                let lifetime = lifetime(ttl_ms)?;
                let (key, seq, report) = node.set(&label, &value.into(), lifetime).await?;
                Ok(Reply::Set {
                    key: key.to_string(),
                    seq,
                    stored: report.stored,
                })
            }
            Call::DhtGet { key } => {
                let key: Key = key.parse()?;
                Ok(Reply::Entry(Box::new(entry(key, node.get(key).await?)?)))
            }
            Call::Provide { namespace } => Ok(Reply::Provided {
                expires: node.provide(&namespace).await?,
            }),
            Call::Find { namespace, limit } => self.find(id, node, &namespace, limit).await,
            Call::FindPeer { id } => find_peer(node, &id).await,
            Call::Connect { target, reserve } => {
                let peer = node.connect(&target).await?;
                if reserve {
                    node.handle().reserve(peer).await?;
                }
                Ok(Reply::Connected {
                    id: peer.to_string(),
                })
            }
            Call::Disconnect { id, release } => {
                let (handle, peer) = (node.handle(), parse_peer(&id)?);
                match release {
                    true => handle.release(peer).await?,
                    false => handle.disconnect(peer).await?,
                }
                Ok(Reply::Nothing {})
            }
            Call::Ping { id } => {
                let route = node.route_to(parse_peer(&id)?).await?;
                let rtt = node.handle().ping(route).await?;
                Ok(Reply::Ping {
                    ms: rtt.as_millis() as u64,
                })
            }
            Call::Measure {
                id,
                upload,
                download,
            } => {
                let peer = node.connect(&parse_peer(&id)?.to_string()).await?;
                // What is no count of bytes becomes one that is refused, or nothing.
                let measured = node.measure(peer, upload as u64, download as u64).await?;
                Ok(Reply::Measured(measured))
            }
            Call::Name(call) => names::serve(self, id, node.names(), call).await,
            Call::Start(_)
            | Call::Snapshot {}
            | Call::Hint { .. }
            | Call::Close {}
            | Call::Unprovide { .. } => {
                Err(Error::new(Code::Internal, "this call needs no network"))
            }
        }
    }

    /// What a module beside the engine borrows, as soon as it is known in which network.
    pub async fn lender(&self) -> Result<Lender> {
        let node = self.started()?.node.await;
        node.ok_or_else(not_running)?.lender()
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.shared
            .life
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn started(&self) -> Result<Started> {
        self.life().started.clone().ok_or_else(not_running)
    }

    /// The node once it is connected to a relay; waits for that, but not for ever.
    async fn joined(&self) -> Result<Node> {
        let started = self.started()?;
        let wait = async {
            let node = started.node.clone().await?;
            node.joined().await.ok()?;
            Some(node)
        };
        match within(JOIN_PATIENCE, wait).await {
            Some(Some(node)) => Ok(node),
            _ => {
                let trouble = started
                    .trouble
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                let error = Error::new(Code::NoRelay, "this peer is not connected to any relay");
                Err(match trouble {
                    Some(cause) => error.caused_by(cause),
                    None => error,
                })
            }
        }
    }

    async fn snapshot(&self) -> Result<FullSnapshot> {
        let started = self.started()?;
        let snapshot = match started.node_now() {
            Some(node) => *node.handle().snapshot().await?,
            None => started.before_network(),
        };
        Ok(started.full(snapshot))
    }

    /// Works without a relay, too: what counts is that the announcement is not renewed.
    async fn unprovide(&self, namespace: &str) -> Result<Reply> {
        if let Some(node) = self.started()?.node_now() {
            node.unprovide(namespace).await?;
        }
        Ok(Reply::Nothing {})
    }

    /// Before there is a node, what was said about the page waits for it.
    async fn hint(&self, hint: HostHint) -> Result<Reply> {
        let (nudge, node) = {
            let mut life = self.life();
            if life.closed {
                return Err(not_running());
            }
            life.page.note(hint);
            let Some(started) = &life.started else {
                return Ok(Reply::Nothing {});
            };
            (started.nudge.clone(), started.node_now())
        };
        match node {
            Some(node) => node.handle().hint(hint).await?,
            None if hint != HostHint::Offline && hint != HostHint::Hidden => {
                let _ = { nudge }.try_send(());
            }
            None => {}
        }
        Ok(Reply::Nothing {})
    }

    async fn close(&self) -> Result<Reply> {
        let started = {
            let mut life = self.life();
            life.closed = true;
            life.started.take()
        };
        if let Some(started) = started {
            started.search.abort();
            // A node that is being built at this moment is closed by whoever builds it.
            if let Some(node) = started.node.await {
                node.close().await;
            }
        }
        Ok(Reply::Nothing {})
    }
}

impl Started {
    fn node_now(&self) -> Option<Node> {
        self.node.clone().now_or_never().flatten()
    }

    fn note_trouble(&self, error: &Error) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(told(error));
    }

    fn full(&self, snapshot: Snapshot) -> FullSnapshot {
        FullSnapshot {
            snapshot,
            author: self.author.clone(),
            ephemeral: self.ephemeral,
        }
    }

    fn before_network(&self) -> Snapshot {
        Snapshot {
            state: "joining",
            reason: self
                .trouble
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            id: self.id.to_string(),
            network: String::new(),
            addresses: Vec::new(),
            clock_offset_ms: 0,
            relays: Vec::new(),
            connections: Vec::new(),
            routing: RoutingView::default(),
            namespaces: Vec::new(),
            refusals: Default::default(),
        }
    }
}

fn not_running() -> Error {
    Error::new(
        Code::Closed,
        "this peer has not been started, or has been closed",
    )
}

async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(platform::sleep(patience), Box::pin(work)).await {
        Either::Left(_) => None,
        Either::Right((result, _)) => Some(result),
    }
}

#[cfg(test)]
mod tests;
