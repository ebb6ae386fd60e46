//! From the start parameters to a running node: finds the network, however long that takes.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};

use super::{Session, Started};
use crate::api::messages::{Outgoing, Reply, StartParams};
use crate::error::{Code, Error, Result};
use crate::net::discover::Sources;
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

impl Session {
    pub(super) fn start(&self, params: StartParams) -> Result<Reply> {
        let transport = SigningKey::from_seed(seed(&params.transport_seed)?);
        let author = SigningKey::from_seed(seed(&params.author_seed)?);
        let sources = sources(&params)?;
        let (ready, node) = oneshot::channel();
        let (nudge, nudges) = mpsc::channel(8);
        let started = Started {
            node: node.map(|node| node.ok()).boxed().shared(),
            id: keypair(&transport)?.public().to_peer_id(),
            author: author.public().to_string(),
            ephemeral: params.ephemeral,
            nudge,
            trouble: Arc::default(),
        };
        {
            let mut slot = self
                .shared
                .started
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if slot.is_some() {
                return Err(Error::new(
                    Code::InvalidArgument,
                    "this peer has been started already",
                ));
            }
            *slot = Some(started.clone());
        }
        let reply = Reply::Started {
            id: started.id.to_string(),
            author: started.author.clone(),
            network: sources.network.as_ref().map(ToString::to_string),
        };
        platform::spawn(
            self.clone()
                .boot(params, transport, author, sources, nudges, started, ready),
        );
        Ok(reply)
    }

    /// Finds the network, however long that takes, then starts the node and forwards its events.
    #[allow(clippy::too_many_arguments)]
    async fn boot(
        self,
        params: StartParams,
        transport: SigningKey,
        author: SigningKey,
        sources: Sources,
        mut nudges: mpsc::Receiver<bool>,
        started: Started,
        ready: oneshot::Sender<Node>,
    ) {
        let mut wait = RETRY_FIRST;
        let found = loop {
            let find = sources.find(
                &self.shared.surroundings.outside,
                (
                    || (self.shared.surroundings.connections)(&transport, &params.transports),
                    match keypair(&transport) {
                        Ok(pair) => pair,
                        Err(error) => return self.warn(&error).await,
                    },
                ),
            );
            match find.await {
                Ok(found) => break found,
                Err(error) => {
                    *started
                        .trouble
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner) = Some(told(&error));
                    self.warn(&error).await;
                }
            }
            match select(platform::sleep(wait), nudges.next()).await {
                Either::Right((None, _)) => return,
                Either::Right((Some(_), _)) => wait = RETRY_FIRST,
                Either::Left(_) => wait = (wait * 8 / 5).min(RETRY_LONGEST),
            }
            let closed = self
                .shared
                .started
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_none();
            if closed {
                return;
            }
        };
        match self.build(&params, transport, author, found.network) {
            Ok(node) => {
                for hint in found.hints {
                    let _ = node.learn(hint).await;
                }
                let _ = ready.send(node.clone());
                self.forward(node, started).await;
            }
            Err(error) => self.warn(&error).await,
        }
    }

    fn build(
        &self,
        params: &StartParams,
        transport: SigningKey,
        author: SigningKey,
        network: NetworkId,
    ) -> Result<Node> {
        let surroundings = &self.shared.surroundings;
        Node::start(NodeConfig {
            network,
            role: Role::Peer,
            connections: (surroundings.connections)(&transport, &params.transports)?,
            transport_key: transport,
            author_key: author,
            listen: Vec::new(),
            external: Vec::new(),
            store: None,
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

/// What went wrong and why, in one line.
fn told(error: &Error) -> String {
    match error.cause() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
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
