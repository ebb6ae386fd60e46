//! Relays that do not know yet who the witnesses of their network are, or have forgotten what they signed
//! as one of them: nothing is founded twice, and nothing is signed twice.

use warren_relay::fetch::Fetcher;
use warren_relay::identity::DataDir;
use warren_shared::limits::NAME_LEASE;
use warren_shared::net::discover::join_document;
use warren_shared::platform;
use warren_shared::proto::key::{NetworkId, PublicKey, SigningKey};
use warren_shared::proto::names::claim::{Draft, Right};
use warren_shared::proto::names::wire::{NameRefusal, Request, Response};
use warren_shared::proto::names::{KnownSets, WitnessSet};
use warren_tests::peers::stranger;
use warren_tests::relays::{TestRelay, dead_port};
use warren_tests::wait::until;

/// Whom a relay names in its join document.
async fn named(relay: &TestRelay) -> Option<Vec<PublicKey>> {
    let document = join_document(std::sync::Arc::new(Fetcher), relay.url()).await;
    let witnesses = document.expect("a join document").witnesses;
    witnesses.map(|set| set.keys().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_knows_its_network_asks_who_the_witnesses_are() {
    let first = TestRelay::first().await;
    let network = first.node().network().to_string();
    let second = TestRelay::start(|args| {
        args.network = Some(network.clone());
        args.join = vec![first.url()];
    });
    let second = second.await.expect("it starts");
    assert!(named(&first).await.is_some());
    assert_eq!(named(&second).await, named(&first).await);
    let sets = second.node().names().agent().sets().await;
    assert_eq!(sets.expect("it was told").current().epoch(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_reaches_nobody_founds_nothing_until_somebody_answers() {
    let port = dead_port();
    let network = NetworkId::from_entropy([7; 10]).to_string();
    let early = TestRelay::start(|args| {
        args.network = Some(network.clone());
        args.join = vec![format!("http://127.0.0.1:{port}")];
    });
    let early = early.await.expect("it starts");
    assert_eq!(named(&early).await, None);
    assert!(early.node().names().agent().sets().await.is_err());
    let first = TestRelay::start(|args| {
        args.network = Some(network.clone());
        args.http = Some(format!("127.0.0.1:{port}"));
    });
    let first = first.await.expect("it starts");
    let told = until("it names the witnesses", || named(&early)).await;
    assert_eq!(Some(told), named(&first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_whose_rows_did_not_come_back_with_its_sets_signs_nothing() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (own, network) = (
        SigningKey::from_seed([5; 32]),
        NetworkId::from_entropy([7; 10]),
    );
    let from = platform::now() - 2 * NAME_LEASE;
    let set = WitnessSet::new(2, from, [own.public()]).expect("a set");
    let data = DataDir::open(home.path()).expect("a folder");
    let sets = KnownSets::pinned(network.clone(), set).export();
    data.save("witness-sets", &sets).expect("a file");
    data.save("network", network.to_string().as_bytes())
        .expect("a file");
    drop(data);
    let folder = home.path().to_owned();
    let relay = TestRelay::start_as(Some([5; 32]), |args| args.data_dir = Some(folder));
    let relay = relay.await.expect("it starts");
    let peer = stranger(&network);
    // It would be refused anyway, for want of work: by a witness that may sign.
    let draft = Draft {
        network,
        name: "signed-before".parse().expect("a name"),
        generation: 1,
        right: Right::Free { work: 0 },
        recovery: None,
        issued: platform::now(),
    };
    let claim = draft.sign(&SigningKey::from_seed([6; 32])).expect("signed");
    let request = Request::Propose {
        claim: claim.bytes().to_vec(),
        follows: None,
    };
    let asked = peer.handle().ask_name(relay.route().await, request);
    let answer = asked.await.expect("it answers").response;
    let Response::Refused { why, .. } = answer else {
        panic!("it may have signed this for somebody: {answer:?}");
    };
    assert_eq!(why, NameRefusal::NotWitness);
}
