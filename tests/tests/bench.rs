//! The native sides of `cargo xtask bench names`, `chat` and `files`, small: so that it still works when it is wanted.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use warren_relay::files::{PartialFile, SharedFile};
use warren_shared::limits::{FILES_IN_FLIGHT, PIECE};
use warren_shared::net::files::{Held, How, Tally};
use warren_tests::peers::member;
use warren_tests::random::Random;
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

struct Bench {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Bench {
    async fn ask(&mut self, question: &str) -> Value {
        let question = format!("{question}\n");
        let asked = self.input.write_all(question.as_bytes());
        asked.await.expect("the program reads");
        self.answer().await
    }

    async fn answer(&mut self) -> Value {
        let line = within("the program answers", self.output.next_line()).await;
        let line = line.expect("readable").expect("it has not ended");
        serde_json::from_str(&line).expect("lines of JSON")
    }
}

fn round_trips(answer: &Value) -> Vec<f64> {
    let list = answer["roundTrips"].as_array().expect("a list");
    list.iter().filter_map(Value::as_f64).collect()
}

fn start(args: &[&str]) -> (Child, Bench) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bench-native"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("bench-native starts");
    let bench = Bench {
        input: child.stdin.take().expect("piped"),
        output: BufReader::new(child.stdout.take().expect("piped")).lines(),
    };
    (child, bench)
}

#[tokio::test]
async fn a_small_room_answers_what_the_bench_of_chat_asks() {
    let (mut child, mut bench) = start(&["chat", "2", "3"]);
    let ready = bench.answer().await;
    assert_eq!(ready["ready"], 3);
    let [network, address] = ["network", "address"].map(|name| ready[name].as_str());
    let (network, address) = (network.expect("a text"), address.expect("a text"));
    let (mut attackers, mut attack) = start(&["attack", network]);
    talks(&mut bench, "talk 3 10").await;
    let begin = format!("begin {address} {address} {address}");
    assert_eq!(attack.ask(&begin).await["begun"], true);
    talks(&mut bench, "talk 3 10").await;
    let ended = attack.ask("end").await;
    assert!(ended["sent"].as_u64().is_some(), "{ended}");
    drop((bench, attack));
    for child in [&mut child, &mut attackers] {
        let status = within("the program ends", child.wait()).await;
        assert!(status.expect("our child").success());
    }
}

/// Three messages, each to two others.
async fn talks(bench: &mut Bench, question: &str) {
    let answer = bench.ask(question).await;
    let took = answer["took"].as_array().expect("a list");
    assert_eq!((took.len(), &answer["lost"]), (6, &Value::from(0)));
    assert!(answer["memory"].as_u64() > Some(0));
}

#[tokio::test]
async fn a_small_network_answers_what_the_bench_of_names_asks() {
    let (mut child, mut bench) = start(&["names", "8", "2"]);
    assert_eq!(bench.answer().await["ready"], 8);
    assert_eq!(bench.ask("delay 20").await["delay"], 20);
    for (question, count) in [("human 3", 3), ("key 3", 3), ("newcomer 1", 1)] {
        let took = round_trips(&bench.ask(question).await);
        assert_eq!(took.len(), count, "{question}");
        // Nobody answers faster than the links.
        assert!(took.iter().all(|took| *took >= 1.0), "{question}: {took:?}");
    }
    assert_eq!(bench.ask("churn").await["stopped"], 2);
    let read = bench.ask("read 2").await;
    for kind in ["human", "key"] {
        let counts = (read[kind]["found"].as_u64(), read[kind]["of"].as_u64());
        assert_eq!(counts, (Some(4), Some(4)), "{kind}");
    }
    drop(bench);
    let status = within("the program ends", child.wait()).await;
    assert!(status.expect("our child").success());
}

#[tokio::test]
async fn a_small_network_answers_what_the_bench_of_files_searches() {
    let (mut child, mut bench) = start(&["search", "8", "2"]);
    assert_eq!(bench.answer().await["ready"], 2);
    assert_eq!(bench.ask("delay 20").await["delay"], 20);
    for (question, count) in [("relay 2", 2), ("peer 1", 1)] {
        let took = round_trips(&bench.ask(question).await);
        assert_eq!(took.len(), count, "{question}");
        // Whoever searches lists nothing itself, and nobody answers faster than the links.
        assert!(took.iter().all(|took| *took >= 1.0), "{question}: {took:?}");
    }
    drop(bench);
    let status = within("the program ends", child.wait()).await;
    assert!(status.expect("our child").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bench_of_files_compares_with_tells_a_rate() {
    let relay = TestRelay::start(|args| args.perf = true).await;
    let relay = relay.expect("a relay");
    let network = relay.node().network().to_string();
    let (id, address) = (relay.id().to_string(), relay.address().await);
    for args in [
        &["stream", &network, &id, &address, "8"][..],
        &["plain", "8"][..],
    ] {
        let (mut child, mut bench) = start(args);
        let told = bench.answer().await;
        assert!(told["mibPerSecond"].as_f64() > Some(0.0), "{told}");
        let status = within("the program ends", child.wait()).await;
        assert!(status.expect("our child").success());
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_sources_spoil_nothing_of_what_the_bench_of_files_fetches() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let (url, path) = (relay.url(), folder.path().join("original"));
    let bytes = Random::new().bytes(12 * PIECE as usize);
    std::fs::write(&path, &bytes).unwrap();
    let place = path.to_str().expect("a path in text");
    let mut bad = Vec::new();
    for vice in ["lying", "stalling"] {
        let (child, mut bench) = start(&["source", vice, &url, place]);
        assert!(bench.answer().await["ready"].is_string(), "{vice}");
        bad.push((child, bench));
    }
    let taker = member(&url).await.expect("joined");
    let files = taker.node.files().unwrap();
    let file = SharedFile::hash(&path).unwrap();
    let partial = PartialFile::open(folder.path(), file.cid(), file.tree()).unwrap();
    let how = How {
        patience: Duration::from_secs(60),
        whole: false,
        in_flight: FILES_IN_FLIGHT,
        tally: Arc::new(Tally::default()),
    };
    let (sources, target) = (files.sources(file.cid(), Vec::new()), partial.clone());
    let fetching = tokio::spawn(async move { files.fetch(&sources, Arc::new(target), how).await });
    // Only the bad ones are there until one of them has lied.
    let standings = taker.node.handle().standings();
    until("the lie is noticed", || async {
        let lied = standings
            .all()
            .iter()
            .any(|(_, standing)| standing.invalid > 0);
        lied.then_some(())
    })
    .await;
    let good = member(&url).await.expect("joined");
    let shared = good.node.files().unwrap();
    shared.share(Arc::new(file.clone())).unwrap();
    until("it is announced", || async {
        shared.announce(&file.cid()).await.ok()
    })
    .await;
    let fetched = within("the rest comes from the good one", fetching).await;
    fetched.expect("no panic").expect("fetched");
    let copy = folder.path().join("copy");
    partial.finish(copy.clone()).await.expect("finished");
    assert!(std::fs::read(copy).unwrap() == bytes, "a wrong byte");
    for (mut child, bench) in bad {
        drop(bench);
        let status = within("the program ends", child.wait()).await;
        assert!(status.expect("our child").success());
    }
    relay.stop().await;
}
