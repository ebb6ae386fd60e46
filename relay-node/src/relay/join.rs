//! What a relay's join document says.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use libp2p::Multiaddr;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::{MAX_ADDRESS_TEXT, MAX_JOIN_ADDRESSES, MAX_JOIN_RELAYS};
use warren_shared::net::address::{best_mix, is_relayed};
use warren_shared::net::{Event, Node};
use warren_shared::platform;
use warren_shared::proto::join::{JoinDocument, RelayHint};
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::WitnessSet;

use super::stun::stun_address;
use crate::http::{Provider, RequestOrigin};

/// Where the witnesses are is looked for this often, and more often while it is not known of all.
const FIND_EVERY: Duration = Duration::from_secs(600);
const FIND_RETRY: Duration = Duration::from_secs(30);

/// What it says beside the time and the URL, kept fresh by tasks.
#[derive(Clone)]
pub(super) struct JoinState {
    /// Where witnesses are.
    found: Arc<RwLock<Vec<RelayHint>>>,
    known: Arc<RwLock<(Vec<String>, Vec<RelayHint>)>>,
    witnesses: Arc<RwLock<Option<WitnessSet>>>,
}

impl JoinState {
    /// Nothing is known but, perhaps, the witnesses.
    pub(super) fn naming(witnesses: Option<WitnessSet>) -> JoinState {
        JoinState {
            found: Arc::default(),
            known: Arc::default(),
            witnesses: Arc::new(RwLock::new(witnesses)),
        }
    }

    /// Says who the witnesses are, from now on.
    pub(super) fn name(&self, set: WitnessSet) {
        let witnesses = self.witnesses.write();
        *witnesses.unwrap_or_else(PoisonError::into_inner) = Some(set);
    }

    pub(super) fn names_witnesses(&self) -> bool {
        let witnesses = self.witnesses.read();
        witnesses.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn text(&self, node: Node, key: SigningKey) -> Provider {
        let JoinState {
            known,
            witnesses,
            found,
        } = self.clone();
        Arc::new(move |origin| {
            let http = own_url(origin)?;
            let (addresses, relays) = known.read().unwrap_or_else(PoisonError::into_inner).clone();
            let found = found.read().unwrap_or_else(PoisonError::into_inner).clone();
            let witnesses = witnesses.read().unwrap_or_else(PoisonError::into_inner);
            let document = JoinDocument {
                network: node.network().clone(),
                peer: node.id().to_string(),
                stun: stun_address(origin, &addresses),
                addresses,
                http: Some(http),
                witnesses: witnesses.clone(),
                relays: with_witnesses(relays, found),
                version: env!("CARGO_PKG_VERSION").into(),
                now: platform::now(),
            };
            document.to_json(&key).map_err(|error| {
                tracing::error!(%error, "the join document cannot be signed");
                Error::new(Code::Internal, "the join document cannot be signed")
            })
        })
    }

    /// Keeps looking for the witnesses, so that those who join need not.
    pub(super) async fn find_witnesses(self, node: Node) {
        loop {
            let mut pause = FIND_RETRY;
            if let Some((hints, wanted)) = node.witness_hints().await {
                if hints.len() == wanted {
                    pause = FIND_EVERY;
                }
                *self.found.write().unwrap_or_else(PoisonError::into_inner) = hints;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Follows the node's addresses and relays until it stops.
    pub(super) async fn keep(self, node: Node) {
        let Ok(mut events) = node.handle().events_only().await else {
            return;
        };
        loop {
            if let (Ok(addresses), Ok(hints)) = (
                node.handle().addresses().await,
                node.handle().relay_hints().await,
            ) {
                let state = (of_transports(&addresses), hints);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = state;
            }
            // Addresses and relays change rarely; everything else that happens is passed over.
            loop {
                match events.next().await {
                    Some(Event::Addresses { .. } | Event::Relay { .. }) => break,
                    Some(Event::Lagged { .. }) => break,
                    Some(_) => {}
                    None => return,
                }
            }
        }
    }
}

/// Other relays come first, because whoever joins makes its home at the first ones; but witnesses that are
/// none of them find a place.
fn with_witnesses(mut relays: Vec<RelayHint>, mut witnesses: Vec<RelayHint>) -> Vec<RelayHint> {
    witnesses.retain(|found| relays.iter().all(|relay| relay.peer != found.peer));
    relays.truncate(MAX_JOIN_RELAYS.saturating_sub(witnesses.len()));
    relays.extend(witnesses);
    relays
}

/// The host is the client's claim, and everything in the document has a limit.
fn own_url(origin: &RequestOrigin) -> Result<String> {
    let url = origin.http_url();
    if url.len() > MAX_ADDRESS_TEXT {
        let message = "the Host header of this request is too long for a join document";
        return Err(Error::new(Code::InvalidArgument, message));
    }
    Ok(url)
}

fn of_transports(addresses: &[String]) -> Vec<String> {
    let direct: Vec<Multiaddr> = addresses
        .iter()
        .filter_map(|text| text.parse().ok())
        .filter(|address| !is_relayed(address))
        .collect();
    best_mix(direct, MAX_JOIN_ADDRESSES)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witnesses_find_a_place_behind_the_other_relays() {
        let hint = |number: usize| RelayHint {
            peer: format!("peer {number}"),
            addresses: Vec::new(),
            http: None,
        };
        let named = |relays: usize, witnesses: &[usize]| {
            let found = witnesses.iter().copied().map(hint).collect();
            let all = with_witnesses((0..relays).map(hint).collect(), found);
            let numbers = all.iter().map(|hint| hint.peer.replace("peer ", ""));
            numbers.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(named(2, &[1, 7]), "0 1 7");
        assert_eq!(named(8, &[20, 3, 21]), "0 1 2 3 4 5 20 21");
        assert_eq!(named(0, &[]), "");
    }
}
