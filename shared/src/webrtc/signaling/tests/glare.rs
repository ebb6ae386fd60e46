//! Both ends at once, and streams that are lost on the way: runs of the simulator.

use super::*;

fn seeds(few: u64, many: u64) -> std::ops::Range<u64> {
    0..match std::env::var_os("WARREN_LONG") {
        Some(_) => many,
        None => few,
    }
}

fn scene(prng: &mut Prng) -> Scene {
    Scene {
        dials: [Some(prng.below(3_000)), Some(prng.below(3_000))],
        slow: 1 + prng.below(1_500),
        ..Scene::default()
    }
}

fn run(scene: Scene, seed: u64) -> World {
    let world = World::run(scene.clone(), seed);
    if let Err(fault) = world.settled() {
        panic!(
            "seed {seed}, {scene:?}: {fault}\n{}",
            world.story.join("\n")
        );
    }
    // Even for a moment there were no two.
    for side in 0..2 {
        let one = world.most[side] <= 1 || scene.stock[side];
        assert!(one, "seed {seed}, {scene:?}");
    }
    world
}

fn connected(scene: Scene, seed: u64) -> World {
    let world = run(scene.clone(), seed);
    let story = || world.story.join("\n");
    assert_eq!(
        world.live[0].len(),
        1,
        "seed {seed}, {scene:?}\n{}",
        story()
    );
    world
}

#[test]
fn one_dial_makes_one_connection() {
    for seed in seeds(300, 20_000) {
        let mut scene = scene(&mut Prng::new(seed));
        scene.dials[(seed % 2) as usize] = None;
        let world = connected(scene, seed);
        assert_eq!(world.failures, [vec![], vec![]], "seed {seed}");
    }
}

#[test]
fn both_dial_at_once_and_one_connection_stays() {
    let mut crossed = 0;
    for seed in seeds(1_000, 20_000) {
        let mut scene = scene(&mut Prng::new(seed));
        if seed % 2 == 0 {
            scene.dials = [Some(0), Some(0)];
        }
        let world = connected(scene, seed);
        // There was never another one that had to be closed for it.
        assert_eq!(world.stood.len(), 1, "seed {seed}");
        crossed += usize::from(!world.failures.concat().is_empty());
    }
    assert!(crossed > 100, "{crossed} runs had offers that crossed");
}

#[test]
fn both_dial_and_one_knows_no_rule() {
    for seed in seeds(1_000, 20_000) {
        let mut prng = Prng::new(seed);
        let scene = Scene {
            stock: [false, true],
            ..scene(&mut prng)
        };
        connected(scene, seed);
    }
}

/// What the rule is for, and that the simulator would notice.
#[test]
fn where_nobody_knows_a_rule_there_are_two() {
    let mut two = 0;
    for seed in 0..200 {
        let scene = Scene {
            stock: [true, true],
            ..scene(&mut Prng::new(seed))
        };
        two += usize::from(World::run(scene, seed).settled().is_err());
    }
    assert!(two > 100, "{two} runs ended with two connections");
}

#[test]
fn a_stream_lost_anywhere_leaves_one_connection_or_none() {
    let (mut one, mut none) = (0, 0);
    for seed in seeds(1_000, 20_000) {
        let mut prng = Prng::new(seed);
        let scene = Scene {
            cut: Some(prng.below(20) as usize),
            stock: [false, seed % 3 == 0],
            ..scene(&mut prng)
        };
        let world = run(scene, seed);
        match world.live[0].is_empty() {
            true => none += 1,
            false => one += 1,
        }
    }
    assert!(one > 100 && none > 10, "{one} connected, {none} did not");
}

/// Step by step, and with nobody else who dials: both ends know what has become of it.
#[test]
fn a_stream_lost_at_each_step_is_no_riddle() {
    for seed in 0..50 {
        for step in 0..24 {
            let mut scene = scene(&mut Prng::new(seed));
            scene.dials[1] = None;
            scene.cut = Some(step);
            let world = run(scene, seed);
            let failed = !world.failures[0].is_empty();
            assert_eq!(world.live[0].is_empty(), failed, "seed {seed}, step {step}");
        }
    }
}

#[test]
fn damage_ends_one_attempt_and_no_other() {
    let mut damaged = 0;
    for seed in seeds(500, 20_000) {
        let mut prng = Prng::new(seed);
        let scene = Scene {
            damaged: Some(prng.below(20) as usize),
            ..scene(&mut prng)
        };
        let world = run(scene, seed);
        let bad =
            |failure: &Failure| Error::from(failure.clone()).code() == Code::ProtocolViolation;
        damaged += usize::from(world.failures.concat().iter().any(bad));
    }
    assert!(damaged > 100, "{damaged} runs saw damage");
}

#[test]
fn where_there_is_no_way_both_give_up() {
    for seed in seeds(100, 10_000) {
        let scene = Scene {
            apart: true,
            ..scene(&mut Prng::new(seed))
        };
        let world = run(scene, seed);
        assert!(world.live[0].is_empty() && world.stood.is_empty());
        assert!(
            world
                .failures
                .iter()
                .flatten()
                .any(|why| *why == Failure::TimedOut)
        );
    }
}

#[test]
fn the_attempt_of_the_smaller_id_stays() {
    assert!(dials_first(&[0, 36, 1], &[0, 36, 2]));
    assert!(!dials_first(&[0, 36, 2], &[0, 36, 1]));
    // Nobody wins against itself: such an offer is taken, and comes to nothing.
    assert!(!dials_first(&[1], &[1]));

    let mut first = Meeting::new(true);
    assert!(first.dial(1));
    assert!(!first.dial(2), "one is under way");
    // Before its own offer goes out, that of the remote is as good.
    assert_eq!(first.clone().offered(9), Verdict::Take(Some(1)));
    first.offering(1);
    assert_eq!(first.offered(9), Verdict::Refuse);
    assert_eq!(first.connected(1), None);
    assert!(!first.dial(3), "it is connected");

    let mut second = Meeting::new(false);
    assert!(second.dial(1));
    second.offering(1);
    assert_eq!(second.offered(9), Verdict::Take(Some(1)));
    second.ended(1);
    assert!(!second.dial(2), "the remote's is under way");
    assert_eq!(second.connected(9), None);
    assert_eq!(second.open(), Some(9));
    second.ended(9);
    assert!(second.is_empty() && second.dial(4));
}

#[test]
fn a_newer_connection_takes_the_place_of_an_older_one() {
    let mut meeting = Meeting::new(true);
    assert!(meeting.dial(1));
    meeting.offering(1);
    assert_eq!(meeting.connected(1), None);
    // The remote dials: it has noticed before this end that theirs has closed.
    assert_eq!(meeting.offered(2), Verdict::Take(None));
    // And once more: the newest is the one that it waits for.
    assert_eq!(meeting.offered(3), Verdict::Take(Some(2)));
    assert_eq!(meeting.connected(2), Some(2), "it gave way");
    assert_eq!(meeting.connected(3), Some(1));
    meeting.ended(1);
    assert_eq!(meeting.open(), Some(3));
}
