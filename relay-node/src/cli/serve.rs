//! `warren serve`: a program answers the calls of other peers. It runs once for each call.

mod program;

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use futures::{FutureExt, StreamExt};
use libp2p::PeerId;
use serde_json::json;
use tokio::sync::Semaphore;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::node::parse_peer;
use warren_shared::net::reach::once_in_reach;
use warren_shared::net::rpc::{Allow, Caller, Fault, Given, Handler};
use warren_shared::proto::key::PublicKey;

use self::program::Program;
use super::greet::listen_addresses;
use super::lines::Lines;
use super::{asked_to_stop, start_peer_log};
use crate::peer::PeerArgs;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The name under which it is called.
    method: String,
    /// The program and its arguments. It reads the parameters as JSON on standard input and writes the result on standard
    /// output: JSON, or any other text. `WARREN_CALLER` is the caller's peer id, `WARREN_METHOD` the method.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Who may call it: `anyone`, `peer:ID`, `author:KEY` or `namespace:NAME`; may be given several times. Without it, nobody.
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    allow: Vec<String>,
    /// Be found in this namespace.
    #[arg(long)]
    namespace: Option<String>,
    /// Each line that the program writes is a result of its own, and travels at once.
    #[arg(long)]
    lines: bool,
    /// How many programs may run at a time; further calls are refused.
    #[arg(long, value_name = "N", default_value_t = 8)]
    at_once: usize,
    /// Where to listen for direct connections, over TCP and QUIC.
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value = "0.0.0.0:0",
        conflicts_with = "relay_only"
    )]
    listen: SocketAddr,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn run(args: ServeArgs) -> Result<()> {
    start_peer_log();
    let allow = rule(&args.allow)?;
    let json = args.peer.json;
    if args.allow.is_empty() {
        tracing::warn!("nobody may call it: --allow says who may");
    }
    let peer = args.peer.start(listen_addresses(args.listen)).await?;
    let lines = Lines::to_stdout();
    let aside = lines.aside();
    let heard = move |caller: PeerId, method: &str| {
        aside.say(match json {
            true => {
                json!({"event": "called", "by": caller.to_string(), "method": method}).to_string()
            }
            false => format!("{caller} calls {method}"),
        });
    };
    let handler = handler(&args, heard);
    peer.node.rpc().serve(&args.method, allow, handler)?;
    let stop = asked_to_stop();
    // Whoever hears from here on that it serves can find it.
    once_in_reach(|| peer.node.publish_peer_record()).await?;
    if let Some(namespace) = &args.namespace {
        once_in_reach(|| peer.node.provide(namespace)).await?;
    }
    let snapshot = peer.node.handle().snapshot().await?;
    let (id, method) = (snapshot.id, &args.method);
    lines
        .say(match json {
            true => json!({"event": "serving", "peer": id, "method": method, "namespace": args.namespace, "addresses": snapshot.addresses}).to_string(),
            false => format!("serving {method:?} as {id}"),
        })
        .await;
    tokio::select! {
        () = stop => {}
        () = lines.unread() => {}
    }
    if let Some(namespace) = &args.namespace {
        peer.node.unprovide(namespace).await?;
    }
    peer.node.close().await;
    lines.finish().await
}

fn handler(args: &ServeArgs, heard: impl Fn(PeerId, &str) + Send + Sync + 'static) -> Handler {
    let program = Arc::new(Program::new(&args.method, &args.command));
    let (method, many) = (args.method.clone(), args.lines);
    let places = Arc::new(Semaphore::new(args.at_once));
    Arc::new(move |Caller { peer, .. }, params| {
        heard(peer, &method);
        let (program, place) = (program.clone(), places.clone().try_acquire_owned());
        async move {
            let place = place.map_err(|_| Fault::busy())?;
            let running = program.start(peer, &params)?;
            if many {
                // The place is held until the last line was read, or the caller has gone.
                let lines = running.lines().map(move |line| {
                    let _held = &place;
                    line
                });
                return Ok(Given::Many(lines.boxed()));
            }
            let result = running.result().await;
            drop(place);
            result.map(Given::One)
        }
        .boxed()
    })
}

fn rule(words: &[String]) -> Result<Allow> {
    let mut allow = Allow::default();
    for word in words {
        match word.split_once(':') {
            None if word == "anyone" => allow.anyone = true,
            Some(("peer", id)) => allow.peers.push(parse_peer(id)?.to_bytes()),
            Some(("author", key)) => allow.authors.push(*author(key)?.as_bytes()),
            Some(("namespace", name)) if !name.is_empty() => allow.namespaces.push(name.to_owned()),
            _ => {
                return Err(Error::new(
                    Code::InvalidArgument,
                    format!("{word:?} does not say who may call"),
                )
                .with_remedy("write anyone, peer:ID, author:KEY or namespace:NAME"));
            }
        }
    }
    Ok(allow)
}

/// A public key in any of the ways in which keys are written.
fn author(text: &str) -> Result<PublicKey> {
    text.parse()
        .or_else(|error| PublicKey::from_base36(text).map_err(|_| error))
}

#[cfg(test)]
mod tests {
    use warren_shared::proto::key::SigningKey;

    use super::*;

    #[test]
    fn a_rule_says_who_may_call() {
        let words = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            rule(&words)
        };
        assert_eq!(words(&[]).unwrap(), Allow::default());
        assert_eq!(words(&["anyone"]).unwrap(), Allow::anyone());
        let peer = PeerId::random();
        let author = SigningKey::from_seed([1; 32]).public();
        let wanted = Allow {
            anyone: false,
            peers: vec![peer.to_bytes()],
            authors: vec![*author.as_bytes(), *author.as_bytes()],
            namespaces: vec!["a:b".to_owned()],
        };
        let (peer, short) = (format!("peer:{peer}"), author.to_base36());
        let (hex, short) = (format!("author:{author}"), format!("author:{short}"));
        let rule = words(&[&peer, &hex, &short, "namespace:a:b"]);
        assert_eq!(rule.unwrap(), wanted);
        for wrong in ["everyone", "peer:x", "author:x", "namespace:", "peer"] {
            assert!(words(&[wrong]).is_err(), "{wrong}");
        }
    }
}
