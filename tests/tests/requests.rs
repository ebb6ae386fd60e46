//! What calls do when the network changes under them: connections that break off, nodes that are slow,
//! relays that go away or belong to others.

use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::join;
use futures::{FutureExt, StreamExt, stream};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use tokio::time::timeout;
use warren_relay::fetch::Fetcher;
use warren_relay::transport::{connections, dialable};
use warren_shared::api::{Call, Outgoing, Reply, Session, StartParams, Surroundings};
use warren_shared::error::Code;
use warren_shared::net::names::cooperative;
use warren_shared::net::outside::Forgetful;
use warren_shared::net::{Event, RecordClient, Route};
use warren_shared::proto::join::RelayHint;
use warren_shared::proto::key::Key;
use warren_shared::proto::record::Value;
use warren_tests::links::Links;
use warren_tests::peers::{member, stranger};
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_connection_breaks_off_is_asked_again() {
    let relay = TestRelay::first().await;
    let stored = relay.node().put(&Value::Json("1".into())).await;
    let (key, _) = stored.expect("stored");
    let peer = stranger(relay.node().network());
    let route = relay.route().await;
    peer.connect(&relay.address().await)
        .await
        .expect("connected");

    let client = RecordClient::new(peer.handle().clone(), peer.network().clone(), None);
    let read = client.read(vec![route], key);
    let (read, cut) = within("both", join(read, peer.handle().disconnect(relay.id()))).await;
    cut.expect("cut off");
    assert!(read.expect("an answer").is_some());
    peer.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_about_files_when_a_connection_breaks_off_is_asked_again() {
    const ROUND_TRIP: Duration = Duration::from_secs(1);
    let relay = TestRelay::first().await;
    let sharer = member(&relay.url()).await.expect("a member").node;
    sharer.files().expect("files");
    let links = Links::new();
    let listens = sharer.handle().addresses().await.expect("it runs");
    let far = listens.iter().find_map(|address| {
        let address: Multiaddr = address.parse().ok()?;
        let port = address.iter().find_map(|part| match part {
            Protocol::Tcp(port) => Some(port),
            _ => None,
        })?;
        let entrance = links.entrance(port).expect("a way there");
        format!("/ip4/127.0.0.1/tcp/{entrance}").parse().ok()
    });
    let route = Route {
        peer: sharer.id(),
        addresses: vec![far.expect("it listens")],
    };
    let asker = stranger(sharer.network());
    let files = asker.files().expect("files");
    let dialled = asker
        .handle()
        .dial(Some(route.peer), route.addresses.clone());
    dialled.await.expect("connected");

    links.set_round_trip(ROUND_TRIP);
    let mut asking = pin!(files.listings(route));
    let on_its_way = timeout(ROUND_TRIP / 10, &mut asking).await;
    assert!(
        on_its_way.is_err(),
        "answered within a tenth of a round trip"
    );
    let cut = sharer.handle().disconnect(asker.id()).await;
    cut.expect("cut off");
    assert!(asking.as_mut().now_or_never().is_none(), "too late");
    let found = within("an answer", asking).await;
    assert!(found.expect("an answer").is_empty());
    asker.close().await;
    sharer.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_connect_at_once_share_one_connection() {
    let relay = TestRelay::first().await;
    let peer = stranger(relay.node().network());
    let address = relay.address().await;
    let both = join(peer.connect(&address), peer.connect(&address));
    let (one, other) = within("both connect", both).await;
    assert_eq!(one.expect("connected"), relay.id());
    assert_eq!(other.expect("connected, too"), relay.id());
    peer.close().await;

    // The second gets an answer of its own when the first dial comes to nothing.
    relay.stop().await;
    let peer = stranger(peer.network());
    let both = join(peer.connect(&address), peer.connect(&address));
    let (one, other) = within("both fail", both).await;
    for outcome in [one, other] {
        assert_eq!(outcome.expect_err("nobody").code(), Code::DialFailed);
    }
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_dials_that_are_answered_one_connection_stays() {
    let relay = TestRelay::first().await;
    let peer = stranger(relay.node().network());
    let address: Multiaddr = relay.address().await.parse().expect("an address");
    // Without the peer id nobody can tell beforehand that both lead to the same peer.
    let nameless: Multiaddr = address
        .iter()
        .filter(|part| !matches!(part, Protocol::P2p(_)))
        .collect();
    let dial = || peer.handle().dial(None, vec![nameless.clone()]);
    let (one, other) = within("both dials", join(dial(), dial())).await;
    assert_eq!(one.expect("connected"), relay.id());
    assert_eq!(other.expect("connected, too"), relay.id());
    let route = relay.route().await;
    // Answered: by now the relay has seen both, or the second was closed before it was ready.
    let ping = || peer.handle().ping(route.clone());
    ping().await.expect("an answer");
    until("the relay sees one connection", async || {
        (relay.snapshot().await.connections.len() == 1).then_some(())
    })
    .await;
    ping().await.expect("an answer over the one that stayed");
    assert_eq!(relay.snapshot().await.connections.len(), 1);
    let connections = peer.handle().snapshot().await.expect("running").connections;
    assert_eq!(connections.len(), 1);
    peer.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_told_before_the_slowest_node_has_answered() {
    let relay = TestRelay::first().await;
    let listed = member(&relay.url()).await.expect("a member");
    listed.node.provide("a room").await.expect("listed");
    // It accepts connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let silent_route = Route {
        peer: PeerId::random(),
        addresses: vec![
            format!("/ip4/127.0.0.1/tcp/{port}")
                .parse()
                .expect("an address"),
        ],
    };

    let peer = stranger(relay.node().network());
    let client = RecordClient::new(peer.handle().clone(), peer.network().clone(), None);
    let key = Key::namespace(peer.network(), "a room").expect("a key");
    let routes = stream::iter([silent_route, relay.route().await]).map(Ok);
    let mut lists = client.provider_lists(routes, key);
    let first = within("the relay's list", lists.next()).await;
    let first = first.expect("a list").expect("an answer");
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].peer, listed.node.id().to_bytes());
    assert!(lists.next().now_or_never().is_none(), "the other is silent");
    drop(lists);
    peer.close().await;
    listed.node.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_of_another_network_does_not_stay_a_home() {
    let relay = TestRelay::first().await;
    let peer = stranger(&"elsewhere".parse().expect("a network"));
    let mut events = peer.handle().events().await.expect("it runs");
    let hint = RelayHint {
        peer: relay.id().to_string(),
        addresses: vec![relay.address().await],
        http: None,
    };
    peer.learn(hint).await.expect("learned");
    let warned = async {
        loop {
            let event = events.next().await.expect("it runs");
            if let Event::Warning { code, message, .. } = event {
                break (code, message);
            }
        }
    };
    let (code, message) = within("a warning", warned).await;
    assert_eq!(code, Code::WrongNetwork.as_str());
    let theirs = relay.node().network().to_string();
    assert!(
        message.contains(&theirs) && message.contains("elsewhere"),
        "{message}"
    );
    until("it is left", || async {
        let snapshot = peer.handle().snapshot().await.ok()?;
        let left = snapshot.connections.is_empty() && snapshot.state == "lost";
        let told = snapshot.relays[0].reason.as_deref() == Some(message.as_str());
        (left && told).then_some(())
    })
    .await;
    peer.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_is_ended_without_a_relay() {
    let relay = TestRelay::first().await;
    let (session, mut said) = Session::new(Surroundings {
        outside: Arc::new(Fetcher),
        keepsakes: Arc::new(Forgetful::default()),
        solver: cooperative(),
        connections: Box::new(|key, _| connections(key, None, None)),
        dialable: |_| Arc::new(dialable),
    });
    let start = StartParams {
        join: vec![relay.url()],
        bootstrap: Vec::new(),
        network: None,
        transport_seed: vec![1; 32],
        author_seed: vec![2; 32],
        ephemeral: false,
        transports: Vec::new(),
        page_origin: None,
    };
    let namespace = "a room".to_owned();
    ask(&session, &mut said, Call::Start(start)).await;
    let provide = Call::Provide {
        namespace: namespace.clone(),
    };
    let provided = ask(&session, &mut said, provide).await;
    assert!(matches!(provided, Reply::Provided { .. }));
    relay.stop().await;
    within("the relay is missed", async {
        let lost =
            |said: &Outgoing| matches!(said, Outgoing::Event(Event::State { state: "lost", .. }));
        while !lost(&said.next().await.expect("it runs")) {}
    })
    .await;
    ask(&session, &mut said, Call::Unprovide { namespace }).await;
    match ask(&session, &mut said, Call::Snapshot {}).await {
        Reply::Snapshot(full) => assert!(full.snapshot.namespaces.is_empty()),
        other => panic!("no snapshot: {other:?}"),
    }
    ask(&session, &mut said, Call::Close {}).await;
}

async fn ask(session: &Session, said: &mut mpsc::Receiver<Outgoing>, call: Call) -> Reply {
    let answer = async {
        loop {
            match said.next().await.expect("it runs") {
                Outgoing::Ok { reply, .. } => break reply,
                Outgoing::Error { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    };
    within("an answer", join(session.serve(1.0, call), answer))
        .await
        .1
}
