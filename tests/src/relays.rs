//! Real relays in this process, each with a data directory of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use libp2p::{Multiaddr, PeerId};
use tempfile::TempDir;
use warren_relay::config::{RelayArgs, RelayConfig};
use warren_relay::identity::DataDir;
use warren_relay::relay::Relay;
use warren_shared::error::Result;
use warren_shared::net::snapshot::Snapshot;
use warren_shared::net::{Node, Route};

/// Loopback, on a port the system picks.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// A running relay; its data is removed with it.
pub struct TestRelay {
    relay: Relay,
    _data: TempDir,
}

impl TestRelay {
    /// Starts a relay with HTTP and TCP, after `change` has had its say about the flags.
    pub async fn start(change: impl FnOnce(&mut RelayArgs)) -> Result<TestRelay> {
        Self::start_as(None, change).await
    }

    /// The same, with an identity that is known beforehand.
    pub async fn start_as(
        seed: Option<[u8; 32]>,
        change: impl FnOnce(&mut RelayArgs),
    ) -> Result<TestRelay> {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut args = RelayArgs {
            http: Some(ANY_PORT.into()),
            tcp: Some(ANY_PORT.into()),
            udp: Some("off".into()),
            quic: Some("off".into()),
            data_dir: Some(data.path().join("relay")),
            ..RelayArgs::default()
        };
        change(&mut args);
        if let (Some(seed), Some(folder)) = (seed, &args.data_dir) {
            DataDir::open(folder)?.identity(|| seed)?;
        }
        // The developer's environment is not part of a test.
        let config = RelayConfig::load_with(args, &|_| None)?;
        Ok(TestRelay {
            relay: Relay::start(config).await?,
            _data: data,
        })
    }

    /// The first relay of a new network.
    pub async fn first() -> TestRelay {
        Self::start(|_| {}).await.expect("the first relay starts")
    }

    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    pub fn node(&self) -> &Node {
        self.relay.node()
    }

    pub fn id(&self) -> PeerId {
        self.node().id()
    }

    /// For `--join`.
    pub fn url(&self) -> String {
        self.relay.page_url().expect("the relay serves a page")
    }

    /// Where it answers DNS.
    pub fn dns(&self) -> Option<SocketAddr> {
        self.relay.dns_address()
    }

    pub async fn snapshot(&self) -> Box<Snapshot> {
        let snapshot = self.node().handle().snapshot().await;
        snapshot.expect("the relay runs")
    }

    /// For `--bootstrap`: the TCP address of this machine alone, with the peer id.
    pub async fn address(&self) -> String {
        let addresses = self.snapshot().await.addresses;
        let tcp = |text: &&String| text.starts_with("/ip4/127.0.0.1/tcp/") && !text.contains("/ws");
        addresses.iter().find(tcp).expect("a TCP address").clone()
    }

    /// How to ask this relay directly.
    pub async fn route(&self) -> Route {
        let address: Multiaddr = self.address().await.parse().expect("its own address");
        Route {
            peer: self.id(),
            addresses: vec![address],
        }
    }

    pub async fn stop(self) {
        self.relay.stop().await;
    }
}

/// A port of this machine where nobody listens.
pub fn dead_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.local_addr().expect("its address").port()
}
