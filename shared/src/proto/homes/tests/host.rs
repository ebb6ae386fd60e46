//! What the device does: it goes offline, sleeps, hides the tab, sets its clock.

use super::*;

#[test]
fn offline_does_not_deny_a_connection_that_lives() {
    let mut world = joined(&["a"], 5);
    let offline = world.now;
    world.input(|homes, now| homes.network(false, now));
    assert_eq!(world.state(), HomeState::Joined);
    let checks = |output: &Output| matches!(output, Output::Ping { .. });
    assert_eq!(world.count(offline, checks), 1);
    world.goes_down("a", world.now);
    world.run_until(world.now + 10 * SECOND);
    assert_eq!(world.state(), HomeState::Offline);
    assert_eq!(world.count(offline, is_attempt), 0);
}

#[test]
fn offline_is_silent_and_online_tries_at_once() {
    let mut world = joined(&["a"], 5);
    world.goes_down("a", world.now);
    world.run_until(world.now + 10 * SECOND);
    world.input(|homes, now| homes.network(false, now));
    assert_eq!(world.state(), HomeState::Offline);
    let offline = world.now + 1;
    assert_eq!(world.homes.next_wake(), None);
    world.run_until(offline + HOUR);
    assert_eq!(world.count(offline, is_attempt), 0);
    world.comes_up("a", world.now);
    world.run_until(world.now);
    let online = world.now;
    world.input(|homes, now| homes.network(true, now));
    assert_eq!(world.count(online, is_websocket_dial), 1);
    assert_eq!(world.state(), HomeState::Lost);
    world.run_until(online + SECOND);
    assert_eq!(world.state(), HomeState::Joined);
}

#[test]
fn a_hidden_tab_is_patient_and_a_shown_one_is_not() {
    let mut world = joined(&["a"], 6);
    world.input(|homes, now| homes.visible(false, now));
    world.goes_down("a", world.now);
    world.run_until(world.now + 10 * MINUTE);
    let start = world.now;
    world.run_until(start + 10 * MINUTE);
    let probes = world.count(start, is_probe);
    assert!((16..=26).contains(&probes), "{probes} in ten minutes");
    let shown = world.now;
    world.input(|homes, now| homes.visible(true, now));
    assert_eq!(world.count(shown, is_websocket_dial), 1);
    world.run_until(shown + 10 * SECOND);
    assert!(world.count(shown, is_probe) >= 4);
}

#[test]
fn waking_up_suspects_every_connection() {
    let mut world = joined(&["a", "b", "c"], 7);
    let connected = world
        .relays
        .values()
        .filter(|relay| relay.connected)
        .count();
    world.now += 8 * HOUR;
    let woke = world.now;
    world.input(|homes, now| homes.woke(now));
    let pings = world.count(woke, |output| matches!(output, Output::Ping { .. }));
    assert_eq!(pings, connected);
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let mut homes = Homes::new(HomesConfig::browser(), 8);
    homes.learn(hint("a", Some("http://a.test".into())), START);
    homes.dial_failed("a", "refused", START + 10);
    while homes.poll().is_some() {}
    let back = START - 2 * HOUR;
    homes.tick(back);
    let wake = homes.next_wake().unwrap();
    assert!(
        (back..back + 5 * SECOND).contains(&wake),
        "{wake} after {back}"
    );
}
