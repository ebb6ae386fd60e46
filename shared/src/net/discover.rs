//! Finds out which network a relay belongs to: from its join document, or, when only an address is
//! known, from the protocols it announces.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, identify};

use super::outside::SharedOutside;
use super::protocols;
use super::swarm::{Connections, swarm_config};
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::proto::NetworkId;
use crate::proto::join::JoinDocument;

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
    document.http.get_or_insert_with(|| base.to_owned());
    Ok(document)
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
