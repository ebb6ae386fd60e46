//! `warren witness …`: the operator's side of names. Works while the relay runs, and while it does not.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use warren_shared::error::Result;
use warren_shared::platform;

use super::import::{Exported, import};
use super::lines::print;
use super::start_peer_log;
use crate::config;
use crate::control::{Operator, State, Witnessed};

#[derive(Debug, Subcommand)]
pub(super) enum WitnessCommand {
    /// List the names that this relay has witnessed.
    List(ListArgs),
    /// Print their certificates, one JSON object a line: what the witnesses of a new set must be shown.
    Export(RelayData),
    /// Show this relay the certificates that another witness exported. It adopts what its witnesses signed.
    Import(ImportArgs),
    /// Refuse a name from now on: this relay neither has it claimed nor resolves it.
    Refuse(RefuseArgs),
    /// Refuse a name no longer.
    Allow(AllowArgs),
}

#[derive(Debug, Args)]
pub(super) struct RelayData {
    /// The data directory of the relay [default: as of `warren relay`]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Results and errors as JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only names that the operator refuses.
    #[arg(long)]
    refused: bool,
    #[command(flatten)]
    relay: RelayData,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// What `warren witness export` printed; - reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    relay: RelayData,
}

#[derive(Debug, Args)]
pub(super) struct RefuseArgs {
    /// The name, such as alice.p2p.
    name: String,
    /// Why; it is kept and logged.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    relay: RelayData,
}

#[derive(Debug, Args)]
pub(super) struct AllowArgs {
    /// The name, such as alice.p2p.
    name: String,
    #[command(flatten)]
    relay: RelayData,
}

impl WitnessCommand {
    fn relay(&self) -> &RelayData {
        match self {
            WitnessCommand::List(args) => &args.relay,
            WitnessCommand::Export(relay) => relay,
            WitnessCommand::Import(args) => &args.relay,
            WitnessCommand::Refuse(args) => &args.relay,
            WitnessCommand::Allow(args) => &args.relay,
        }
    }

    pub(super) fn wants_json(&self) -> bool {
        self.relay().json
    }
}

pub(super) async fn run(command: WitnessCommand) -> Result<()> {
    start_peer_log();
    let data_dir = config::data_dir(command.relay().data_dir.clone())?;
    let mut operator = Operator::of(&data_dir).await?;
    let outcome = carry_out(&command, &mut operator).await;
    operator.close().await;
    outcome
}

async fn carry_out(command: &WitnessCommand, operator: &mut Operator) -> Result<()> {
    let json = command.wants_json();
    match command {
        WitnessCommand::List(args) => {
            let give = |mut row: Witnessed| {
                if args.refused && row.refused.is_none() {
                    return Ok(());
                }
                row.certificate = None;
                print(&match json {
                    true => json!(row).to_string(),
                    false => described(&row),
                })
            };
            operator.list(give).await
        }
        WitnessCommand::Export(_) => {
            let give = |row: Witnessed| match row.certificate {
                None => Ok(()),
                Some(certificate) => {
                    let name = row.name;
                    print(&json!(Exported { name, certificate }).to_string())
                }
            };
            operator.list(give).await
        }
        WitnessCommand::Import(args) => import(&args.file, json, operator).await,
        WitnessCommand::Refuse(args) => {
            operator.refuse(&args.name, &args.reason).await?;
            let line = json!({"refused": args.name, "reason": args.reason});
            let text = format!("{} is refused from now on: {}", args.name, args.reason);
            print(&if json { line.to_string() } else { text })
        }
        WitnessCommand::Allow(args) => {
            operator.allow(&args.name).await?;
            let line = json!({"allowed": args.name});
            let text = format!("{} is refused no longer, if it was", args.name);
            print(&if json { line.to_string() } else { text })
        }
    }
}

fn described(row: &Witnessed) -> String {
    let state = match row.state {
        State::Held => "held",
        State::Claiming => "being claimed",
        State::Free => "free",
    };
    let mut text = format!("{}  {state}", row.name);
    if let Some(owner) = &row.owner {
        text.push_str(&format!("  generation {}  owner {owner}", row.generation));
    }
    if let (Some(expires), State::Held) = (row.expires, row.state) {
        let days = expires.saturating_sub(platform::now()) / 86_400_000;
        text.push_str(&format!("  {days} more days"));
    }
    if let Some(refused) = &row.refused {
        text.push_str(&format!("  REFUSED: {}", refused.reason));
    }
    text
}
