//! `warren call`: calls a method of one peer, or of a member of a namespace.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use serde_json::{Value, json};
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::MAX_FRAME;
use warren_shared::net::Route;
use warren_shared::net::connected;
use warren_shared::net::reach::once_in_reach;
use warren_shared::net::rpc::{Ask, Fault};
use warren_shared::proto::select::Weights;

use super::lines::{Lines, print};
use super::start_peer_log;
use crate::peer::{Peer, PeerArgs};

#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// PEER METHOD [PARAMS], or METHOD [PARAMS] with --namespace. PEER is a peer id or a multiaddr, PARAMS a JSON array
    /// or object; `-` reads it from standard input.
    #[arg(required = true, num_args = 1..=3, value_name = "PEER METHOD PARAMS")]
    words: Vec<String>,
    /// Call a member of this namespace, whichever can be reached.
    #[arg(long)]
    namespace: Option<String>,
    /// Of these, the best one by its processors, memory, disk, latency and reputation.
    #[arg(long, requires = "namespace")]
    best: bool,
    /// Wait so many seconds for the result, or for each of many.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    /// Print many results, one a line, as they come.
    #[arg(long)]
    stream: bool,
    /// Only tell: nobody responds.
    #[arg(long, conflicts_with = "stream")]
    notify: bool,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

/// What the words mean.
struct Wanted<'a> {
    peer: Option<&'a str>,
    method: &'a str,
    params: Option<&'a str>,
}

pub(super) async fn run(args: CallArgs) -> Result<()> {
    start_peer_log();
    let wanted = wanted(&args)?;
    let params = params(wanted.params)?;
    let ask = Ask::new(wanted.method, params).within(Duration::from_secs(args.timeout));
    let peer = args.peer.start(Vec::new()).await?;
    let outcome = match once_in_reach(|| route(&peer, &args, &wanted)).await {
        Ok(route) => {
            let callee = route.peer.to_string();
            let called = call(&peer, route, &ask, &args).await;
            called.map_err(|error| explained(error, &callee, wanted.method, &peer, &args))
        }
        Err(error) => Err(error),
    };
    peer.node.close().await;
    outcome
}

fn wanted(args: &CallArgs) -> Result<Wanted<'_>> {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    let named = args.namespace.is_some();
    let (peer, rest) = match (named, words.split_first()) {
        (false, Some((peer, rest))) => (Some(*peer), rest),
        _ => (None, &words[..]),
    };
    match *rest {
        [method] => Ok(Wanted {
            peer,
            method,
            params: None,
        }),
        [method, params] => Ok(Wanted {
            peer,
            method,
            params: Some(params),
        }),
        [] => Err(misused("no method was named")),
        _ => Err(misused("with --namespace no peer is named")),
    }
}

fn misused(what: &str) -> Error {
    let error = Error::new(Code::InvalidArgument, what);
    error.with_remedy("write `warren call PEER METHOD '[1, 2]'`, or `warren call --namespace NAME METHOD '[1, 2]'`")
}

fn params(given: Option<&str>) -> Result<Value> {
    let mut read = String::new();
    let text = match given {
        None => return Ok(Value::Null),
        Some("-") => {
            let limit = MAX_FRAME as u64 + 1;
            let input = std::io::stdin()
                .lock()
                .take(limit)
                .read_to_string(&mut read);
            input.map_err(|error| {
                Error::new(Code::InvalidArgument, "standard input cannot be read").caused_by(error)
            })?;
            &read
        }
        Some(text) => text,
    };
    serde_json::from_str(text).map_err(|error| {
        Error::new(Code::InvalidArgument, "the parameters are not JSON")
            .caused_by(error)
            .with_remedy("pass an array or an object: '[1, 2]' or '{\"a\": 1}'")
    })
}

async fn route(peer: &Peer, args: &CallArgs, wanted: &Wanted<'_>) -> Result<Route> {
    match (wanted.peer, &args.namespace) {
        (Some(target), _) => Ok(connected(peer.node.connect(target).await?)),
        (None, Some(namespace)) if args.best => best(peer, namespace).await,
        (None, Some(namespace)) => peer.node.any_member(namespace).await,
        (None, None) => Err(misused("nobody was named")),
    }
}

/// The best member. Why, is told in the log.
async fn best(peer: &Peer, namespace: &str) -> Result<Route> {
    let weights = Weights::default();
    let ranked = peer.node.select(namespace, weights).await?;
    for choice in &ranked {
        tracing::info!(choice = %choice.to_value(weights), "scored");
    }
    let best = ranked.first().map(|choice| connected(choice.peer));
    best.ok_or_else(|| Error::new(Code::NotFound, "nobody answers in this namespace"))
}

/// What the numbers of the two commonest answers mean, and whom to ask.
fn explained(error: Error, callee: &str, method: &str, peer: &Peer, args: &CallArgs) -> Error {
    let number = error.detail("rpcCode").and_then(|code| code.parse().ok());
    let (message, remedy) = match number {
        Some(Fault::METHOD_NOT_FOUND) => (
            format!("{callee} serves no method {method}"),
            "Check how it is spelled, and that `warren serve` runs there; `warren call PEER warren.capabilities` \
            tells what a peer is."
                .to_owned(),
        ),
        Some(Fault::NOT_ALLOWED) => {
            let mut remedy = format!(
                "Whoever serves it says with --allow who may: this peer is peer:{} and author:{}",
                peer.node.id(),
                peer.node.author().to_base36(),
            );
            if args.peer.data_dir.is_none() {
                remedy += ", and another one each time without --data-dir";
            }
            (format!("{callee} does not let this peer call {method}"), remedy + ".")
        }
        _ => return error,
    };
    let explained = Error::new(error.code(), message).with_remedy(remedy);
    explained.with_details("rpcCode", number)
}

async fn call(peer: &Peer, route: Route, ask: &Ask, args: &CallArgs) -> Result<()> {
    let rpc = peer.node.rpc();
    let callee = route.peer.to_string();
    let told = |result: Value| match args.peer.json {
        true => json!({"peer": callee, "result": result}).to_string(),
        false => result.to_string(),
    };
    if args.notify {
        rpc.notify(route, ask).await?;
        return match args.peer.json {
            true => print(&json!({"peer": callee, "taken": true}).to_string()),
            false => Ok(()),
        };
    }
    if !args.stream {
        return print(&told(rpc.call(route, ask).await?));
    }
    let mut results = rpc.stream(route, ask).await?;
    let lines = Lines::to_stdout();
    let mut outcome = Ok(());
    loop {
        let next = tokio::select! {
            next = results.next() => next,
            () = lines.unread() => None,
        };
        match next {
            Some(Ok(result)) => lines.say(told(result)).await,
            Some(Err(error)) => outcome = Err(error),
            None => break,
        }
    }
    lines.finish().await?;
    outcome
}
