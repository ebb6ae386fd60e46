//! The state machine in a simulated world, under virtual time.

use super::sim::{Relay, START, World, back_within_five_seconds, hint};
use super::*;
use crate::limits::{HOME_RETRY_HIDDEN, HOUR, MINUTE, SECOND};

fn is_dial(output: &Output) -> bool {
    matches!(output, Output::Dial { .. })
}

fn is_websocket_dial(output: &Output) -> bool {
    matches!(
        output,
        Output::Dial {
            websocket: true,
            ..
        }
    )
}

fn is_probe(output: &Output) -> bool {
    matches!(output, Output::Probe { .. })
}

fn is_attempt(output: &Output) -> bool {
    is_dial(output) || is_probe(output)
}

fn states(world: &World) -> Vec<HomeState> {
    let state = |(_, output): &(Millis, Output)| match output {
        Output::State { state, .. } => Some(*state),
        _ => None,
    };
    world.log.iter().filter_map(state).collect()
}

fn joined(relays: &[&str], seed: u64) -> World {
    let mut world = World::new(seed);
    for peer in relays {
        world.add(peer, Relay::up());
    }
    world.run_until(START + 20 * SECOND);
    assert_eq!(world.state(), HomeState::Joined);
    world
}

#[test]
fn back_within_five_seconds_at_any_time() {
    let seeds = if std::env::var_os("WARREN_LONG").is_some() {
        20_000
    } else {
        500
    };
    for seed in 0..seeds {
        back_within_five_seconds(seed).unwrap();
    }
}

#[test]
fn a_relay_absent_at_the_start_is_found_when_it_comes() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        world.add(
            "relay",
            Relay {
                silent: seed % 2 == 0,
                ..Relay::down()
            },
        );
        let back = START + 100 + seed * 337;
        world.comes_up("relay", back);
        world.run_until(back);
        let took = world.run_while(5 * SECOND, |world| world.state() != HomeState::Joined);
        assert!(took.is_some(), "seed {seed}");
        assert_eq!(states(&world), [HomeState::Joined]);
    }
}

#[test]
fn a_relay_without_url_is_dialled_instead_of_probed() {
    for seed in 0..200 {
        let mut world = World::with(HomesConfig::native(), seed);
        world.add_without_url("relay", Relay::down());
        let back = START + 100 + seed * 5_337;
        world.comes_up("relay", back);
        world.run_until(back);
        let took = world.run_while(5 * SECOND, |world| world.state() != HomeState::Joined);
        assert!(took.is_some(), "seed {seed}");
        assert_eq!(world.count(START, is_probe), 0);
    }
}

#[test]
fn a_relay_with_only_webrtc_reachable_is_found_too() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        let relay = Relay {
            http: false,
            ways: (false, true),
            ..Relay::up()
        };
        world.add("relay", relay);
        world.run_until(START + 20 * SECOND);
        assert_eq!(world.state(), HomeState::Joined);
        let back = world.now + SECOND + seed * 500;
        world.goes_down("relay", world.now);
        world.comes_up("relay", back);
        world.run_until(back);
        let took = world.run_while(10 * SECOND, |world| world.state() != HomeState::Joined);
        assert!(took.is_some(), "seed {seed}");
    }
}

#[test]
fn the_first_start_dials_three_at_once() {
    let mut world = World::new(1);
    for peer in ["a", "b", "c", "d", "e"] {
        world.add(peer, Relay::down());
    }
    assert_eq!(world.count(START, is_websocket_dial), 3);
    world.run_until(START + 10 * SECOND);
    let to_e = |output: &Output| matches!(output, Output::Dial { peer, .. } if peer == "e");
    assert!(world.count(START, to_e) > 0, "the others have their turn");
}

#[test]
fn losing_one_of_two_is_not_being_lost() {
    let mut world = joined(&["a", "b", "c"], 2);
    world.homes.poll();
    let connected: Vec<String> = world
        .relays
        .iter()
        .filter(|(_, r)| r.connected)
        .map(|(peer, _)| peer.clone())
        .collect();
    let before = states(&world);
    world.goes_down(&connected[0], world.now);
    world.run_until(world.now + 10 * SECOND);
    assert_eq!(states(&world), before, "no event of state");
    assert!(
        world
            .relays
            .values()
            .filter(|relay| relay.connected)
            .count()
            >= 2
    );
}

