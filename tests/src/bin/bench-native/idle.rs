//! What idle WebRTC connections cost the listening side: the callers live in a process of their own.

use std::process::Stdio;

use libp2p::{Multiaddr, PeerId};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use warren_shared::net::Node;
use warren_shared::proto::NetworkId;
use warren_tests::peers::stranger;

use super::{Failure, address, relay, usage};

/// The first argument of the process with the callers.
pub const CALLERS: &str = "idle-callers";

/// Prints by how much this process, which only listens, grows with so many connections.
pub async fn listen(peers: &str) -> Result<(), Failure> {
    let count: u64 = peers.parse()?;
    let relay = relay().await?;
    let address = address(&relay, "/webrtc-direct").await?.to_string();
    let network = relay.node().network().to_string();
    let mut callers = Command::new(std::env::current_exe()?)
        .args([CALLERS, peers, &network, &relay.id().to_string(), &address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut tell = callers.stdin.take().ok_or("no standard input")?;
    let mut told = BufReader::new(callers.stdout.take().ok_or("no standard output")?).lines();
    // The first connection also pays for what all of them share.
    told.next_line().await?.ok_or("the first call failed")?;
    let before = usage::resident()?;
    tell.write_all(b"\n").await?;
    told.next_line().await?.ok_or("a call failed")?;
    let grown = usage::resident()?.saturating_sub(before);
    println!(
        "{}",
        json!({"peers": count, "bytesPerConnection": grown / count.max(1)})
    );
    drop(tell);
    callers.wait().await?;
    Ok(())
}

/// Calls once, and when asked to so many times more; stays until standard input ends.
pub async fn call(peers: &str, network: &str, relay: &str, address: &str) -> Result<(), Failure> {
    let (peers, network): (usize, NetworkId) = (peers.parse()?, network.parse()?);
    let (relay, address): (PeerId, Multiaddr) = (relay.parse()?, address.parse()?);
    let mut input = tokio::io::stdin();
    let mut nodes = vec![caller(&network, relay, &address).await?];
    println!("first");
    input.read_u8().await?;
    for _ in 0..peers {
        nodes.push(caller(&network, relay, &address).await?);
    }
    println!("all");
    input.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn caller(network: &NetworkId, relay: PeerId, at: &Multiaddr) -> Result<Node, Failure> {
    let node = stranger(network);
    node.handle().dial(Some(relay), vec![at.clone()]).await?;
    Ok(node)
}
