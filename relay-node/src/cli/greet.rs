//! `warren listen` and `warren dial`: peers of a namespace find each other through a relay, connect
//! directly and exchange greetings in JSON.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::FutureExt;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use serde_json::{Value, json};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::Route;

use super::{asked_to_stop, start_peer_log};
use crate::peer::{Peer, PeerArgs};

const HELLO: &str = "warren.hello";
/// A namespace may fill while somebody is already looking at it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct ListenArgs {
    /// The namespace to be found in.
    #[arg(long)]
    namespace: String,
    /// Where to listen for direct connections, over TCP and QUIC.
    #[arg(long, value_name = "IP:PORT", default_value = "0.0.0.0:0")]
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
    start_peer_log(&args.peer);
    let peer = args.peer.start(listen_addresses(args.listen)).await?;
    let json = args.peer.json;
    peer.node.serve(
        HELLO,
        Arc::new(move |from, params| async move { Ok(answer(from, &params, json)) }.boxed()),
    );
    peer.node.provide(&args.namespace).await?;
    let snapshot = peer.node.handle().snapshot().await?;
    if json {
        println!(
            "{}",
            json!({"event": "listening", "peer": snapshot.id, "namespace": args.namespace, "addresses": snapshot.addresses})
        );
    } else {
        println!("listening in {:?} as {}", args.namespace, snapshot.id);
    }
    asked_to_stop().await;
    peer.node.unprovide(&args.namespace).await?;
    peer.node.close().await;
    Ok(())
}

fn answer(from: PeerId, params: &Value, json: bool) -> Value {
    if json {
        println!(
            "{}",
            json!({"event": "greeted", "by": from.to_string(), "params": params})
        );
    } else {
        println!("{from} says {params}");
    }
    json!({"greeting": format!("hello {from}"), "agent": concat!("warren/", env!("CARGO_PKG_VERSION"))})
}

pub(super) async fn dial(args: DialArgs) -> Result<()> {
    start_peer_log(&args.peer);
    let peer = args.peer.start(Vec::new()).await?;
    let greeted = tokio::time::timeout(
        Duration::from_secs(args.timeout),
        greet_members(&peer, &args),
    )
    .await;
    peer.node.close().await;
    greeted.map_err(|_| {
        Error::new(
            Code::TimedOut,
            format!(
                "fewer than {} members of {:?} answered within {} s",
                args.members, args.namespace, args.timeout
            ),
        )
        .with_remedy(
            "check that `warren listen` runs with the same namespace and joins the same network",
        )
    })?
}

async fn greet_members(peer: &Peer, args: &DialArgs) -> Result<()> {
    let mut greeted = Vec::new();
    loop {
        for entry in peer.node.find(&args.namespace).await? {
            let Ok(member) = PeerId::from_bytes(&entry.peer) else {
                continue;
            };
            if greeted.contains(&member) {
                continue;
            }
            let addresses = entry
                .addresses
                .into_iter()
                .filter_map(|bytes| Multiaddr::try_from(bytes).ok())
                .collect();
            match greet(peer, member, addresses, &args.namespace).await {
                Ok(reply) => {
                    tell(peer, member, &reply, args.peer.json).await?;
                    greeted.push(member);
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

async fn greet(
    peer: &Peer,
    member: PeerId,
    addresses: Vec<Multiaddr>,
    namespace: &str,
) -> Result<Value> {
    let id = peer.node.id().to_string();
    let route = Route {
        peer: member,
        addresses,
    };
    let params = json!({"greeting": "hello", "from": id, "namespace": namespace});
    peer.node.handle().call(route, HELLO, params).await
}

async fn tell(peer: &Peer, member: PeerId, reply: &Value, json: bool) -> Result<()> {
    let text = member.to_string();
    let connections = peer.node.handle().snapshot().await?.connections;
    let used = connections
        .iter()
        .find(|connection| connection.peer == text);
    let (address, relayed) = used.map_or((String::new(), false), |used| {
        (used.address.clone(), used.relayed)
    });
    if json {
        println!(
            "{}",
            json!({"event": "greeted", "peer": text, "address": address, "relayed": relayed, "reply": reply})
        );
    } else {
        println!("{member} answered at {address}: {reply}");
    }
    Ok(())
}

fn listen_addresses(at: SocketAddr) -> Vec<Multiaddr> {
    let ip = || Multiaddr::from(at.ip());
    vec![
        ip().with(Protocol::Tcp(at.port())),
        ip().with(Protocol::Udp(at.port())).with(Protocol::QuicV1),
    ]
}
