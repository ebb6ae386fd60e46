//! Serves the calls of one application about commands, rooms, messages and files: beside an engine that runs its peer.

mod chat;
mod direct;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "files")]
mod folders;
mod messages;
#[cfg(feature = "files")]
mod range;
mod rpc;

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{BoxFuture, Either, Shared, select};
use futures::{FutureExt, SinkExt, StreamExt};
use serde::Serialize;

pub use self::direct::MessageView;
pub use self::messages::{AppCall, AppParams};
use super::messages::{Outgoing, Reply};
use crate::error::{Code, Error, Result};
use crate::net::apps::{Apps, AppsConfig};
use crate::net::borrowed::{self, SharedEngine};
use crate::net::chat::HistorySlot;
use crate::net::direct::SharedShelf;
#[cfg(feature = "files")]
use crate::net::files::SharedFileStore;
use crate::net::node::parse_peer;
use crate::net::outside::SharedKeepsakes;
use crate::net::overlay::{Kademlia, Overlay};
use crate::net::streams::Registry;
use crate::net::webrtc::agent::{self, Stacks, Upgrade};
use crate::net::{Event, RecordClient, perf};
use crate::proto::NetworkId;
use crate::proto::key::{PublicKey, SigningKey};
use crate::{limits, platform};

/// How long a call waits for the network before it fails.
const JOIN_PATIENCE: Duration = Duration::from_secs(15);

/// Where an application's apps live.
pub struct Lodging {
    /// What they borrow from.
    pub engine: SharedEngine,
    /// The peer's key.
    pub transport: SigningKey,
    /// The key that it runs for.
    pub author: SigningKey,
    /// Where a few things are kept over a restart.
    pub keepsakes: SharedKeepsakes,
    /// Where the messages of an author in a network are kept.
    #[allow(clippy::type_complexity)]
    pub shelf: Box<dyn Fn(&NetworkId, &PublicKey) -> SharedShelf + Send + Sync>,
    /// Where the files of an author in a network are kept.
    #[cfg(feature = "files")]
    #[allow(clippy::type_complexity)]
    pub files: Box<dyn Fn(&NetworkId, &PublicKey) -> SharedFileStore + Send + Sync>,
    /// What makes direct connections to those that are reached over circuits, where that is possible and wanted.
    pub stacks: Option<Arc<dyn Stacks>>,
    /// Whether measurements of other peers are answered.
    pub measurable: bool,
}

/// The apps of one application. Cheap to clone.
#[derive(Clone)]
pub struct AppSession {
    apps: Shared<BoxFuture<'static, Result<Apps>>>,
    calls: rpc::Calls,
    #[cfg(feature = "files")]
    handed: files::Handed,
    outgoing: mpsc::Sender<Outgoing>,
}

impl AppSession {
    /// A session and everything it will say. It starts as soon as the engine knows the network.
    pub fn new(lodging: Lodging) -> (AppSession, mpsc::Receiver<Outgoing>) {
        let (outgoing, receiver) = mpsc::channel(limits::EVENT_QUEUE);
        let apps = start(lodging, outgoing.clone()).boxed().shared();
        // Whoever waits for messages need not ask first.
        platform::spawn(apps.clone().map(drop));
        let session = AppSession {
            apps,
            calls: rpc::Calls::default(),
            #[cfg(feature = "files")]
            handed: files::Handed::default(),
            outgoing,
        };
        (session, receiver)
    }

    /// Serves one call; items and the answer go out with its id. Dropping the future cancels it.
    pub async fn serve(&self, id: f64, call: AppCall) {
        let answer = match self.answer(id, call).await {
            Ok(reply) => Outgoing::Ok { id, reply },
            Err(error) => Outgoing::Error { id, error },
        };
        self.say(answer).await;
    }

    async fn answer(&self, id: f64, call: AppCall) -> Result<Reply> {
        match call {
            AppCall::Rpc(call) => self.rpc(id, call).await,
            AppCall::Direct(call) => direct::serve(self.here().await?.direct(), call).await,
            AppCall::Chat(call) => chat::serve(self, id, call).await,
            #[cfg(feature = "files")]
            AppCall::Files(call) => files::serve(self, id, call).await,
            AppCall::Close {} => {
                if let Some(Ok(apps)) = self.apps.clone().now_or_never() {
                    apps.settle().await;
                }
                Ok(Reply::Nothing {})
            }
        }
    }

