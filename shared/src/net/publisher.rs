//! Keeps what a peer has said about itself alive: its peer record and its namespaces, renewed well
//! before they expire, and at once when its addresses change or it has joined again.

use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};

use super::handle::Event;
use super::node::Node;
use crate::platform;

/// Records live 30 minutes; two renewals may fail before one is missed.
const RENEW_EVERY: Duration = Duration::from_secs(600);
/// Addresses change in bursts: relays, circuits and interfaces come one after the other.
const SETTLE: Duration = Duration::from_millis(150);
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// Runs until the peer is closed.
pub(super) async fn run(node: Node, mut woken: mpsc::Receiver<()>) {
    let Ok(mut events) = node.handle().events_only().await else {
        return;
    };
    let mut due = platform::sleep(SETTLE).fuse();
    let mut retry = RETRY_FIRST;
    loop {
        futures::select! {
            event = events.next() => match event {
                Some(Event::Addresses { .. } | Event::State { state: "joined", .. }) => due = platform::sleep(SETTLE).fuse(),
                Some(Event::State { state: "closed", .. }) | None => return,
                Some(_) => {}
            },
            _ = woken.next() => due = platform::sleep(Duration::ZERO).fuse(),
            () = due => {
                let wait = match publish(&node).await {
                    true => {
                        retry = RETRY_FIRST;
                        RENEW_EVERY
                    }
                    false => {
                        retry = (retry * 2).min(RETRY_LONGEST);
                        retry
                    }
                };
                due = platform::sleep(wait).fuse();
            }
        }
    }
}

/// Whether everything was published.
async fn publish(node: &Node) -> bool {
    let mut ok = true;
    if let Err(error) = node.publish_peer_record().await {
        tracing::debug!(%error, "the peer record was not published");
        ok = false;
    }
    for namespace in node.namespaces() {
        if let Err(error) = node.announce(&namespace).await {
            tracing::debug!(%error, namespace, "the namespace was not announced");
            ok = false;
        }
    }
    ok
}
