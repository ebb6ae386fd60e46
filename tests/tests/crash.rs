//! A relay that dies at any moment: what it acknowledged is there after its restart, and so is who
//! it is and where it is found. And it shares neither its data nor its ports.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value as Json;
use tokio::sync::Notify;
use warren_shared::net::{Node, RecordClient, Route};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::record::{MutableValue, Record, Value, ValueBlock};
use warren_tests::count;
use warren_tests::killed::{Killed, full_relay, small_relay};
use warren_tests::peers::stranger;
use warren_tests::program::{Program, run};
use warren_tests::random::Random;
use warren_tests::relays::ANY_PORT;
use warren_tests::wait::within;

const HOUR: u64 = 3_600_000;
const WRITERS: u64 = 4;
/// A round is over within so many microseconds of its first acknowledgement.
const LONGEST_ROUND: usize = 200_000;
/// Values of earlier rounds that are read again after each crash.
const READ_AGAIN: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_relay_is_killed() {
    let mut random = Random::new();
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut relay = Killed::start(home.path()).await;
    let peer = stranger(&relay.network);
    let author = SigningKey::from_seed(platform::entropy());
    let mut acknowledged: Vec<Record> = Vec::new();
    for round in 0..count(10, 1_000) {
        let first = Arc::new(Notify::new());
        let writers = (0..WRITERS).map(|writer| Writer {
            first: first.clone(),
            client: client(&peer),
            network: relay.network.clone(),
            route: relay.route.clone(),
            author: author.clone(),
            label: format!("round {round}, writer {writer}"),
        });
        let writing: Vec<_> = writers.map(|writer| tokio::spawn(writer.run())).collect();
        within("the first acknowledgement", first.notified()).await;
        let moment = Duration::from_micros(random.below(LONGEST_ROUND) as u64);
        // Any moment is as good as any other: nothing is asserted about it.
        tokio::time::sleep(moment).await;
        relay.kill().await;
        let mut written: Vec<Record> = Vec::new();
        for ended in join_all(writing).await {
            written.extend(ended.expect("a writer does not panic"));
        }

        relay = Killed::start(home.path()).await;
        let earlier = (0..READ_AGAIN.min(acknowledged.len()))
            .map(|_| &acknowledged[random.below(acknowledged.len())]);
        for record in written.iter().chain(earlier) {
            relay.still_has(&peer, record, round).await;
        }
        acknowledged.extend(written);
    }
    assert!(!acknowledged.is_empty(), "nothing was ever stored");
    println!("{} acknowledged records survived", acknowledged.len());
    peer.close().await;
}

/// Asks the relay for a record that it acknowledged.
trait StillHas {
    async fn still_has(&self, peer: &Node, record: &Record, round: usize);
}

impl StillHas for Killed {
    async fn still_has(&self, peer: &Node, record: &Record, round: usize) {
        let client = client(peer);
        let read = client.read(vec![self.route.clone()], record.key());
        let read = read.await.expect("the relay answers");
        let kept = match (&read, record) {
            (Some(Record::Signed(kept)), Record::Signed(written)) => {
                kept.body().seq >= written.body().seq
            }
            (Some(Record::Value(kept)), Record::Value(written)) => kept == written,
            _ => false,
        };
        assert!(kept, "round {round}: {} was lost", record.key());
    }
}

/// Stores until the relay is gone: new values, and versions of one value.
struct Writer {
    /// Told of each acknowledgement; whoever waits for the first is woken.
    first: Arc<Notify>,
    client: RecordClient,
    network: NetworkId,
    route: Route,
    author: SigningKey,
    label: String,
}

impl Writer {
    /// What was acknowledged.
    async fn run(self) -> Vec<Record> {
        let mut acknowledged: Vec<Record> = Vec::new();
        for seq in 1.. {
            for record in [self.value(seq), self.version(seq)] {
                match self
                    .client
                    .write(vec![self.route.clone()], record.clone())
                    .await
                {
                    Ok(_) => {
                        self.first.notify_one();
                        acknowledged.push(record);
                    }
                    Err(_) => return acknowledged,
                }
            }
        }
        acknowledged
    }

