//! The queue of one recipient.

use std::collections::VecDeque;

use super::Batch;
use crate::limits::{
    DIRECT_BATCH, DIRECT_BATCH_BYTES, DIRECT_PARKED, DIRECT_RETRY_FIRST, DIRECT_RETRY_LONGEST,
    LEAVE_AFTER,
};
use crate::proto::Millis;
use crate::proto::direct::message::{Id, Message, Session};
use crate::proto::direct::wire::Parcel;
use crate::proto::prng::Prng;

/// What a message grows by when it is sealed and left in a mailbox, at most.
const PARCEL_HEAD: usize = 96;

/// Tries to bring a receipt: the sender asks again if all are in vain.
const RECEIPT_TRIES: u32 = 6;

/// A message on its way.
#[derive(Debug)]
pub(in crate::proto::direct) struct Pending {
    pub place: u64,
    pub id: Id,
    pub message: Message,
    pub left: bool,
}

/// What is on its way to one recipient.
#[derive(Debug, Default)]
pub(in crate::proto::direct) struct Sending {
    pub session: Option<(Session, u64)>,
    pub pending: VecDeque<Pending>,
    /// A delivery is under way.
    pub delivering: bool,
    /// Receipts, or messages for mailboxes, are under way.
    pub aside: bool,
    /// It may have come back while it was being tried.
    woken: bool,
    /// Since when nobody has answered.
    silent: Option<Millis>,
    /// The last delivery was answered, or not for long.
    met: bool,
    deliver: Wait,
    pub leave: Wait,
    /// Its mailboxes, as they were known when messages were left there.
    left_at: Vec<Vec<u8>>,
    /// Its mailboxes, as they were known when it was tried last.
    mailboxes: Vec<Vec<u8>>,
    pub owed: Vec<(Session, u64)>,
    /// Receipts that are being brought.
    brought: Vec<(Session, u64)>,
    pub receipts: Wait,
}

/// When something is tried next.
#[derive(Debug, Default)]
pub(in crate::proto::direct) struct Wait {
    pub failures: u32,
    pub until: Millis,
}

impl Wait {
    pub fn fail(&mut self, now: Millis, prng: &mut Prng) {
        let wait = DIRECT_RETRY_FIRST << self.failures.min(12);
        self.failures += 1;
        self.until = now + prng.jitter(wait.min(DIRECT_RETRY_LONGEST));
    }

    pub fn is_over(&self, now: Millis) -> bool {
        self.until <= now
    }
}

impl Sending {
    pub fn is_empty(&self) -> bool {
        let busy = self.delivering || self.aside;
        self.pending.is_empty() && self.owed.is_empty() && !busy
    }

    pub fn push(&mut self, place: u64, message: Message) {
        if self.pending.is_empty() && !self.delivering {
            self.silent = None;
        }
        self.pending.push_back(Pending {
            place,
            id: message.id(),
            message,
            left: false,
        });
    }

    /// The number below which nothing is on its way in a session.
    pub fn settled(&self, session: &Session) -> Option<u64> {
        let first = self
            .pending
            .iter()
            .find(|one| one.message.session == *session);
        first.map(|one| one.message.number)
    }

    /// The first messages of one session that fit into a delivery.
    fn first_batch(&self) -> Option<Batch> {
        let first = &self.pending.front()?.message;
        let mut messages = Vec::new();
        let mut bytes = 0;
        for Pending { message, .. } in self.pending.iter().take(DIRECT_BATCH) {
            bytes += message.bytes().len() + 4;
            if message.session != first.session || bytes > DIRECT_BATCH_BYTES {
                break;
            }
            messages.push(message.bytes().to_vec());
        }
        Some(Batch::Deliver {
            messages,
            settled: first.number,
            session: first.session,
            first: first.number,
        })
    }

    /// The first messages that are in no mailbox.
    fn unleft(&self) -> Option<Batch> {
        let unleft = self.pending.iter().filter(|one| !one.left);
        let (mut parcels, mut bytes) = (Vec::new(), 0);
        for Pending { id, message, .. } in unleft.take(DIRECT_BATCH) {
            bytes += message.bytes().len() + PARCEL_HEAD;
            if bytes > DIRECT_BATCH_BYTES {
                break;
            }
            let parcel = Parcel::Message {
                settled: self.settled(&message.session).unwrap_or(message.number),
                message: message.bytes().to_vec(),
            };
            parcels.push((*id, parcel.encode()));
        }
        (!parcels.is_empty()).then_some(Batch::Leave(parcels))
    }

    /// The next delivery, if one is due.
    pub fn delivery(&mut self, now: Millis) -> Option<Batch> {
        if self.delivering || !self.deliver.is_over(now) {
            return None;
        }
        let batch = self.first_batch()?;
        self.delivering = true;
        self.silent.get_or_insert(now);
        Some(batch)
    }

