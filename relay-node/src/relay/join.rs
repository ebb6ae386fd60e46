//! What a relay's join document says.

use std::sync::{Arc, PoisonError, RwLock};

use futures::StreamExt;
use libp2p::Multiaddr;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::{MAX_ADDRESS_TEXT, MAX_JOIN_ADDRESSES};
use warren_shared::net::address::{best_mix, is_relayed};
use warren_shared::net::{Event, Node};
use warren_shared::platform;
use warren_shared::proto::join::{JoinDocument, RelayHint};
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::WitnessSet;

use super::stun::stun_address;
use crate::http::{Provider, RequestOrigin};

/// What it says beside the time and the URL, kept fresh by a task.
#[derive(Clone)]
pub(super) struct JoinState {
    known: Arc<RwLock<(Vec<String>, Vec<RelayHint>)>>,
    witnesses: Arc<RwLock<Option<WitnessSet>>>,
}

impl JoinState {
    /// Nothing is known but, perhaps, the witnesses.
    pub(super) fn naming(witnesses: Option<WitnessSet>) -> JoinState {
        JoinState {
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
        let JoinState { known, witnesses } = self.clone();
        Arc::new(move |origin| {
            let http = own_url(origin)?;
            let (addresses, relays) = known.read().unwrap_or_else(PoisonError::into_inner).clone();
            let witnesses = witnesses.read().unwrap_or_else(PoisonError::into_inner);
            let document = JoinDocument {
                network: node.network().clone(),
                peer: node.id().to_string(),
                stun: stun_address(origin, &addresses),
                addresses,
                http: Some(http),
                witnesses: witnesses.clone(),
                relays,
                version: env!("CARGO_PKG_VERSION").into(),
                now: platform::now(),
            };
            document.to_json(&key).map_err(|error| {
                tracing::error!(%error, "the join document cannot be signed");
                Error::new(Code::Internal, "the join document cannot be signed")
            })
        })
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
