//! The queue of one recipient.

use std::collections::VecDeque;

use super::Batch;
use crate::limits::{DIRECT_BATCH, DIRECT_BATCH_BYTES, DIRECT_RETRY_FIRST, DIRECT_RETRY_LONGEST};
use crate::proto::Millis;
use crate::proto::direct::message::{Id, Message, Session};
use crate::proto::direct::wire::Parcel;
use crate::proto::prng::Prng;

/// What a message grows by when it is sealed and left in a mailbox, at most.
const PARCEL_HEAD: usize = 96;

/// Tries to bring a receipt: the sender asks again if all are in vain.
const RECEIPT_TRIES: u32 = 4;

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
    pub busy: bool,
    /// It may have come back while it was being tried.
    pub woken: bool,
    pub deliver: Wait,
    pub leave: Wait,
    /// Where the messages are that were left.
    pub left_at: Vec<Vec<u8>>,
    pub owed: Vec<(Session, u64)>,
    /// Receipts that are being brought.
    pub brought: Vec<(Session, u64)>,
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
        self.pending.is_empty() && self.owed.is_empty() && !self.busy
    }

    pub fn push(&mut self, place: u64, message: Message) {
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
    pub fn first_batch(&self) -> Option<Batch> {
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
    pub fn unleft(&self) -> Option<Batch> {
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

    /// Nobody took anything.
    pub fn unreached(&mut self, now: Millis, prng: &mut Prng) {
        self.deliver.fail(now, prng);
        if std::mem::take(&mut self.woken) {
            self.deliver.until = self.deliver.until.min(now + DIRECT_RETRY_FIRST);
        }
    }

    pub fn brought(&mut self, brought: bool, now: Millis, prng: &mut Prng) {
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

    /// When there is something to do.
    pub fn next_time(&self) -> Option<Millis> {
        let deliver = (!self.pending.is_empty()).then_some(self.deliver.until);
        let away = self.deliver.failures > 0 && self.pending.iter().any(|one| !one.left);
        let leave = away.then_some(self.leave.until);
        let receipts = (!self.owed.is_empty()).then_some(self.receipts.until);
        [deliver, leave, receipts].into_iter().flatten().min()
    }
}
