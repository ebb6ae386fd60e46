//! A relay: listeners, swarm, store and HTTP server put together. The binary and the tests start
//! the same one.

mod fresh;
mod join;
mod listen;
mod names;
mod stun;
mod witness;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::discover::Sources;
use warren_shared::net::node::keypair;
use warren_shared::net::outside::SharedOutside;
use warren_shared::net::{Node, NodeConfig, Role};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::homes::HomesConfig;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::WitnessSet;
use warren_shared::store::{RecordStore, StoreLimits};

use tokio::task::JoinSet;

use self::join::JoinState;
use self::listen::{all_listening, check_free, expected, external, listen_addresses, local_url};
pub(crate) use self::witness::kept_sets;
use crate::config::RelayConfig;
use crate::control::{ControlServer, Rows};
use crate::dns::{Counts, DnsServer};
use crate::fetch::Fetcher;
use crate::http::{HttpServer, HttpState, Provider};
use crate::identity::DataDir;
use crate::keepsakes::Keepsakes;
use crate::solver::solver;
use crate::store::RedbStore;
use crate::transport::webrtc::Certificate;
use crate::transport::{connections, dialable, ws};

const SWEEP_EVERY: Duration = Duration::from_secs(60);
const JOIN_RETRY: Duration = Duration::from_secs(5);
/// A relay that is named to be joined rarely changes its network.
const OTHER_NETWORK_RETRY: Duration = Duration::from_secs(300);
const OTHER_NETWORK: &str = "To join that network, start with a new --data-dir: this one belongs to \
    a network of its own. To keep it, leave the other relay out of --join.";
const PING_EVERY: Duration = Duration::from_secs(15);
/// Other relays are few; a relay holds on to more of them than a tab does.
const RELAY_HOMES: usize = 4;

/// A running relay.
pub struct Relay {
    node: Node,
    http: Option<SocketAddr>,
    tls: bool,
    dns: Option<(SocketAddr, Arc<Counts>)>,
    stop_http: Option<tokio::sync::oneshot::Sender<()>>,
    http_task: Option<tokio::task::JoinHandle<()>>,
    /// What runs beside the node, and ends with the relay.
    tasks: JoinSet<()>,
    store: Arc<RedbStore>,
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
        let (network, found) = network(&data, &sources, &outside, &key).await?;
        let told = match found {
            None if kept_sets(&data)?.is_none() => told(&sources, &network, &outside, &key).await?,
            found => found,
        };
        let store = Arc::new(RedbStore::open(data.path(), StoreLimits::default())?);

        let role = witness::Start {
            data: &data,
            network: &network,
            key: &key,
            told,
            first: sources.is_empty(),
            named: &config.witness,
            store: store.clone(),
        };
        let witness::Role {
            service,
            registry,
            sets,
        } = role.role().await?;
        let control = ControlServer::bind(data.path())?;

