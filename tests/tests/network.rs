//! Many relays in one process: what one stores, all others read, also after many have left; and
//! the ways into a network.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::future::join_all;
use libp2p::PeerId;
use warren_shared::error::Code;
use warren_shared::net::{Event, Route};
use warren_shared::proto::key::Key;
use warren_shared::proto::record::{MutableValue, Record, Value};
use warren_tests::count;
use warren_tests::peers::{arguments, hidden_relay, member, stranger};
use warren_tests::random::Random;
use warren_tests::relays::{TestRelay, dead_port};
use warren_tests::wait::{until, within};

const HOUR: u64 = 3_600_000;
const VALUES: usize = 4;
const LEAVING_PERCENT: usize = 30;
/// A relay that knows so many others is well connected.
const NEIGHBOURS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn values_outlive_the_relays_that_leave() {
    let mut random = Random::new();
    let mut relays = grow(count(12, 30), &mut random).await;
    let stored = store(&relays[0], &mut random).await;

    // The one that stored may be among those that leave.
    random.shuffle(&mut relays);
    let leaving = relays.split_off(relays.len() - relays.len() * LEAVING_PERCENT / 100);
    join_all(leaving.into_iter().map(TestRelay::stop)).await;

    let readers = relays.iter().enumerate();
    join_all(readers.map(|(reader, relay)| read_all(reader, relay, &stored))).await;
    join_all(relays.into_iter().map(TestRelay::stop)).await;
}

async fn read_all(reader: usize, relay: &TestRelay, stored: &[(Key, Value)]) {
    for (key, value) in stored {
        let record = within("a read", relay.node().get(*key)).await;
        let record = record.unwrap_or_else(|error| panic!("relay {reader}, {key}: {error}"));
        assert_eq!(&content(&record), value, "relay {reader}");
    }
}

/// Relays that each joined through one or two earlier ones, by URL or by address.
async fn grow(size: usize, random: &mut Random) -> Vec<TestRelay> {
    let mut relays = vec![TestRelay::first().await];
    while relays.len() < size {
        let mut join = Vec::new();
        let mut bootstrap = Vec::new();
        for _ in 0..=random.below(2) {
            let earlier = &relays[random.below(relays.len())];
            match random.chance(50) {
                true => join.push(earlier.url()),
                false => bootstrap.push(earlier.address().await),
            }
        }
        let relay = TestRelay::start(|args| {
            args.join = join;
            args.bootstrap = bootstrap;
        })
        .await;
        relays.push(relay.expect("a relay joins"));
    }
    for relay in &relays {
        until("a relay finds neighbours", || async {
            (relay.snapshot().await.routing.size >= NEIGHBOURS).then_some(())
        })
        .await;
    }
    relays
}

/// Stores immutable and mutable values at one relay; the mutable ones in two versions.
async fn store(relay: &TestRelay, random: &mut Random) -> Vec<(Key, Value)> {
    let node = relay.node();
    let mut stored = Vec::new();
    for number in 0..VALUES {
        let length = random.below(8_192);
        let value = Value::Bytes(random.bytes(length));
        let (key, report) = node.put(&value).await.expect("stored");
        assert!(report.stored > 1, "kept by nobody else: {report:?}");
        stored.push((key, value));

        let label = format!("label {number}");
        let versions = ["old", "new"].map(|text| Value::Json(format!("\"{text} {number}\"")));
        for version in &versions {
            node.set(&label, version, HOUR).await.expect("stored");
        }
        let [_, newest] = versions;
        stored.push((MutableValue::key(&node.author(), &label), newest));
    }
    stored
}

