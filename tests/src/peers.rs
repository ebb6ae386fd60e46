//! Peers in this process: whole ones, as the command line makes them, and bare ones that know
//! nobody and say exactly what a test wants said.

use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use warren_relay::fetch::Fetcher;
use warren_relay::peer::{Peer, PeerArgs};
use warren_relay::solver::solver;
use warren_relay::transport::webrtc::Certificate;
use warren_relay::transport::{connections, dialable};
use warren_shared::error::Result;
use warren_shared::net::direct::MemoryShelf;
use warren_shared::net::outside::Forgetful;
use warren_shared::net::{Node, NodeConfig, Role, Route, SharedStore};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::homes::HomesConfig;
use warren_shared::proto::join::RelayHint;
use warren_shared::proto::key::SigningKey;

use crate::relays::TestRelay;

const PING_OFTEN: Duration = Duration::from_secs(5);
const PING_RARELY: Duration = Duration::from_secs(300);

/// Where to find relays, and nothing else said.
pub fn arguments(join: &[String], bootstrap: &[String]) -> PeerArgs {
    PeerArgs {
        join: join.to_vec(),
        bootstrap: bootstrap.to_vec(),
        network: None,
        data_dir: None,
        relay_only: false,
        json: false,
    }
}

/// A peer that has joined through the relay at this URL and listens for direct connections.
pub async fn member(url: &str) -> Result<Peer> {
    let args = arguments(&[url.to_owned()], &[]);
    args.start(vec![loopback()]).await
}

/// A peer that knows no relay; it dials what it is told to ask.
pub fn stranger(network: &NetworkId) -> Node {
    bare(network, Role::Peer, Vec::new(), None, PING_OFTEN)
}

/// Says that it is a relay, and cannot be dialled.
pub fn hidden_relay(network: &NetworkId) -> Node {
    bare(network, Role::Relay, Vec::new(), None, PING_OFTEN)
}

/// One of a crowd: as [`member`], but it pings its relays rarely, since hundreds of debug builds in
/// one process would do little else.
pub async fn one_of_many(relay: &TestRelay) -> Result<Node> {
    let network = relay.node().network();
    let node = bare(network, Role::Peer, vec![loopback()], None, PING_RARELY);
    let hint = RelayHint {
        peer: relay.id().to_string(),
        addresses: vec![relay.address().await],
        http: None,
    };
    node.learn(hint).await?;
    node.joined().await?;
    Ok(node)
}

/// A node that answers record requests from a store of the test's.
pub async fn node_with_store(network: &NetworkId, store: SharedStore) -> (Node, Route) {
    let node = bare(
        network,
        Role::Relay,
        vec![loopback()],
        Some(store),
        PING_OFTEN,
    );
    let address = crate::wait::until("the node listens", || async {
        let snapshot = node.handle().snapshot().await.expect("the node runs");
        snapshot.addresses.first().cloned()
    })
    .await;
    let route = Route {
        peer: node.id(),
        addresses: vec![address.parse().expect("its own address")],
    };
    (node, route)
}

fn bare(
    network: &NetworkId,
    role: Role,
    listen: Vec<Multiaddr>,
    store: Option<SharedStore>,
    ping_every: Duration,
) -> Node {
    let config = NodeConfig {
        listen,
        store,
        ping_every,
        ..plain(network, role, SigningKey::from_seed(platform::entropy()))
    };
    Node::start(config).expect("the node starts")
}

/// A node with one key for everything and all native transports, that listens nowhere, keeps nothing
/// and knows nobody: to be changed before it is started.
pub fn plain(network: &NetworkId, role: Role, key: SigningKey) -> NodeConfig {
    let certificate = Certificate::generate().and_then(|pem| Certificate::from_pem(&pem));
    let certificate = certificate.expect("a certificate");
    NodeConfig {
        network: network.clone(),
        role,
        connections: connections(&key, Some(&certificate), None).expect("transports"),
        transport_key: key.clone(),
        author_key: key,
        listen: Vec::new(),
        external: Vec::new(),
        store: None,
        names: None,
        mailboxes: None,
        keepsakes: Arc::new(Forgetful::default()),
        shelf: Arc::new(MemoryShelf::default()),
        stacks: None,
        relay_only: false,
        solver: solver(),
        homes: HomesConfig::default(),
        outside: Arc::new(Fetcher),
        dialable: Arc::new(dialable),
        ping_every: PING_OFTEN,
        capabilities: Vec::new(),
    }
}

/// TCP on a port the system picks.
pub fn loopback() -> Multiaddr {
    "/ip4/127.0.0.1/tcp/0".parse().expect("an address")
}
