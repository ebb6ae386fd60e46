//! What goes on beside the turns: errands, looks into the own mailboxes, and saying where this author is.

use futures::FutureExt;

use super::{Fetched, Input, Task};
use crate::error::Result;
use crate::limits::{CONTACT_EVERY, SECOND};
use crate::platform;
use crate::proto::Millis;
use crate::proto::direct::Contact;

/// How long to wait until something that failed is tried again.
const AGAIN: Millis = 5 * SECOND;

impl Task {
    /// The relays may be others now.
    pub(super) fn look_around(&mut self) {
        self.fetching.soon();
        let carrier = self.carrier.clone();
        let homes = async move { Input::Homes(carrier.homes().await.unwrap_or_default()) };
        self.jobs.push(homes.boxed());
    }

    /// Starts what is due.
    pub(super) fn carry_on(&mut self) {
        let now = platform::now();
        let Some(post) = &mut self.post else { return };
        for errand in post.due(now, self.joined) {
            let carrier = self.carrier.clone();
            let carried = async move { Input::Carried(carrier.carry(errand).await) };
            self.jobs.push(carried.boxed());
        }
        if !self.joined {
            return;
        }
        if post.has_room_again() {
            self.fetching.soon();
        }
        if !post.is_reading() && post.pending() == 0 {
            return;
        }
        if self.fetching.is_due(now) && !self.homes.is_empty() {
            self.fetching.begin(&self.homes, now);
        }
        if let Some(page) = self.fetching.next() {
            let carrier = self.carrier.clone();
            let fetched = async move {
                let fetched = carrier.fetch(&page.mailbox, page.after, page.done).await;
                Input::Fetched(Fetched {
                    mailbox: page.mailbox,
                    after: page.after,
                    page: fetched,
                })
            };
            self.jobs.push(fetched.boxed());
        }
        let changed = self.published.as_ref() != Some(&self.homes);
        if !self.publishing && !self.homes.is_empty() && (changed || self.publish_due <= now) {
            self.publishing = true;
            self.published = Some(self.homes.clone());
            let (carrier, homes) = (self.carrier.clone(), self.homes.clone());
            let published = async move { Input::Published(carrier.publish(homes).await) };
            self.jobs.push(published.boxed());
        }
    }

    pub(super) fn published(&mut self, result: Result<Contact>, now: Millis) {
        self.publishing = false;
        match result {
            Ok(contact) => {
                self.fetching.know(contact.mailboxes());
                self.publish_due = now + CONTACT_EVERY;
            }
            Err(error) => {
                tracing::debug!(%error, "the contact record was not published");
                self.published = None;
                self.publish_due = now + AGAIN;
            }
        }
    }
}
