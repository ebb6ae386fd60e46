//! Witnesses that were replaced before the run begins, and whose keys have leaked since.

use super::{START, World, key, rogue};
use crate::limits::{DAY, MAX_SAFE_INTEGER, NAME_LEASE};
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::names::certificate::{Certificate, Floor, Stage, WitnessSignature};
use crate::proto::names::claim::{Draft, Right};
use crate::proto::names::set::{Endorsement, KnownSets, Succession, WitnessSet};
use crate::proto::names::wire::{Request, Response};

fn leaked() -> Vec<SigningKey> {
    let mut keys: Vec<_> = (200..203).map(key).collect();
    keys.sort_by_key(SigningKey::public);
    keys
}

/// Whoever has the leaked keys; it never gets the name.
pub(super) fn thief() -> SigningKey {
    key(60)
}

/// The set that was, and the one that follows it.
pub(super) fn sets(network: NetworkId, witnesses: impl Iterator<Item = PublicKey>) -> KnownSets {
    let keys = leaked();
    let old = WitnessSet::new(1, 0, keys.iter().map(SigningKey::public)).expect("a valid set");
    let set = WitnessSet::new(2, START - 30 * DAY, witnesses).expect("a valid set");
    let endorse = |(member, key): (usize, &SigningKey)| Endorsement {
        member: member as u64,
        signature: old
            .endorse(&network, &set, key)
            .try_into()
            .expect("64 bytes"),
    };
    let signatures = keys.iter().enumerate().map(endorse).collect();
    let mut sets = KnownSets::pinned(network, old);
    sets.learn(Succession { set, signatures })
        .expect("it follows");
    sets
}

/// The thief signs itself a certificate, and shows it to everybody.
pub(super) fn leak(world: &mut World) -> Result<(), String> {
    let draft = Draft {
        network: world.sets.network().clone(),
        name: world.name.clone(),
        generation: [2, 500, MAX_SAFE_INTEGER][world.prng.below(3) as usize],
        right: Right::Free { work: 0 },
        recovery: None,
        issued: world.now,
    };
    let claim = draft.sign(&thief()).map_err(|why| why.to_string())?;
    let sign = |(member, key): (usize, &SigningKey)| {
        let seat = (1, member as u64);
        let until = world.now + NAME_LEASE;
        WitnessSignature::sign(&claim, seat, Stage::Final, until, Floor::default(), key)
    };
    let finals = leaked().iter().enumerate().map(sign).collect();
    let certificate = Certificate {
        claim,
        epoch: 1,
        finals,
    };
    let renew = Request::Renew {
        certificate: certificate.encode(),
    };
    for at in 0..world.nodes.len() {
        if world.nodes[at].lies {
            world.nodes[at].loot(certificate.clone());
        } else if let Some(Response::Signed { .. }) = rogue::say(world, at, &renew)? {
            return Err(format!("{at} signed what a replaced set had certified"));
        }
    }
    Ok(())
}
