//! Many relays in one process: what one stores, all others read, also after many have left; and
//! the ways into a network.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::future::join_all;
use libp2p::PeerId;
use warren_relay::peer::PeerArgs;
use warren_shared::error::Code;
use warren_shared::net::overlay::Overlay;
use warren_shared::net::{Event, Route, StoreReport};
use warren_shared::platform;
use warren_shared::proto::key::{Key, SigningKey};
use warren_shared::proto::record::peer::PeerRecord;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_all_relays_forgot_is_not_rolled_back() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let author = |relay: &TestRelay| PeerArgs {
        data_dir: Some(home.path().into()),
        ..arguments(&[relay.url()], &[])
    };
    let remembers = TestRelay::first().await;
    let network = remembers.node().network().to_string();
    let forgot = TestRelay::start(|args| args.network = Some(network)).await;
    let forgot = forgot.expect("a relay without records");

    let peer = author(&remembers).start(Vec::new()).await.expect("joined");
    let mut key = None;
    for text in ["\"1\"", "\"2\"", "\"3\""] {
        let version = Value::Json(text.into());
        let set = peer.node.set("label", &version, HOUR).await;
        key = Some(set.expect("stored").0);
    }
    let key = key.expect("a key");
    let old = peer.node.get(key).await.expect("the third version");
    peer.node.close().await;
    drop(peer);

    let peer = author(&forgot).start(Vec::new()).await.expect("joined");
    let new = Value::Json("\"new\"".into());
    peer.node.set("label", &new, HOUR).await.expect("stored");
    let put_back = peer.node.overlay().store(old).await;
    assert_eq!(put_back.expect_err("an older one").code(), Code::Older);
    let read = peer.node.get(key).await.expect("the new one");
    assert_eq!(content(&read), new);
    peer.node.close().await;
    remembers.stop().await;
    forgot.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_are_set_at_once_are_stored_in_the_order_of_the_calls() {
    let relay = TestRelay::first().await;
    let peer = member(&relay.url()).await.expect("a peer");
    let values: Vec<Value> = (0..8)
        .map(|number: i32| Value::Json(number.to_string()))
        .collect();
    let sets = values
        .iter()
        .map(|value| peer.node.set("label", value, HOUR));
    let stored: Vec<(Key, u64, StoreReport)> = within("all are stored", join_all(sets))
        .await
        .into_iter()
        .collect::<Result<_, _>>()
        .expect("stored");
    assert!(
        stored.is_sorted_by(|(_, one, _), (_, next, _)| one < next),
        "{stored:?}"
    );
    let read = peer.node.get(stored[0].0).await.expect("the last one");
    assert_eq!(Some(&content(&read)), values.last());
    peer.node.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_record_written_by_a_fast_clock_is_replaced() {
    let relay = TestRelay::first().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let args = PeerArgs {
        data_dir: Some(home.path().into()),
        ..arguments(&[relay.url()], &[])
    };
    let peer = args.start(Vec::new()).await.expect("joined");
    let id = peer.node.id();
    peer.node.close().await;
    drop(peer);

    // What an earlier run of the same peer left behind, its clock an hour ahead.
    let seed = std::fs::read(home.path().join("identity.key")).expect("its key");
    let key = SigningKey::from_seed(seed.try_into().expect("a seed"));
    let left_behind = PeerRecord {
        addresses: vec![],
        relays: vec![],
        mailboxes: vec![],
        capabilities: vec!["before".into()],
        author: None,
    };
    let now = platform::now();
    let network = relay.node().network();
    let envelope = left_behind.sign(&key, network, now + HOUR, now);
    let envelope = Record::Signed(envelope.expect("signed"));
    relay
        .node()
        .overlay()
        .store(envelope)
        .await
        .expect("stored");

    let peer = args.start(Vec::new()).await.expect("joined");
    until("the record is renewed", || async {
        let (record, _) = relay.node().find_peer(id).await.ok()?;
        (record.capabilities == ["native"]).then_some(())
    })
    .await;
    peer.node.close().await;
    relay.stop().await;
}