    /// What is to be done beside that: receipts, or leaving messages in mailboxes.
    pub fn beside(
        &mut self,
        now: Millis,
        sign: impl Fn(&(Session, u64)) -> Vec<u8>,
    ) -> Option<Batch> {
        if self.aside {
            return None;
        }
        let batch = match !self.owed.is_empty() && self.receipts.is_over(now) {
            true => {
                self.brought = std::mem::take(&mut self.owed);
                Batch::Receipts(self.brought.iter().map(sign).collect())
            }
            false => {
                let from = self.leave_from()?.max(self.leave.until);
                (from <= now).then(|| self.unleft()).flatten()?
            }
        };
        self.aside = true;
        Some(batch)
    }

    /// From when on messages are left in mailboxes. Nobody waits for addresses that lead nowhere, and a
    /// connection that breaks is replaced before a mailbox is filled for it.
    fn leave_from(&self) -> Option<Millis> {
        match self.silent {
            Some(since) if self.met || self.deliver.failures == 0 => Some(since + LEAVE_AFTER),
            _ => (self.deliver.failures > 0).then_some(0),
        }
    }

    /// It is there.
    pub fn answered(&mut self) {
        self.deliver = Wait::default();
        self.silent = None;
        self.met = true;
    }

    /// Nobody took anything.
    pub fn unreached(&mut self, now: Millis, prng: &mut Prng) {
        self.delivering = false;
        self.met &= self.silent.is_some_and(|since| since + LEAVE_AFTER > now);
        self.deliver.fail(now, prng);
        if std::mem::take(&mut self.woken) {
            self.deliver.until = self.deliver.until.min(now + DIRECT_RETRY_FIRST);
        }
    }

    /// Nobody could be tried.
    pub fn parked(&mut self, now: Millis) {
        self.delivering = false;
        self.silent = None;
        self.deliver.until = match std::mem::take(&mut self.woken) {
            true => now,
            false => now + DIRECT_PARKED,
        };
    }

    /// It may be there again.
    pub fn wake(&mut self) {
        // The errand under way may be what makes it seem to be there.
        self.woken = self.delivering;
        self.deliver.until = 0;
        self.receipts.until = 0;
    }

    /// Where its mailboxes are. Whoever has other ones now does not look into the old ones.
    pub fn seen_at(&mut self, mailboxes: Vec<Vec<u8>>) {
        if mailboxes.is_empty() {
            return;
        }
        self.mailboxes = mailboxes;
        if !self.left_at.is_empty() && !self.still_at(&self.left_at) {
            self.pending.iter_mut().for_each(|one| one.left = false);
            self.left_at.clear();
            self.leave = Wait::default();
        }
    }

    fn still_at(&self, mailboxes: &[Vec<u8>]) -> bool {
        self.mailboxes.is_empty() || mailboxes.iter().any(|one| self.mailboxes.contains(one))
    }

    /// These are in a mailbox; which of them were in none before.
    pub fn left(
        &mut self,
        ids: &[Id],
        mailboxes: Vec<Vec<u8>>,
        now: Millis,
        prng: &mut Prng,
    ) -> Vec<Id> {
        self.aside = false;
        if ids.is_empty() || !self.still_at(&mailboxes) {
            self.leave.fail(now, prng);
            return Vec::new();
        }
        self.leave = Wait::default();
        self.left_at = mailboxes;
        let unleft = self.pending.iter_mut().filter(|one| !one.left);
        let newly = unleft.filter(|one| ids.contains(&one.id));
        newly
            .map(|one| {
                one.left = true;
                one.id
            })
            .collect()
    }

    pub fn brought(&mut self, brought: bool, now: Millis, prng: &mut Prng) {
        self.aside = false;
        let receipts = std::mem::take(&mut self.brought);
        self.receipts.fail(now, prng);
        if brought || self.receipts.failures >= RECEIPT_TRIES {
            self.receipts = Wait::default();
            return;
        }
        for (session, next) in receipts {
            // What is owed by now says more.
            if !self.owed.iter().any(|(known, _)| *known == session) {
                self.owed.push((session, next));
            }
        }
    }

    /// When there is something to do that is not under way.
    pub fn next_time(&self, joined: bool) -> Option<Millis> {
        let delivery = (!self.delivering && !self.pending.is_empty()).then_some(self.deliver.until);
        let beside = joined && !self.aside;
        let unleft = beside && self.pending.iter().any(|one| !one.left);
        let leave = self.leave_from().filter(|_| unleft);
        let leave = leave.map(|from| from.max(self.leave.until));
        let receipts = (beside && !self.owed.is_empty()).then_some(self.receipts.until);
        [delivery, leave, receipts].into_iter().flatten().min()
    }
}