#[test]
fn a_spare_relay_replaces_a_lost_one_at_once() {
    let mut world = World::new(3);
    for peer in ["a", "b"] {
        world.add(peer, Relay::up());
    }
    world.run_until(START + 20 * SECOND);
    let spare = world.now;
    world.add("c", Relay::up());
    world.run_until(spare + SECOND);
    assert_eq!(world.count(spare, is_attempt), 0, "two are enough");
    world.goes_down("a", world.now);
    let missing = |world: &World| !world.relays["c"].connected;
    assert!(world.run_while(2 * SECOND, missing).is_some());
}

#[test]
fn says_lost_once_and_joined_once() {
    let mut world = joined(&["a"], 4);
    world.goes_down("a", world.now);
    world.comes_up("a", world.now + MINUTE);
    world.run_until(world.now + 2 * MINUTE);
    assert_eq!(
        states(&world),
        [HomeState::Joined, HomeState::Lost, HomeState::Joined]
    );
    let reason = world.log.iter().find_map(|(_, output)| match output {
        Output::State {
            state: HomeState::Lost,
            reason,
        } => reason.clone(),
        _ => None,
    });
    assert!(reason.is_some());
}

#[test]
fn each_relay_has_its_own_next_attempt() {
    let mut homes = Homes::new(HomesConfig::browser(), 16);
    for (index, peer) in ["a", "b", "c", "late"].into_iter().enumerate() {
        homes.learn(hint(peer, None), START + index as Millis);
    }
    let (first, late) = (homes.next_attempt("a"), homes.next_attempt("late"));
    assert!(
        late.is_some() && late < first,
        "{first:?} is being dialled, {late:?}"
    );
    assert_eq!(homes.next_attempt("nobody"), None);
    homes.connected("late", START + 10);
    assert_eq!(homes.next_attempt("late"), None);
    homes.forget("a", START + 11);
    assert_eq!(homes.next_attempt("a"), None);
}

#[test]
fn a_relay_that_is_gone_is_asked_rarely_while_another_one_serves_and_soon_when_none_does() {
    let mut world = joined(&["a", "b", "c"], 12);
    world.goes_down("b", world.now);
    world.goes_down("c", world.now);
    world.run_until(world.now + 2 * MINUTE);
    let start = world.now;
    world.run_until(start + HOUR);
    let attempts = world.count(start, is_attempt);
    assert!(
        (2 * 60..2 * 2 * 150).contains(&attempts),
        "{attempts} in an hour"
    );
    world.comes_up("c", world.now);
    world.goes_down("a", world.now);
    let alone = world.now;
    world.run_until(alone + 5 * SECOND);
    assert_eq!(world.state(), HomeState::Joined);
}

#[test]
fn a_relay_that_hangs_up_is_not_hammered() {
    let mut world = World::new(9);
    world.add("a", Relay::up());
    let start = world.now;
    while world.now < start + MINUTE {
        world.run_while(HOME_RETRY_HIDDEN, |world| !world.relays["a"].connected);
        world.relays.get_mut("a").unwrap().connected = false;
        world.input(|homes, now| homes.disconnected("a", now));
    }
    let dials = world.count(start, is_dial);
    assert!((10..=60).contains(&dials), "{dials} in a minute");
}

#[test]
fn a_relay_that_answers_but_cannot_be_dialled_is_spared() {
    let mut world = World::new(10);
    world.add(
        "a",
        Relay {
            ways: (false, false),
            ..Relay::up()
        },
    );
    world.run_until(START + 10 * MINUTE);
    let start = world.now;
    world.run_until(start + 10 * MINUTE);
    assert!(
        world.count(start, is_dial) <= 60,
        "{}",
        world.count(start, is_dial)
    );
}

#[test]
fn peer_connections_are_not_used_up_by_a_long_absence() {
    let mut world = joined(&["a"], 11);
    let gone = world.now;
    world.goes_down("a", gone);
    world.run_until(gone + HOUR);
    assert!(
        world.count(gone, is_dial) <= 240,
        "{}",
        world.count(gone, is_dial)
    );
}

