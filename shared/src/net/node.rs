//! A whole peer: driver, overlay, and the records it keeps alive. What applications use.

#[cfg(feature = "apps")]
mod apps;
#[cfg(feature = "files")]
mod files;
mod namespaces;
mod peers;
mod values;

pub use self::values::value_of;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
#[cfg(feature = "server")]
use futures::StreamExt;
use futures::future::select;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

use super::answers::{Answers, SharedStore};
#[cfg(feature = "apps")]
use super::apps::{Apps, AppsConfig};
use super::behaviour::Role;
#[cfg(feature = "apps")]
use super::chat::HistorySlot;
use super::client::RecordClient;
#[cfg(feature = "server")]
use super::direct::MailboxService;
#[cfg(feature = "apps")]
use super::direct::SharedShelf;
use super::driver::{Driver, command_channel, listen_error};
use super::handle::Handle;
#[cfg(feature = "server")]
use super::hiding::Hiding;
use super::keeper::{Dialable, Keeper};
use super::lending::Lender;
#[cfg(feature = "server")]
use super::names::NameService;
use super::names::{Names, Solver, Surroundings};
use super::outside::{SharedKeepsakes, SharedOutside};
use super::overlay::Kademlia;
use super::perf::{self, Measured};
use super::streams::Registry;
use super::swarm::{self, Connections};
use super::turns::Turns;
#[cfg(feature = "server")]
use super::webrtc::agent::{self, Stacks};
use crate::error::{Code, Error, Result};
use crate::proto::NetworkId;
use crate::proto::homes::HomesConfig;
use crate::proto::join::RelayHint;
use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::names::work::Hardness;
use crate::{limits, platform};

/// What a peer is made of.
pub struct NodeConfig {
    /// Part of the names of our protocols: peers of other networks are not understood.
    pub network: NetworkId,
    /// Whether it routes, stores and relays for others.
    pub role: Role,
    /// The libp2p identity; signs the peer record.
    pub transport_key: SigningKey,
    /// Signs values; the peer record proves that this peer runs for it.
    pub author_key: SigningKey,
    /// Authenticated connections of the platform.
    pub connections: Connections,
    /// Where to accept connections, circuits aside.
    pub listen: Vec<Multiaddr>,
    /// Addresses that an operator vouches for.
    pub external: Vec<Multiaddr>,
    /// Where records of others are kept; peers that are no relays have none.
    pub store: Option<SharedStore>,
    /// The role of a witness, for nodes that have it.
    #[cfg(feature = "server")]
    pub names: Option<Arc<NameService>>,
    /// The mailboxes of authors that are away, for nodes that have them.
    #[cfg(feature = "server")]
    pub mailboxes: Option<Arc<MailboxService>>,
    /// Where a few things are kept over a restart.
    pub keepsakes: SharedKeepsakes,
    /// Where the messages of the author are kept.
    #[cfg(feature = "apps")]
    pub shelf: SharedShelf,
    /// What makes direct connections to peers that are reached over circuits, where that is wanted.
    #[cfg(feature = "server")]
    pub stacks: Option<Arc<dyn Stacks>>,
    /// Whether others than relays are dialled over circuits only. Hides this peer's address from them if it listens on nothing and
    /// has no stacks.
    #[cfg(feature = "server")]
    pub relay_only: bool,
    /// How puzzles are solved.
    pub solver: Solver,
    /// How many relays to stay connected to, and how to come back to them.
    pub homes: HomesConfig,
    /// How HTTP texts are fetched: join documents and health.
    pub outside: SharedOutside,
    /// Which addresses of relays are worth dialling from here.
    pub dialable: Dialable,
    /// How often each connection is asked for a sign of life.
    pub ping_every: Duration,
    /// Told in the peer record, as short words.
    pub capabilities: Vec<String>,
}

