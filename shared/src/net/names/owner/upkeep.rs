//! Keeps what the owner holds alive, as long as the peer runs: leases, zones and terms that are due.

use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};

use super::Names;
use super::editing::OWN;
use crate::error::{Code, Result};
use crate::limits::HOUR;
use crate::net::handle::Event;
use crate::net::overlay::Overlay;
use crate::proto::Millis;
use crate::proto::names::Label;
use crate::proto::names::name::{Name, Root};
use crate::proto::names::publisher::Goal;
use crate::proto::names::publisher::schedule::{Holdings, is_old};
use crate::proto::names::zone::SignedZone;
use crate::{limits, platform};

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
                Some(Event::State { state: "joined", .. }) => {
                    let now = names.now();
                    names.holdings().iter_mut().for_each(|holdings| holdings.retry(now));
                    due = platform::sleep(Duration::ZERO).fuse();
                }
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
                let failure = done.err().map(|error| error.code());
                holdings.finished(&due.name, failure, now);
            }
        }
        if anything {
            self.save().await?;
        }
        let next = self.holdings().as_ref().and_then(Holdings::next_wake);
        Ok(next.unwrap_or(now + HOUR).saturating_sub(now))
    }

    async fn renew_one(&self, name: &Label, goal: Goal) -> Result<()> {
        let Goal::Publish(..) = goal else {
            return self.operate(name, goal, &mut |_| {}).await.map(drop);
        };
        let mut turn = self.turns.take(&Name::from(name.clone()).to_string());
        turn.come().await;
        // Whoever had the turn before may have published something newer, or given the name away.
        let held = self.holdings().as_ref().and_then(|holdings| {
            let held = holdings.rows().get(name)?;
            held.zone.clone()
        });
        let Some(held) = held else {
            return Ok(());
        };
        let binding = self.binding(name).await?;
        let lasts = |zone: &SignedZone| !is_old(zone, self.now());
        let mut refused = None;
        if lasts(&held) {
            match self.put(name, held.clone(), binding.clone()).await {
                Err(error) if error.code() == Code::Refused => refused = Some(error),
                put => return put.map(drop),
            }
        }
        // Another device of this owner may have published since, or this one before it was restored.
        let over = held.expires() <= self.now();
        let found = self.published(name, over).await?;
        let newest = match (found.filter(|found| is_newer(found, &held)), refused) {
            (Some(theirs), _) => theirs,
            (None, Some(error)) => return Err(error),
            (None, None) => held,
        };
        let zone = match lasts(&newest) {
            true => newest,
            false => {
                let root = Root::Human(name.clone());
                self.sign(&root, Some(&binding), newest.zone().clone())
                    .await?
            }
        };
        self.put(name, zone, binding).await.map(drop)
    }

    /// The zone that the witnesses have; an error if they could not be asked, or have one that is not
    /// found, unless what is held is over as well.
    async fn published(&self, name: &Label, over: bool) -> Result<Option<SignedZone>> {
        let asked = self.agent.resolve(Name::from(name.clone()), OWN).await;
        match asked {
            Err(error) if !says_what_is_there(error.code(), over) => return Err(error),
            _ => {}
        }
        let found = self.agent.evidence(Root::Human(name.clone())).await?;
        Ok(found.map(|(_, zone)| zone))
    }
}

/// Whether a resolution that failed so has heard the witnesses: there is nothing at the name itself, or
/// what was there is over.
fn says_what_is_there(code: Code, over: bool) -> bool {
    match code {
        Code::NameNotFound => true,
        Code::Older => over,
        _ => false,
    }
}

/// Whether a zone is by the same owner in the same generation, and newer.
fn is_newer(found: &SignedZone, held: &SignedZone) -> bool {
    let whose = |zone: &SignedZone| (zone.owner(), zone.zone().generation);
    whose(found) == whose(held) && found.floor() > held.floor()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::names::samples::zone_with;

    #[test]
    fn only_what_is_newer_and_of_the_same_holder_goes_before_what_is_held() {
        let held = zone_with(1, 5);
        assert!(is_newer(&zone_with(1, 6), &held));
        for other in [zone_with(1, 4), zone_with(1, 5), zone_with(2, 6)] {
            assert!(!is_newer(&other, &held));
        }
    }
}
