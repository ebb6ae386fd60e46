//! The native side of benchmarks.
//!
//! Measures native transports against each other, for `cargo xtask bench webrtc`: WebRTC-direct, TCP
//! and QUIC between two nodes of ours, and a bare pair of data channels of the stack underneath.
//!
//! `bench-native ROUNDS MIB` prints one line of JSON per measurement, interleaved:
//! `{"path": …, "round": …, "mibPerSecond": …, "cpuSeconds": …}`. `bench-native idle PEERS` prints the
//! memory that so many idle WebRTC connections take on the listening side.
//!
//! For `cargo xtask bench names` it is a network to be questioned, `bench-native names`, and the delayed
//! links of another one, `bench-native links`. For `cargo xtask bench chat` it is a room, `bench-native chat`,
//! and those who disturb it, `bench-native attack`. For `cargo xtask bench b2b` it is a long way between two pages,
//! `bench-native far`. For `cargo xtask bench files` it is a source that lies or stalls, `bench-native source`, what a
//! download is compared with, `bench-native stream` and `bench-native plain`, and a network to be searched,
//! `bench-native search`.

#[path = "bench-native/attack.rs"]
mod attack;
#[path = "bench-native/bare.rs"]
mod bare;
#[path = "bench-native/chat.rs"]
mod chat;
#[path = "bench-native/far.rs"]
mod far;
#[path = "bench-native/idle.rs"]
mod idle;
#[path = "bench-native/names.rs"]
mod names;
#[path = "bench-native/raw.rs"]
mod raw;
#[path = "bench-native/search.rs"]
mod search;
#[path = "bench-native/source.rs"]
mod source;
#[path = "bench-native/usage.rs"]
mod usage;

use std::process::ExitCode;
use std::time::Duration;

use libp2p::Multiaddr;
use serde_json::json;
use warren_shared::net::Node;
use warren_tests::peers::stranger;
use warren_tests::relays::{ANY_PORT, TestRelay};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: bench-native ROUNDS MIB | bench-native idle PEERS | \
    bench-native names NODES NAMES | bench-native links | bench-native chat RELAYS PEERS | \
    bench-native attack NETWORK | bench-native far MILLISECONDS | \
    bench-native source lying|stalling URL PATH | bench-native search RELAYS SHARERS | \
    bench-native stream NETWORK PEER ADDRESS MIB | bench-native plain MIB";
const MIB: u64 = 1024 * 1024;
/// What the address of each path contains.
const PATHS: [(&str, &str); 3] = [
    ("webrtc", "/webrtc-direct"),
    ("tcp", "/tcp/"),
    ("quic", "/quic-v1"),
];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["idle", peers] => idle::listen(peers).await,
        [idle::CALLERS, peers, network, relay, address] => {
            idle::call(peers, network, relay, address).await
        }
        ["names", nodes, names] => names::serve(nodes, names).await,
        ["chat", relays, peers] => chat::serve(relays, peers).await,
        ["attack", network] => attack::serve(network).await,
        // No task beside it has to go on meanwhile.
        ["far", milliseconds] => far::serve(milliseconds),
        ["source", vice, url, path] => source::serve(vice, url, path).await,
        ["search", relays, sharers] => search::serve(relays, sharers).await,
        ["stream", network, peer, address, size] => raw::stream(network, peer, address, size).await,
        // Nor beside this one.
        ["plain", size] => raw::plain(size),
        ["links"] => names::links().await,
        [rounds, size] => transfers(rounds, size).await,
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn relay() -> Result<TestRelay, Failure> {
    let started = TestRelay::start(|args| {
        args.udp = Some(ANY_PORT.into());
        args.quic = Some(ANY_PORT.into());
        args.perf = true;
    });
    Ok(started.await?)
}

/// The relay's address of this path.
async fn address(relay: &TestRelay, part: &str) -> Result<Multiaddr, Failure> {
    let addresses = relay.snapshot().await.addresses;
    let fits = |text: &&String| text.contains(part) && !text.contains("/ws");
    let found = addresses.iter().find(fits).ok_or("no such address")?;
    Ok(found.parse()?)
}

async fn connected(relay: &TestRelay, part: &str) -> Result<Node, Failure> {
    let address = address(relay, part).await?;
    let node = stranger(relay.node().network());
    node.handle().dial(Some(relay.id()), vec![address]).await?;
    Ok(node)
}

async fn transfers(rounds: &str, size: &str) -> Result<(), Failure> {
    let (rounds, bytes): (usize, u64) = (rounds.parse()?, size.parse::<u64>()? * MIB);
    let relay = relay().await?;
    let mut nodes = Vec::new();
    for (name, part) in PATHS {
        nodes.push((name, connected(&relay, part).await?));
    }
    for round in 0..rounds {
        for (name, node) in &nodes {
            let before = usage::cpu();
            let measured = node.measure(relay.id(), bytes, 1).await?;
            let cpu = usage::cpu() - before;
            tell(name, round, measured.upload_rate(), cpu);
        }
        let (rate, cpu) = bare(bytes).await?;
        tell("bare", round, Some(rate), cpu);
    }
    Ok(())
}

/// The best that the stack does by itself.
async fn bare(bytes: u64) -> Result<(f64, Duration), Failure> {
    let mut best = (0.0, Duration::ZERO);
    for buffered in bare::BUFFERED {
        let before = usage::cpu();
        let rate = tokio::task::spawn_blocking(move || bare::transfer(bytes, buffered)).await??;
        if rate > best.0 {
            best = (rate, usage::cpu() - before);
        }
    }
    Ok(best)
}

fn tell(path: &str, round: usize, rate: Option<f64>, cpu: Duration) {
    println!(
        "{}",
        json!({"path": path, "round": round, "mibPerSecond": rate, "cpuSeconds": cpu.as_secs_f64()})
    );
}
