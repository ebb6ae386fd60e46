//! Whom real nodes choose: what a member says of itself counts until it is seen how it behaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libp2p::PeerId;
use serde_json::{Value, json};
use warren_relay::peer::Peer;
use warren_shared::net::apps::Choice;
use warren_shared::net::connected;
use warren_shared::net::rpc::{Allow, Ask, Handler, handler};
use warren_shared::proto::select::{Resources, Weights};
use warren_tests::peers::member;
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

const HONEST: usize = 4;

/// A member of the namespace that says it has so much.
async fn worker(url: &str, resources: Resources, work: Handler) -> Peer {
    let peer = member(url).await.expect("a member");
    let rpc = peer.node.rpc();
    rpc.describe(Arc::new(move || resources.clone()));
    rpc.serve("work", Allow::anyone(), work).expect("served");
    peer.node.provide("workers").await.expect("listed");
    peer
}

/// Answers late, and every other time not at all.
fn sloth() -> Handler {
    let calls = AtomicUsize::new(0);
    handler(move |_, _| {
        let answers = calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        async move {
            match answers {
                true => tokio::time::sleep(Duration::from_millis(400)).await,
                false => std::future::pending().await,
            }
            Ok(json!("done"))
        }
    })
}

async fn ranked(asks: &Peer) -> Vec<Choice> {
    until("all are found", || async {
        let ranked = asks.node.select("workers", Weights::default()).await.ok()?;
        (ranked.len() == HONEST + 1).then_some(ranked)
    })
    .await
}

async fn call(asks: &Peer, peer: PeerId) -> Option<Value> {
    let ask = Ask::new("work", Value::Null).within(Duration::from_secs(1));
    let calling = asks.node.rpc().call(connected(peer), &ask);
    within("a call ends", calling).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_about_what_it_has_is_called_no_more_once_it_was_seen_at_work() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let modest = Resources {
        cores: 2,
        memory: 4_096,
        disk: 10_240,
        ..Resources::default()
    };
    let boast = Resources {
        cores: u64::MAX,
        memory: u64::MAX,
        disk: u64::MAX,
        ..Resources::default()
    };
    let liar = worker(&url, boast, sloth()).await;
    let mut honest = Vec::new();
    for _ in 0..HONEST {
        let work = handler(|_, _| async { Ok(json!("done")) });
        honest.push(worker(&url, modest.clone(), work).await);
    }
    let asks = member(&url).await.expect("a member");
    let id = liar.node.id();
    let claims = |ranked: &[Choice], peer: PeerId| {
        let of = ranked
            .iter()
            .find(|choice| choice.peer == peer)
            .expect("ranked");
        of.scored.terms[..3]
            .iter()
            .map(|term| term.points)
            .sum::<u64>()
    };
    let first = ranked(&asks).await;
    for other in &honest {
        assert!(
            claims(&first, id) > claims(&first, other.node.id()),
            "it is believed at first"
        );
    }

    let mut calls = 0;
    for _ in 0..20 {
        let best = ranked(&asks).await[0].peer;
        calls += usize::from(best == id);
        let answer = call(&asks, best).await;
        assert!(best == id || answer == Some(json!("done")));
    }
    assert!((1..=6).contains(&calls), "called {calls} times");
    for _ in 0..5 {
        let ranked = ranked(&asks).await;
        assert_ne!(ranked[0].peer, id, "{ranked:?}");
    }
    // It was called once at least and was slow then. Of three more calls one or two have no answer, which outweighs all that had one.
    for _ in 0..3 {
        call(&asks, id).await;
    }
    let last = ranked(&asks).await;
    let of = last
        .iter()
        .find(|choice| choice.peer == id)
        .expect("ranked");
    assert!(of.candidate.latency >= Some(400), "{of:?}");
    assert!(of.candidate.trust < 500, "{of:?}");
    for peer in honest.into_iter().chain([liar, asks]) {
        peer.node.close().await;
    }
    relay.stop().await;
}
