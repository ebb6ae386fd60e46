//! A whole peer: driver, overlay, and the records it keeps alive. What applications use.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

use super::address;
use super::answers::{Answers, Method, SharedStore};
use super::behaviour::Role;
use super::client::{RecordClient, StoreReport};
use super::driver::{Driver, command_channel, listen_error};
use super::handle::{Event, Handle, Route};
use super::keeper::{Dialable, Keeper};
use super::outside::SharedOutside;
use super::overlay::{Kademlia, Overlay};
use super::perf::{self, Measured};
use super::swarm::{self, Connections};
use crate::error::{Code, Error, Result};
use crate::proto::homes::HomesConfig;
use crate::proto::join::RelayHint;
use crate::proto::key::{Key, PublicKey, SigningKey};
use crate::proto::record::Record;
use crate::proto::record::peer::{AuthorProof, PeerRecord};
use crate::proto::record::provider::ProviderEntry;
use crate::proto::record::{MutableValue, Value, ValueBlock};
use crate::proto::{Millis, NetworkId};
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
    answers: Arc<Answers>,
    keys: Arc<Keys>,
    namespaces: Arc<Mutex<Vec<String>>>,
    streams: libp2p_stream::Control,
    wake: futures::channel::mpsc::Sender<()>,
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
        for address in &config.listen {
            swarm
                .listen_on(address.clone())
                .map_err(|error| listen_error(address, &error))?;
        }
        for address in config.external {
            swarm.add_external_address(address);
        }
        let streams = swarm.behaviour().streams.new_control();
        let (sender, commands) = command_channel();
        let handle = Handle::new(sender, key.public().to_peer_id());
        let answers = Arc::new(Answers::new(config.network.clone(), config.store.clone()));
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
            answers.clone(),
        );
        platform::spawn(driver.run());
        let client = RecordClient::new(handle.clone(), config.network.clone(), config.store);
        let (wake, woken) = futures::channel::mpsc::channel(1);
        let node = Node {
            handle,
            overlay: Arc::new(Kademlia(client)),
            answers,
            keys: Arc::new(Keys {
                network: config.network,
                transport: config.transport_key,
                author: config.author_key,
                capabilities: config.capabilities,
            }),
            namespaces: Arc::default(),
            streams,
            wake,
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

    /// Offers a JSON-RPC method to every peer.
    pub fn serve(&self, name: &str, method: Method) {
        self.answers.serve(name, method);
    }

    /// Answers measurements of other peers from now on.
    pub fn answer_measurements(&self) -> Result<()> {
        perf::serve(self.streams.clone())
    }

    /// Measures the connection to a peer: sends so many bytes, then receives so many.
    pub async fn measure(&self, peer: PeerId, upload: u64, download: u64) -> Result<Measured> {
        perf::measure(self.streams.clone(), peer, upload, download).await
    }

    /// Tells this peer about a relay.
    pub async fn learn(&self, hint: RelayHint) -> Result<()> {
        self.handle.learn(hint).await
    }

    /// Waits until a relay is connected.
    pub async fn joined(&self) -> Result<()> {
        let mut events = self.handle.events().await?;
        if self.handle.state().await? == "joined" {
            return Ok(());
        }
        while let Some(event) = events.next().await {
            let state = match &event {
                Event::State { state, .. } => state,
                Event::Snapshot(snapshot) => &snapshot.state,
                _ => continue,
            };
            if *state == "joined" {
                return Ok(());
            }
        }
        Err(Error::new(Code::Closed, "this peer has been closed"))
    }

    /// Stores an immutable value under its hash.
    pub async fn put(&self, value: &Value) -> Result<(Key, StoreReport)> {
        let block = ValueBlock::new(value)?;
        let key = block.key();
        Ok((key, self.overlay.store(Record::Value(block)).await?))
    }

    /// Stores a new version of this author's value under a label.
    pub async fn set(
        &self,
        label: &str,
        value: &Value,
        lifetime: Millis,
    ) -> Result<(Key, u64, StoreReport)> {
        let block = ValueBlock::new(value)?;
        let key = MutableValue::key(&self.author(), label);
        for _ in 0..3 {
            let seq = match self.overlay.record_at(key).await? {
                Some(Record::Signed(envelope)) => envelope.body().seq + 1,
                _ => 1,
            };
            let now = self.overlay.client().now();
            let envelope = MutableValue::sign(
                &self.keys.author,
                &self.keys.network,
                label,
                &block,
                seq,
                (now, now + lifetime),
            )?;
            match self.overlay.store(Record::Signed(envelope)).await {
                Err(error) if error.code() == Code::Older => continue,
                other => return other.map(|report| (key, seq, report)),
            }
        }
        Err(Error::new(
            Code::Older,
            "somebody else keeps writing this value with the same author key",
        ))
    }

    /// The verified record at a key.
    pub async fn get(&self, key: Key) -> Result<Record> {
        self.overlay
            .record_at(key)
            .await?
            .ok_or_else(|| Error::new(Code::NotFound, format!("nothing is stored at {key}")))
    }

    /// Lists this peer in a namespace, and keeps it listed.
    pub async fn provide(&self, namespace: &str) -> Result<Millis> {
        let expires = self.announce(namespace).await?;
        self.change_namespaces(|all| {
            if !all.iter().any(|known| known == namespace) {
                all.push(namespace.to_owned());
            }
        })
        .await;
        Ok(expires)
    }

    /// Takes this peer off the list of a namespace, and stops renewing it.
    pub async fn unprovide(&self, namespace: &str) -> Result<()> {
        self.change_namespaces(|all| all.retain(|known| known != namespace))
            .await;
        self.overlay
            .withdraw(Key::namespace(self.network(), namespace)?)
            .await
    }

    pub(super) async fn announce(&self, namespace: &str) -> Result<Millis> {
        let key = Key::namespace(self.network(), namespace)?;
        let addresses = self.reachable_at().await?;
        let best = addresses
            .iter()
            .take(limits::MAX_PROVIDER_ADDRESSES)
            .map(|address| address.to_vec())
            .collect();
        self.overlay.announce(key, best).await
    }

    async fn change_namespaces(&self, change: impl FnOnce(&mut Vec<String>)) {
        let all = {
            let mut all = self
                .namespaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            change(&mut all);
            all.clone()
        };
        self.handle.set_namespaces(all).await;
    }

    pub(super) fn namespaces(&self) -> Vec<String> {
        self.namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Everyone listed in a namespace, this peer left out.
    pub async fn find(&self, namespace: &str) -> Result<Vec<ProviderEntry>> {
        let key = Key::namespace(self.network(), namespace)?;
        let own = self.id().to_bytes();
        let mut found = self.overlay.providers_of(key).await?;
        found.retain(|entry| entry.peer != own);
        Ok(found)
    }

    /// The signed record of a peer: where it can be reached, and for whom it runs.
    pub async fn find_peer(&self, peer: PeerId) -> Result<(PeerRecord, Millis)> {
        let key = PeerRecord::key(&key_of(&peer)?);
        let Record::Signed(envelope) = self.overlay.record_at(key).await?.ok_or_else(|| {
            Error::new(
                Code::NotFound,
                format!("{peer} has published no addresses, or they have expired"),
            )
        })?
        else {
            return Err(Error::new(Code::Internal, "a peer record is always signed"));
        };
        Ok((PeerRecord::open(&envelope)?, envelope.body().expires))
    }

    /// Connects to a peer by id alone, or at an address.
    pub async fn connect(&self, target: &str) -> Result<PeerId> {
        if target.starts_with('/') {
            let address = address::parse(target)?;
            return self
                .handle
                .dial(address::peer_of(&address), vec![address])
                .await;
        }
        let peer = parse_peer(target)?;
        let route = self.route_to(peer).await?;
        self.handle.dial(Some(peer), route.addresses).await
    }

    /// Addresses to reach a peer at: none when it is connected already.
    pub async fn route_to(&self, peer: PeerId) -> Result<Route> {
        let addresses = match self.handle.is_connected(peer).await? {
            true => Vec::new(),
            false => {
                let (record, _) = self.find_peer(peer).await?;
                record
                    .addresses
                    .into_iter()
                    .filter_map(|bytes| Multiaddr::try_from(bytes).ok())
                    .collect()
            }
        };
        Ok(Route { peer, addresses })
    }

    /// Where this peer can be reached, direct addresses of public kind first.
    pub(super) async fn reachable_at(&self) -> Result<Vec<Multiaddr>> {
        let mut addresses: Vec<Multiaddr> = self
            .handle
            .snapshot()
            .await?
            .addresses
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        addresses.sort_by_key(|address| {
            let ip = address::ip_of(address);
            (
                address::is_relayed(address),
                ip.is_some_and(|ip| ip.is_loopback()),
                ip.is_some_and(|ip| ip.is_ipv6()),
            )
        });
        // One direct and one relayed address say more than two of a kind.
        if let Some(relayed) = addresses
            .iter()
            .position(address::is_relayed)
            .filter(|position| *position > 1)
        {
            let address = addresses.remove(relayed);
            addresses.insert(1, address);
        }
        Ok(addresses)
    }

    /// Publishes where this peer can be reached; nothing to do before there is an address.
    pub(super) async fn publish_peer_record(&self) -> Result<()> {
        let addresses: Vec<Vec<u8>> = self
            .reachable_at()
            .await?
            .iter()
            .take(limits::MAX_PEER_ADDRESSES)
            .map(|address| address.to_vec())
            .collect();
        if addresses.is_empty() {
            return Ok(());
        }
        let now = self.overlay.client().now();
        let snapshot = self.handle.snapshot().await?;
        let relays = snapshot
            .relays
            .iter()
            .filter(|relay| relay.reserved)
            .filter_map(|relay| relay.id.parse().ok())
            .map(|peer: PeerId| peer.to_bytes())
            .take(limits::MAX_PEER_RELAYS)
            .collect();
        let keys = &self.keys;
        let author = AuthorProof::sign(&keys.author, &keys.transport.public(), &keys.network, now)?;
        let record = PeerRecord {
            addresses,
            relays,
            mailboxes: Vec::new(),
            capabilities: keys.capabilities.clone(),
            author: Some(author),
        };
        let envelope = record.sign(&keys.transport, &keys.network, now, now)?;
        self.overlay.store(Record::Signed(envelope)).await?;
        Ok(())
    }

    /// Asks for the peer record and the namespaces to be published again soon.
    pub fn republish(&self) {
        let _ = self.wake.clone().try_send(());
    }

    /// Closes every connection and stops; harmless the second time.
    pub async fn close(&self) {
        self.handle.close().await;
    }
}

/// Reads a peer id that a person typed.
pub fn parse_peer(text: &str) -> Result<PeerId> {
    text.parse().map_err(|error| {
        Error::new(Code::InvalidArgument, format!("{text:?} is not a peer id"))
            .caused_by(error)
            .with_remedy("a peer id looks like 12D3KooW…; copy it whole")
    })
}
