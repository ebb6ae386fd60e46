//! `warren name …`: what owners do with names, from the command line.

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::DAY;
use warren_shared::net::names::{Held, Mine};
use warren_shared::platform;
use warren_shared::proto::Millis;
use warren_shared::proto::key::PublicKey;
use warren_shared::proto::names::publisher::Progress;
use warren_shared::proto::names::{Name, Resource, Zone};

use super::cache::{self, CacheCommand};
use super::lines::print;
use super::start_peer_log;
use crate::peer::{Peer, PeerArgs};

#[derive(Debug, Subcommand)]
pub(super) enum NameCommand {
    #[command(flatten)]
    Owner(OwnerCommand),
    /// The names that were resolved with a data directory.
    #[command(subcommand)]
    Cache(CacheCommand),
}

/// What needs the network, and an owner.
#[derive(Debug, Subcommand)]
pub(super) enum OwnerCommand {
    /// Claim a name for the owner in the data directory.
    Claim(ClaimArgs),
    /// Put resources under a name, in the place of those that were there.
    Set(SetArgs),
    /// Show what this owner published under a name.
    Show(OneName),
    /// Publish a whole zone from a TOML file.
    Apply(ApplyArgs),
    /// Keep a name for another term.
    Renew(OneName),
    /// Sign a name over to another owner; prints what that one accepts.
    Transfer(TransferArgs),
    /// Take over a name that was signed over to this owner.
    Accept(AcceptArgs),
    /// Take over a name whose recovery key is the one in the data directory.
    Recover(OneName),
    /// Give a name up.
    Release(OneName),
    /// Print the proof of a name, which `warren verify` checks.
    Export(OneName),
    /// List the names of this owner.
    Mine(Nothing),
}

#[derive(Debug, Args)]
pub(super) struct Nothing {
    #[command(flatten)]
    peer: PeerArgs,
}

#[derive(Debug, Args)]
pub(super) struct OneName {
    /// The name, such as alice.p2p.
    name: String,
    #[command(flatten)]
    peer: PeerArgs,
}

#[derive(Debug, Args)]
pub(super) struct ClaimArgs {
    /// The name, such as alice.p2p.
    name: String,
    /// The key that may take the name over when the owner's key is lost (k51…). Counts with the first
    /// claim only: it cannot be added to a name that you hold.
    #[arg(long, value_name = "KEY")]
    recovery: Option<String>,
    #[command(flatten)]
    peer: PeerArgs,
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// The name, or an entry of its zone, such as blog.alice.p2p.
    name: String,
    /// What it leads to: peer:ID, address:IP or IP:PORT, file:CID, site:CID, url:URL, text:TEXT,
    /// alias:NAME. Without any, the entry is removed.
    resources: Vec<String>,
    #[command(flatten)]
    peer: PeerArgs,
}

/// What a zone looks like in a file.
const ZONE_EXAMPLE: &str = r#"Example of a zone:
  ttl = 300

  [[entries]]
  sub = ""
  resources = [{ type = "url", url = "https://example.org" }]

  [[entries]]
  sub = "blog"
  resources = [{ type = "text", text = "hello" }]"#;

#[derive(Debug, Args)]
#[command(after_help = ZONE_EXAMPLE)]
pub(super) struct ApplyArgs {
    /// The name.
    name: String,
    /// The zone; - reads standard input.
    file: PathBuf,
    #[command(flatten)]
    peer: PeerArgs,
}

#[derive(Debug, Args)]
pub(super) struct TransferArgs {
    /// The name.
    name: String,
    /// The new owner's key (k51…).
    to: String,
    #[command(flatten)]
    peer: PeerArgs,
}

#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    /// What `warren name transfer` printed.
    handover: String,
    #[command(flatten)]
    peer: PeerArgs,
}

impl NameCommand {
    pub(super) fn wants_json(&self) -> bool {
        match self {
            NameCommand::Owner(command) => command.peer().json,
            NameCommand::Cache(command) => command.wants_json(),
        }
    }
}

impl OwnerCommand {
    fn peer(&self) -> &PeerArgs {
        match self {
            OwnerCommand::Claim(args) => &args.peer,
            OwnerCommand::Set(args) => &args.peer,
            OwnerCommand::Apply(args) => &args.peer,
            OwnerCommand::Transfer(args) => &args.peer,
            OwnerCommand::Accept(args) => &args.peer,
            OwnerCommand::Mine(args) => &args.peer,
            OwnerCommand::Show(args)
            | OwnerCommand::Renew(args)
            | OwnerCommand::Recover(args)
            | OwnerCommand::Release(args)
            | OwnerCommand::Export(args) => &args.peer,
        }
    }
}

pub(super) async fn run(command: NameCommand) -> Result<()> {
    start_peer_log();
    let command = match command {
        NameCommand::Owner(command) => command,
        NameCommand::Cache(command) => return cache::run(&command),
    };
    let args = command.peer();
    if args.data_dir.is_none() {
        return Err(Error::new(
            Code::InvalidArgument,
            "a name belongs to a key, and nothing says where yours is",
        )
        .with_remedy(
            "Add --data-dir with the folder that keeps your keys; it is made if it is not there.",
        ));
    }
    let json = args.json;
    let peer = args.start(Vec::new()).await?;
    let outcome = carry_out(&command, &peer, json).await;
    peer.node.close().await;
    outcome
}