/// A running peer. Cheap to clone; stops on [`Node::close`].
#[derive(Clone)]
pub struct Node {
    handle: Handle,
    overlay: Arc<Kademlia>,
    names: Names,
    #[cfg(feature = "apps")]
    apps: Apps,
    #[cfg(not(feature = "apps"))]
    lender: Lender,
    keys: Arc<Keys>,
    namespaces: Arc<Mutex<Vec<String>>>,
    streams: Registry,
    turns: Turns,
    /// The version of the peer record that was written last.
    peer_seq: Arc<AtomicU64>,
    wake: futures::channel::mpsc::Sender<()>,
    #[cfg(feature = "files")]
    files: Arc<Mutex<Option<super::files::Files>>>,
}

struct Keys {
    network: NetworkId,
    transport: SigningKey,
    author: SigningKey,
    capabilities: Vec<String>,
}

/// The libp2p identity of a transport key.
pub fn keypair(key: &SigningKey) -> Result<Keypair> {
    Keypair::ed25519_from_bytes(key.seed()).map_err(|error| {
        Error::new(Code::InvalidKey, "the transport key is not an Ed25519 seed").caused_by(error)
    })
}

/// The key inside a peer id, for ids of the Ed25519 kind.
pub fn key_of(peer: &PeerId) -> Result<PublicKey> {
    PublicKey::from_peer_id_bytes(&peer.to_bytes())
}

impl Node {
    /// Builds the swarm, starts listening and starts the driver in the background.
    pub fn start(config: NodeConfig) -> Result<Node> {
        let key = keypair(&config.transport_key)?;
        let mut swarm = swarm::build(
            &key,
            &config.network,
            config.role,
            config.ping_every,
            config.connections,
        )?;
        #[cfg(feature = "server")]
        {
            swarm.behaviour_mut().streams.hiding = Hiding::new(config.relay_only);
        }
        for address in &config.listen {
            swarm
                .listen_on(address.clone())
                .map_err(|error| listen_error(address, &error))?;
        }
        for address in config.external {
            swarm.add_external_address(address);
        }
        let streams = swarm.behaviour().streams.registry();
        let (sender, commands) = command_channel();
        let handle = Handle::new(sender, key.public().to_peer_id(), config.network.clone());
        let answers = Arc::new(Answers::new(
            config.network.clone(),
            config.store.clone(),
            #[cfg(feature = "server")]
            config.names.clone(),
            #[cfg(feature = "server")]
            config.mailboxes.clone(),
        ));
        #[cfg(feature = "apps")]
        let history = HistorySlot::default();
        let driver = Driver::new(
            swarm,
            config.network.clone(),
            config.role,
            commands,
            Keeper::new(
                config.homes,
                config.outside,
                handle.clone(),
                config.dialable,
            ),
            answers,
            #[cfg(feature = "server")]
            history.clone(),
        );
        let client = RecordClient::new(handle.clone(), config.network.clone(), config.store);
        let (wake, woken) = futures::channel::mpsc::channel(1);
        let overlay = Arc::new(Kademlia(client));
        #[cfg(feature = "apps")]
        let apps = AppsConfig {
            overlay: overlay.clone(),
            author: config.author_key.clone(),
            own: config.transport_key.public(),
            keepsakes: config.keepsakes.clone(),
            shelf: config.shelf,
            history,
            enters: config.role == Role::Peer,
            // Its files are where they are on its disks: see `Node::files`.
            #[cfg(feature = "files")]
            store: None,
        };
        let surroundings = Surroundings {
            overlay: overlay.clone(),
            #[cfg(feature = "server")]
            service: config.names,
            #[cfg(feature = "server")]
            own: config.transport_key.public(),
            network: config.network.clone(),
            keepsakes: config.keepsakes,
            solver: config.solver,
            hardness: Hardness::STANDARD,
        };
        // Before anybody is connected: a relay that is refused its topics once does not ask again.
        #[cfg(feature = "apps")]
        let apps = Apps::start(apps, &streams)?;
        #[cfg(feature = "server")]
        if let Some(stacks) = config.stacks {
            upgrade(&handle, &streams, stacks)?;
        }
        #[cfg(not(feature = "apps"))]
        let lender = Lender::start(overlay.clone(), &streams)?;
        platform::spawn(driver.run());
        let node = Node {
            handle,
            overlay,
            names: Names::start(surroundings, config.author_key.clone()),
            #[cfg(feature = "apps")]
            apps,
            #[cfg(not(feature = "apps"))]
            lender,
            keys: Arc::new(Keys {
                network: config.network,
                transport: config.transport_key,
                author: config.author_key,
                capabilities: config.capabilities,
            }),
            namespaces: Arc::default(),
            streams,
            turns: Turns::default(),
            peer_seq: Arc::default(),
            wake,
            #[cfg(feature = "files")]
            files: Arc::default(),
        };
        platform::spawn(super::publisher::run(node.clone(), woken));
        Ok(node)
    }