    async fn say(&self, message: Outgoing) {
        let _ = self.outgoing.clone().send(message).await;
    }

    /// The apps, as soon as it is known in which network: what needs no relay works without one.
    async fn here(&self) -> Result<Apps> {
        match select(self.apps.clone(), platform::sleep(JOIN_PATIENCE)).await {
            Either::Left((apps, _)) => apps,
            Either::Right(_) => Err(no_relay()),
        }
    }

    /// The apps as soon as a peer can be reached: without a relay, when it is connected.
    async fn reaching(&self, id: &str) -> Result<Apps> {
        let apps = self.here().await?;
        if let Ok(peer) = parse_peer(id)
            && apps.overlay().handle().is_connected(peer).await?
        {
            return Ok(apps);
        }
        self.joined().await
    }

    /// The apps once the peer is connected to a relay; waits for that, but not for ever.
    async fn joined(&self) -> Result<Apps> {
        let joined = async {
            let apps = self.apps.clone().await?;
            apps.overlay().handle().joined().await?;
            Ok(apps)
        };
        match select(joined.boxed(), platform::sleep(JOIN_PATIENCE)).await {
            Either::Left((apps, _)) => apps,
            Either::Right(_) => Err(no_relay()),
        }
    }
}

fn no_relay() -> Error {
    Error::new(Code::NoRelay, "this peer is not connected to any relay")
}

async fn start(lodging: Lodging, outgoing: mpsc::Sender<Outgoing>) -> Result<Apps> {
    let Lodging {
        engine,
        transport,
        author,
        keepsakes,
        shelf,
        #[cfg(feature = "files")]
        files,
        stacks,
        measurable,
    } = lodging;
    let network: NetworkId = engine.ask("network", String::new()).await?.parse()?;
    let id = transport.public().to_peer_id().parse().map_err(|error| {
        Error::new(Code::InvalidKey, "the transport key has no peer id").caused_by(error)
    })?;
    let handle = borrowed::borrow(engine.clone(), id, network.clone());
    let client = RecordClient::new(handle, network.clone(), None);
    let overlay = Arc::new(Kademlia(client));
    platform::spawn(set_the_clock(engine.clone(), overlay.clone()));
    let streams = Registry::default();
    let shelf = shelf(&network, &author.public());
    #[cfg(feature = "files")]
    let files = files(&network, &author.public());
    let config = AppsConfig {
        overlay,
        author,
        own: transport.public(),
        keepsakes,
        shelf,
        history: HistorySlot::default(),
        enters: true,
        #[cfg(feature = "files")]
        store: Some(files),
    };
    if let Some(stacks) = stacks {
        let (tell, told) = mpsc::channel(limits::EVENT_QUEUE);
        agent::start(config.overlay.handle().clone(), &streams, stacks, tell)?;
        platform::spawn(report(told, outgoing));
    }
    if measurable {
        perf::serve(&streams)?;
    }
    let apps = Apps::start(config, &streams)?;
    borrowed::accept_all(&engine, &streams)?;
    Ok(apps)
}

/// Tells the application what became of its circuits.
async fn report(mut told: mpsc::Receiver<Upgrade>, mut outgoing: mpsc::Sender<Outgoing>) {
    while let Some(upgrade) = told.next().await {
        let event = Outgoing::Event(upgrade.into());
        if outgoing.send(event).await.is_err() {
            return;
        }
    }
}

/// The engine has asked relays what time it is.
async fn set_the_clock(engine: SharedEngine, overlay: Arc<Kademlia>) {
    let Ok(mut events) = overlay.handle().events_only().await else {
        return;
    };
    loop {
        if let Ok(offset) = engine.ask("clock", String::new()).await {
            overlay.client().set_clock(offset.parse().unwrap_or(0));
        }
        loop {
            match events.next().await {
                Some(Event::State { .. }) => break,
                Some(_) => {}
                None => return,
            }
        }
    }
}

fn written(value: &impl Serialize) -> Result<Reply> {
    let text = serde_json::to_string(value);
    text.map(Reply::Text).map_err(|error| {
        Error::new(Code::Internal, "an answer cannot be written down").caused_by(error)
    })
}
