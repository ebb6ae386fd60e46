//! `warren listen` and `warren dial`: peers of a namespace find each other through a relay, connect
//! directly and exchange greetings in JSON. Who listens also shows direct messages.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use futures::{StreamExt, stream};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use serde_json::{Value, json};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::Route;
use warren_shared::net::reach::once_in_reach;
use warren_shared::net::rpc::{Allow, handler};
use warren_shared::proto::record::ProviderEntry;

use super::lines::Lines;
use super::{asked_to_stop, start_peer_log};
use crate::peer::{Peer, PeerArgs};

const HELLO: &str = "warren.hello";
/// A namespace may fill while somebody is already looking at it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Members that are dialled at the same time: each is a handshake or two.
const GREETED_AT_ONCE: usize = 16;

#[derive(Debug, Args)]
pub(super) struct ListenArgs {
    /// The namespace to be found in.
    #[arg(long)]
    namespace: String,
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

#[derive(Debug, Args)]
pub(super) struct DialArgs {
    /// The namespace to look into.
    #[arg(long)]
    namespace: String,
    /// Wait until so many members have answered.
    #[arg(long, default_value_t = 1)]
    members: usize,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn listen(args: ListenArgs) -> Result<()> {
    start_peer_log();
    let peer = args.peer.start(listen_addresses(args.listen)).await?;
    let json = args.peer.json;
    let lines = Lines::to_stdout();
    let aside = lines.aside();
    let hello = handler(move |caller, params| {
        aside.say(heard(caller.peer, &params, json));
        async move { Ok(answer(caller.peer)) }
    });
    peer.node.rpc().serve(HELLO, Allow::anyone(), hello)?;
    let stop = asked_to_stop();
    once_in_reach(|| peer.node.provide(&args.namespace)).await?;
    let snapshot = peer.node.handle().snapshot().await?;
    let author = peer.node.author().to_base36();
    lines
        .say(match json {
            true => json!({"event": "listening", "peer": snapshot.id, "author": author, "namespace": args.namespace, "addresses": snapshot.addresses}).to_string(),
            false => format!("listening in {:?} as {}, for messages to {author}", args.namespace, snapshot.id),
        })
        .await;
    tokio::select! {
        () = stop => {}
        () = lines.unread() => {}
        () = super::send::show(&peer.node, &lines, json) => {}
    }
    peer.node.unprovide(&args.namespace).await?;
    peer.node.close().await;
    lines.finish().await
}

fn heard(from: PeerId, params: &Value, json: bool) -> String {
    match json {
        true => json!({"event": "greeted", "by": from.to_string(), "params": params}).to_string(),
        false => format!("{from} says {params}"),
    }
}

fn answer(from: PeerId) -> Value {
    json!({"greeting": format!("hello {from}"), "agent": concat!("warren/", env!("CARGO_PKG_VERSION"))})
}

pub(super) async fn dial(args: DialArgs) -> Result<()> {
    start_peer_log();
    let peer = args.peer.start(Vec::new()).await?;
    let lines = Lines::to_stdout();
    let mut greeted = BTreeSet::new();
    let outcome = tokio::select! {
        outcome = greet_members(&peer, &args, &lines, &mut greeted) => outcome.map(|()| true),
        () = tokio::time::sleep(Duration::from_secs(args.timeout)) => Ok(false),
        () = lines.unread() => Ok(true),
    };
    peer.node.close().await;
    lines.finish().await?;
    if outcome? || greeted.len() >= args.members {
        return Ok(());
    }
    Err(Error::new(
        Code::TimedOut,
        format!(
            "fewer than {} members of {:?} answered within {} s",
            args.members, args.namespace, args.timeout
        ),
    )
    .with_remedy(
        "check that `warren listen` runs with the same namespace and joins the same network",
    ))
}

/// Greets everybody who is found, several at a time: who does not answer keeps nobody waiting.
async fn greet_members(
    peer: &Peer,
    args: &DialArgs,
    lines: &Lines,
    greeted: &mut BTreeSet<PeerId>,
) -> Result<()> {
    loop {
        let found = peer.node.find(&args.namespace).await?;
        let routes: Vec<Route> = found
            .into_iter()
            .filter_map(route)
            .filter(|route| !greeted.contains(&route.peer))
            .collect();
        let mut answers = stream::iter(routes)
            .map(|route| greet(peer, route, &args.namespace))
            .buffer_unordered(GREETED_AT_ONCE);
        while let Some((member, answer)) = answers.next().await {
            match answer {
                Ok(reply) => {
                    tell(peer, member, &reply, args.peer.json, lines).await?;
                    greeted.insert(member);
                }
                // Tabs are members too, and offer no greeting.
                Err(error) if error.code() == Code::Unsupported => {
                    tracing::debug!(%member, "a member offers no greeting");
                }
                Err(error) => tracing::warn!(%member, %error, "a member did not answer"),
            }
        }
        if greeted.len() >= args.members {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn route(entry: ProviderEntry) -> Option<Route> {
    let addresses = entry.addresses.into_iter();
    Some(Route {
        peer: PeerId::from_bytes(&entry.peer).ok()?,
        addresses: addresses
            .filter_map(|bytes| Multiaddr::try_from(bytes).ok())
            .collect(),
    })
}

async fn greet(peer: &Peer, route: Route, namespace: &str) -> (PeerId, Result<Value>) {
    let member = route.peer;
    let id = peer.node.id().to_string();
    let params = json!({"greeting": "hello", "from": id, "namespace": namespace});
    (member, peer.node.handle().call(route, HELLO, params).await)
}

async fn tell(peer: &Peer, member: PeerId, reply: &Value, json: bool, lines: &Lines) -> Result<()> {
    let text = member.to_string();
    let connections = peer.node.handle().snapshot().await?.connections;
    let used = connections
        .iter()
        .find(|connection| connection.peer == text);
    let (address, relayed) = used.map_or((String::new(), false), |used| {
        (used.address.clone(), used.relayed)
    });
    lines
        .say(match json {
            true => json!({"event": "greeted", "peer": text, "address": address, "relayed": relayed, "reply": reply}).to_string(),
            false => format!("{member} answered at {address}: {reply}"),
        })
        .await;
    Ok(())
}

pub(super) fn listen_addresses(at: SocketAddr) -> Vec<Multiaddr> {
    let ip = || Multiaddr::from(at.ip());
    vec![
        ip().with(Protocol::Tcp(at.port())),
        ip().with(Protocol::Udp(at.port())).with(Protocol::QuicV1),
    ]
}
