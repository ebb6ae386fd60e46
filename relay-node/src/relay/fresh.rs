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
        if makes_old(&zone, witnessed, cached.map(|(_, cached)| cached).as_ref()) {
            let _ = agent.forget(root).await;
        }
    }
}

/// Whether what is remembered of a name is old now: a zone, or that there is nothing. Anybody can store a
/// zone for any human name: one that no witness has seen says nothing where nothing is known.
fn makes_old(zone: &SignedZone, witnessed: bool, cached: Option<&SignedZone>) -> bool {
    match cached {
        Some(cached) => cached != zone && (witnessed || is_newer(zone, cached)),
        None => witnessed || matches!(root_of(zone), Some(Root::Key(_))),
    }
}

/// Only the same owner's makes a cached one old.
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

#[cfg(test)]
mod tests {
    use warren_shared::proto::key::{NetworkId, SigningKey};
    use warren_shared::proto::names::Zone;

    use super::*;

    #[test]
    fn what_strangers_store_makes_nothing_old() {
        let network = NetworkId::from_entropy([1; 10]);
        let signed = |seed, root: Option<&str>, seq| {
            let owner = SigningKey::from_seed([seed; 32]);
            let label = |name: &str| Root::Human(name.parse().unwrap());
            let root = root.map_or(Root::Key(owner.public()), label);
            let generation = u64::from(matches!(root, Root::Human(_)));
            let zone = Zone {
                generation,
                ..Zone::default()
            };
            let zone = zone.sign(&owner, &network, &root, seq, (0, 1_000));
            zone.unwrap()
        };
        let alice = Some("alice");
        let (first, second, stranger) = (
            signed(1, alice, 1),
            signed(1, alice, 2),
            signed(2, alice, 3),
        );
        assert!(makes_old(&second, false, Some(&first)));
        assert!(!makes_old(&first, false, Some(&second)));
        assert!(!makes_old(&stranger, false, Some(&first)));
        assert!(makes_old(&stranger, true, Some(&first)));
        assert!(!makes_old(&first, true, Some(&first)));
        assert!(makes_old(&first, true, None) && !makes_old(&first, false, None));
        assert!(makes_old(&signed(1, None, 1), false, None), "a key's own");
    }
}