        let http = match config.http.address() {
            Some(address) => Some(HttpServer::bind(address, config.tls.clone()).await?),
            None => None,
        };
        let bound = http.as_ref().map(HttpServer::local_addr);
        let dns = match config.dns.address() {
            Some(address) => Some(DnsServer::bind(address).await?),
            None => None,
        };
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
            names: service,
            keepsakes: Arc::new(Keepsakes::in_dir(data.path())?),
            solver: solver(),
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
        if let Some(sets) = &sets {
            node.names().agent().pin(sets.clone()).await?;
        }
        if config.perf {
            node.answer_measurements()?;
        }
        let addresses = all_listening(&node, expected(&config)).await?;
        node.handle()
            .declare(external(&addresses, &config.external_ip))
            .await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(sweep(store.clone()));
        let agent = node.names().agent().clone();
        tasks.spawn(fresh::forget_older(store.new_zones(), agent));
        if let Some(control) = control {
            let rows = Rows {
                registry,
                sets: sets.clone(),
            };
            tasks.spawn(control.serve(rows, node.names().agent().clone()));
        }
        let join = JoinState::naming(sets.as_ref().map(|sets| sets.current().clone()));
        tasks.spawn(join.clone().keep(node.clone()));
        if !sources.is_empty() {
            let known = Sources {
                network: Some(network),
                ..sources
            };
            let others = join_others(node.clone(), known, outside, key.clone(), join.clone());
            tasks.spawn(others);
        }
        let dns = dns.map(|server| {
            let (local, counts) = (server.local_addr(), Arc::new(Counts::default()));
            tasks.spawn(server.serve(node.names().agent().clone(), counts.clone()));
            (local, counts)
        });
        let mut relay = Relay {
            node,
            http: bound,
            tls: config.tls.is_some(),
            dns,
            stop_http: None,
            http_task: None,
            tasks,
            store,
            _data: data,
        };
        if let Some(server) = http {
            let state = HttpState {
                join: join.text(relay.node.clone(), key),
                health: relay.health(),
                names: Some(names::page(relay.node.names().agent().clone())),
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

    /// Where names are answered over DNS, if they are.
    pub fn dns_address(&self) -> Option<SocketAddr> {
        self.dns.as_ref().map(|(address, _)| *address)
    }

    /// What there is to tell once the relay is ready.
    pub async fn announcement(&self) -> Result<serde_json::Value> {
        let snapshot = self.node.handle().snapshot().await?;
        Ok(json!({
            "event": "ready",
            "peer": snapshot.id,
            "network": snapshot.network,
            "http": self.page_url(),
            "dns": self.dns_address(),
            "addresses": snapshot.addresses,
        }))
    }

    /// A relay whose disk failed still relays; it says so here, and why in its log.
    fn health(&self) -> Provider {
        let store = self.store.clone();
        let peer = self.node.id().to_string();
        let network = self.node.network().to_string();
        let dns = self.dns.as_ref().map(|(_, counts)| counts.clone());
        Arc::new(move |_| {
            let (status, stored) = match store.failure() {
                None => ("ok", "ok"),
                Some(_) => ("degraded", "failed"),
            };
            let mut health = json!({
                "status": status, "store": stored, "peer": peer, "network": network,
                "now": platform::now(),
            });
            if let Some(dns) = &dns {
                health["dns"] = json!(dns.all());
            }
            Ok(health.to_string())
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
        self.tasks.shutdown().await;
        // Requests that still hold the store would keep its file locked.
        let store = self.store.clone();
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }
}

/// The network of this relay: as told, as stored, as its peers say, or a new one.
async fn network(
    data: &DataDir,
    sources: &Sources,
    outside: &SharedOutside,
    key: &SigningKey,
) -> Result<(NetworkId, Option<WitnessSet>)> {
    let stored = match data.load("network")? {
        Some(bytes) => Some(
            String::from_utf8_lossy(&bytes)
                .trim()
                .parse::<NetworkId>()?,
        ),
        None => None,
    };
    let mut witnesses = None;
    let network = match (stored, sources.network.clone(), sources.is_empty()) {
        (Some(stored), Some(wanted), _) if stored != wanted => {
            return Err(Error::new(
                Code::WrongNetwork,
                format!("this data directory belongs to network {stored}, not to {wanted}"),
            )
            .with_remedy("leave --network out, or give another --data-dir"));
        }
        (Some(stored), _, _) => return Ok((stored, None)),
        (None, Some(wanted), _) => wanted,
        (None, None, true) => NetworkId::from_entropy(platform::entropy()),
        (None, None, false) => {
            let ask = (|| connections(key, None, None), keypair(key)?);
            let found = sources.find(outside, ask).await?;
            witnesses = found.witnesses;
            found.network
        }
    };
    data.save("network", network.to_string().as_bytes())?;
    Ok((network, witnesses))
}

/// Who the witnesses are, as the first relay says that answers.
async fn told(
    sources: &Sources,
    network: &NetworkId,
    outside: &SharedOutside,
    key: &SigningKey,
) -> Result<Option<WitnessSet>> {
    let documents = Sources {
        join: sources.join.clone(),
        bootstrap: Vec::new(),
        network: Some(network.clone()),
    };
    if documents.is_empty() {
        return Ok(None);
    }
    let ask = (|| connections(key, None, None), keypair(key)?);
    let found = documents.find(outside, ask).await;
    Ok(found.ok().and_then(|found| found.witnesses))
}

/// Learns the other relays, and keeps trying while none of them answers, or says who the witnesses are.
async fn join_others(
    node: Node,
    sources: Sources,
    outside: SharedOutside,
    key: SigningKey,
    join: JoinState,
) {
    loop {
        let Ok(pair) = keypair(&key) else { return };
        match sources
            .find(&outside, (|| connections(&key, None, None), pair))
            .await
        {
            Ok(found) => {
                let complain = |error| tracing::warn!(%error, "one of the relays cannot be used");
                let _ = found.teach(&node, complain).await;
                if join.names_witnesses() || sources.join.is_empty() {
                    return;
                }
                if let Ok(sets) = node.names().agent().sets().await {
                    let set = sets.current().clone();
                    if set.position(&key.public()).is_some() {
                        tracing::warn!(
                            "this relay is one of the witnesses, and is one from its next start"
                        );
                    }
                    return join.name(set);
                }
            }
            Err(error) if error.code() == Code::WrongNetwork => {
                tracing::error!(%error, remedy = OTHER_NETWORK, "this relay stays in its own network");
                tokio::time::sleep(OTHER_NETWORK_RETRY).await;
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
