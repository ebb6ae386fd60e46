//! `warren perf`: how fast the connection to one node is.

use clap::Args;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::address;
use warren_shared::net::perf::Measured;

use super::start_peer_log;
use crate::peer::PeerArgs;

const MIB: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct PerfArgs {
    /// The node: its multiaddress, or the peer id of one that is connected.
    node: String,
    /// MiB to send.
    #[arg(long, default_value_t = 64)]
    upload: u64,
    /// MiB to receive.
    #[arg(long, default_value_t = 64)]
    download: u64,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn run(args: PerfArgs) -> Result<()> {
    start_peer_log();
    let (target, addresses) = target(&args.node)?;
    let peer = args.peer.start(Vec::new()).await?;
    let id = peer.node.handle().dial(target, addresses).await?;
    let (upload, download) = (mib(args.upload), mib(args.download));
    let measured = peer.node.measure(id, upload, download).await?;
    match args.peer.json {
        true => println!("{}", json!({"peer": id.to_string(), "measured": measured})),
        false => print(&measured),
    }
    peer.node.close().await;
    Ok(())
}

fn mib(count: u64) -> u64 {
    count.saturating_mul(MIB)
}

fn target(text: &str) -> Result<(Option<PeerId>, Vec<Multiaddr>)> {
    if let Ok(peer) = text.parse::<PeerId>() {
        return Ok((Some(peer), Vec::new()));
    }
    let address = address::parse(text)?;
    let named = address.iter().any(|part| matches!(part, Protocol::P2p(_)));
    match named {
        true => Ok((None, vec![address])),
        false => Err(Error::new(
            Code::InvalidArgument,
            "the address does not say which peer is expected there",
        )
        .with_remedy("end it with /p2p/ and the peer id, as the relay prints it")),
    }
}

fn print(measured: &Measured) {
    for (what, rate) in [
        ("upload", measured.upload_rate()),
        ("download", measured.download_rate()),
    ] {
        if let Some(rate) = rate {
            println!("{what:<9} {rate:.1} MiB/s");
        }
    }
}
