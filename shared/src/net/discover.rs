//! Finds out which network a relay belongs to: from its join document, or, when only an address is
//! known, from the protocols it announces.

use std::time::Duration;

use futures::stream::{self, BoxStream, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, identify};

use super::address::peer_of;
use super::node::Node;
use super::outside::SharedOutside;
use super::protocols;
use super::swarm::{Connections, swarm_config};
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::proto::NetworkId;
use crate::proto::join::{JoinDocument, RelayHint};
use crate::proto::names::{KnownSets, WitnessSet};

/// Where a relay's join document lives.
pub const WELL_KNOWN: &str = "/.well-known/warren.json";

const FETCH_PATIENCE: Duration = Duration::from_secs(5);

/// Fetches and verifies the join document of the relay at an HTTP URL.
pub async fn join_document(outside: SharedOutside, url: String) -> Result<JoinDocument> {
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
pub struct Found {
    /// The one that was given, or that of the first relay that answered.
    pub network: NetworkId,
    /// Relays that are known already: those named by a person, and those that they know.
    pub hints: Vec<RelayHint>,
    /// The witnesses that the first of them named.
    pub witnesses: Option<WitnessSet>,
    /// Whether anybody answered, which proves that there is a network to answer over.
    pub answered: bool,
    /// What the other sources say, and what went wrong with them.
    late: BoxStream<'static, Result<Introduction>>,
}

/// What one join document says.
struct Introduction {
    hints: Vec<RelayHint>,
    witnesses: Option<WitnessSet>,
}

impl Found {
    /// Tells a node what is known, and in the background what the other sources say later.
    pub async fn teach(self, node: &Node, complain: impl Fn(Error) + Send + 'static) -> Result<()> {
        for hint in self.hints {
            node.learn(hint).await?;
        }
        pin(node, self.witnesses).await;
        let (node, mut late) = (node.clone(), self.late);
        platform::spawn(async move {
            while let Some(introduction) = late.next().await {
                match introduction {
                    Ok(Introduction { hints, witnesses }) => {
                        for hint in hints {
                            let _ = node.learn(hint).await;
                        }
                        pin(&node, witnesses).await;
                    }
                    Err(error) => complain(error),
                }
            }
        });
        Ok(())
    }
}

impl Sources {
    /// Whether nobody said where the network can be found.
    pub fn is_empty(&self) -> bool {
        self.join.is_empty() && self.bootstrap.is_empty()
    }

    /// Asks all sources at once and returns with the first good answer; without any, one of the
    /// failures is told.
    pub async fn find(
        &self,
        outside: &SharedOutside,
        ask_address: impl AskAddress,
    ) -> Result<Found> {
        let mut network = self.network.clone();
        let (mut hints, mut failures, mut answered) = (Vec::new(), Vec::new(), false);
        let mut witnesses = None;
        let mut documents: FuturesUnordered<_> = self
            .join
            .iter()
            .map(|url| join_document(outside.clone(), url.clone()).boxed())
            .collect();
        let mut addresses = FuturesUnordered::new();
        for address in &self.bootstrap {
            match self.bootstrap_hint(address) {
                Ok(hint) => hints.push(hint),
                Err(error) => failures.push(error),
            }
            if network.is_none() {
                addresses.push(ask_address.network_at(address.clone()));
            }
        }
        while network.is_none() || hints.is_empty() {
            let answer = futures::select! {
                document = documents.select_next_some() => {
                    document.and_then(|document| accept(&mut network, document))
                }
                found = addresses.select_next_some() => found.map(|found| {
                    network.get_or_insert(found);
                    Introduction { hints: Vec::new(), witnesses: None }
                }),
                complete => break,
            };
            match answer {
                Ok(found) => {
                    answered = true;
                    hints.extend(found.hints);
                    witnesses = witnesses.or(found.witnesses);
                }
                Err(error) => failures.push(error),
            }
        }
        let Some(network) = network.filter(|_| !hints.is_empty()) else {
            return Err(most_telling(failures));
        };
        let mut expected = Some(network.clone());
        let late = documents
            .map(move |document| document.and_then(|document| accept(&mut expected, document)));
        Ok(Found {
            network,
            hints,
            witnesses,
            answered,
            late: stream::iter(failures.into_iter().map(Err))
                .chain(late)
                .boxed(),
        })
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

/// Offers a node the witnesses of its network; those that it pinned before stay.
async fn pin(node: &Node, witnesses: Option<WitnessSet>) {
    if let Some(set) = witnesses {
        let sets = KnownSets::pinned(node.network().clone(), set);
        let _ = node.names().agent().pin(sets).await;
    }
}

fn accept(network: &mut Option<NetworkId>, document: JoinDocument) -> Result<Introduction> {
    let expected = network.get_or_insert_with(|| document.network.clone());
    if *expected != document.network {
        return Err(wrong_network(
            &document.peer,
            Some(&document.network),
            expected,
        ));
    }
    let own = RelayHint {
        peer: document.peer,
        addresses: document.addresses,
        http: document.http,
    };
    Ok(Introduction {
        hints: std::iter::once(own).chain(document.relays).collect(),
        witnesses: document.witnesses,
    })
}

/// A relay that answers and belongs elsewhere says more than one that does not answer.
fn most_telling(mut failures: Vec<Error>) -> Error {
    let wrong = |error: &Error| error.code() == Code::WrongNetwork;
    match failures.iter().position(wrong) {
        Some(index) => failures.swap_remove(index),
        None if failures.is_empty() => {
            Error::new(Code::JoinFailed, "no relay was named to join through")
        }
        None => failures.swap_remove(0),
    }
}

/// A relay that routes for others; `theirs` is unknown when it speaks no protocol of ours.
pub(super) fn wrong_network(relay: &str, theirs: Option<&NetworkId>, ours: &NetworkId) -> Error {
    let message = match theirs {
        Some(theirs) => format!("{relay} belongs to network {theirs}, not to {ours}"),
        None => format!("{relay} does not belong to network {ours}"),
    };
    Error::new(Code::WrongNetwork, message)
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

#[cfg(test)]
mod tests;
