//! Direct messages: all of them arrive, in order and once, whatever happens to connections and to programs.

use std::collections::BTreeSet;

use std::path::Path;

use libp2p::PeerId;
use warren_shared::error::Code;
use warren_shared::net::direct::Recipient;
use warren_shared::net::overlay::Overlay;
use warren_shared::proto::direct::{Contact, State};
use warren_shared::proto::key::PublicKey;
use warren_shared::proto::record::Value;
use warren_tests::count;
use warren_tests::letters::{becomes, can_be_found, next, number, send, text};
use warren_tests::peers::member;
use warren_tests::program::{Program, run};
use warren_tests::random::Random;
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::{until, within};

/// Messages that are under way at a time.
const WINDOW: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn all_arrive_in_order_and_once_while_connections_are_cut() {
    let mut random = Random::new();
    let relay = TestRelay::first().await;
    let (a, b) = (member(&relay.url()).await, member(&relay.url()).await);
    let (a, b) = (a.expect("a peer"), b.expect("a peer"));
    let mut messages = b.node.direct().messages();
    let reading = tokio::spawn(async move {
        let first = next(&mut messages).await;
        (first, messages)
    });
    can_be_found(&a.node, &b.node).await;

    let total = count(400, 10_000);
    let (sender, to) = (a.node.clone(), b.node.author());
    let sending = tokio::spawn(async move {
        let mut under_way = Vec::new();
        for number in 0..total {
            under_way.push(send(&sender, to, number).await);
            if under_way.len() == WINDOW {
                let half = under_way.drain(..WINDOW / 2).next_back().expect("one");
                becomes(&half, State::Delivered).await;
            }
        }
        if let Some(last) = under_way.last() {
            becomes(last, State::Delivered).await;
        }
    });
    let (first, mut messages) = reading.await.expect("no panic");
    let (mut told, mut cuts) = (first, 0);
    for expected in 0..total {
        assert_eq!(number(&told), expected);
        assert_eq!((told.author, told.to), (a.node.author(), to));
        if random.chance(4) {
            cuts += 1;
            let (one, other) = match random.below(3) {
                0 => (&a.node, b.node.id()),
                1 => (&b.node, a.node.id()),
                _ => (&a.node, relay.id()),
            };
            one.handle().disconnect(other).await.expect("it runs");
        }
        if expected + 1 < total {
            told = next(&mut messages).await;
        }
    }
    assert!(cuts > 0, "nothing was cut");
    sending.await.expect("all are delivered");
    let history = b.node.direct().history(a.node.author(), None, 50).await;
    let history: Vec<usize> = history.expect("kept").iter().map(number).collect();
    let newest: Vec<usize> = (0..total).rev().take(50).collect();
    assert_eq!(history, newest);
    for node in [&a.node, &b.node] {
        node.close().await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_author_is_refused_until_it_is_not_any_more() {
    let relay = TestRelay::first().await;
    let (a, b) = (member(&relay.url()).await, member(&relay.url()).await);
    let (a, b) = (a.expect("a peer"), b.expect("a peer"));
    let mut messages = b.node.direct().messages();
    let reading = tokio::spawn(async move { next(&mut messages).await });
    can_be_found(&a.node, &b.node).await;
    let (from, to) = (a.node.author(), b.node.author());
    b.node.direct().block(from).await.expect("stored");
    assert_eq!(b.node.direct().blocked().await.expect("it runs"), [from]);
    let refused = send(&a.node, to, 1).await;
    becomes(&refused, State::Refused).await;
    let error = refused.delivered().await.expect_err("it is refused");
    assert_eq!(error.code(), Code::Refused);
    b.node.direct().unblock(from).await.expect("stored");
    let sent = send(&a.node, to, 2).await;
    within("it is delivered", sent.delivered())
        .await
        .expect("taken");
    assert_eq!(number(&reading.await.expect("no panic")), 2);
    // What cannot be sent is told at once.
    let large = Value::Bytes(vec![0; 16 * 1024 + 1]);
    let too_large = a.node.direct().send(Recipient::Author(to), large).await;
    assert_eq!(
        too_large.err().map(|error| error.code()),
        Some(Code::TooLarge)
    );
    let to_itself = a.node.direct().send(Recipient::Author(from), text(1)).await;
    assert!(to_itself.is_err());
    for node in [&a.node, &b.node] {
        node.close().await;
    }
    relay.stop().await;
}

/// A listener, the key of its author, and its peer id.
async fn listener(url: &str, home: &Path) -> (Program, String, PeerId) {
    let home = home.to_str().expect("a path in text");
    let mut program = Program::start(&[
        "listen",
        "--namespace",
        "lobby",
        "--listen",
        ANY_PORT,
        "--join",
        url,
        "--data-dir",
        home,
        "--json",
    ]);
    let listening = program.event("listening").await;
    let author = listening["author"].as_str().expect("a key").to_owned();
    let peer = listening["peer"].as_str().expect("an id");
    (program, author, peer.parse().expect("an id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_that_is_killed_tells_all_in_order_and_repeats_some_only_after_that() {
    let mut random = Random::new();
    let relay = TestRelay::first().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let a = member(&relay.url()).await.expect("a peer");
    let (mut program, author, _) = listener(&relay.url(), home.path()).await;
    let to = PublicKey::from_base36(&author).expect("a key");
    let total = count(60, 1_000);
    let sender = a.node.clone();
    let sending = tokio::spawn(async move {
        let mut last = None;
        for number in 0..total {
            last = Some(send(&sender, to, number).await);
        }
        becomes(&last.expect("some"), State::Delivered).await;
    });
    let (mut told, mut ids) = (0, BTreeSet::new());
    let mut kills = 0;
    while told < total {
        let mut messages = vec![program.event("message").await];
        let kill = kills < 3 && random.chance(10);
        if kill {
            // What it had told by then counts, too.
            messages.extend(program.kill_and_read("message").await);
            program = listener(&relay.url(), home.path()).await.0;
        }
        for message in messages {
            let number = message["body"].as_u64().expect("a number") as usize;
            let new = ids.insert(message["id"].to_string());
            match new {
                true => assert_eq!(number, told, "in order"),
                false => assert!(number < told && kills > 0, "only after a crash: {message}"),
            }
            told += usize::from(new);
        }
        kills += usize::from(kill);
    }
    sending.await.expect("all are delivered");
    program.kill().await;
    a.node.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_whether_a_message_was_delivered_or_waits() {
    let relay = TestRelay::first().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let url = relay.url();
    let (mut program, author, peer) = listener(&url, home.path()).await;
    let say = async |words: &[&str]| {
        let mut args = vec!["send", author.as_str()];
        args.extend(words);
        args.extend(["--join", &url, "--json"]);
        let output = run(&args).await;
        assert!(output.status.success(), "{output:?}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(said["to"], author);
        said["event"].as_str().expect("text").to_owned()
    };
    let visitor = member(&url).await.expect("a visitor joins");
    until("the listener can be found", || async {
        let key = PublicKey::from_base36(&author).expect("a key");
        let found = visitor.node.overlay().record_at(Contact::key(&key)).await;
        found.expect("relays answer")?;
        visitor.node.find_peer(peer).await.ok().map(drop)
    })
    .await;
    visitor.node.close().await;
    // On a slow machine it may lie in a mailbox sooner than it is delivered: both are true then, and it comes once.
    until("one is delivered while the program waits", || async {
        let delivered = say(&["hello", "there"]).await == "delivered";
        delivered.then_some(())
    })
    .await;
    let message = program.event("message").await;
    assert_eq!(message["body"], "hello there");
    assert!(program.terminate().await.success());
    assert_eq!(say(&["anybody home?"]).await, "waiting");
    let (mut program, again, _) = listener(&url, home.path()).await;
    assert_eq!(again, author);
    while program.event("message").await["body"] != "anybody home?" {}
    program.kill().await;

    // Nobody knows an author that never said where it is.
    let nobody = PublicKey::from_peer_id(&relay.id().to_string()).expect("a key");
    let nobody = nobody.to_base36();
    let args = [
        "send",
        &nobody,
        "x",
        "--timeout",
        "1",
        "--join",
        &url,
        "--json",
    ];
    let output = run(&args).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("TIMED_OUT"), "{said}");
    relay.stop().await;
}