#[test]
fn reservations_are_kept_where_they_are_wanted() {
    let mut world = World::with(
        HomesConfig {
            want: 1,
            ..HomesConfig::browser()
        },
        12,
    );
    for peer in ["a", "b"] {
        world.add(peer, Relay::up());
    }
    world.run_until(START + 5 * SECOND);
    let reserves = |world: &World, start| {
        world.count(start, |output| matches!(output, Output::Reserve { .. }))
    };
    assert_eq!(reserves(&world, START), 1, "not at the surplus home");
    let start = world.now;
    let holder = world.log.iter().find_map(|(_, output)| match output {
        Output::Reserve { peer } => Some(peer.clone()),
        _ => None,
    });
    world.input(|homes, now| homes.reserved(&holder.unwrap(), false, now));
    assert_eq!(reserves(&world, start), 1, "the other one at once");
}

#[test]
fn a_refused_reservation_is_asked_for_again() {
    let mut homes = Homes::new(HomesConfig::browser(), 13);
    homes.learn(hint("a", None), START);
    homes.connected("a", START);
    let mut asked = 0;
    let mut now = START;
    while now < START + 5 * MINUTE {
        while let Some(output) = homes.poll() {
            if matches!(output, Output::Reserve { .. }) {
                asked += 1;
                homes.reserved("a", false, now);
            }
        }
        now = homes.next_wake().unwrap();
        homes.tick(now);
    }
    assert!((8..=25).contains(&asked), "{asked}");
}

#[test]
fn a_silent_driver_does_not_stop_it() {
    let mut homes = Homes::new(HomesConfig::browser(), 14);
    homes.learn(hint("a", Some("http://a.test".into())), START);
    let (mut now, mut attempts) = (START, 0);
    while now < START + 5 * MINUTE {
        while let Some(output) = homes.poll() {
            attempts += usize::from(is_attempt(&output));
        }
        now = homes.next_wake().unwrap().max(now + 1);
        homes.tick(now);
    }
    assert!((15..=200).contains(&attempts), "{attempts}");
}

#[test]
fn the_number_of_relays_is_bounded_and_homes_are_kept() {
    let mut homes = Homes::new(HomesConfig::browser(), 15);
    homes.learn(hint("home", None), START);
    homes.connected("home", START);
    homes.disconnected("home", START + HOUR);
    for number in 0..1_000 {
        let peer = format!("peer-{number}");
        homes.learn(hint(&peer, None), START + HOUR);
        homes.dial_failed(&peer, "refused", START + HOUR);
    }
    assert_eq!(homes.homes.len(), MAX_KNOWN_HOMES);
    assert!(homes.find("home").is_some());
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = |seed| {
        let mut world = joined(&["a", "b"], seed);
        world.goes_down("a", world.now + 77);
        world.goes_down("b", world.now + 99);
        world.comes_up("b", world.now + MINUTE);
        world.run_until(world.now + 2 * MINUTE);
        world.log
    };
    assert_eq!(run(16), run(16));
    assert_ne!(run(16), run(17));
}

#[test]
fn random_inputs_never_stop_or_flood_it() {
    for seed in 0..200 {
        let mut prng = Prng::new(seed);
        let mut homes = Homes::new(HomesConfig::browser(), seed);
        let mut now = START;
        let mut outputs = 0_usize;
        for _ in 0..2_000 {
            let peer = format!("p{}", prng.below(5));
            let yes = prng.below(2) == 0;
            match prng.below(11) {
                0 => homes.learn(hint(&peer, yes.then(|| "http://x.test".into())), now),
                1 => homes.connected(&peer, now),
                2 => homes.disconnected(&peer, now),
                3 => homes.dial_failed(&peer, "refused", now),
                4 => homes.probe_result(&peer, yes, now),
                5 => homes.reserved(&peer, yes, now),
                6 => homes.network(prng.below(4) != 0, now),
                7 => homes.visible(yes, now),
                8 => homes.woke(now),
                _ => homes.tick(now),
            }
            while homes.poll().is_some() {
                outputs += 1;
            }
            if let Some(wake) = homes.next_wake() {
                assert!(wake > now, "seed {seed}: due but not done: {homes:?}");
            }
            now = match prng.below(20) {
                0 => now.saturating_sub(prng.below(HOUR)),
                1 => now + prng.below(HOUR),
                _ => now + prng.below(SECOND),
            };
        }
        assert!(outputs < 20_000, "seed {seed}: {outputs} outputs");
    }
}

mod host;
