//! Namespaces: all members of a large one are found, and two command lines find each other in one,
//! connect directly and exchange greetings.

use std::collections::BTreeSet;

use futures::future::{join_all, pending};
use libp2p::PeerId;
use warren_shared::net::Node;
use warren_shared::net::rpc::{Allow, handler};
use warren_tests::count;
use warren_tests::peers::{member, one_of_many};
use warren_tests::program::{Program, run};
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::{until, within};

const NAMESPACE: &str = "a room";
/// Peers that start at the same time.
const AT_ONCE: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn all_members_of_a_large_namespace_are_found() {
    let one = TestRelay::first().await;
    let other = TestRelay::start(|args| args.join = vec![one.url()]).await;
    let other = other.expect("a second relay");
    let relays = [&one, &other];
    let size = count(40, 200);

    let mut members: Vec<Node> = Vec::new();
    while members.len() < size {
        let joining = (0..AT_ONCE).map(|number| enter(relays[number % 2]));
        members.extend(within("peers join", join_all(joining)).await);
    }
    let all: BTreeSet<PeerId> = members.iter().map(Node::id).collect();
    assert_eq!(all.len(), size);

    for relay in relays {
        let visitor = member(&relay.url()).await.expect("a visitor joins");
        until("a visitor finds all members", || async {
            (found(&visitor.node).await == all).then_some(())
        })
        .await;
        visitor.node.close().await;
    }

    // Whoever leaves is not found any more, and everybody else still is.
    let leaver = members.pop().expect("a member");
    leaver.unprovide(NAMESPACE).await.expect("withdrawn");
    let mut rest = all.clone();
    rest.remove(&leaver.id());
    assert_eq!(found(&leaver).await, rest);

    join_all(members.iter().map(Node::close)).await;
    leaver.close().await;
    one.stop().await;
    other.stop().await;
}

async fn enter(relay: &TestRelay) -> Node {
    let peer = one_of_many(relay).await.expect("a member joins");
    peer.provide(NAMESPACE).await.expect("announced");
    peer
}

async fn found(peer: &Node) -> BTreeSet<PeerId> {
    let entries = peer.find(NAMESPACE).await.expect("an answer");
    let ids = entries.iter().map(|entry| PeerId::from_bytes(&entry.peer));
    ids.collect::<Result<_, _>>().expect("peer ids")
}

