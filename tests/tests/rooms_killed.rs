//! Relays and peers that are killed in the middle of a conversation: what was acknowledged is there.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;
use warren_tests::count;
use warren_tests::guests::{Guest, public};
use warren_tests::killed::full_relay;
use warren_tests::program::Program;
use warren_tests::random::Random;
use warren_tests::relays::{TestRelay, dead_port};
use warren_tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_sent_is_lost_with_the_relay() {
    let mut random = Random::new();
    let home = tempfile::tempdir().expect("a temporary folder");
    let [http, tcp] = [dead_port(), dead_port()].map(|port| format!("127.0.0.1:{port}"));
    let start = || {
        let mut args = full_relay(home.path(), [&http, &tcp, "off", "off"]);
        args.push("--history".to_owned());
        Program::start(&args)
    };
    let mut relay = start();
    let ready = relay.event("ready").await;
    let urls = [ready["http"].as_str().expect("a URL").to_owned()];
    let room = public("lobby");
    let guests = [
        Guest::enter_at(&urls, &room, "Ada").await,
        Guest::enter_at(&urls, &room, "Ben").await,
    ];
    let mut said = BTreeSet::new();
    for round in 0..count(2, 20) {
        let dies_at = random.below(8);
        for number in 0..8 {
            if number == dies_at {
                relay.kill().await;
                relay = start();
            }
            let text = format!("round {round}, message {number}");
            guests[number % 2]
                .room
                .send(&text)
                .await
                .expect("acknowledged");
            said.insert(text);
        }
        relay.event("ready").await;
    }
    for guest in &guests {
        until("everything has arrived", || async {
            let texts: BTreeSet<String> = guest.texts().await.into_iter().collect();
            (texts == said).then_some(())
        })
        .await;
        assert_eq!(guest.entries().await.len(), said.len(), "nothing twice");
    }
    for guest in guests {
        guest.close().await;
    }
    relay.kill().await;
}

fn chat(url: &str, home: &Path) -> Program {
    let home = home.to_str().expect("a path in text");
    Program::start_told(&[
        "chat",
        "lobby",
        "--follow",
        "--json",
        "--last",
        "0",
        "--join",
        url,
        "--data-dir",
        home,
    ])
}

fn text(event: &Json) -> &str {
    event["message"]["text"].as_str().expect("a text")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_program_has_said_is_heard_later() {
    let mut random = Random::new();
    let relay = TestRelay::first().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let listener = Guest::enter(&[&relay], &public("lobby"), "Ada").await;
    let mut program = chat(&relay.url(), home.path());
    program.event("entered").await;
    let mut acknowledged = Vec::new();
    for round in 0..count(4, 60) {
        // Nobody waits until it has left the machine: it is killed as soon as it says that it was said.
        for number in 0..=random.below(3) {
            let words = format!("round {round}, message {number}");
            program.tell(&words).await;
            while text(&program.event("message").await) != words {}
            acknowledged.push(words);
        }
        program.kill().await;
        program = chat(&relay.url(), home.path());
        program.event("entered").await;
    }
    until("everything has arrived", || async {
        let texts: BTreeSet<String> = listener.texts().await.into_iter().collect();
        acknowledged
            .iter()
            .all(|text| texts.contains(text))
            .then_some(())
    })
    .await;
    assert_eq!(
        listener.entries().await.len(),
        acknowledged.len(),
        "nothing twice"
    );
    program.kill().await;
    listener.close().await;
    relay.stop().await;
}
