//! Native peers that nobody can dial come to direct connections over circuits, and do without the relay then.

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::select;
use libp2p::Multiaddr;
use serde_json::{Value, json};
use warren_relay::peer::{Peer, PeerArgs};
use warren_shared::error::Code;
use warren_shared::net::address::{Via, is_relayed};
use warren_shared::net::reach::once_in_reach;
use warren_shared::net::rpc::{Allow, Ask, handler};
use warren_shared::net::{Event, Node, NodeConfig, Role, Route};
use warren_shared::platform;
use warren_shared::proto::homes::HomesConfig;
use warren_shared::proto::join::RelayHint;
use warren_shared::proto::key::SigningKey;
use warren_tests::count;
use warren_tests::peers::{arguments, loopback, member, one_of_many, plain};
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::{until, within};

const MIB: u64 = 1024 * 1024;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Where WebRTC-direct is, peers may ask how they are seen from outside.
async fn relay() -> TestRelay {
    let started = TestRelay::start(|args| args.udp = Some(ANY_PORT.into()));
    started.await.expect("the relay starts")
}

/// A peer that listens on nothing itself and can be reached through the relay.
async fn hidden(relay: &TestRelay) -> Peer {
    let peer = arguments(&[relay.url()], &[]).start(Vec::new()).await;
    let peer = peer.expect("a peer joins");
    circuit(&peer.node).await;
    peer
}

/// Where it is reached through the relay.
async fn circuit(node: &Node) -> String {
    until("a circuit is reserved", || async {
        let snapshot = node.handle().snapshot().await.ok()?;
        let mut addresses = snapshot.addresses.into_iter();
        addresses.find(|text| text.contains("/p2p-circuit"))
    })
    .await
}

/// How one peer is connected to another.
async fn ways(node: &Node, other: &Node) -> Vec<Via> {
    let snapshot = node.handle().snapshot().await.expect("it runs");
    let id = other.id().to_string();
    let links = snapshot.connections.iter().filter(|link| link.peer == id);
    links.map(|link| link.transport).collect()
}

