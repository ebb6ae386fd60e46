//! Names over real relays: one witness alone, three as a quorum, owners that race.

use futures::StreamExt;
use warren_relay::peer::Peer;
use warren_shared::error::{Code, Result};
use warren_shared::net::names::Held;
use warren_shared::platform;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::resolution::Resolution;
use warren_shared::proto::names::resolver::Options;
use warren_shared::proto::names::{Resource, Zone};
use warren_tests::count;
use warren_tests::peers::member;
use warren_tests::relays::TestRelay;
use warren_tests::wait::within;

fn zone(sub: &str, text: &str) -> Zone {
    let mut zone = Zone::default();
    zone.set(sub, vec![Resource::Text(text.to_owned())])
        .unwrap();
    zone
}

async fn claim(peer: &Peer, name: &str) -> Result<Held> {
    peer.node.names().claim(name, None, |_| {}).await
}

async fn resolve(peer: &Peer, name: &str) -> Result<Resolution> {
    let fresh = Options {
        fresh: true,
        ..Options::default()
    };
    peer.node.names().resolve(name, fresh).await
}

fn texts(found: &Resolution) -> Vec<String> {
    let text = |resource: &Resource| match resource {
        Resource::Text(text) => Some(text.clone()),
        _ => None,
    };
    found.resources.iter().filter_map(text).collect()
}

/// Three relays that witness together.
async fn quorum() -> Vec<TestRelay> {
    let seeds: [[u8; 32]; 2] = [platform::entropy(), platform::entropy()];
    let peer_of = |seed: &[u8; 32]| SigningKey::from_seed(*seed).public().to_peer_id();
    let first = TestRelay::start(|args| args.witness = seeds.iter().map(peer_of).collect());
    let mut relays = vec![first.await.unwrap()];
    for seed in seeds {
        let join = vec![relays[0].url()];
        let relay = TestRelay::start_as(Some(seed), |args| args.join = join);
        relays.push(relay.await.unwrap());
    }
    relays
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_claimed_filled_and_resolved_elsewhere() {
    let relay = TestRelay::first().await;
    let alice = member(&relay.url()).await.unwrap();
    let bob = member(&relay.url()).await.unwrap();
    let missing = resolve(&bob, "alice-in-town.p2p").await.unwrap_err();
    assert_eq!(missing.code(), Code::NameNotFound);
    let held = claim(&alice, "alice-in-town.p2p").await.unwrap();
    assert_eq!(held.generation, 1);
    alice
        .node
        .names()
        .publish("alice-in-town", zone("", "hello"))
        .await
        .unwrap();
    let found = resolve(&bob, "alice-in-town.p2p").await.unwrap();
    assert_eq!(texts(&found), ["hello"]);
    assert_eq!(found.proofs[0].owner, alice.node.author());
    assert_eq!(
        (found.proofs[0].witnesses.len(), found.proofs[0].of),
        (1, 1)
    );
    let taken = claim(&bob, "alice-in-town.p2p").await.unwrap_err();
    assert_eq!(taken.code(), Code::NameTaken);
    let again = claim(&alice, "alice-in-town.p2p").await.unwrap();
    assert_eq!(again.generation, 1, "who holds it already has it");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_key_needs_no_claim() {
    let relay = TestRelay::first().await;
    let alice = member(&relay.url()).await.unwrap();
    let bob = member(&relay.url()).await.unwrap();
    let name = alice.node.names().owner().to_base36();
    alice
        .node
        .names()
        .publish(&name, zone("blog", "by key"))
        .await
        .unwrap();
    let found = resolve(&bob, &format!("blog.{name}.p2p")).await.unwrap();
    assert_eq!(texts(&found), ["by key"]);
    let forged = bob
        .node
        .names()
        .publish(&name, zone("", "mine"))
        .await
        .unwrap_err();
    assert_eq!(forged.code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_a_name_resolves_and_watches_the_new_one_at_once() {
    let relay = TestRelay::first().await;
    let alice = member(&relay.url()).await.unwrap();
    let names = alice.node.names();
    let key = names.owner().to_base36();
    claim(&alice, "alice-in-town.p2p").await.unwrap();
    for name in ["alice-in-town.p2p", key.as_str()] {
        for text in ["one", "two"] {
            let mut changes = names.watch(name).await.unwrap();
            names.publish(name, zone("", text)).await.unwrap();
            within("a word of the own change", changes.next()).await;
            let found = names.resolve(name, Options::default()).await.unwrap();
            assert_eq!(texts(&found), [text]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_changes_hands_and_is_given_up() {
    let relay = TestRelay::first().await;
    let alice = member(&relay.url()).await.unwrap();
    let bob = member(&relay.url()).await.unwrap();
    claim(&alice, "house-of-cards.p2p").await.unwrap();
    alice
        .node
        .names()
        .publish("house-of-cards", zone("", "old"))
        .await
        .unwrap();
    assert_eq!(
        texts(&resolve(&bob, "house-of-cards").await.unwrap()),
        ["old"]
    );
    let to = bob.node.names().owner().to_base36();
    let handover = alice
        .node
        .names()
        .transfer("house-of-cards", &to)
        .await
        .unwrap();
    let held = bob.node.names().accept(&handover, |_| {}).await.unwrap();
    assert_eq!(held.generation, 2);
    bob.node
        .names()
        .publish("house-of-cards", zone("", "new"))
        .await
        .unwrap();
    assert_eq!(
        texts(&resolve(&alice, "house-of-cards").await.unwrap()),
        ["new"]
    );
    let replayed = alice
        .node
        .names()
        .publish("house-of-cards", zone("", "stolen"))
        .await;
    assert!(replayed.is_err());
    bob.node
        .names()
        .release("house-of-cards", |_| {})
        .await
        .unwrap();
    let gone = resolve(&alice, "house-of-cards").await.unwrap_err();
    assert!(
        matches!(gone.code(), Code::NameNotFound | Code::NameExpired),
        "{gone}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_race_before_three_witnesses_and_one_wins() {
    let relays = quorum().await;
    let alice = member(&relays[0].url()).await.unwrap();
    let bob = member(&relays[1].url()).await.unwrap();
    let reader = member(&relays[2].url()).await.unwrap();
    for number in 0..count(3, 100) {
        let name = format!("disputed-{number}.p2p");
        let (one, other) = tokio::join!(claim(&alice, &name), claim(&bob, &name));
        let winner = match (&one, &other) {
            (Ok(_), Err(error)) => {
                assert_eq!(error.code(), Code::NameTaken, "{error}");
                &alice
            }
            (Err(error), Ok(_)) => {
                assert_eq!(error.code(), Code::NameTaken, "{error}");
                &bob
            }
            _ => panic!("{name}: {one:?} and {other:?}"),
        };
        winner
            .node
            .names()
            .publish(&name, zone("", &name))
            .await
            .unwrap();
        let found = resolve(&reader, &name).await.unwrap();
        assert_eq!(found.proofs[0].owner, winner.node.author());
        assert!(found.proofs[0].witnesses.len() >= 2 && found.proofs[0].of == 3);
    }
}
