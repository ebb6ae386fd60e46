//! A relay: listeners, swarm, store and HTTP server put together. The binary and the tests start
//! the same one.

mod fresh;
mod join;
mod listen;
mod names;
mod others;
mod stun;
mod witness;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use warren_shared::error::Result;
use warren_shared::net::direct::MailboxService;
use warren_shared::net::discover::Sources;
use warren_shared::net::outside::SharedOutside;
use warren_shared::net::{Node, NodeConfig, Role};
use warren_shared::platform;
use warren_shared::proto::homes::HomesConfig;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::KnownSets;
use warren_shared::store::{RecordStore, StoreLimits};

use tokio::task::JoinSet;

use self::join::JoinState;
use self::listen::{all_listening, check_free, expected, external, listen_addresses, local_url};
pub(crate) use self::witness::kept_sets;
use crate::config::RelayConfig;
use crate::control::{ControlServer, Rows};
use crate::dns::{Counts, DnsServer};
use crate::fetch::Fetcher;
use crate::history::{HistoryLimits, HistoryStore};
use crate::http::{HttpServer, HttpState, Provider};
use crate::identity::DataDir;
use crate::keepsakes::Keepsakes;
use crate::kept::KeptFiles;
use crate::resources;
use crate::solver::solver;
use crate::store::{RedbShelf, RedbStore};
use crate::transport::webrtc::Certificate;
use crate::transport::{connections, dialable, ws};

const SWEEP_EVERY: Duration = Duration::from_secs(60);
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
    history: Option<Arc<HistoryStore>>,
    kept: Option<KeptFiles>,
    data: DataDir,
}

impl Relay {
    /// Starts a relay; returns when everything listens.
    pub async fn start(config: RelayConfig) -> Result<Relay> {
        check_free(&config)?;
        let data = DataDir::open(&config.data_dir)?;
        let key = SigningKey::from_seed(data.identity(platform::entropy)?);
        let certificate = certificate(&config, &data)?;
        let outside: SharedOutside = Arc::new(Fetcher);
        let sources = Sources {
            join: config.join.clone(),
            bootstrap: config.bootstrap.clone(),
            network: config.network.clone(),
        };
        let (network, found) = others::network(&data, &sources, &outside, &key).await?;
        let told = match found {
            None if kept_sets(&data)?.is_none() => {
                others::told(&sources, &network, &outside, &key).await?
            }
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
        let role = role.role().await?;
        let ports = Ports::bind(&config, &data).await?;
        let (acceptor, websockets) = ws::channel(ws::Limits::default());
        let node = Node::start(NodeConfig {
            network: network.clone(),
            role: Role::Relay,
            transport_key: key.clone(),
            author_key: key.clone(),
            connections: connections(&key, certificate.as_ref(), Some(websockets))?,
            listen: listen_addresses(&config, ports.http_address())?,
            external: Vec::new(),
            store: Some(store.clone() as Arc<dyn RecordStore>),
            names: role.service,
            mailboxes: Some(Arc::new(MailboxService::new(
                network.clone(),
                store.clone(),
            ))),
            keepsakes: Arc::new(Keepsakes::in_dir(data.path())?),
            shelf: Arc::new(RedbShelf::open(data.path(), &network, &key.public())?),
            stacks: None,
            relay_only: false,
            solver: solver(),
            homes: HomesConfig {
                want: RELAY_HOMES,
                reserve: false,
                ..HomesConfig::native()
            },
            outside: outside.clone(),
            dialable: Arc::new(dialable),
            ping_every: PING_EVERY,
            capabilities: vec!["relay".into(), "store".into(), "mailbox".into()],
        })?;
        resources::describe(&node, &["relay", "store"], Some(data.path()));
        let mut relay = Relay {
            http: ports.http_address(),
            tls: config.tls.is_some(),
            dns: None,
            stop_http: None,
            http_task: None,
            tasks: JoinSet::new(),
            store,
            history: history(&config, &data, &node)?,
            kept: None,
            node,
            data,
        };
        relay.listen(&config, role.sets.as_ref()).await?;
        if let Some(quota) = config.pin_quota {
            let denylist = config.deny_files.clone();
            let kept = KeptFiles::start(&relay.node, relay.data.path(), quota, denylist).await?;
            relay.kept = Some(kept);
        }
        let join = JoinState::naming(role.sets.as_ref().map(|sets| sets.current().clone()));
        let rows = Rows {
            registry: role.registry,
            sets: role.sets,
        };
        relay.look_after(rows, ports.control, &join);
        if !sources.is_empty() {
            let known = Sources {
                network: Some(network),
                ..sources
            };
            let node = relay.node.clone();
            let joining = others::join_others(node, known, outside, key.clone(), join.clone());
            relay.tasks.spawn(joining);
        }
        relay.answer(
            ports.dns,
            ports.http,
            acceptor,
            join.text(relay.node.clone(), key),
        );
        Ok(relay)
    }

    /// Believes in the witnesses, and waits until every transport listens.
    async fn listen(&self, config: &RelayConfig, sets: Option<&KnownSets>) -> Result<()> {
        if let Some(sets) = sets {
            self.node.names().agent().pin(sets.clone()).await?;
        }
        if config.perf {
            self.node.answer_measurements()?;
        }
        let addresses = all_listening(&self.node, expected(config)).await?;
        let external = external(&addresses, &config.external_ip);
        self.node.handle().declare(external).await
    }

    /// Starts what goes on beside the node.
    fn look_after(&mut self, rows: Rows, control: Option<ControlServer>, join: &JoinState) {
        let agent = self.node.names().agent();
        self.tasks.spawn(sweep(self.store.clone()));
        let zones = self.store.new_zones();
        self.tasks.spawn(fresh::forget_older(zones, agent.clone()));
        if let Some(control) = control {
            self.tasks.spawn(control.serve(rows, agent.clone()));
        }
        self.tasks.spawn(join.clone().keep(self.node.clone()));
        let finding = join.clone().find_witnesses(self.node.clone());
        self.tasks.spawn(finding);
    }

    /// Answers over DNS and HTTP from now on.
    fn answer(
        &mut self,
        dns: Option<DnsServer>,
        http: Option<HttpServer>,
        websockets: ws::WsAcceptor,
        join: Provider,
    ) {
        let agent = self.node.names().agent().clone();
        if let Some(server) = dns {
            let (local, counts) = (server.local_addr(), Arc::new(Counts::default()));
            self.tasks
                .spawn(server.serve(agent.clone(), counts.clone()));
            self.dns = Some((local, counts));
        }
        if let Some(server) = http {
            let state = HttpState {
                join,
                health: self.health(),
                names: Some(names::page(agent)),
                websockets: Some(websockets),
            };
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            self.stop_http = Some(stop);
            self.http_task = Some(tokio::spawn(server.serve(state, async move {
                let _ = stopped.await;
            })));
        }
    }

    /// The peer that this relay is.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Where the page is, as seen from this machine.
    pub fn page_url(&self) -> Option<String> {
        self.http.map(|address| local_url(address, self.tls))
    }

    /// What is kept for publishers that leave, if anything is.
    pub fn kept(&self) -> Option<&KeptFiles> {
        self.kept.as_ref()
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
        let kept = self.kept.clone();
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
            if let Some((files, bytes)) = kept.as_ref().map(KeptFiles::usage) {
                health["kept"] = json!({"files": files, "bytes": bytes});
            }
            Ok(health.to_string())
        })
    }

    /// Ends every connection and the HTTP server, and closes the store.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop_http.take() {
            let _ = stop.send(());
        }
        if let Some(kept) = self.kept.take() {
            kept.stop().await;
        }
        self.node.close().await;
        if let Some(task) = self.http_task.take() {
            let _ = tokio::time::timeout(Duration::from_secs(3), task).await;
        }
        self.tasks.shutdown().await;
        // Requests that still hold the store would keep its file locked.
        let store = self.store.clone();
        let history = self.history.take();
        let _ = tokio::task::spawn_blocking(move || {
            store.close();
            history.iter().for_each(|history| history.close());
        })
        .await;
    }
}

