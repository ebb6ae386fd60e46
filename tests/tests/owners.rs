//! What owners publish stays published: with a key on two machines, with the key alone, by the recovery
//! key, and under the name of a key that every store has forgotten.

use std::path::Path;

use warren_relay::peer::Peer;
use warren_shared::error::{Code, Result};
use warren_shared::net::names::Held;
use warren_shared::proto::names::Resource;
use warren_shared::proto::names::resolver::Options;
use warren_tests::peers::{arguments, member};
use warren_tests::relays::TestRelay;
use warren_tests::wait::until;

const NAME: &str = "kept-by-its-owner.p2p";

/// A peer whose keys and names are in a folder.
async fn owner(relay: &TestRelay, data: &Path) -> Peer {
    let mut args = arguments(&[relay.url()], &[]);
    args.data_dir = Some(data.to_owned());
    args.start(Vec::new()).await.expect("joined")
}

async fn set(peer: &Peer, name: &str, text: &str) -> Result<Held> {
    let resources = vec![Resource::Text(text.to_owned())];
    peer.node.names().set(name, resources).await
}

fn entries(held: &Held) -> Vec<&str> {
    let zone = held.zone.as_ref().expect("something is published");
    zone.entries
        .iter()
        .map(|entry| entry.sub.as_str())
        .collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(std::fs::copy(&path, &target).expect("copied")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_of_one_owner_lose_nothing_and_the_key_alone_finds_all() {
    let relay = TestRelay::first().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let [first, second, third] = ["first", "second", "third"].map(|name| home.path().join(name));
    let peer = owner(&relay, &first).await;
    let names = peer.node.names();
    names.claim(NAME, None, |_| {}).await.expect("claimed");
    set(&peer, &format!("a.{NAME}"), "a")
        .await
        .expect("published");
    peer.node.close().await;
    drop(peer);
    copy(&first, &second);
    // One owner, two machines: the peers are not the same.
    std::fs::remove_file(second.join("identity.key")).expect("its own identity");

    let (one, other) = (owner(&relay, &first).await, owner(&relay, &second).await);
    set(&one, &format!("b.{NAME}"), "b")
        .await
        .expect("published");
    let held = set(&other, &format!("c.{NAME}"), "c")
        .await
        .expect("published");
    assert_eq!(entries(&held), ["a", "b", "c"]);
    let shown = one.node.names().show(NAME).await.expect("it is held");
    assert_eq!(entries(&shown), ["a", "b", "c"], "whoever published it");

    std::fs::create_dir(&third).expect("a folder");
    std::fs::copy(first.join("author.key"), third.join("author.key")).expect("copied");
    let restored = owner(&relay, &third).await;
    let names = restored.node.names();
    assert!(names.mine().await.expect("readable").is_empty());
    let held = set(&restored, &format!("d.{NAME}"), "d")
        .await
        .expect("published");
    assert_eq!(entries(&held), ["a", "b", "c", "d"]);
    let mine = names.mine().await.expect("readable");
    assert_eq!(entries(&mine[0]), ["a", "b", "c", "d"]);
    let held = other.node.names().claim(NAME, None, |_| {}).await;
    assert_eq!(held.expect("it is its already").generation, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_with_the_key_alone_brings_what_was_published() {
    let relay = TestRelay::first().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let [first, second] = ["first", "second"].map(|name| home.path().join(name));
    let peer = owner(&relay, &first).await;
    let claimed = peer.node.names().claim(NAME, None, |_| {}).await;
    assert!(claimed.expect("claimed").zone.is_none());
    set(&peer, NAME, "first").await.expect("published");
    std::fs::create_dir(&second).expect("a folder");
    std::fs::copy(first.join("author.key"), second.join("author.key")).expect("copied");
    let restored = owner(&relay, &second).await;
    let held = restored.node.names().claim(NAME, None, |_| {}).await;
    assert_eq!(entries(&held.expect("it is its already")), [""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gave_a_name_away_is_told_so() {
    let relay = TestRelay::first().await;
    let (alice, bob) = (
        member(&relay.url()).await.unwrap(),
        member(&relay.url()).await.unwrap(),
    );
    let (names, to) = (alice.node.names(), bob.node.names().owner().to_base36());
    names.claim(NAME, None, |_| {}).await.expect("claimed");
    let handover = names.transfer(NAME, &to).await.expect("signed");
    let wrong = names.accept(&handover, |_| {}).await.unwrap_err();
    assert!(wrong.to_string().contains(&to), "{wrong}");
    bob.node
        .names()
        .accept(&handover, |_| {})
        .await
        .expect("handed over");
    set(&bob, NAME, "bob's").await.expect("published");
    let refused = set(&alice, NAME, "alice's").await.unwrap_err();
    assert_eq!(refused.code(), Code::NameTaken, "{refused}");
    assert!(names.mine().await.expect("readable").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_to_others_is_not_listed_any_more() {
    let relay = TestRelay::first().await;
    let (alice, bob) = (
        member(&relay.url()).await.unwrap(),
        member(&relay.url()).await.unwrap(),
    );
    let (names, to) = (alice.node.names(), bob.node.names().owner().to_base36());
    let [kept, given, gone] = ["kept-by-alice", "given-to-bob", "given-up-by-bob"];
    for name in [kept, given, gone] {
        names.claim(name, None, |_| {}).await.expect("claimed");
    }
    let mut handovers = Vec::new();
    for name in [given, gone] {
        handovers.push(names.transfer(name, &to).await.expect("signed"));
    }
    let listed = names.mine_now().await.expect("readable").held;
    assert_eq!(listed.len(), 3, "nobody has accepted");
    for handover in handovers {
        let accepted = bob.node.names().accept(&handover, |_| {}).await;
        accepted.expect("handed over");
    }
    let released = bob.node.names().release(gone, |_| {}).await;
    released.expect("given up");
    assert_eq!(names.mine().await.expect("readable").len(), 3, "not asked");
    let mine = names.mine_now().await.expect("readable");
    let listed: Vec<String> = mine.held.iter().map(|it| it.name.to_string()).collect();
    assert_eq!(listed, [format!("{kept}.p2p")]);
    assert_eq!(mine.unsure.len(), 2, "{:?}", mine.unsure);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recovery_key_takes_over_and_the_lost_one_is_out() {
    let relay = TestRelay::first().await;
    let (alice, rescue) = (
        member(&relay.url()).await.unwrap(),
        member(&relay.url()).await.unwrap(),
    );
    let key = rescue.node.names().owner();
    let claimed = alice.node.names().claim(NAME, Some(key), |_| {}).await;
    let held = claimed.expect("claimed");
    assert_eq!(held.recovery, Some(key.to_base36()));
    let again = alice.node.names().claim(NAME, Some(key), |_| {}).await;
    again.expect("held, with this key");
    let stranger = member(&relay.url()).await.unwrap();
    let other = Some(stranger.node.names().owner());
    let late = alice.node.names().claim(NAME, other, |_| {}).await;
    assert_eq!(late.unwrap_err().code(), Code::InvalidArgument, "too late");
    let refused = stranger
        .node
        .names()
        .recover(NAME, |_| {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NameTaken, "{refused}");
    assert_eq!(refused.cause(), Some("this key is not its recovery key"));
    assert!(refused.remedy().contains("--recovery"), "{refused:?}");
    let held = rescue
        .node
        .names()
        .recover(NAME, |_| {})
        .await
        .expect("taken over");
    assert_eq!((held.owner, held.generation), (key, 2));
    assert_eq!(held.recovery, None);
    set(&rescue, NAME, "rescued").await.expect("published");
    let refused = set(&alice, NAME, "lost").await.unwrap_err();
    assert_eq!(refused.code(), Code::NameTaken, "{refused}");
    let shown = alice.node.names().show(NAME).await.unwrap_err();
    assert!(shown.remedy().contains("warren resolve"), "{shown:?}");
    let claimed = alice.node.names().claim(NAME, None, |_| {}).await;
    let ends = [refused, shown, claimed.unwrap_err()].map(|error| error.message().to_owned());
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    let itself = set(&rescue, &format!("www.{NAME}"), "rescued").await;
    itself.expect("published");
    let circle = vec![Resource::Alias(format!("www.{NAME}").parse().unwrap())];
    let names = rescue.node.names();
    let refused = names.set(&format!("www.{NAME}"), circle).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let shown = rescue.node.names().show(NAME).await.expect("it is held");
    let zone = shown.zone.expect("something is published");
    let rescued = [Resource::Text("rescued".to_owned())];
    assert_eq!(zone.entries[0].resources, rescued);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_of_a_key_is_kept_by_its_owner_and_stored_again() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (station, folder) = (home.path().join("relay"), home.path().join("owner"));
    let start = || TestRelay::start(|args| args.data_dir = Some(station.clone()));
    let relay = start().await.expect("the relay starts");
    let peer = owner(&relay, &folder).await;
    let name = peer.node.names().owner().to_base36();
    set(&peer, &format!("a.{name}"), "a")
        .await
        .expect("published");
    peer.node.close().await;
    drop(peer);
    relay.stop().await;
    std::fs::remove_file(station.join("warren.redb")).expect("the store");

    let relay = start().await.expect("the relay starts");
    let peer = owner(&relay, &folder).await;
    let mine = peer.node.names().mine().await.expect("readable");
    assert_eq!(entries(&mine[0]), ["a"]);
    let reader = member(&relay.url()).await.unwrap();
    let entry = format!("a.{name}.p2p");
    until("the zone is stored again", || async {
        let found = reader
            .node
            .names()
            .resolve(&entry, Options::default())
            .await;
        reader.node.names().agent().flush().await.expect("it runs");
        found.ok()
    })
    .await;
    let held = set(&peer, &format!("b.{name}"), "b")
        .await
        .expect("published");
    assert_eq!(entries(&held), ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_with_an_old_zone_of_its_key_learns_the_newer_one() {
    let relay = TestRelay::first().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let [first, second] = ["first", "second"].map(|name| home.path().join(name));
    let peer = owner(&relay, &first).await;
    let name = peer.node.names().owner().to_base36();
    set(&peer, &format!("a.{name}"), "a")
        .await
        .expect("published");
    peer.node.close().await;
    drop(peer);
    copy(&first, &second);
    std::fs::remove_file(second.join("identity.key")).expect("its own identity");
    let other = owner(&relay, &second).await;
    set(&other, &format!("b.{name}"), "b")
        .await
        .expect("published");
    // It stores its zone again as soon as it has joined.
    let peer = owner(&relay, &first).await;
    until("it has the newer zone", || async {
        let mine = peer.node.names().mine().await.expect("readable");
        (entries(&mine[0]) == ["a", "b"]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_answers_with_the_zone_that_it_was_given() {
    let relay = TestRelay::first().await;
    let peer = member(&relay.url()).await.unwrap();
    peer.node
        .names()
        .claim(NAME, None, |_| {})
        .await
        .expect("claimed");
    let key = peer.node.names().owner().to_base36();
    for name in [NAME, key.as_str()] {
        for text in ["one", "two"] {
            set(&peer, name, text).await.expect("published");
            until("the relay answers with the new zone", || async {
                let names = relay.node().names();
                let found = names.resolve(name, Options::default()).await.ok()?;
                let new = found.resources == [Resource::Text(text.to_owned())];
                new.then_some(())
            })
            .await;
        }
    }
}
