//! A command-line peer: joins a network through relays, stores nothing for others.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use libp2p::Multiaddr;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::address;
use warren_shared::net::direct::{MemoryShelf, SharedShelf};
use warren_shared::net::discover::Sources;
use warren_shared::net::outside::{Forgetful, SharedKeepsakes, SharedOutside};
use warren_shared::net::{Node, NodeConfig, Role};
use warren_shared::platform;
use warren_shared::proto::homes::HomesConfig;
use warren_shared::proto::key::SigningKey;

use crate::fetch::Fetcher;
use crate::identity::DataDir;
use crate::keepsakes::Keepsakes;
use crate::met;
use crate::resources;
use crate::solver::solver;
use crate::store::RedbShelf;
use crate::transport::webrtc::calls::calls;
use crate::transport::{asking, connections, dialable, either};

const JOIN_PATIENCE: Duration = Duration::from_secs(20);
const PING_EVERY: Duration = Duration::from_secs(5);

/// Options of every command that joins a network.
#[derive(Debug, Clone, Args)]
pub struct PeerArgs {
    /// HTTP URL of a relay to join through; may be given several times.
    #[arg(long, value_name = "URL", env = "WARREN_JOIN", value_delimiter = ',')]
    pub join: Vec<String>,
    /// Multiaddress of a relay, ending in its peer id; may be given several times.
    #[arg(
        long,
        value_name = "ADDR",
        env = "WARREN_BOOTSTRAP",
        value_delimiter = ','
    )]
    pub bootstrap: Vec<String>,
    /// The network to join, when it is to be checked or cannot be asked for.
    #[arg(long, value_name = "ID")]
    pub network: Option<String>,
    /// Where the identity is kept; without it the peer has a new one each time.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Connect to relays only, which carry everything to and from others: these do not learn the address of this machine.
    /// Relays do, also those of strangers that others are reached through.
    #[arg(long)]
    pub relay_only: bool,
    /// Results and errors as JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// A running peer and the lock on its identity.
pub struct Peer {
    /// Joined, until it is closed.
    pub node: Node,
    data: Option<DataDir>,
}

impl Peer {
    /// Where its profile is kept, if it is.
    pub fn data(&self) -> Option<&std::path::Path> {
        self.data.as_ref().map(DataDir::path)
    }

    /// Waits until a relay holds a place for this peer, which others reach it at.
    async fn reserved(&self) -> Result<()> {
        let handle = self.node.handle();
        let mut events = handle.events_only().await?;
        let there = async {
            while handle.addresses().await?.is_empty() {
                if events.next().await.is_none() {
                    return Err(Error::new(Code::Closed, "this peer has been closed"));
                }
            }
            Ok(())
        };
        let waited = tokio::time::timeout(JOIN_PATIENCE, there).await;
        waited.unwrap_or_else(|_| {
            let error = Error::new(Code::JoinFailed, "no relay has a place for this peer");
            Err(error.with_remedy("Name another relay with --join, or leave --relay-only out."))
        })
    }
}

impl PeerArgs {
    /// Through the relay at this URL, with an identity of its own each time.
    pub fn through(url: &str) -> PeerArgs {
        PeerArgs {
            join: vec![url.to_owned()],
            bootstrap: Vec::new(),
            network: None,
            data_dir: None,
            relay_only: false,
            json: false,
        }
    }

    /// Joins the network; returns when a relay is connected. Who is to be found listens; with `relay_only` there is a circuit
    /// instead by then.
    pub async fn start(&self, listen: Vec<Multiaddr>) -> Result<Peer> {
        let found = !listen.is_empty();
        let peer = self.enter(match self.relay_only {
            true => Vec::new(),
            false => listen,
        });
        let peer = peer.await?;
        if self.relay_only && found {
            peer.reserved().await?;
        }
        Ok(peer)
    }

    async fn enter(&self, listen: Vec<Multiaddr>) -> Result<Peer> {
        let data = self.data_dir.as_ref().map(DataDir::open).transpose()?;
        let seed = |name: &str| match &data {
            Some(data) => {
                let bytes = data.load_or_create(name, || Ok(platform::entropy::<32>().to_vec()))?;
                bytes.try_into().map_err(|_| {
                    Error::new(Code::InvalidKey, format!("{name} does not have 32 bytes"))
                })
            }
            None => Ok(platform::entropy()),
        };
        let transport_key = SigningKey::from_seed(seed("identity.key")?);
        let author_key = SigningKey::from_seed(seed("author.key")?);
        let sources = self.sources()?;
        let outside: SharedOutside = Arc::new(Fetcher);
        let keepsakes: SharedKeepsakes = match &data {
            Some(data) => Arc::new(Keepsakes::in_dir(data.path())?),
            None => Arc::new(Forgetful::default()),
        };
        let found = sources.find(&outside, asking(&transport_key)?).await?;
        let network = found.network.clone();
        if data.is_some() && found.answered {
            met::remember(&keepsakes, &network, &self.relays()).await;
        }
        let shelf: SharedShelf = match &data {
            Some(data) => {
                let author = author_key.public();
                Arc::new(RedbShelf::open(data.path(), &network, &author)?)
            }
            None => Arc::new(MemoryShelf::default()),
        };
        let (stacks, arrivals) = calls()?;
        // Direct connections are neither offered nor taken: they begin with the address of this machine.
        let stacks = (!self.relay_only).then_some(stacks);
        let node = Node::start(NodeConfig {
            network,
            role: Role::Peer,
            connections: either(arrivals, connections(&transport_key, None, None)?),
            transport_key,
            author_key,
            listen,
            external: Vec::new(),
            store: None,
            names: None,
            mailboxes: None,
            keepsakes,
            shelf,
            stacks,
            relay_only: self.relay_only,
            solver: solver(),
            homes: HomesConfig {
                reserve: true,
                ..HomesConfig::native()
            },
            outside,
            dialable: Arc::new(dialable),
            ping_every: PING_EVERY,
            capabilities: vec!["native".into()],
        })?;
        resources::describe(&node, &["peer"], data.as_ref().map(DataDir::path));
        let complain = |error: Error| tracing::warn!(%error, "one of the relays cannot be used");
        found.teach(&node, complain).await?;
        match tokio::time::timeout(JOIN_PATIENCE, node.joined()).await {
            Ok(joined) => joined?,
            Err(_) => {
                let reason = node
                    .handle()
                    .snapshot()
                    .await?
                    .relays
                    .into_iter()
                    .find_map(|relay| relay.reason);
                let error = Error::new(Code::JoinFailed, "no relay could be reached");
                return Err(reason.into_iter().fold(error, Error::caused_by));
            }
        }
        Ok(Peer { node, data })
    }

    /// All relays that were named.
    pub(crate) fn relays(&self) -> Vec<String> {
        self.join.iter().chain(&self.bootstrap).cloned().collect()
    }

    fn sources(&self) -> Result<Sources> {
        if self.relays().is_empty() {
            return Err(Error::new(Code::InvalidArgument, "no relay was named")
                .with_remedy("add --join with the URL of a relay's page, for example --join http://127.0.0.1:8080"));
        }
        Ok(Sources {
            join: self.join.clone(),
            bootstrap: self
                .bootstrap
                .iter()
                .map(|text| address::parse(text))
                .collect::<Result<_>>()?,
            network: self.network.as_deref().map(str::parse).transpose()?,
        })
    }
}
