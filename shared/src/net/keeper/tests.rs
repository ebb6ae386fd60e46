//! Who gets a place among the known relays, and who is passed on.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::super::driver::command_channel;
use super::super::outside::Outside;
use super::*;
use crate::error::{Code, Error, Result};

struct Nowhere;

impl Outside for Nowhere {
    fn fetch(&self, _: String, _: Duration) -> BoxFuture<'static, Result<String>> {
        async { Err(Error::new(Code::DialFailed, "there is no network here")) }.boxed()
    }
}

fn keeper() -> Keeper {
    let (commands, _) = command_channel();
    let handle = Handle::new(commands, PeerId::random(), "test".parse().unwrap());
    Keeper::new(
        HomesConfig::native(),
        Arc::new(Nowhere),
        handle,
        Arc::new(|_| true),
    )
}

fn at(host: u8, rest: &str) -> Multiaddr {
    format!("/ip4/192.0.2.{host}/{rest}").parse().unwrap()
}

fn name(keeper: &mut Keeper, host: u8) -> Option<PeerId> {
    keeper.learn(RelayHint {
        peer: PeerId::random().to_string(),
        addresses: vec![at(host, "tcp/1").to_string()],
        http: None,
    })
}

fn meet(keeper: &mut Keeper, host: u8) -> Option<PeerId> {
    let peer = PeerId::random();
    let dialled = [at(host, "tcp/1")];
    keeper.meet(peer, Vec::new(), &dialled).then_some(peer)
}

#[test]
fn strangers_leave_room_for_relays_that_are_named() {
    let mut keeper = keeper();
    let strangers = std::iter::from_fn(|| meet(&mut keeper, 1)).count();
    assert_eq!(strangers, MAX_MET_HOMES);
    for host in 0..MAX_KNOWN_HOMES as u8 {
        assert!(name(&mut keeper, host).is_some(), "{host}");
    }
    assert_eq!(keeper.known.len(), MAX_KNOWN_HOMES);
    assert!(keeper.known.values().all(|known| !known.met));
    assert!(meet(&mut keeper, 1).is_none());
    assert!(name(&mut keeper, 1).is_none(), "all may still work");
}

#[test]
fn a_relay_that_failed_gives_its_place_to_another() {
    let mut keeper = keeper();
    let named: Vec<PeerId> = std::iter::from_fn(|| name(&mut keeper, 1)).collect();
    assert_eq!(named.len(), MAX_KNOWN_HOMES);
    keeper.connected(&named[0], Via::Tcp, 1);
    keeper.dial_failed(&named[1], "gone", 2);
    assert!(
        meet(&mut keeper, 2).is_none(),
        "a stranger displaces nobody named"
    );
    let newcomer = name(&mut keeper, 2).expect("a place");
    assert!(!keeper.known.contains_key(&named[1]));
    assert!(keeper.known.contains_key(&newcomer));
    assert_eq!(keeper.connected_homes(), [named[0]]);
}

#[test]
fn only_relays_that_were_dialled_are_passed_on() {
    let mut keeper = keeper();
    let named = name(&mut keeper, 1).unwrap();
    assert!(keeper.hints(0).is_empty(), "its word only");
    keeper.proven(&named);
    let hints = keeper.hints(0);
    assert_eq!(hints.len(), 1);
    assert_eq!(hints[0].peer, named.to_string());
}

#[test]
fn a_relay_that_is_gone_for_good_is_not_passed_on() {
    let mut keeper = keeper();
    let named = name(&mut keeper, 1).unwrap();
    keeper.proven(&named);
    keeper.dial_failed(&named, "gone", 1);
    keeper.dial_failed(&named, "gone", 2);
    assert_eq!(keeper.hints(1 + HINT_PATIENCE).len(), 1, "it may restart");
    assert!(keeper.hints(2 + HINT_PATIENCE).is_empty());
    keeper.connected(&named, Via::Tcp, 3 + HINT_PATIENCE);
    assert_eq!(keeper.hints(3 * HINT_PATIENCE).len(), 1);
    // Where enough others are connected it is not even dialled.
    keeper.disconnected(&named, 3 * HINT_PATIENCE);
    assert_eq!(keeper.hints(4 * HINT_PATIENCE).len(), 1);
    assert!(keeper.hints(1 + 4 * HINT_PATIENCE).is_empty());
}

#[test]
fn what_a_relay_says_of_other_hosts_is_not_believed() {
    let mut keeper = keeper();
    let peer = PeerId::random();
    let claimed = vec![at(66, "tcp/80/ws"), at(1, "udp/1/webrtc-direct")];
    assert!(keeper.meet(peer, claimed, &[at(1, "tcp/1")]));
    let known = [at(1, "udp/1/webrtc-direct"), at(1, "tcp/1")];
    assert_eq!(keeper.routes(&peer), known);
    let hint = &keeper.hints(0)[0];
    assert_eq!((hint.addresses.len(), &hint.http), (2, &None));
}

#[test]
fn a_place_is_lost_only_with_the_last_listener() {
    let mut keeper = keeper();
    let home = name(&mut keeper, 1).unwrap();
    for relay in [home, PeerId::random()] {
        let (first, second) = (ListenerId::next(), ListenerId::next());
        keeper.reserving(relay, first);
        assert_eq!(keeper.place_at(&relay), Some(false));
        keeper.reserved(&relay, true, 1);
        assert_eq!(keeper.place_at(&relay), Some(true));
        keeper.reserving(relay, second);
        assert_eq!(keeper.listener_closed(first), None, "asked once more");
        assert_eq!(keeper.place_at(&relay), Some(false));
        assert_eq!(keeper.listener_closed(second), Some(relay));
        assert_eq!(keeper.place_at(&relay), None);
        assert_eq!(keeper.listener_closed(second), None);
    }
}
