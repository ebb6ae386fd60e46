//! From the start parameters to a running node: finds the network, however long that takes.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{AbortHandle, AbortRegistration, Abortable, Either, select};
use futures::{FutureExt, StreamExt};

use super::page::Page;
use super::views::told;
use super::{Session, Started, not_running};
use crate::api::messages::{Outgoing, Reply, StartParams};
use crate::error::{Code, Error, Result};
use crate::net::discover::{Found, Sources};
use crate::net::node::keypair;
use crate::net::{Event, Node, NodeConfig, Role, address};
use crate::platform;
use crate::proto::NetworkId;
use crate::proto::homes::HomesConfig;
use crate::proto::key::SigningKey;

/// Homes have a heartbeat of their own; this is for all other connections.
const PING_EVERY: Duration = Duration::from_secs(15);
pub(super) const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// What the task needs that brings a session to its node.
struct Boot {
    params: StartParams,
    transport: SigningKey,
    author: SigningKey,
    sources: Sources,
    nudges: mpsc::Receiver<()>,
    started: Started,
    ready: oneshot::Sender<Node>,
}

impl Session {
    pub(super) fn start(&self, params: StartParams) -> Result<Reply> {
        let transport = SigningKey::from_seed(seed(&params.transport_seed)?);
        let author = SigningKey::from_seed(seed(&params.author_seed)?);
        let sources = sources(&params)?;
        let (ready, node) = oneshot::channel();
        let (nudge, nudges) = mpsc::channel(8);
        let (search, registration) = AbortHandle::new_pair();
        let started = Started {
            node: node.map(|node| node.ok()).boxed().shared(),
            id: keypair(&transport)?.public().to_peer_id(),
            author: author.public().to_string(),
            ephemeral: params.ephemeral,
            search,
            nudge,
            trouble: Arc::default(),
        };
        {
            let mut life = self.life();
            if life.closed {
                return Err(not_running());
            }
            if life.started.is_some() {
                return Err(Error::new(
                    Code::InvalidArgument,
                    "this peer has been started already",
                ));
            }
            life.started = Some(started.clone());
        }
        let reply = Reply::Started {
            id: started.id.to_string(),
            author: started.author.clone(),
            network: sources.network.as_ref().map(ToString::to_string),
        };
        let boot = Boot {
            params,
            transport,
            author,
            sources,
            nudges,
            started,
            ready,
        };
        platform::spawn(self.clone().boot(boot, registration));
        Ok(reply)
    }

    /// Finds the network, starts the node and forwards its events. `ready` is dropped last, because
    /// [`Session::close`] waits for that.
    async fn boot(self, mut boot: Boot, registration: AbortRegistration) {
        let search = Abortable::new(self.search(&mut boot), registration);
        let Ok(found) = search.await else { return };
        let node = match self.build(&boot, found.network.clone()) {
            Ok(node) => node,
            Err(error) => {
                boot.started.note_trouble(&error);
                return self.warn(&error).await;
            }
        };
        if found.answered {
            // Whatever a browser says that knows only of the internet.
            self.life().page.offline = false;
        }
        let session = self.clone();
        let complain = move |error| {
            let session = session.clone();
            platform::spawn(async move { session.warn(&error).await });
        };
        let _ = found.teach(&node, complain).await;
        match self.hand_over(&node, boot.ready).await {
            Ok(()) => self.forward(node, boot.started).await,
            Err(_ready) => node.close().await,
        }
    }

    /// Asks for the network again and again, and says why it is not found.
    async fn search(&self, boot: &mut Boot) -> Found {
        let mut wait = RETRY_FIRST;
        loop {
            match self.find_network(boot).await {
                Ok(found) => return found,
                Err(error) => {
                    boot.started.note_trouble(&error);
                    self.warn(&error).await;
                }
            }
            match select(platform::sleep(wait), boot.nudges.next()).await {
                Either::Right(_) => wait = RETRY_FIRST,
                Either::Left(_) => wait = (wait * 8 / 5).min(RETRY_LONGEST),
            }
        }
    }

    async fn find_network(&self, boot: &Boot) -> Result<Found> {
        let surroundings = &self.shared.surroundings;
        let ask = (
            || (surroundings.connections)(&boot.transport, &boot.params.transports),
            keypair(&boot.transport)?,
        );
        boot.sources.find(&surroundings.outside, ask).await
    }

    /// Gives the node to the calls once it knows all that was said about the page. After
    /// [`Session::close`] nobody wants it any more.
    async fn hand_over(
        &self,
        node: &Node,
        ready: oneshot::Sender<Node>,
    ) -> Result<(), oneshot::Sender<Node>> {
        let mut known = Page::default();
        loop {
            let page = {
                let life = self.life();
                if life.closed {
                    return Err(ready);
                }
                if life.page == known {
                    let _ = ready.send(node.clone());
                    return Ok(());
                }
                life.page
            };
            for hint in page.differences(known) {
                let _ = node.handle().hint(hint).await;
            }
            known = page;
        }
    }

    fn build(&self, boot: &Boot, network: NetworkId) -> Result<Node> {
        let surroundings = &self.shared.surroundings;
        let Boot {
            params,
            transport,
            author,
            ..
        } = boot;
        Node::start(NodeConfig {
            network,
            role: Role::Peer,
            connections: (surroundings.connections)(transport, &params.transports)?,
            transport_key: transport.clone(),
            author_key: author.clone(),
            listen: Vec::new(),
            external: Vec::new(),
            store: None,
            #[cfg(feature = "server")]
            names: None,
            #[cfg(feature = "server")]
            mailboxes: None,
            keepsakes: surroundings.keepsakes.clone(),
            #[cfg(feature = "apps")]
            shelf: std::sync::Arc::new(crate::net::direct::MemoryShelf::default()),
            #[cfg(feature = "server")]
            stacks: None,
            #[cfg(feature = "server")]
            relay_only: false,
            solver: surroundings.solver.clone(),
            homes: HomesConfig::browser(),
            outside: surroundings.outside.clone(),
            dialable: (surroundings.dialable)(params),
            ping_every: PING_EVERY,
            capabilities: vec!["browser".into()],
        })
    }

    async fn forward(&self, node: Node, started: Started) {
        let Ok(mut events) = node.handle().events().await else {
            return;
        };
        while let Some(event) = events.next().await {
            let message = match event {
                Event::Snapshot(snapshot) => Outgoing::Snapshot(Box::new(started.full(*snapshot))),
                other => Outgoing::Event(other),
            };
            self.say(message).await;
        }
    }

    async fn warn(&self, error: &Error) {
        self.say(Outgoing::Event(Event::Warning {
            code: error.code().as_str().to_owned(),
            message: told(error),
            remedy: error.remedy().to_owned(),
        }))
        .await;
    }
}

fn sources(params: &StartParams) -> Result<Sources> {
    let network = params.network.as_deref().map(str::parse).transpose()?;
    let bootstrap = params
        .bootstrap
        .iter()
        .map(|text| address::parse(text))
        .collect::<Result<_>>()?;
    Ok(Sources {
        join: params.join.clone(),
        bootstrap,
        network,
    })
}

fn seed(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes
        .try_into()
        .map_err(|_| Error::new(Code::InvalidKey, "a seed has 32 bytes"))
}