    /// Direct access to the driver.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where things are in the network.
    pub fn overlay(&self) -> &Kademlia {
        &self.overlay
    }

    /// Who this peer is.
    pub fn id(&self) -> PeerId {
        self.handle.id()
    }

    /// Which network it belongs to.
    pub fn network(&self) -> &NetworkId {
        &self.keys.network
    }

    /// Whose values [`Node::set`] writes.
    pub fn author(&self) -> PublicKey {
        self.keys.author.public()
    }

    /// Names: resolving them, and those of this peer's owner.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What a module beside the engine borrows.
    #[cfg(not(feature = "apps"))]
    pub fn lender(&self) -> Result<Lender> {
        Ok(self.lender.clone())
    }

    /// Lends everything to a module beside this one, which takes the place of the apps of this peer.
    #[cfg(feature = "apps")]
    pub fn lender(&self) -> Result<Lender> {
        Lender::start(self.overlay.clone(), &self.streams)
    }

    /// Answers measurements of other peers from now on.
    pub fn answer_measurements(&self) -> Result<()> {
        perf::serve(&self.streams)
    }

    /// Measures the connection to a peer: sends so many bytes, then receives so many.
    pub async fn measure(&self, peer: PeerId, upload: u64, download: u64) -> Result<Measured> {
        perf::measure(&self.handle, peer, upload, download).await
    }

    /// Tells this peer about a relay.
    pub async fn learn(&self, hint: RelayHint) -> Result<()> {
        self.handle.learn(hint).await
    }

    /// Waits until a relay is connected.
    pub async fn joined(&self) -> Result<()> {
        self.handle.joined().await
    }

    /// Asks for the peer record and the namespaces to be published again soon.
    pub fn republish(&self) {
        let _ = self.wake.clone().try_send(());
    }

    /// Closes every connection and stops; harmless the second time.
    pub async fn close(&self) {
        // What was seen of names is not forgotten; a disk that hangs holds nobody up for long.
        let settled = self.names.agent().settle().boxed();
        select(settled, platform::sleep(limits::CLOSING)).await;
        #[cfg(feature = "apps")]
        select(self.apps.settle().boxed(), platform::sleep(limits::CLOSING)).await;
        self.handle.close().await;
    }
}

/// Comes to direct connections where circuits are, and tells subscribers.
#[cfg(feature = "server")]
fn upgrade(handle: &Handle, streams: &Registry, stacks: Arc<dyn Stacks>) -> Result<()> {
    let (tell, mut told) = futures::channel::mpsc::channel(limits::EVENT_QUEUE);
    agent::start(handle.clone(), streams, stacks, tell)?;
    let handle = handle.clone();
    platform::spawn(async move {
        while let Some(upgrade) = told.next().await {
            let peer = &upgrade.peer;
            match &upgrade.kept {
                None => tracing::info!(%peer, "a connection became direct"),
                Some((error, _)) => {
                    let cause = error.cause();
                    tracing::info!(%peer, %error, cause, "a connection stays on its circuit");
                }
            }
            if handle.tell(upgrade.into()).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Reads a peer id that a person typed.
pub fn parse_peer(text: &str) -> Result<PeerId> {
    text.parse().map_err(|error| {
        Error::new(Code::InvalidArgument, format!("{text:?} is not a peer id"))
            .caused_by(error)
            .with_remedy("a peer id looks like 12D3KooW…; copy it whole")
    })
}