async fn carry_out(command: &OwnerCommand, peer: &Peer, json: bool) -> Result<()> {
    let names = peer.node.names();
    let progress = |step| tell(step, json);
    match command {
        OwnerCommand::Claim(args) => {
            let recovery = args.recovery.as_deref().map(PublicKey::from_base36);
            let held = names
                .claim(&args.name, recovery.transpose()?, progress)
                .await?;
            told(&held, json)
        }
        OwnerCommand::Set(args) => set(args, peer).await,
        OwnerCommand::Apply(args) => {
            let zone: Zone = toml::from_str(&read(&args.file)?).map_err(|error| {
                Error::new(Code::InvalidArgument, "the file is not a zone")
                    .caused_by(error)
                    .with_remedy("`warren name apply --help` shows an example.")
            })?;
            told(&names.publish(&args.name, zone).await?, json)
        }
        OwnerCommand::Show(args) => {
            let mut held = names.show(&args.name).await?;
            let name = Name::parse(&args.name)?;
            if let (false, Some(zone)) = (name.sub().is_empty(), &mut held.zone) {
                zone.entries.retain(|entry| entry.sub == name.sub());
            }
            told(&held, json)
        }
        OwnerCommand::Renew(args) => told(&names.renew(&args.name, progress).await?, json),
        OwnerCommand::Recover(args) => told(&names.recover(&args.name, progress).await?, json),
        OwnerCommand::Transfer(args) => {
            let handover = names.transfer(&args.name, &args.to).await?;
            print(&match json {
                true => json!({"handover": handover}).to_string(),
                false => handover,
            })
        }
        OwnerCommand::Accept(args) => told(&names.accept(&args.handover, progress).await?, json),
        OwnerCommand::Release(args) => {
            names.release(&args.name, progress).await?;
            print(&match json {
                true => json!({"released": args.name}).to_string(),
                false => format!("{} is released", args.name),
            })
        }
        OwnerCommand::Export(args) => {
            let evidence = names.evidence(&args.name).await?;
            print(&json!(evidence).to_string())
        }
        OwnerCommand::Mine(_) => {
            let Mine { held, unsure } = names.mine_now().await?;
            for (name, error) in unsure {
                eprintln!("… {name}: {error}");
            }
            if json {
                return print(&json!(held).to_string());
            }
            print(&format!("owner {}", names.owner().to_base36()))?;
            held.iter().try_for_each(|held| told(held, false))
        }
    }
}

/// Replaces one entry of the zone.
async fn set(args: &SetArgs, peer: &Peer) -> Result<()> {
    let names = peer.node.names();
    let resources = args.resources.iter().map(|text| text.parse());
    let held = names
        .set(&args.name, resources.collect::<Result<_>>()?)
        .await?;
    for resource in args.resources.iter().filter(|text| !is_public(text)) {
        eprintln!("… {resource} is not public: readers see it only if they ask, with --private");
    }
    told(&held, args.peer.json)
}

fn is_public(resource: &str) -> bool {
    let parsed = resource.parse::<Resource>();
    parsed.is_ok_and(|resource| resource.is_public())
}

fn tell(step: Progress, json: bool) {
    let text = match step {
        Progress::Asking => "asking the witnesses who holds it",
        Progress::Working(_) => "working for it: this makes claiming many names expensive",
        Progress::Reserving => "reserving it",
        Progress::Signing => "having it signed",
        Progress::Confirming => "showing it to all witnesses",
        Progress::Waiting(_) => "somebody else wants it at this moment; trying again",
    };
    if json {
        eprintln!("{}", json!({"event": "progress", "step": text}));
    } else {
        eprintln!("… {text}");
    }
}

/// In days, to the nearest: a name that was just claimed is held for a whole year.
fn held_for(expires: Millis, now: Millis) -> String {
    let left = expires.saturating_sub(now);
    match (left + DAY / 2) / DAY {
        0 if left == 0 => "its term is over: renew it".to_owned(),
        0 => "held for less than a day".to_owned(),
        1 => "held for 1 more day".to_owned(),
        days => format!("held for {days} more days"),
    }
}

fn told(held: &Held, json: bool) -> Result<()> {
    if json {
        return print(&json!(held).to_string());
    }
    let mut lines = vec![format!("{}  owner {}", held.name, held.owner.to_base36())];
    if let Some(expires) = held.expires {
        lines.push(format!("  {}", held_for(expires, platform::now())));
        lines.push(match &held.recovery {
            Some(key) => format!("  recovery key {key}"),
            None => "  no recovery key".to_owned(),
        });
    }
    let entries = held.zone.iter().flat_map(|zone| &zone.entries);
    for entry in entries {
        let sub = if entry.sub.is_empty() {
            "@"
        } else {
            &entry.sub
        };
        for resource in &entry.resources {
            lines.push(format!("  {sub}  {resource}"));
        }
    }
    print(&lines.join("\n"))
}

pub(super) fn read(file: &std::path::Path) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        Error::new(
            Code::InvalidArgument,
            format!("{} cannot be read", file.display()),
        )
        .caused_by(error)
    };
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_told_in_whole_days() {
        let now = 1_795_219_200_000;
        for (left, told) in [
            (365 * DAY - 1_000, "held for 365 more days"),
            (DAY + 1, "held for 1 more day"),
            (DAY / 3, "held for less than a day"),
            (0, "its term is over: renew it"),
        ] {
            assert_eq!(held_for(now + left, now), told);
        }
    }
}