/// The servers beside the swarm, each with its port.
struct Ports {
    control: Option<ControlServer>,
    http: Option<HttpServer>,
    dns: Option<DnsServer>,
}

impl Ports {
    async fn bind(config: &RelayConfig, data: &DataDir) -> Result<Ports> {
        let control = ControlServer::bind(data.path())?;
        let http = match config.http.address() {
            Some(address) => Some(HttpServer::bind(address, config.tls.clone()).await?),
            None => None,
        };
        let dns = match config.dns.address() {
            Some(address) => Some(DnsServer::bind(address).await?),
            None => None,
        };
        Ok(Ports { control, http, dns })
    }

    fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(HttpServer::local_addr)
    }
}

/// What callers over WebRTC know this relay by: kept, because addresses name it.
fn certificate(config: &RelayConfig, data: &DataDir) -> Result<Option<Certificate>> {
    if config.udp.address().is_none() {
        return Ok(None);
    }
    let pem = data.load_or_create("webrtc.pem", Certificate::generate)?;
    Certificate::from_pem(&pem).map(Some)
}

/// Where messages of rooms are kept, if they are.
fn history(config: &RelayConfig, data: &DataDir, node: &Node) -> Result<Option<Arc<HistoryStore>>> {
    if !config.history {
        return Ok(None);
    }
    let history = Arc::new(HistoryStore::open(data.path(), HistoryLimits::default())?);
    node.keep_history(history.clone());
    Ok(Some(history))
}

async fn sweep(store: Arc<RedbStore>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        match store.sweep(platform::now()).await {
            Ok(swept) => tracing::debug!(?swept, "removed what has expired"),
            Err(error) => tracing::error!(%error, "the store could not be swept"),
        }
        if let Err(error) = store.sweep_mailboxes(platform::now()).await {
            tracing::error!(%error, "the mailboxes could not be swept");
        }
    }
}
