//! Finds out which network a relay belongs to: from its join document, or, when only an address is
//! known, from the protocols it announces.

use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, identify};

use super::address::peer_of;
use super::outside::SharedOutside;
use super::protocols;
use super::swarm::{Connections, swarm_config};
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::proto::NetworkId;
use crate::proto::join::{JoinDocument, RelayHint};

/// Where a relay's join document lives.
pub const WELL_KNOWN: &str = "/.well-known/warren.json";

const FETCH_PATIENCE: Duration = Duration::from_secs(5);

/// Fetches and verifies the join document of the relay at an HTTP URL.
pub async fn join_document(outside: &SharedOutside, url: &str) -> Result<JoinDocument> {
    let base = url.trim_end_matches('/');
    let text = outside
        .fetch(format!("{base}{WELL_KNOWN}"), FETCH_PATIENCE)
        .await?;
    let mut document = JoinDocument::from_json(&text)?;
    // Where it was fetched is where it can be fetched: a relay behind a proxy does not know that.
    document.http = Some(base.to_owned());
    Ok(document)
}

/// Where a person said the network can be found.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// HTTP URLs of relays.
    pub join: Vec<String>,
    /// Multiaddresses of relays, each ending in its peer id.
    pub bootstrap: Vec<Multiaddr>,
    /// The network, if it is already known: relays of another one are refused.
    pub network: Option<NetworkId>,
}

/// The network, and relays to join it through.
#[derive(Clone, Debug)]
pub struct Found {
    /// The one that was given, or that of the first relay that answered.
    pub network: NetworkId,
    /// The relays named by a person, and those that they know.
    pub hints: Vec<RelayHint>,
}

impl Sources {
    /// Whether nobody said where the network can be found.
    pub fn is_empty(&self) -> bool {
        self.join.is_empty() && self.bootstrap.is_empty()
    }

    /// Asks all sources at once; one good answer is enough, and without any the first failure is told.
    pub async fn find(
        &self,
        outside: &SharedOutside,
        ask_address: impl AskAddress,
    ) -> Result<Found> {
        let documents = join_all(self.join.iter().map(|url| join_document(outside, url))).await;
        let mut network = self.network.clone();
        let mut hints = Vec::new();
        let mut failure = None;
        for document in documents {
            match document.and_then(|document| self.accept(&mut network, document)) {
                Ok(found) => hints.extend(found),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        for address in &self.bootstrap {
            match self.bootstrap_hint(address) {
                Ok(hint) => hints.push(hint),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        for address in &self.bootstrap {
            if network.is_some() {
                break;
            }
            match ask_address.network_at(address.clone()).await {
                Ok(found) => network = Some(found),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match (network, hints.is_empty(), failure) {
            (Some(network), false, _) => Ok(Found { network, hints }),
            (_, _, Some(error)) => Err(error),
            _ => Err(Error::new(
                Code::JoinFailed,
                "no relay was named to join through",
            )),
        }
    }

    fn accept(
        &self,
        network: &mut Option<NetworkId>,
        document: JoinDocument,
    ) -> Result<Vec<RelayHint>> {
        let expected = network.get_or_insert_with(|| document.network.clone());
        if *expected != document.network {
            return Err(Error::new(
                Code::WrongNetwork,
                format!(
                    "{} belongs to network {}, not to {expected}",
                    document.peer, document.network
                ),
            ));
        }
        let own = RelayHint {
            peer: document.peer,
            addresses: document.addresses,
            http: document.http,
        };
        Ok(std::iter::once(own).chain(document.relays).collect())
    }

    fn bootstrap_hint(&self, address: &Multiaddr) -> Result<RelayHint> {
        let peer = peer_of(address).ok_or_else(|| {
            Error::new(
                Code::InvalidAddress,
                format!("{address} does not end in a peer id"),
            )
            .with_remedy("add /p2p/ and the relay's peer id, which it prints when it starts")
        })?;
        Ok(RelayHint {
            peer: peer.to_string(),
            addresses: vec![address.to_string()],
            http: None,
        })
    }
}

/// How the network of a relay is found out when only its address is known.
pub trait AskAddress {
    fn network_at(&self, address: Multiaddr) -> impl Future<Output = Result<NetworkId>> + Send;
}

impl<F> AskAddress for (F, Keypair)
where
    F: Fn() -> Result<Connections> + Send + Sync,
{
    async fn network_at(&self, address: Multiaddr) -> Result<NetworkId> {
        network_at((self.0)()?, &self.1, address).await
    }
}

/// Asks the relay at an address which network it routes for.
pub async fn network_at(
    transport: Connections,
    key: &Keypair,
    address: Multiaddr,
) -> Result<NetworkId> {
    let behaviour = identify::Behaviour::new(identify::Config::new(
        protocols::FAMILY.into(),
        key.public(),
    ));
    let mut swarm = Swarm::new(
        transport,
        behaviour,
        key.public().to_peer_id(),
        swarm_config(),
    );
    let options = DialOpts::unknown_peer_id().address(address.clone()).build();
    swarm
        .dial(options)
        .map_err(|error| unreachable(&address).caused_by(error))?;
    let mut patience = platform::sleep(Duration::from_secs(10)).fuse();
    loop {
        futures::select! {
            () = patience => return Err(unreachable(&address).caused_by("no answer within 10 s")),
            event = swarm.select_next_some() => match event {
                SwarmEvent::OutgoingConnectionError { error, .. } => return Err(unreachable(&address).caused_by(error)),
                SwarmEvent::Behaviour(identify::Event::Received { info, .. }) => {
                    return protocols::network_of(&info.protocols).ok_or_else(|| {
                        Error::new(Code::JoinFailed, format!("the peer at {address} is not a Warren relay"))
                    });
                }
                _ => {}
            }
        }
    }
}

fn unreachable(address: &Multiaddr) -> Error {
    Error::new(Code::JoinFailed, format!("no relay answered at {address}"))
}
