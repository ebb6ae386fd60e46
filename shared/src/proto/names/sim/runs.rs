//! Whole runs: a race, a fortnight of everything, then peace; and whether all promises were kept.

use super::{Event, Plan, START, World, key, quorum_of};
use crate::limits::{DAY, HOUR, MINUTE, NAME_LEASE, SECOND};
use crate::proto::names::publisher::{Failure, Goal};

/// One run: a race, a fortnight of everything, then peace; and whether all promises were kept.
pub fn promises_hold(seed: u64) -> Result<(), String> {
    let plan = Plan::from_seed(seed);
    run(seed, plan).map_err(|why| format!("seed {seed}, {plan:?}: {why}"))
}

/// As [`promises_hold`], with a plan of one's own.
pub fn run(seed: u64, plan: Plan) -> Result<(), String> {
    let mut world = World::new(seed, plan);
    let recovery = Some(world.recovery.public());
    if plan.late_liars {
        adopt_everywhere(&mut world)?;
    } else {
        for owner in 0..plan.owners {
            let after = world.now + world.prng.below(2 * SECOND);
            world.run_until(after)?;
            world.start(owner, Goal::Claim { recovery });
            if world.prng.below(3) == 0 {
                let at = world.now + world.prng.below(2 * SECOND);
                world.schedule(at, Event::Dies);
            }
        }
        world.run_until(START + 5 * MINUTE)?;
    }
    let fortnight = 14 * DAY;
    for _ in 0..plan.actions {
        let at = world.now + world.prng.below(fortnight);
        world.schedule(at, Event::Act);
    }
    for lost in 0..plan.lost {
        let (at, node) = (world.now + world.prng.below(fortnight), plan.liars + lost);
        world.schedule(at, Event::LosesRows { at: node });
    }
    for turn in 0..8 {
        let (at, reader) = (world.now + world.prng.below(fortnight), turn % 3);
        world.schedule(at, Event::Read { reader });
    }
    world.run_until(world.now + fortnight)?;
    if world.prng.below(8) == 0 {
        world.run_until(world.now + 400 * DAY)?;
    }
    peace(&mut world)
}

/// The first owner's name is known to all honest witnesses before anybody lies.
fn adopt_everywhere(world: &mut World) -> Result<(), String> {
    world.calm = true;
    let first = world.start(0, Goal::Claim { recovery: None });
    world.run_until(START + 5 * MINUTE)?;
    match world.result(first) {
        Some(Ok(_)) => {}
        other => return Err(format!("the first claim failed: {other:?}")),
    }
    world.calm = false;
    let liars = world.plan.liars;
    for node in world.nodes.iter_mut().take(liars) {
        node.lies = true;
        let member = world.sets.current().position(&node.public());
        world.oracle.lies(member.unwrap_or(0));
    }
    world.oracle.only(world.owners[0].public(), START);
    Ok(())
}

/// When faults have ended and a lease has passed, the name is somebody's or can be had.
fn peace(world: &mut World) -> Result<(), String> {
    world.calm = true;
    world.events.clear();
    world.queued.clear();
    for node in &mut world.nodes {
        node.recover();
    }
    world.run_until(world.now + NAME_LEASE + HOUR)?;
    world.oracle.replaced_are_dead()?;
    let honest = world.nodes.iter().filter(|node| !node.lies).count();
    if honest < quorum_of(world.plan.witnesses) {
        return Ok(());
    }
    world.owners.push(key(99));
    let stranger = world.owners.len() - 1;
    let certified = world.oracle.standing(world.now);
    let shown = world.oracle.shown_generation();
    let attempt = world.start(stranger, Goal::Claim { recovery: None });
    world.run_until(world.now + 10 * MINUTE)?;
    match (world.result(attempt), certified) {
        (Some(Ok(_)), None) => {}
        (Some(Err(Failure::Taken { holder, .. })), Some(owner)) if *holder == Some(owner) => {}
        // Certified once, shown to nobody: what it replaced is still in force.
        (Some(Err(Failure::Taken { .. })), _) if world.oracle.certified_above(shown, u64::MAX) => {}
        // Certified once, shown to nobody, and free again since: the newcomer may have it.
        (Some(Ok(generation)), Some(_)) if world.oracle.certified_above(shown, *generation) => {}
        (result, certified) => {
            return Err(format!(
                "a stranger got {result:?} while {certified:?} holds it"
            ));
        }
    }
    world.oracle.replaced_are_dead()
}
