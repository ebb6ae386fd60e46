//! A relay: listeners, swarm, store and HTTP server put together. The binary and the tests start
//! the same one.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::MAX_JOIN_ADDRESSES;
use warren_shared::net::address::{Via, best_mix, ip_of, is_relayed};
use warren_shared::net::discover::Sources;
use warren_shared::net::node::keypair;
use warren_shared::net::outside::SharedOutside;
use warren_shared::net::{Event, Node, NodeConfig, Role};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::homes::HomesConfig;
use warren_shared::proto::join::{JoinDocument, RelayHint};
use warren_shared::proto::key::SigningKey;
use warren_shared::store::{RecordStore, StoreLimits};

use crate::config::RelayConfig;
use crate::fetch::Fetcher;
use crate::http::{HttpServer, HttpState, Provider};
use crate::identity::DataDir;
use crate::store::RedbStore;
use crate::transport::webrtc::Certificate;
use crate::transport::{connections, dialable, ws};

const SWEEP_EVERY: Duration = Duration::from_secs(60);
const JOIN_RETRY: Duration = Duration::from_secs(5);
const PING_EVERY: Duration = Duration::from_secs(15);
/// Other relays are few; a relay holds on to more of them than a tab does.
const RELAY_HOMES: usize = 4;

/// A running relay.
pub struct Relay {
    node: Node,
    http: Option<SocketAddr>,
    tls: bool,
    stop_http: Option<tokio::sync::oneshot::Sender<()>>,
    http_task: Option<tokio::task::JoinHandle<()>>,
    _data: DataDir,
}

impl Relay {
    /// Starts a relay; returns when everything listens.
    pub async fn start(config: RelayConfig) -> Result<Relay> {
        check_free(&config)?;
        let data = DataDir::open(&config.data_dir)?;
        let key = SigningKey::from_seed(data.identity(platform::entropy)?);
        let certificate = match config.udp.address() {
            Some(_) => Some(Certificate::from_pem(
                &data.load_or_create("webrtc.pem", Certificate::generate)?,
            )?),
            None => None,
        };
        let outside: SharedOutside = Arc::new(Fetcher);
        let sources = Sources {
            join: config.join.clone(),
            bootstrap: config.bootstrap.clone(),
            network: config.network.clone(),
        };
        let network = network(&data, &sources, &outside, &key).await?;
        let store = Arc::new(RedbStore::open(data.path(), StoreLimits::default())?);

        let http = match config.http.address() {
            Some(address) => Some(HttpServer::bind(address, config.tls.clone()).await?),
            None => None,
        };
        let bound = http.as_ref().map(HttpServer::local_addr);
        let (acceptor, websockets) = ws::channel(ws::Limits::default());
        let node = Node::start(NodeConfig {
            network: network.clone(),
            role: Role::Relay,
            transport_key: key.clone(),
            author_key: key.clone(),
            connections: connections(&key, certificate.as_ref(), Some(websockets))?,
            listen: listen_addresses(&config, bound)?,
            external: Vec::new(),
            store: Some(store.clone() as Arc<dyn RecordStore>),
            homes: HomesConfig {
                want: RELAY_HOMES,
                reserve: false,
                ..HomesConfig::native()
            },
            outside: outside.clone(),
            dialable: Arc::new(dialable),
            ping_every: PING_EVERY,
            capabilities: vec!["relay".into(), "store".into()],
        })?;
        let addresses = all_listening(&node, expected(&config)).await?;
        node.handle()
            .declare(external(&addresses, &config.external_ip))
            .await?;
        tokio::spawn(sweep(store.clone()));
        let join = JoinState::default();
        tokio::spawn(keep_join_state(node.clone(), join.clone()));
        if !sources.is_empty() {
            let known = Sources {
                network: Some(network),
                ..sources
            };
            tokio::spawn(join_others(node.clone(), known, outside, key.clone()));
        }
        let mut relay = Relay {
            node,
            http: bound,
            tls: config.tls.is_some(),
            stop_http: None,
            http_task: None,
            _data: data,
        };
        if let Some(server) = http {
            let state = HttpState {
                join: join.text(relay.node.clone(), key),
                health: relay.health(),
                websockets: Some(acceptor),
            };
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            relay.stop_http = Some(stop);
            relay.http_task = Some(tokio::spawn(server.serve(state, async move {
                let _ = stopped.await;
            })));
        }
        Ok(relay)
    }

    /// The peer that this relay is.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Where the page is, as seen from this machine.
    pub fn page_url(&self) -> Option<String> {
        self.http.map(|address| local_url(address, self.tls))
    }

