//! Says where this peer's files and words are looked for that it has them, and again before that is forgotten.

use std::sync::Weak;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, stream};

use super::Shelf;
use crate::error::Result;
use crate::limits::{ANNOUNCED_AT_ONCE, ANNOUNCED_EVERY, MAX_PROVIDER_ADDRESSES};
use crate::net::handle::Event;
use crate::net::overlay::{Kademlia, Overlay};
use crate::platform;
use crate::proto::key::Key;

/// Addresses change in bursts.
const SETTLE: Duration = Duration::from_millis(200);
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// Names this peer at a place, once.
pub(super) async fn announce(overlay: &Kademlia, key: Key) -> Result<()> {
    let addresses = overlay.handle().reachable_at().await?;
    let best = addresses.iter().take(MAX_PROVIDER_ADDRESSES);
    let best = best.map(|address| address.to_vec()).collect();
    overlay.announce(key, best).await.map(drop)
}

/// Runs until the peer is closed, or nobody has its files any more.
pub(super) async fn run(
    shelf: Weak<Shelf>,
    overlay: std::sync::Arc<Kademlia>,
    mut woken: mpsc::Receiver<()>,
) {
    let Ok(mut events) = overlay.handle().events_only().await else {
        return;
    };
    let mut due = platform::sleep(ANNOUNCED_EVERY).fuse();
    let mut retry = RETRY_FIRST;
    loop {
        futures::select! {
            event = events.next() => match event {
                Some(Event::Addresses { .. } | Event::State { state: "joined", .. }) => due = platform::sleep(SETTLE).fuse(),
                Some(Event::State { state: "closed", .. }) | None => return,
                Some(_) => {}
            },
            word = woken.next() => match word {
                Some(()) => due = platform::sleep(Duration::ZERO).fuse(),
                None => return,
            },
            () = due => {
                let Some(keys) = shelf.upgrade().map(|shelf| shelf.announced()) else {
                    return;
                };
                let wait = match all(&overlay, keys).await {
                    true => {
                        retry = RETRY_FIRST;
                        ANNOUNCED_EVERY
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

/// Whether all was announced.
async fn all(overlay: &Kademlia, keys: Vec<Key>) -> bool {
    let each = |key: Key| async move {
        let outcome = announce(overlay, key).await;
        outcome.inspect_err(|error| tracing::debug!(%error, "a file was not announced"))
    };
    let mut outcomes = stream::iter(keys)
        .map(each)
        .buffer_unordered(ANNOUNCED_AT_ONCE);
    let mut fine = true;
    while let Some(outcome) = outcomes.next().await {
        fine &= outcome.is_ok();
    }
    fine
}
