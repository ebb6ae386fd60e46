//! `warren peers`: what this profile has seen of others, and who is connected now.

use clap::Args;
use serde_json::json;
use warren_shared::error::Result;
use warren_shared::net::standings::standing_value;

use super::lines::print;
use super::start_peer_log;
use crate::peer::PeerArgs;

#[derive(Debug, Args)]
pub(super) struct PeersArgs {
    /// Only this one.
    id: Option<String>,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn run(args: PeersArgs) -> Result<()> {
    start_peer_log();
    let wanted = args.id.as_deref().map(warren_shared::net::node::parse_peer);
    let wanted = wanted.transpose()?;
    let peer = args.peer.start(Vec::new()).await?;
    let known = peer.node.reputations().await;
    let connections = peer.node.handle().snapshot().await?.connections;
    let ways = |id: &str| -> Vec<&str> {
        let of = connections
            .iter()
            .filter(|connection| connection.peer == id);
        of.map(|connection| connection.transport.as_str()).collect()
    };
    let mut all = known;
    match wanted {
        Some(id) => all = vec![(id, peer.node.reputation(&id).await)],
        None => {
            for connection in &connections {
                let id = connection.peer.parse();
                if let Ok(id) = id
                    && !all.iter().any(|(known, _)| *known == id)
                {
                    all.push((id, peer.node.reputation(&id).await));
                }
            }
        }
    }
    for (id, standing) in &all {
        let text = id.to_string();
        let ways = ways(&text);
        let here = !ways.is_empty();
        match args.peer.json {
            true => {
                let mut line = standing_value(id, standing);
                line["connected"] = json!(here);
                line["transports"] = json!(ways);
                print(&line.to_string())?;
            }
            false => {
                let latency = standing
                    .latency
                    .map_or("-".to_owned(), |ms| format!("{ms} ms"));
                print(&format!(
                    "{text} {}trust {:.2}, {} answers in about {latency}, {} failures, {} bytes verified",
                    if here { "connected, " } else { "" },
                    standing.trust() as f64 / 1_000.0,
                    standing.answers,
                    standing.failures + standing.invalid + standing.violations,
                    standing.verified,
                ))?;
            }
        }
    }
    peer.node.close().await;
    Ok(())
}
