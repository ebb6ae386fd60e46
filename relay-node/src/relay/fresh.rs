//! Zones that this relay has just come to store: what it remembers of those names is old, and it says so
//! to nobody any more.
//!
//! Knows which cached answers a new zone makes old. The store tells of the zones once they are durable.

use tokio::sync::mpsc;
use warren_shared::net::names::Agent;
use warren_shared::proto::names::Label;
use warren_shared::proto::names::name::Root;
use warren_shared::proto::names::zone::SignedZone;

use crate::store::NewZone;

/// Makes the agent forget what is older than the zones that come, until no more can come.
pub(super) async fn forget_older(mut zones: mpsc::Receiver<NewZone>, agent: Agent) {
    while let Some(NewZone { bytes, witnessed }) = zones.recv().await {
        let Ok(zone) = SignedZone::decode(&bytes) else {
            continue;
        };
        let Some(root) = root_of(&zone) else {
            continue;
        };
        let Ok(cached) = agent.evidence(root.clone()).await else {
            return;
        };
        let is_old = |cached: SignedZone| cached != zone && (witnessed || is_newer(&zone, &cached));
        if cached.is_none_or(|(_, cached)| is_old(cached)) {
            let _ = agent.forget(root).await;
        }
    }
}

/// Anybody can store a zone for any name: only the same owner's makes a cached one old.
fn is_newer(zone: &SignedZone, cached: &SignedZone) -> bool {
    let of = |zone: &SignedZone| (zone.owner(), zone.zone().generation);
    of(zone) == of(cached) && zone.floor() > cached.floor()
}

fn root_of(zone: &SignedZone) -> Option<Root> {
    match zone.envelope().body().label.as_str() {
        "" => Some(Root::Key(zone.owner())),
        label => Label::exact(label).map(Root::Human),
    }
}
