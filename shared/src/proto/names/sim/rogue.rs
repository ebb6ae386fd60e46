//! An owner that keeps to no rule: any generation, any right, every signature it can get.

use super::World;
use crate::limits::{DAY, HOUR, MINUTE};
use crate::proto::names::certificate::{Stage, Tally};
use crate::proto::names::claim::{Claim, Draft, Handover, Right};
use crate::proto::names::wire::{Request, Response};

/// Claims the name in some generation, and has signed whatever honest witnesses will sign.
pub(super) fn claims(world: &mut World) -> Result<(), String> {
    for turn in 0..6 {
        world.now += turn;
        one_claim(world)?;
    }
    Ok(())
}

fn one_claim(world: &mut World) -> Result<(), String> {
    let Some(claim) = invent(world) else {
        return Ok(());
    };
    let set = world.sets.current().clone();
    let mut provisionals = Tally::new(claim.clone(), set.epoch(), Stage::Provisional);
    let follows = match world.certificates.len() as u64 {
        0 => None,
        count => {
            let at = world.prng.below(count) as usize;
            Some(world.certificates[at].encode())
        }
    };
    let propose = Request::Propose {
        claim: claim.bytes().to_vec(),
        follows,
    };
    for at in 0..world.nodes.len() {
        if let Some(Response::Signed { signed }) = say(world, at, &propose)? {
            provisionals.add(signed.signature, &world.sets);
        }
    }
    let finalise = Request::Finalise {
        claim: claim.bytes().to_vec(),
        epoch: set.epoch(),
        provisionals: provisionals.signatures(),
    };
    for at in 0..world.nodes.len() {
        say(world, at, &finalise)?;
    }
    Ok(())
}

fn invent(world: &mut World) -> Option<Claim> {
    let owners = world.owners.len() as u64;
    let owner = world.prng.below(owners) as usize;
    let rightful = world.plan.late_liars && owner == 0;
    if rightful {
        return None;
    }
    let newest = world
        .certificates
        .iter()
        .map(|each| each.claim.generation());
    let newest = newest.max().unwrap_or(0);
    let generation = (newest + world.prng.below(3)).saturating_sub(1).max(1);
    let right = match world.prng.below(6) {
        0 if generation > 1 => Right::Release {
            from: generation - 1,
        },
        1 => Right::Own,
        2 if generation > 1 => {
            let signer = world.owners[world.prng.below(owners) as usize].clone();
            let stolen = world.plan.late_liars && signer.public() == world.owners[0].public();
            if stolen {
                return None;
            }
            let (network, to) = (world.sets.network(), world.owners[owner].public());
            let from = generation - 1;
            let signed = Handover::sign(network, &world.name, from, to, &signer, world.now);
            Right::Handed(Box::new(signed.ok()?))
        }
        _ => Right::Free { work: 0 },
    };
    let draft = Draft {
        network: world.sets.network().clone(),
        name: world.name.clone(),
        generation,
        right,
        recovery: None,
        issued: world.now,
    };
    let owner = world.owners[owner].clone();
    // Some want it for a short time only, so that others come early.
    let terms = [MINUTE, HOUR, 10 * DAY];
    match terms.get(world.prng.below(6) as usize) {
        Some(term) => draft.sign_until(&owner, world.now + term).ok(),
        None => draft.sign(&owner).ok(),
    }
}

pub(super) fn say(
    world: &mut World,
    at: usize,
    request: &Request,
) -> Result<Option<Response>, String> {
    let node = &mut world.nodes[at];
    node.recover();
    let (signed, response) = node.handle(request, world.now, &mut world.prng, true);
    for (claim, signed) in signed {
        world.oracle.signed(&claim, &signed, world.now)?;
    }
    Ok(response)
}
