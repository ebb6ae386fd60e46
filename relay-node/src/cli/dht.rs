//! `warren dht put|get|set`: values under their hash, and values that their author may change.

use std::io::{IsTerminal, Read, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::node::value_of;
use warren_shared::proto::key::Key;
use warren_shared::proto::record::{Record, Value};

use super::lines::{outcome, print};
use super::start_peer_log;
use crate::peer::PeerArgs;

#[derive(Debug, Subcommand)]
pub(super) enum DhtCommand {
    /// Store a value under its hash and print the key.
    Put(PutArgs),
    /// Store a new version of a value under a label of this author.
    Set(SetArgs),
    /// Read a value; its bytes go to standard output.
    Get(GetArgs),
}

#[derive(Debug, Args)]
pub(super) struct PutArgs {
    /// The value, JSON if it parses as JSON; - reads bytes from standard input.
    value: String,
    #[command(flatten)]
    peer: PeerArgs,
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// The label, chosen by the author.
    label: String,
    /// The value, JSON if it parses as JSON; - reads bytes from standard input.
    value: String,
    /// Days until the value expires.
    #[arg(long, default_value_t = 1)]
    days: u16,
    #[command(flatten)]
    peer: PeerArgs,
}

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// The key, as put or set printed it.
    key: String,
    #[command(flatten)]
    peer: PeerArgs,
}

impl DhtCommand {
    pub(super) fn peer(&self) -> &PeerArgs {
        match self {
            DhtCommand::Put(args) => &args.peer,
            DhtCommand::Set(args) => &args.peer,
            DhtCommand::Get(args) => &args.peer,
        }
    }
}

pub(super) async fn run(command: DhtCommand) -> Result<()> {
    start_peer_log();
    match command {
        DhtCommand::Put(args) => put(args).await,
        DhtCommand::Set(args) => set(args).await,
        DhtCommand::Get(args) => get(args).await,
    }
}

async fn put(args: PutArgs) -> Result<()> {
    let value = value(&args.value)?;
    let peer = args.peer.start(Vec::new()).await?;
    let (key, report) = peer.node.put(&value).await?;
    print(&match args.peer.json {
        true => json!({"key": key.to_string(), "stored": report.stored}).to_string(),
        false => key.to_string(),
    })?;
    peer.node.close().await;
    Ok(())
}

async fn set(args: SetArgs) -> Result<()> {
    let value = value(&args.value)?;
    let peer = args.peer.start(Vec::new()).await?;
    let lifetime = Duration::from_secs(u64::from(args.days) * 86_400).as_millis() as u64;
    let (key, seq, report) = peer.node.set(&args.label, &value, lifetime).await?;
    print(&match args.peer.json {
        true => json!({"key": key.to_string(), "seq": seq, "stored": report.stored}).to_string(),
        false => key.to_string(),
    })?;
    peer.node.close().await;
    Ok(())
}

async fn get(args: GetArgs) -> Result<()> {
    let key: Key = args.key.parse()?;
    let peer = args.peer.start(Vec::new()).await?;
    let record = peer.node.get(key).await?;
    let block = value_of(&record)?;
    if args.peer.json {
        print(&described(&record, block.value())?.to_string())?;
    } else {
        let bytes = match block.value() {
            Value::Json(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
        };
        let mut out = std::io::stdout();
        let end: &[u8] = if out.is_terminal() { b"\n" } else { b"" };
        let written = out.write_all(bytes).and_then(|()| out.write_all(end));
        outcome(written.and_then(|()| out.flush()))?;
    }
    peer.node.close().await;
    Ok(())
}

fn described(record: &Record, value: &Value) -> Result<serde_json::Value> {
    let mut line = json!({"key": record.key().to_string()});
    match value {
        Value::Json(text) => {
            line["value"] = serde_json::from_str(text).map_err(|error| {
                Error::new(Code::Internal, "a stored JSON value does not parse").caused_by(error)
            })?;
        }
        Value::Bytes(bytes) => line["bytes"] = json!(bytes),
    }
    if let Record::Signed(envelope) = record {
        let body = envelope.body();
        line["author"] = json!(body.key.to_string());
        line["label"] = json!(body.label);
        line["seq"] = json!(body.seq);
        line["expires"] = json!(body.expires);
    }
    Ok(line)
}

/// What was typed, as JSON if it is; standard input as it is.
/// All bytes of standard input.
pub(super) fn standard_input() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|error| {
        Error::new(Code::InvalidArgument, "standard input cannot be read").caused_by(error)
    })?;
    Ok(bytes)
}

fn value(typed: &str) -> Result<Value> {
    if typed == "-" {
        return Ok(Value::Bytes(standard_input()?));
    }
    Ok(match serde_json::from_str::<serde_json::Value>(typed) {
        Ok(_) => Value::Json(typed.to_owned()),
        Err(_) => Value::Json(json!(typed).to_string()),
    })
}
