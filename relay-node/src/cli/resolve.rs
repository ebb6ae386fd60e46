//! `warren resolve`: what a name leads to, and why one may believe it.

use clap::Args;
use serde_json::json;
use warren_shared::error::Result;
use warren_shared::proto::names::Name;
use warren_shared::proto::names::resolution::{Proof, Resolution};
use warren_shared::proto::names::resolver::Options;

use super::lines::print;
use super::recall::recall;
use super::start_peer_log;
use crate::peer::PeerArgs;

#[derive(Debug, Args)]
pub(super) struct ResolveArgs {
    /// The name, such as alice.p2p or k51….
    name: String,
    /// Give addresses in private networks and on this device too.
    #[arg(long)]
    private: bool,
    /// Ask even if --data-dir has a fresh answer.
    #[arg(long)]
    fresh: bool,
    /// Print the proof with which others can check the answer.
    #[arg(long)]
    proof: bool,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn run(args: ResolveArgs) -> Result<()> {
    start_peer_log();
    let options = Options {
        fresh: args.fresh,
        private: args.private,
        ..Options::default()
    };
    if let Some(folder) = args
        .peer
        .data_dir
        .as_ref()
        .filter(|_| !args.fresh && !args.proof)
    {
        let name = Name::parse(&args.name)?;
        if let Some(kept) = recall(folder, &args.peer, &name, options)? {
            return print(&match args.peer.json {
                true => json!(kept).to_string(),
                false => format!(
                    "{}\n  kept from network {}; nobody was asked (--fresh asks)",
                    described(&kept.found, received),
                    kept.network
                ),
            });
        }
    }
    let peer = args.peer.start(Vec::new()).await?;
    let names = peer.node.names();
    let found = names.resolve(&args.name, options).await;
    if args.peer.data_dir.is_some() && found.is_ok() {
        names.agent().keep_cache().await?;
    }
    let outcome = match found {
        Err(error) => Err(error),
        Ok(_) if args.proof => match names.evidence(&args.name).await {
            Ok(evidence) => print(&json!(evidence).to_string()),
            Err(error) => Err(error),
        },
        Ok(found) if args.peer.json => print(&json!(found).to_string()),
        Ok(found) => print(&described(&found, received)),
    };
    peer.node.close().await;
    outcome
}

/// What a name leads to, with the proofs in words.
pub(super) fn described(found: &Resolution, because: fn(&Proof) -> String) -> String {
    let mut lines = vec![found.name.to_string()];
    for via in &found.via {
        lines.push(format!("  is an alias of {via}"));
    }
    for resource in &found.resources {
        lines.push(format!("  {resource}"));
    }
    if found.hidden > 0 {
        lines.push(format!(
            "  ({} not public, left out; --private shows them)",
            found.hidden
        ));
    }
    for proof in &found.proofs {
        // An alias inside a zone has the proof of that zone.
        let line = format!("  {}: {}", proof.name, because(proof));
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// Why one may believe what was just resolved.
pub(super) fn received(proof: &Proof) -> String {
    format!(
        "{}, received {} s ago{}",
        signed_by(proof),
        proof.age / 1_000,
        if proof.cached { ", from the cache" } else { "" },
    )
}

/// Whose word it is.
pub(super) fn signed_by(proof: &Proof) -> String {
    let witnesses = match proof.of {
        0 => "signed by the key itself".to_owned(),
        of => format!("{} of {of} witnesses", proof.witnesses.len()),
    };
    format!(
        "{witnesses}, owner {}, version {}",
        proof.owner_name, proof.seq
    )
}