    fn value(&self, seq: u64) -> Record {
        let text = format!("\"{} {seq}\"", self.label);
        Record::Value(ValueBlock::new(&Value::Json(text)).expect("a value"))
    }

    fn version(&self, seq: u64) -> Record {
        let block = ValueBlock::new(&Value::Bytes(vec![seq as u8; 1_000])).expect("a value");
        let now = platform::now();
        let times = (now, now + 24 * HOUR);
        MutableValue::sign(&self.author, &self.network, &self.label, &block, seq, times)
            .map(Record::Signed)
            .expect("signed")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_certificate_and_addresses_survive() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut first = Program::start(&full_relay(home.path(), [ANY_PORT; 4]));
    let before = first.event("ready").await;
    assert!(
        before["addresses"].to_string().contains("/certhash/"),
        "{before}"
    );
    let http = text(&before["http"]).replace("http://", "");
    let [tcp, udp, quic] = [
        ("/tcp/", ""),
        ("/udp/", "webrtc-direct"),
        ("/udp/", "quic-v1"),
    ]
    .map(|(port, also)| format!("127.0.0.1:{}", port_of(&before, port, also)));
    first.kill().await;

    let args = full_relay(home.path(), [&http, &tcp, &udp, &quic]);
    let mut second = Program::start(&args);
    let after = second.event("ready").await;
    assert_eq!(after, before);
    assert!(
        second.terminate().await.success(),
        "SIGTERM ends it in good order"
    );

    let mut third = Program::start(&args);
    assert_eq!(third.event("ready").await, before);
    third.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_kept_off_the_data() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut first = Program::start(&small_relay(home.path()));
    first.event("ready").await;
    let refused = error_of(&small_relay(home.path())).await;
    assert_eq!(refused["code"], "STORAGE_FAILED", "{refused}");
    assert!(
        text(&refused["message"]).contains("another process"),
        "{refused}"
    );
    assert!(text(&refused["remedy"]).contains("--data-dir"), "{refused}");
    assert!(
        first.terminate().await.success(),
        "the first one is not disturbed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let homes = [0, 1].map(|_| tempfile::tempdir().expect("a temporary folder"));
    let mut first = Program::start(&full_relay(homes[0].path(), [ANY_PORT; 4]));
    let ready = first.event("ready").await;
    let taken = [
        text(&ready["http"]).replace("http://", ""),
        format!("127.0.0.1:{}", port_of(&ready, "/tcp/", "")),
        format!("127.0.0.1:{}", port_of(&ready, "/udp/", "webrtc-direct")),
        format!("127.0.0.1:{}", port_of(&ready, "/udp/", "quic-v1")),
    ];
    for (position, address) in taken.iter().enumerate() {
        let mut listen = [ANY_PORT; 4];
        listen[position] = address;
        let refused = error_of(&full_relay(homes[1].path(), listen)).await;
        assert_eq!(refused["code"], "PORT_IN_USE", "{address}: {refused}");
        let port = address.rsplit(':').next().expect("a port");
        assert!(
            text(&refused["message"]).contains(port),
            "{address}: {refused}"
        );
        assert!(
            text(&refused["remedy"]).contains("port"),
            "{address}: {refused}"
        );
    }
    assert!(first.terminate().await.success());
}

async fn error_of(args: &[String]) -> Json {
    let output = run(args).await;
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).expect("text");
    // The log goes to the same place; the error is its last line.
    let last = told.lines().last().expect("an error");
    let told: Json = serde_json::from_str(last).expect("an object");
    assert_eq!(told["event"], "error");
    told["error"].clone()
}

fn port_of(ready: &Json, before: &str, also: &str) -> String {
    let addresses = ready["addresses"]
        .as_array()
        .expect("a list")
        .iter()
        .map(text);
    let mut fitting = addresses.filter(|address| {
        address.contains(before) && address.contains(also) && !address.contains("/ws")
    });
    let address = fitting.next().expect("such an address");
    let port = address
        .split(before)
        .nth(1)
        .expect("a port")
        .split('/')
        .next();
    port.expect("a port").to_owned()
}

fn text(json: &Json) -> &str {
    json.as_str().expect("text")
}

fn client(peer: &Node) -> RecordClient {
    RecordClient::new(peer.handle().clone(), peer.network().clone(), None)
}