async fn until_ways(node: &Node, other: &Node, wanted: &[Via]) {
    patiently("they are connected as they should be", async {
        while ways(node, other).await != wanted {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    })
    .await;
}

/// An attempt that a starved machine lets fail is repeated after a quarter of a minute, and then after half of one.
async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(180), work).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peers_behind_a_relay_do_without_it() {
    let relay = relay().await;
    let (ann, bob) = (hidden(&relay).await, hidden(&relay).await);
    let (ann, bob) = (&ann.node, &bob.node);
    ann.answer_measurements().expect("nobody else does");
    bob.answer_measurements().expect("nobody else does");
    let mut told = select(
        ann.handle().events_only().await.expect("it runs"),
        bob.handle().events_only().await.expect("it runs"),
    );
    within("a dial", ann.connect(&circuit(bob).await))
        .await
        .expect("it answers");
    let peer = patiently("somebody is told", async {
        loop {
            if let Some(Event::Upgrade { peer, state, .. }) = told.next().await
                && state == "direct"
            {
                return peer;
            }
        }
    })
    .await;
    assert!(peer == ann.id().to_string() || peer == bob.id().to_string());
    // The circuit is given up by both.
    until_ways(ann, bob, &[Via::Webrtc]).await;
    until_ways(bob, ann, &[Via::Webrtc]).await;
    let measured = within("a mebibyte", ann.measure(bob.id(), MIB, MIB)).await;
    assert_eq!(measured.expect("measured").received, MIB);
    relay.stop().await;
    let measured = within("another one", bob.measure(ann.id(), MIB, MIB)).await;
    assert_eq!(measured.expect("measured").received, MIB);
    assert_eq!(ways(ann, bob).await, [Via::Webrtc]);
    ann.close().await;
    // Who is told that the other one leaves does not wait for its silence.
    until_ways(bob, ann, &[]).await;
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_both_dial_at_once_one_connection_comes_of_it() {
    let relay = relay().await;
    let (ann, bob) = (hidden(&relay).await, hidden(&relay).await);
    let (ann, bob) = (&ann.node, &bob.node);
    let (to_ann, to_bob) = (circuit(ann).await, circuit(bob).await);
    for _ in 0..count(3, 100) {
        let (one, other) = futures::join!(
            within("a dial", ann.connect(&to_bob)),
            within("a dial", bob.connect(&to_ann)),
        );
        one.and(other).expect("both answer");
        until_ways(ann, bob, &[Via::Webrtc]).await;
        until_ways(bob, ann, &[Via::Webrtc]).await;
        let gone = ann.handle().disconnect(bob.id()).await;
        gone.expect("it runs");
        until_ways(ann, bob, &[]).await;
        until_ways(bob, ann, &[]).await;
    }
    ann.close().await;
    bob.close().await;
    relay.stop().await;
}

/// What is busy may lose its relay, and dials again then. That a relay let a dial drop in silence is another matter.
async fn reach(node: &Node, id: &str) {
    while let Err(error) = node.connect(id).await {
        let silent = error.cause().is_some_and(|cause| cause.contains("Timeout"));
        assert!(!silent, "{error:?}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// More than a relay lets come to one peer in the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn many_reach_one_at_the_same_time() {
    let relay = relay().await;
    let hub = hidden(&relay).await.node;
    let others = join_all((0..count(12, 20)).map(|_| one_of_many(&relay))).await;
    let others: Vec<Node> = others
        .into_iter()
        .map(|one| one.expect("it joins"))
        .collect();
    until("it has told where it is", || async {
        others[0].find_peer(hub.id()).await.ok()
    })
    .await;
    let id = hub.id().to_string();
    let dials = join_all(others.iter().map(|other| reach(other, &id)));
    patiently("all dials", dials).await;
    join_all(others.iter().map(Node::close)).await;
    hub.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_keeps_its_circuit_and_the_other_is_told() {
    let relay = relay().await;
    let ann = hidden(&relay).await.node;
    let config = NodeConfig {
        homes: HomesConfig {
            reserve: true,
            ..HomesConfig::native()
        },
        ..plain(
            relay.node().network(),
            Role::Peer,
            SigningKey::from_seed(platform::entropy()),
        )
    };
    let old = Node::start(config).expect("it starts");
    old.answer_measurements().expect("nobody else does");
    let hint = RelayHint {
        peer: relay.id().to_string(),
        addresses: vec![relay.address().await],
        http: None,
    };
    old.learn(hint).await.expect("it runs");
    let mut told = ann.handle().events_only().await.expect("it runs");
    within("a dial", ann.connect(&circuit(&old).await))
        .await
        .expect("it answers");
    let (state, reason, retry_at) = within("it is told", async {
        loop {
            if let Some(Event::Upgrade {
                peer,
                state,
                reason,
                retry_at,
            }) = told.next().await
            {
                assert_eq!(peer, old.id().to_string());
                return (state, reason, retry_at);
            }
        }
    })
    .await;
    assert_eq!((state, retry_at), ("kept", None));
    let reason = reason.expect("a reason");
    assert!(reason.contains("does not speak"), "{reason}");
    assert_eq!(ways(&ann, &old).await, [Via::Circuit]);
    let measured = within("a little", ann.measure(old.id(), 1_000, 1_000)).await;
    assert_eq!(measured.expect("measured").received, 1_000);
    ann.close().await;
    old.close().await;
    relay.stop().await;
}

/// Where a peer says that it is, as soon as it says so over the relay, too.
async fn said(of: &Node, asked: &Node) -> Vec<Multiaddr> {
    until("it has told where it is", || async {
        let (record, _) = asked.find_peer(of.id()).await.ok()?;
        let told = record.addresses.into_iter();
        let told: Vec<_> = told
            .map(|bytes| Multiaddr::try_from(bytes).expect("an address"))
            .collect();
        told.iter().any(is_relayed).then_some(told)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_itself_to_relays_only_is_called_and_calls_over_circuits() {
    let relay = relay().await;
    let shy = PeerArgs {
        relay_only: true,
        ..arguments(&[relay.url()], &[])
    };
    let shy = shy.start(vec![loopback()]).await.expect("it joins").node;
    let addresses = shy.handle().addresses().await.expect("it runs");
    assert!(!addresses.is_empty(), "there is a circuit to it by now");
    let published = once_in_reach(|| shy.publish_peer_record()).await;
    published.expect("it can be found");
    let echo = handler(|_, params: Value| async move { Ok(params) });
    let served = shy.rpc().serve("echo", Allow::anyone(), echo);
    served.expect("nobody else serves it");
    let ann = member(&relay.url()).await.expect("it joins").node;
    let told = said(&shy, &ann).await;
    assert!(told.iter().all(is_relayed), "{told:?}");

    let mut events = ann.handle().events_only().await.expect("it runs");
    let id = shy.id().to_string();
    within("a dial", ann.connect(&id))
        .await
        .expect("it is found");
    let route = ann.route_to(shy.id()).await.expect("it is connected");
    let ask = Ask::new("echo", json!([7]));
    let answer = within("a call", ann.rpc().call(route, &ask)).await;
    assert_eq!(answer.expect("answered"), json!([7]));
    let kept = within("it is told", async {
        loop {
            if let Some(Event::Upgrade { peer, state, .. }) = events.next().await
                && peer == id
            {
                return state;
            }
        }
    });
    assert_eq!(kept.await, "kept");
    assert_eq!(ways(&ann, &shy).await, [Via::Circuit]);

    // Who can be dialled directly is not, whether that is asked for or not.
    let bob = member(&relay.url()).await.expect("it joins").node;
    let told = said(&bob, &shy).await;
    let direct = told.iter().find(|address| !is_relayed(address));
    let direct = direct.expect("it listens");
    let refused = shy
        .connect(&direct.to_string())
        .await
        .expect_err("that shows it");
    assert_eq!(refused.code(), Code::DialFailed);
    let route = Route {
        peer: bob.id(),
        addresses: vec![direct.clone()],
    };
    let ask = Ask::new("warren.ping", json!(null));
    let asked = within("a call", shy.rpc().call(route, &ask));
    asked.await.expect_err("a call shows it, too");
    assert!(ways(&bob, &shy).await.is_empty());
    let bob_id = bob.id().to_string();
    within("a dial", shy.connect(&bob_id))
        .await
        .expect("over the relay");
    until_ways(&shy, &bob, &[Via::Circuit]).await;
    until_ways(&bob, &shy, &[Via::Circuit]).await;
    for node in [shy, ann, bob] {
        node.close().await;
    }
    relay.stop().await;
}
