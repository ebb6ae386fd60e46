//! `warren peers`: what this profile has seen of others, and who is connected now.

use std::path::Path;

use clap::Args;
use libp2p::PeerId;
use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::node::parse_peer;
use warren_shared::net::snapshot::ConnectionView;
use warren_shared::net::standings::{KEPT, Standings, standing_value};
use warren_shared::proto::reputation::Standing;

use super::lines::print;
use super::start_peer_log;
use crate::identity::{is_in_use, is_profile};
use crate::keepsakes::Keepsakes;
use crate::peer::PeerArgs;

#[derive(Debug, Args)]
pub(super) struct PeersArgs {
    /// Only this one.
    id: Option<String>,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

/// Of a profile that runs, or without a relay to join, what it has kept is read; who is connected, only it knows.
pub(super) async fn run(args: PeersArgs) -> Result<()> {
    start_peer_log();
    let wanted = args.id.as_deref().map(parse_peer).transpose()?;
    if let Some(data) = &args.peer.data_dir {
        if !is_profile(data) {
            return Err(no_profile(data));
        }
        let running = is_in_use(data);
        if running || args.peer.relays().is_empty() {
            return kept(data, wanted, running, args.peer.json);
        }
    }
    let peer = args.peer.start(Vec::new()).await?;
    let mut all = peer.node.reputations().await;
    let connections = peer.node.handle().snapshot().await?.connections;
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
    peer.node.close().await;
    for (id, standing) in &all {
        show(id, standing, Some(&connections), args.peer.json)?;
    }
    Ok(())
}

fn no_profile(data: &Path) -> Error {
    let message = format!("there is no profile in {}", data.display());
    Error::new(Code::NotFound, message).with_remedy(
        "Name the --data-dir of a peer or relay that has run, or leave it out to see who is connected to a new peer.",
    )
}

/// What was seen of others, as it was written down last.
fn kept(data: &Path, wanted: Option<PeerId>, running: bool, json: bool) -> Result<()> {
    if !json {
        eprintln!(
            "{}",
            match running {
                true =>
                    "this profile runs now: this is what it wrote down, at most a minute ago; who is connected, only it knows",
                false =>
                    "this is what this profile wrote down; with --join it says who is connected, too",
            }
        );
    }
    let files = Keepsakes::seen_in(data, KEPT)?;
    let bytes = files.get("").map_or(&[][..], Vec::as_slice);
    let standings = Standings::of_kept(bytes);
    let all = match wanted {
        Some(id) => vec![(id, standings.of(&id))],
        None => standings.all(),
    };
    for (id, standing) in &all {
        show(id, standing, None, json)?;
    }
    Ok(())
}

/// Connections are not given when they are not known.
fn show(
    id: &PeerId,
    standing: &Standing,
    connections: Option<&Vec<ConnectionView>>,
    json: bool,
) -> Result<()> {
    let text = id.to_string();
    let ways: Option<Vec<&str>> = connections.map(|all| {
        let of = all.iter().filter(|connection| connection.peer == text);
        of.map(|connection| connection.transport.as_str()).collect()
    });
    let here = ways.as_ref().map(|ways| !ways.is_empty());
    if json {
        let mut line = standing_value(id, standing);
        line["connected"] = json!(here);
        line["transports"] = json!(ways);
        return print(&line.to_string());
    }
    let latency = standing
        .latency
        .map_or("-".to_owned(), |ms| format!("{ms} ms"));
    print(&format!(
        "{text} {}trust {:.2}, {} answers in about {latency}, {} failures, {} bytes verified",
        if here == Some(true) {
            "connected, "
        } else {
            ""
        },
        standing.trust() as f64 / 1_000.0,
        standing.answers,
        standing.failures + standing.invalid + standing.violations,
        standing.verified,
    ))
}