    /// What there is to tell once the relay is ready.
    pub async fn announcement(&self) -> Result<serde_json::Value> {
        let snapshot = self.node.handle().snapshot().await?;
        Ok(json!({
            "event": "ready",
            "peer": snapshot.id,
            "network": snapshot.network,
            "http": self.page_url(),
            "addresses": snapshot.addresses,
        }))
    }

    fn health(&self) -> Provider {
        let peer = self.node.id().to_string();
        let network = self.node.network().to_string();
        Arc::new(move |_| {
            json!({"status": "ok", "peer": peer, "network": network, "now": platform::now()})
                .to_string()
        })
    }

    /// Ends every connection and the HTTP server, and closes the store.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop_http.take() {
            let _ = stop.send(());
        }
        self.node.close().await;
        if let Some(task) = self.http_task.take() {
            let _ = tokio::time::timeout(Duration::from_secs(3), task).await;
        }
    }
}

/// The network of this relay: as told, as stored, as its peers say, or a new one.
async fn network(
    data: &DataDir,
    sources: &Sources,
    outside: &SharedOutside,
    key: &SigningKey,
) -> Result<NetworkId> {
    let stored = match data.load("network")? {
        Some(bytes) => Some(
            String::from_utf8_lossy(&bytes)
                .trim()
                .parse::<NetworkId>()?,
        ),
        None => None,
    };
    let network = match (stored, sources.network.clone(), sources.is_empty()) {
        (Some(stored), Some(wanted), _) if stored != wanted => {
            return Err(Error::new(
                Code::WrongNetwork,
                format!("this data directory belongs to network {stored}, not to {wanted}"),
            )
            .with_remedy("leave --network out, or give another --data-dir"));
        }
        (Some(stored), _, _) => return Ok(stored),
        (None, Some(wanted), _) => wanted,
        (None, None, true) => NetworkId::from_entropy(platform::entropy()),
        (None, None, false) => {
            let ask = (|| connections(key, None, None), keypair(key)?);
            sources.find(outside, ask).await?.network
        }
    };
    data.save("network", network.to_string().as_bytes())?;
    Ok(network)
}

/// Learns the other relays, and keeps trying while none of them answers.
async fn join_others(node: Node, sources: Sources, outside: SharedOutside, key: SigningKey) {
    loop {
        let Ok(pair) = keypair(&key) else { return };
        match sources
            .find(&outside, (|| connections(&key, None, None), pair))
            .await
        {
            Ok(found) => {
                let complain = |error| tracing::warn!(%error, "one of the relays cannot be used");
                let _ = found.teach(&node, complain).await;
                return;
            }
            Err(error) => {
                tracing::warn!(%error, remedy = error.remedy(), "no other relay to join yet")
            }
        }
        tokio::time::sleep(JOIN_RETRY).await;
    }
}

async fn sweep(store: Arc<RedbStore>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        match store.sweep(platform::now()).await {
            Ok(swept) => tracing::debug!(?swept, "removed what has expired"),
            Err(error) => tracing::error!(%error, "the store could not be swept"),
        }
    }
}

fn listen_addresses(config: &RelayConfig, http: Option<SocketAddr>) -> Result<Vec<Multiaddr>> {
    let mut all = Vec::new();
    if let Some(address) = config.tcp.address() {
        all.push(ip(address.ip()).with(Protocol::Tcp(address.port())));
    }
    if let Some(address) = config.quic.address() {
        all.push(
            ip(address.ip())
                .with(Protocol::Udp(address.port()))
                .with(Protocol::QuicV1),
        );
    }
    if let Some(address) = config.udp.address() {
        all.push(
            ip(address.ip())
                .with(Protocol::Udp(address.port()))
                .with(Protocol::WebRTCDirect),
        );
    }
    for ip_address in http
        .map(|http| interfaces(http.ip()))
        .transpose()?
        .into_iter()
        .flatten()
    {
        let port = http.map_or(0, |http| http.port());
        let address = ip(ip_address).with(Protocol::Tcp(port));
        all.push(match config.tls {
            Some(_) => address.with(Protocol::Tls).with(Protocol::Ws("/".into())),
            None => address.with(Protocol::Ws("/".into())),
        });
    }
    Ok(all)
}

/// The transports share a port silently with another process that lets them; so ask first, in the
/// one way that is refused when anybody else is there.
fn check_free(config: &RelayConfig) -> Result<()> {
    if let Some(address) = config.tcp.address() {
        std::net::TcpListener::bind(address).map_err(|error| taken("TCP", address, &error))?;
    }
    for address in [config.quic.address(), config.udp.address()]
        .into_iter()
        .flatten()
    {
        std::net::UdpSocket::bind(address).map_err(|error| taken("UDP", address, &error))?;
    }
    Ok(())
}

