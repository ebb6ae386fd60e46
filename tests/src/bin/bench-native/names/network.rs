//! A network in this process: relays over delayed links, three of them witnesses, some of them doomed.
//!
//! The doomed ones run in a runtime of their own. When that is dropped they stop in the middle of
//! whatever they do, as killed processes do, and only their sockets close.

use std::sync::Arc;
use std::time::Duration;

use libp2p::{Multiaddr, Transport};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;
use warren_shared::limits::REPLICATION;
use warren_shared::net::names::{MemoryLedger, NameService};
use warren_shared::net::swarm::authenticated;
use warren_shared::net::{Node, NodeConfig, Role};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::homes::HomesConfig;
use warren_shared::proto::join::RelayHint;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::witness::Witness;
use warren_shared::proto::names::work::Hardness;
use warren_shared::proto::names::{KnownSets, WitnessSet};
use warren_shared::store::{MemoryStore, StoreLimits};
use warren_tests::peers::{loopback, plain};
use warren_tests::random::Random;
use warren_tests::wait::until;

use super::delayed::Delayed;
use crate::Failure;

const WITNESSES: usize = 3;
/// As relays do.
const RELAY_HOMES: usize = 4;
const DOOMED_PERCENT: usize = 30;
/// Nobody waits longer for a newcomer to join.
const JOINING: Duration = Duration::from_secs(60);
/// So many pings would only take the processor's time.
const PING_EVERY: Duration = Duration::from_secs(300);

/// A relay and what others need in order to reach it.
pub(crate) struct Member {
    pub node: Node,
    pub doomed: bool,
    hint: RelayHint,
}

/// All relays, and what newcomers have to know.
pub(crate) struct Network {
    pub members: Vec<Member>,
    pub links: Delayed,
    id: NetworkId,
    sets: KnownSets,
    doomed: Option<Runtime>,
}

impl Network {
    /// Relays that each joined through one or two earlier ones, over links without delay.
    pub async fn grow(size: usize, random: &mut Random) -> Result<Network, Failure> {
        let key = || SigningKey::from_seed(platform::entropy());
        let keys: Vec<SigningKey> = (0..size.max(WITNESSES)).map(|_| key()).collect();
        let witnesses = keys[..WITNESSES].iter().map(SigningKey::public);
        let set = WitnessSet::new(1, 0, witnesses).map_err(|_| "no set of witnesses")?;
        let id = NetworkId::from_entropy(platform::entropy());
        let mut network = Network {
            members: Vec::new(),
            links: Delayed::start()?,
            sets: KnownSets::pinned(id.clone(), set),
            id,
            doomed: Some(Builder::new_multi_thread().enable_all().build()?),
        };
        let doomed = doomed(keys.len(), random);
        for (number, key) in keys.into_iter().enumerate() {
            let doomed = doomed.contains(&number);
            network.add(key, number < WITNESSES, doomed, random).await?;
        }
        network.settle().await;
        Ok(network)
    }

    /// A peer that is no relay, as a page is, fresh and joined. It knows what the join document of its relay
    /// says.
    pub async fn newcomer(&self, random: &mut Random) -> Result<Node, Failure> {
        self.peer(Vec::new(), random).await
    }

    /// The same, and others may dial it.
    pub async fn resident(&self, random: &mut Random) -> Result<Node, Failure> {
        self.peer(vec![loopback()], random).await
    }

    async fn peer(&self, listen: Vec<Multiaddr>, random: &mut Random) -> Result<Node, Failure> {
        let key = SigningKey::from_seed(platform::entropy());
        let config = NodeConfig {
            listen,
            ..self.config(Role::Peer, key)?
        };
        let node = Node::start(config)?;
        let living: Vec<&Member> = self.members[WITNESSES..]
            .iter()
            .filter(|member| !member.doomed || self.doomed.is_some())
            .collect();
        let relay = living[random.below(living.len())];
        let (witnesses, _) = relay.node.witness_hints().await.unwrap_or_default();
        let hints = [relay.hint.clone()].into_iter().chain(witnesses);
        let joined = timeout(JOINING, self.introduce(&node, hints)).await;
        joined.map_err(|_| "a newcomer does not join")??;
        Ok(node)
    }

    /// Those that are doomed are gone from one moment to the next.
    pub fn churn(&mut self) -> usize {
        if let Some(runtime) = self.doomed.take() {
            runtime.shutdown_background();
        }
        self.members.iter().filter(|member| member.doomed).count()
    }

    async fn add(
        &mut self,
        key: SigningKey,
        witness: bool,
        doomed: bool,
        random: &mut Random,
    ) -> Result<(), Failure> {
        let role = Witness::new(key.clone(), self.sets.clone(), Hardness::STANDARD);
        let ledger = Arc::new(MemoryLedger::default());
        let config = NodeConfig {
            listen: vec![loopback()],
            store: Some(Arc::new(MemoryStore::new(StoreLimits::default()))),
            names: witness.then(|| Arc::new(NameService::new(role, ledger))),
            homes: HomesConfig {
                want: RELAY_HOMES,
                reserve: false,
                ..HomesConfig::native()
            },
            ..self.config(Role::Relay, key)?
        };
        let runtime = match (&self.doomed, doomed) {
            (Some(runtime), true) => runtime.handle().clone(),
            _ => Handle::current(),
        };
        let node = runtime.spawn(async { Node::start(config) }).await??;
        let addresses = until("a relay listens", || async {
            let snapshot = node.handle().snapshot().await.ok()?;
            (!snapshot.addresses.is_empty()).then_some(snapshot.addresses)
        });
        let hint = RelayHint {
            peer: node.id().to_string(),
            addresses: addresses.await,
            http: None,
        };
        let mut known = Vec::new();
        if !self.members.is_empty() {
            for _ in 0..=random.below(2) {
                let earlier = &self.members[random.below(self.members.len())];
                known.push(earlier.hint.clone());
            }
        }
        self.introduce(&node, known).await?;
        self.members.push(Member { node, doomed, hint });
        Ok(())
    }

    async fn introduce(
        &self,
        node: &Node,
        hints: impl IntoIterator<Item = RelayHint>,
    ) -> Result<(), Failure> {
        node.names().agent().pin(self.sets.clone()).await?;
        let mut alone = true;
        for hint in hints {
            node.learn(hint).await?;
            alone = false;
        }
        if !alone {
            node.joined().await?;
        }
        Ok(())
    }

    fn config(&self, role: Role, key: SigningKey) -> Result<NodeConfig, Failure> {
        let identity = warren_shared::net::node::keypair(&key)?;
        Ok(NodeConfig {
            connections: authenticated(self.links.transport(), &identity)?.boxed(),
            ping_every: PING_EVERY,
            ..plain(&self.id, role, key)
        })
    }

    /// Waits until every relay knows as many others as one that keeps records needs.
    async fn settle(&self) {
        let enough = REPLICATION.min(self.members.len() / 2);
        for member in &self.members {
            until("a relay finds neighbours", || async {
                let snapshot = member.node.handle().snapshot().await.ok()?;
                (snapshot.routing.size >= enough).then_some(())
            })
            .await;
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.churn();
    }
}

/// One witness, so that a quorum stays, and others by chance.
fn doomed(size: usize, random: &mut Random) -> Vec<usize> {
    let mut others: Vec<usize> = (WITNESSES..size).collect();
    random.shuffle(&mut others);
    others.truncate((size * DOOMED_PERCENT / 100).saturating_sub(1));
    others.push(random.below(WITNESSES));
    others
}