#[tokio::test(flavor = "multi_thread")]
async fn command_lines_find_each_other_and_greet_directly() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let mut listener = Program::start(&[
        "listen",
        "--namespace",
        "lobby",
        "--listen",
        ANY_PORT,
        "--join",
        &url,
        "--json",
    ]);
    let listening = listener.event("listening").await;
    assert_eq!(listening["namespace"], "lobby");

    let mut dialler = Program::start(&["dial", "--namespace", "lobby", "--join", &url, "--json"]);
    let greeted = dialler.event("greeted").await;
    assert_eq!(greeted["peer"], listening["peer"]);
    assert_eq!(greeted["relayed"], false, "{greeted}");
    assert!(greeted["reply"]["greeting"].as_str().is_some(), "{greeted}");
    let address = greeted["address"].as_str().expect("an address");
    assert!(!address.contains("p2p-circuit"), "{address}");
    assert!(dialler.ended().await.success());

    let heard = listener.event("greeted").await;
    assert_eq!(heard["params"]["namespace"], "lobby");
    assert_eq!(heard["params"]["from"], heard["by"]);
    assert!(heard["params"]["greeting"].as_str().is_some(), "{heard}");

    // Asked to end, it takes its name off the list.
    assert!(listener.terminate().await.success());
    let visitor = member(&url).await.expect("a visitor joins");
    assert!(
        visitor
            .node
            .find("lobby")
            .await
            .expect("an answer")
            .is_empty()
    );
    visitor.node.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialler_waits_for_as_many_members_as_it_was_told() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let dial = [
        "dial",
        "--namespace",
        "pair",
        "--members",
        "2",
        "--timeout",
        "50",
    ];
    let mut dialler = Program::start(&[&dial[..], &["--join", &url, "--json"]].concat());
    let listen = [
        "listen",
        "--namespace",
        "pair",
        "--listen",
        ANY_PORT,
        "--json",
    ];
    let mut expected = BTreeSet::new();
    let mut greeted = BTreeSet::new();
    let mut listeners = Vec::new();
    for _ in 0..2 {
        let mut listener = Program::start(&[&listen[..], &["--join", &url]].concat());
        expected.insert(listener.event("listening").await["peer"].to_string());
        listeners.push(listener);
        greeted.insert(dialler.event("greeted").await["peer"].to_string());
    }
    assert_eq!(greeted, expected);
    assert!(dialler.ended().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_never_answer_keep_nobody_waiting() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let mut stuck = Vec::new();
    for _ in 0..6 {
        let peer = member(&url).await.expect("a member joins");
        let stuck_in = handler(|_, _| pending());
        let served = peer
            .node
            .rpc()
            .serve("warren.hello", Allow::anyone(), stuck_in);
        served.expect("nobody else does");
        peer.node.provide("jam").await.expect("announced");
        stuck.push(peer);
    }
    let listen = [
        "listen",
        "--namespace",
        "jam",
        "--listen",
        ANY_PORT,
        "--json",
    ];
    let mut listener = Program::start(&[&listen[..], &["--join", &url]].concat());
    let listening = listener.event("listening").await;
    let dial = ["dial", "--namespace", "jam", "--timeout", "50", "--json"];
    let mut dialler = Program::start(&[&dial[..], &["--join", &url]].concat());
    assert_eq!(dialler.event("greeted").await["peer"], listening["peer"]);
    dialler.kill().await;
    join_all(stuck.iter().map(|peer| peer.node.close())).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_output_nobody_reads_ends_quietly() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let listen = [
        "listen",
        "--namespace",
        "lobby",
        "--listen",
        ANY_PORT,
        "--json",
    ];
    let mut listener = Program::start(&[&listen[..], &["--join", &url]].concat());
    listener.event("listening").await;
    let listener = listener.unread();
    let dial = ["dial", "--namespace", "lobby", "--join", &url];
    assert!(run(&dial).await.status.success());
    assert!(listener.ended().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_a_status_a_cause_and_a_remedy() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let missing = warren_shared::proto::key::Key::value(b"nobody stored this").to_string();
    let large = "x".repeat(9_000);
    let nobody = "http://127.0.0.1:1";
    let cases: [(&str, u8, &[&str]); 8] = [
        (
            "TIMED_OUT",
            15,
            &["dial", "--namespace", "x", "--timeout", "1", "--join", &url],
        ),
        ("INVALID_ARGUMENT", 2, &["dial", "--namespace", "x"]),
        (
            "JOIN_FAILED",
            24,
            &["listen", "--namespace", "x", "--join", nobody],
        ),
        (
            "INVALID_ADDRESS",
            4,
            &["dial", "--namespace", "x", "--bootstrap", "no address"],
        ),
        ("INVALID_KEY", 3, &["dht", "get", "no key", "--join", &url]),
        ("NOT_FOUND", 6, &["dht", "get", &missing, "--join", &url]),
        ("TOO_LARGE", 5, &["dht", "put", &large, "--join", &url]),
        ("CONFIG_INVALID", 21, &["relay", "--http", "nonsense"]),
    ];
    for (code, status, args) in cases {
        let output = run(args).await;
        assert_eq!(output.status.code(), Some(status.into()), "{code}");
        assert!(output.stdout.is_empty(), "{code}");
        let told = String::from_utf8(output.stderr).expect("text");
        let lines: Vec<&str> = told.lines().collect();
        assert!(
            matches!(lines[..], [cause, remedy] if cause.starts_with("error: ") && remedy.starts_with("remedy: ")),
            "{code}: {told}"
        );

        let output = run(&[args, &["--json"]].concat()).await;
        assert_eq!(output.status.code(), Some(status.into()), "{code} as JSON");
        let told: serde_json::Value = serde_json::from_slice(&output.stderr).expect("one object");
        assert_eq!(told["event"], "error");
        assert_eq!(told["error"]["code"], code);
        for field in ["message", "remedy"] {
            let text = told["error"][field].as_str().expect("text");
            assert!(!text.is_empty(), "{code}: {told}");
        }
    }
    // What does not even parse is explained at length to people, and in one object to machines.
    let output = run(&["dht", "put", "--json"]).await;
    assert_eq!(output.status.code(), Some(2));
    let told: serde_json::Value = serde_json::from_slice(&output.stderr).expect("one object");
    assert_eq!(told["error"]["code"], "INVALID_ARGUMENT");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_stores_and_reads() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let json = r#"{"a":[1,2.5,null]}"#;
    let put = run(&["dht", "put", json, "--join", &url]).await;
    assert!(put.status.success());
    let key = String::from_utf8(put.stdout).expect("a key");
    let get = run(&["dht", "get", key.trim(), "--join", &url]).await;
    assert!(get.status.success());
    assert_eq!(get.stdout, json.as_bytes());

    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path().to_str().expect("a path in text");
    let mut last = 0;
    for text in ["first", "second"] {
        let set = run(&[
            "dht",
            "set",
            "label",
            text,
            "--join",
            &url,
            "--data-dir",
            home,
            "--json",
        ])
        .await;
        let set: serde_json::Value = serde_json::from_slice(&set.stdout).expect("one object");
        let seq = set["seq"].as_u64().expect("a number");
        assert!(seq > last, "{seq} after {last}");
        last = seq;
        let key = set["key"].as_str().expect("a key");
        let get = run(&["dht", "get", key, "--join", &url, "--json"]).await;
        let get: serde_json::Value = serde_json::from_slice(&get.stdout).expect("one object");
        assert_eq!((&get["value"], &get["seq"]), (&text.into(), &seq.into()));
        assert_eq!(get["label"], "label");
    }
    relay.stop().await;
}