fn content(record: &Record) -> Value {
    match record {
        Record::Value(block) => block.value().clone(),
        Record::Signed(envelope) => {
            let block = MutableValue::open(envelope).expect("a mutable value");
            block.value().clone()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_address_does_not_keep_anybody_out() {
    let first = TestRelay::first().await;
    let second = joined_by(vec![dead_url(), first.url()], vec![]).await;
    let third = joined_by(vec![], vec![dead_address(), first.address().await]).await;
    let fourth = joined_by(vec![dead_url()], vec![second.address().await]).await;
    let everybody = [&first, &second, &third, &fourth];
    for relay in everybody {
        assert_eq!(relay.node().network(), first.node().network());
        let others: BTreeSet<PeerId> = ids(&everybody).filter(|id| *id != relay.id()).collect();
        until("the relays know each other", || async {
            // The dead address is remembered too: it may come back.
            known(relay).await.is_superset(&others).then_some(())
        })
        .await;
    }

    let bootstrap = [dead_address(), third.address().await];
    let peer = arguments(&[dead_url()], &bootstrap).start(Vec::new()).await;
    let peer = peer.expect("a peer joins");
    assert_eq!(peer.node.network(), first.node().network());
    peer.node.close().await;
    for relay in [first, second, third, fourth] {
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_relay_the_cause_and_a_remedy_are_told() {
    for (join, bootstrap) in [
        (vec![dead_url()], vec![]),
        (vec![], vec![dead_address()]),
        (vec![dead_url()], vec![dead_address()]),
    ] {
        let started = within(
            "the failure",
            arguments(&join, &bootstrap).start(Vec::new()),
        )
        .await;
        let error = started.err().expect("nobody is there");
        assert_eq!(error.code(), Code::JoinFailed, "{error}");
        assert!(error.cause().is_some(), "{error}");
        assert!(!error.remedy().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_started_before_its_bootstrap_joins_later() {
    let early = TestRelay::first().await;
    let network = early.node().network().to_string();
    let port = dead_port();
    let late_address = format!("127.0.0.1:{port}");
    let url = format!("http://{late_address}");
    let waiting = TestRelay::start(|args| {
        args.join = vec![url];
        args.network = Some(network.clone());
    })
    .await
    .expect("it starts alone when it knows its network");
    let late = TestRelay::start(|args| {
        args.http = Some(late_address);
        args.network = Some(network);
    })
    .await
    .expect("the bootstrap comes up");
    until("it has joined", || async {
        known(&waiting).await.contains(&late.id()).then_some(())
    })
    .await;
    for relay in [early, waiting, late] {
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_of_another_network_is_refused() {
    let first = TestRelay::first().await;
    let stranger = TestRelay::start(|args| {
        args.join = vec![first.url()];
        args.network = Some("elsewhere".into());
    })
    .await
    .expect("it runs its own network");
    let peer = member(&first.url()).await.expect("a peer");
    let (key, report) = peer
        .node
        .put(&Value::Json("1".into()))
        .await
        .expect("stored");
    assert_eq!(report.stored, 1, "only its own network keeps it");
    assert_eq!(
        stranger.node().get(key).await.unwrap_err().code(),
        Code::NotFound
    );
    assert!(known(&stranger).await.is_empty() && known(&first).await.is_empty());
    peer.node.close().await;
    first.stop().await;
    stranger.stop().await;
}

async fn joined_by(join: Vec<String>, bootstrap: Vec<String>) -> TestRelay {
    let relay = TestRelay::start(|args| {
        args.join = join;
        args.bootstrap = bootstrap;
    });
    within("a relay starts", relay)
        .await
        .expect("a relay joins")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_relays_that_were_dialled_are_passed_on() {
    let relay = TestRelay::first().await;
    let hidden = hidden_relay(relay.node().network());
    let Route { peer, addresses } = relay.route().await;
    within("a dial", hidden.handle().dial(Some(peer), addresses))
        .await
        .expect("the relay answers");
    until("the relay has heard who that is", || async {
        let connections = relay.snapshot().await.connections;
        let claim = connections
            .into_iter()
            .find(|open| open.peer == hidden.id().to_string());
        claim.and_then(|open| open.agent)
    })
    .await;

    let other = TestRelay::start(|args| args.join = vec![relay.url()]).await;
    let other = other.expect("another relay joins");
    let hints = until("the other relay is dialled back", || async {
        let hints = relay.node().handle().relay_hints().await.expect("hints");
        (!hints.is_empty()).then_some(hints)
    })
    .await;
    let told: Vec<_> = hints.iter().map(|hint| hint.peer.clone()).collect();
    assert_eq!(told, [other.id().to_string()]);
    hidden.close().await;
    other.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_is_learned_after_it_was_connected_is_told() {
    let relay = TestRelay::first().await;
    let peer = stranger(relay.node().network());
    let mut events = peer.handle().events_only().await.expect("events");
    let Route {
        peer: id,
        addresses,
    } = relay.route().await;
    within("a dial", peer.handle().dial(Some(id), addresses))
        .await
        .expect("the relay answers");
    let told = within("the home is told", async {
        loop {
            match events.next().await.expect("the peer runs") {
                Event::Relay { id, state, .. } => return (id, state),
                _ => continue,
            }
        }
    });
    assert_eq!(told.await, (relay.id().to_string(), "connected"));
    peer.close().await;
    relay.stop().await;
}

fn ids<'a>(relays: &'a [&TestRelay]) -> impl Iterator<Item = PeerId> + 'a {
    relays.iter().map(|relay| relay.id())
}

async fn known(relay: &TestRelay) -> BTreeSet<PeerId> {
    let routing = relay.snapshot().await.routing;
    let peers = routing.buckets.into_iter().flat_map(|bucket| bucket.peers);
    peers.filter_map(|peer| peer.id.parse().ok()).collect()
}

fn dead_url() -> String {
    format!("http://127.0.0.1:{}", dead_port())
}

fn dead_address() -> String {
    format!(
        "/ip4/127.0.0.1/tcp/{}/p2p/{}",
        dead_port(),
        PeerId::random()
    )
}
