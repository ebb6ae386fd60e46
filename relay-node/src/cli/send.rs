//! `warren send`, and how messages are shown.

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use serde_json::{Value as Json, json};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::Node;
use warren_shared::net::direct::{Recipient, Sent, Told};
use warren_shared::proto::direct::State;
use warren_shared::proto::record::Value;

use super::dht::standard_input;
use super::lines::{Lines, print};
use super::start_peer_log;
use crate::peer::PeerArgs;

/// How much longer a message that lies in a mailbox by now is waited for: a slow way to its recipient takes longer
/// than leaving it there.
const ALMOST_THERE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// A peer id (12D3…), or the key of an author (k51…).
    to: String,
    /// What to say; - alone reads bytes from standard input.
    #[arg(required = true)]
    text: Vec<String>,
    /// Give up waiting after so many seconds.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn run(args: SendArgs) -> Result<()> {
    start_peer_log();
    let to: Recipient = args.to.parse()?;
    let body = match args.text.as_slice() {
        [only] if only == "-" => Value::Bytes(standard_input()?),
        words => Value::Json(Json::from(words.join(" ")).to_string()),
    };
    let peer = args.peer.start(Vec::new()).await?;
    let patience = Duration::from_secs(args.timeout);
    let outcome = match peer.node.direct().send(to, body).await {
        Ok(sent) => match tokio::time::timeout(patience, arrival(&sent)).await {
            Ok(state) => state.map(|state| (sent, state)),
            Err(_) => Err(not_yet(&args)),
        },
        Err(error) => Err(error),
    };
    peer.node.close().await;
    let (sent, state) = outcome?;
    let to = sent.to.to_base36();
    let text = match state {
        State::Delivered => format!("delivered to {to}"),
        _ => format!("waiting in the mailbox of {to}"),
    };
    print(&match args.peer.json {
        true => json!({"event": state.as_str(), "id": hex(&sent.id), "to": to}).to_string(),
        false => text,
    })
}

/// Delivered, or where the recipient finds it.
async fn arrival(sent: &Sent) -> Result<State> {
    let mut states = sent.states();
    while let Some(state) = states.next().await {
        match state? {
            State::Sending => {}
            State::Waiting => {
                let delivered = tokio::time::timeout(ALMOST_THERE, sent.delivered()).await;
                return match delivered {
                    Ok(delivered) => delivered.map(|()| State::Delivered),
                    Err(_) => Ok(State::Waiting),
                };
            }
            State::Delivered => return Ok(State::Delivered),
            State::Refused | State::Expired => {
                let what = "the recipient does not take this message";
                return Err(Error::new(Code::Refused, what));
            }
        }
    }
    Err(Error::new(Code::Closed, "this peer has been closed"))
}

fn not_yet(args: &SendArgs) -> Error {
    let error = Error::new(
        Code::TimedOut,
        format!(
            "within {} s nobody took the message, and no mailbox of the recipient was found",
            args.timeout
        ),
    );
    match args.peer.data_dir {
        Some(_) => error.with_remedy(
            "it is kept: the next `warren send` or `warren listen` with this --data-dir goes on",
        ),
        None => error.with_remedy("send it when the recipient is there"),
    }
}

/// Shows messages as they come, until the peer is closed.
pub(super) async fn show(node: &Node, lines: &Lines, json: bool) {
    let mut messages = node.direct().messages();
    while let Some(told) = messages.next().await {
        match told {
            Ok(told) => lines.say(shown(&told, json)).await,
            Err(error) => {
                tracing::warn!(%error, "messages cannot be read");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn shown(told: &Told, json: bool) -> String {
    let from = told.author.to_base36();
    let body = match &told.body {
        Value::Json(text) => serde_json::from_str(text).unwrap_or(Json::Null),
        Value::Bytes(bytes) => json!({"bytes": hex(bytes)}),
    };
    match (json, body) {
        (true, body) => {
            json!({"event": "message", "id": hex(&told.id), "from": from, "time": told.time, "body": body})
                .to_string()
        }
        // Nobody else gives orders to this terminal.
        (false, Json::String(text)) => format!("{from}: {}", text.replace(char::is_control, " ")),
        (false, body) => format!("{from}: {body}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
