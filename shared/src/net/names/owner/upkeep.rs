//! Keeps what the owner holds alive, as long as the peer runs: leases, zones and terms that are due.

use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};

use super::Names;
use crate::error::Result;
use crate::limits::{DAY, HOUR};
use crate::net::handle::Event;
use crate::net::overlay::Overlay;
use crate::proto::Millis;
use crate::proto::names::Label;
use crate::proto::names::name::Root;
use crate::proto::names::publisher::Goal;
use crate::proto::names::publisher::schedule::Holdings;
use crate::{limits, platform};

/// A zone is signed again when less than this is left.
const ZONE_RENEW_BEFORE: Millis = 20 * DAY;

/// Renews what is due, until the peer is closed.
pub(super) async fn keep_up(names: Names, mut woken: mpsc::Receiver<()>) {
    let handle = names.surroundings.overlay.client().handle();
    let Ok(mut events) = handle.events_only().await else {
        return;
    };
    let mut due = platform::sleep(Duration::ZERO).fuse();
    loop {
        futures::select! {
            event = events.next() => match event {
                Some(Event::State { state: "closed", .. }) | None => return,
                Some(_) => {}
            },
            _ = woken.next() => due = platform::sleep(Duration::ZERO).fuse(),
            () = due => {
                let wait = match names.renew_due().await {
                    Ok(wait) => Duration::from_millis(wait.clamp(1_000, HOUR)),
                    Err(_) => limits::ROUTING_REFRESH,
                };
                due = platform::sleep(wait).fuse();
            }
        }
    }
}

impl Names {
    /// Does what is due; tells when to come again.
    async fn renew_due(&self) -> Result<Millis> {
        self.load().await?;
        self.renew_own().await?;
        let sets = self.agent.sets().await?;
        let now = self.now();
        let due = self
            .holdings()
            .as_mut()
            .map(|holdings| holdings.due(&sets, now));
        let due = due.unwrap_or_default();
        let anything = !due.is_empty();
        for due in due {
            let done = self.renew_one(&due.name, due.goal).await;
            if let Err(error) = &done {
                tracing::debug!(name = %due.name, %error, "a name was not renewed");
            }
            let now = self.now();
            if let Some(holdings) = self.holdings().as_mut() {
                holdings.finished(&due.name, done.is_ok(), now);
            }
        }
        if anything {
            self.save().await?;
        }
        let next = self.holdings().as_ref().and_then(Holdings::next_wake);
        Ok(next.unwrap_or(now + HOUR).saturating_sub(now))
    }

    async fn renew_one(&self, name: &Label, goal: Goal) -> Result<()> {
        match goal {
            Goal::Publish(zone, binding) => {
                let fresh = zone.expires() > self.now() + ZONE_RENEW_BEFORE;
                let root = Root::Human(name.clone());
                let zone = match fresh {
                    true => *zone,
                    false => {
                        self.sign(&root, Some(&binding), zone.zone().clone())
                            .await?
                    }
                };
                self.put(name, zone, *binding).await.map(drop)
            }
            goal => self.operate(name, goal, &mut |_| {}).await.map(drop),
        }
    }
}
