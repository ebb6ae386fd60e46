//! What a relay learns from the relays that it is to join: its network, its witnesses, further relays.
//!
//! Knows whom to ask, for how long, and what to tell an operator whose relays do not fit together.

use std::time::Duration;

use warren_shared::error::{Code, Error, Result};
use warren_shared::net::Node;
use warren_shared::net::discover::Sources;
use warren_shared::net::outside::SharedOutside;
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::WitnessSet;

use super::join::JoinState;
use crate::identity::DataDir;
use crate::transport::asking;

const JOIN_RETRY: Duration = Duration::from_secs(5);
/// A relay that is named to be joined rarely changes its network.
const OTHER_NETWORK_RETRY: Duration = Duration::from_secs(300);
/// How long a relay that does not know the witnesses of its network waits for those that may.
const TOLD_PATIENCE: Duration = Duration::from_secs(10);
const TOLD_RETRY: Duration = Duration::from_secs(1);
const NOBODY_FOUNDED_RETRY: Duration = Duration::from_secs(60);
const NOBODY_FOUNDED: &str = "Start one of these relays without --join, with --network as it is: it \
    becomes the first witness. The others join it.";
const OTHER_NETWORK: &str = "To join that network, start with a new --data-dir: this one belongs to \
    a network of its own. To keep it, leave the other relay out of --join.";

/// The network of this relay: as told, as stored, as its peers say, or a new one.
pub(super) async fn network(
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
            let found = sources.find(outside, asking(key)?).await?;
            witnesses = found.witnesses;
            found.network
        }
    };
    data.save("network", network.to_string().as_bytes())?;
    Ok((network, witnesses))
}

/// Who the witnesses are, as the first relay says that answers. Relays that are started together wait a
/// moment for each other: one that is a witness without knowing it is none until its next start.
pub(super) async fn told(
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
    let patience = tokio::time::Instant::now() + TOLD_PATIENCE;
    loop {
        let found = documents.find(outside, asking(key)?).await;
        let told = found.ok().and_then(|found| found.witnesses);
        if told.is_some() || tokio::time::Instant::now() >= patience {
            return Ok(told);
        }
        tokio::time::sleep(TOLD_RETRY).await;
    }
}

/// Learns the other relays, and keeps trying while none of them answers, or says who the witnesses are.
pub(super) async fn join_others(
    node: Node,
    sources: Sources,
    outside: SharedOutside,
    key: SigningKey,
    join: JoinState,
) {
    let alone = sources.join.len() + sources.bootstrap.len() == 1;
    loop {
        let Ok(ask) = asking(&key) else { return };
        let pause = match sources.find(&outside, ask).await {
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
                tracing::warn!(
                    remedy = NOBODY_FOUNDED,
                    "no relay says who the witnesses of this network are: no name can be resolved"
                );
                NOBODY_FOUNDED_RETRY
            }
            Err(error) if alone && error.code() == Code::WrongNetwork => {
                tracing::error!(%error, remedy = OTHER_NETWORK, "this relay stays in its own network");
                OTHER_NETWORK_RETRY
            }
            Err(error) => {
                tracing::warn!(%error, remedy = error.remedy(), "no other relay to join yet");
                JOIN_RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}