fn taken(protocol: &str, address: SocketAddr, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::AddrInUse => Code::PortInUse,
        std::io::ErrorKind::PermissionDenied => Code::PermissionDenied,
        _ => Code::ConfigInvalid,
    };
    Error::new(code, format!("cannot listen on {protocol} {address}")).caused_by(error)
}

/// The concrete addresses behind "all interfaces".
fn interfaces(address: IpAddr) -> Result<Vec<IpAddr>> {
    if !address.is_unspecified() {
        return Ok(vec![address]);
    }
    let all = if_addrs::get_if_addrs().map_err(|error| {
        Error::new(
            Code::Internal,
            "the machine's network interfaces cannot be listed",
        )
        .caused_by(error)
    })?;
    Ok(all
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| ip.is_ipv4() || address.is_ipv6())
        .collect())
}

fn ip(address: IpAddr) -> Multiaddr {
    Multiaddr::from(address)
}

/// Which transports must have an address before the relay is ready.
fn expected(config: &RelayConfig) -> Vec<Via> {
    [
        (config.tcp.address(), Via::Tcp),
        (config.quic.address(), Via::Quic),
        (config.udp.address(), Via::WebrtcDirect),
        (config.http.address(), Via::Websocket),
    ]
    .into_iter()
    .filter_map(|(address, via)| address.map(|_| via))
    .collect()
}

async fn all_listening(node: &Node, expected: Vec<Via>) -> Result<Vec<Multiaddr>> {
    let mut events = node.handle().events().await?;
    while let Some(event) = events.next().await {
        let addresses = match event {
            Event::Addresses { addresses } => addresses,
            Event::Snapshot(snapshot) => snapshot.addresses,
            _ => continue,
        };
        let addresses: Vec<Multiaddr> = addresses
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        if expected
            .iter()
            .all(|via| addresses.iter().any(|address| Via::of(address) == *via))
        {
            return Ok(addresses);
        }
    }
    Err(Error::new(
        Code::Closed,
        "the node stopped before it listened",
    ))
}

/// The listening addresses as seen from outside, with the addresses that the operator declared.
fn external(listening: &[Multiaddr], declared: &[IpAddr]) -> Vec<Multiaddr> {
    let mut all: Vec<Multiaddr> = declared
        .iter()
        .flat_map(|outside| {
            listening
                .iter()
                .filter(|address| {
                    ip_of(address).is_some_and(|inside| inside.is_ipv4() == outside.is_ipv4())
                })
                .filter_map(|address| {
                    address.replace(0, |_| {
                        Some(match outside {
                            IpAddr::V4(ip) => Protocol::Ip4(*ip),
                            IpAddr::V6(ip) => Protocol::Ip6(*ip),
                        })
                    })
                })
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

fn local_url(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let host: IpAddr = match address.ip() {
        ip if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("{scheme}://{}", SocketAddr::new(host, address.port()))
}

/// What the join document says beside the time, kept fresh by a task.
#[derive(Clone, Default)]
struct JoinState(Arc<RwLock<(Vec<String>, Vec<RelayHint>)>>);

impl JoinState {
    fn text(&self, node: Node, key: SigningKey) -> Provider {
        let state = self.0.clone();
        Arc::new(move |origin| {
            let (addresses, relays) = state.read().unwrap_or_else(PoisonError::into_inner).clone();
            let document = JoinDocument {
                network: node.network().clone(),
                peer: node.id().to_string(),
                addresses,
                http: Some(origin.http_url()),
                stun: None,
                witnesses: None,
                relays,
                version: env!("CARGO_PKG_VERSION").into(),
                now: platform::now(),
            };
            document.to_json(&key).unwrap_or_else(|error| {
                tracing::error!(%error, "the join document cannot be signed");
                "{}".into()
            })
        })
    }
}

async fn keep_join_state(node: Node, state: JoinState) {
    let Ok(mut events) = node.handle().events().await else {
        return;
    };
    loop {
        if let (Ok(snapshot), Ok(hints)) = (
            node.handle().snapshot().await,
            node.handle().relay_hints().await,
        ) {
            let direct = snapshot
                .addresses
                .iter()
                .filter_map(|text| text.parse().ok())
                .filter(|address| !is_relayed(address))
                .collect();
            let addresses = best_mix(direct, MAX_JOIN_ADDRESSES)
                .iter()
                .map(ToString::to_string)
                .collect();
            *state.0.write().unwrap_or_else(PoisonError::into_inner) = (addresses, hints);
        }
        // Addresses and relays change rarely; everything else that happens is passed over.
        loop {
            match events.next().await {
                Some(Event::Addresses { .. } | Event::Relay { .. } | Event::Snapshot(_)) => break,
                Some(_) => {}
                None => return,
            }
        }
    }
}
