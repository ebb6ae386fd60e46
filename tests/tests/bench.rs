//! The native sides of `cargo xtask bench names` and `chat`, small: so that it still works when it is wanted.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use warren_tests::wait::within;

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
    let (mut attackers, mut attack) = start(&["attack", network, address]);
    talks(&mut bench, "talk 3 10").await;
    assert_eq!(attack.ask("begin").await["begun"], true);
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
