//! Sending: each recipient has a queue, one errand at a time, retried with backoff; what could not be
//! delivered is left in mailboxes meanwhile.

mod sending;

pub(super) use self::sending::Sending;
use self::sending::{Pending, Wait};
use super::contact::Contact;
use super::message::{Head, Id, Message, Receipt, Session};
use super::post::{Effect, Post, Refused, Turn, outgoing};
use super::rows::{Place, State};
use super::wire::{NotTaken, Taken};
use crate::limits::{DIRECT_CARRIED, MAX_PENDING_BYTES, MAX_PENDING_EACH, MESSAGE_LIFETIME};
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::proto::record::Value;

/// Something to be carried to a recipient, beside the machine.
#[derive(Clone, Debug)]
pub struct Errand {
    /// To whom.
    pub to: PublicKey,
    /// Where that was when it was last heard of.
    pub contact: Contact,
    /// What.
    pub batch: Batch,
}

/// What is to be carried.
#[derive(Clone, Debug)]
pub enum Batch {
    /// To a peer of the recipient.
    Deliver {
        /// Of one session.
        messages: Vec<Vec<u8>>,
        /// The number below which nothing is to be waited for.
        settled: u64,
        /// Which session.
        session: Session,
        /// The number of the first.
        first: u64,
    },
    /// Into mailboxes: encoded parcels, with the ids they are left under.
    Leave(Vec<(Id, Vec<u8>)>),
    /// To a peer, or else into mailboxes.
    Receipts(Vec<Vec<u8>>),
}

/// How that went.
#[derive(Clone, Debug)]
pub enum Carried {
    /// A peer of the recipient answered.
    Answered {
        /// Of which session the messages were.
        session: Session,
        /// The number of the first.
        first: u64,
        /// How many there were.
        count: usize,
        /// What it said.
        taken: Taken,
    },
    /// No peer of the recipient answered.
    Unreached {
        /// The recipient's mailboxes, as far as known.
        mailboxes: Vec<Vec<u8>>,
    },
    /// These are in at least one mailbox; the others in none.
    Left(Vec<Id>),
    /// Whether the receipts were brought.
    Receipts(bool),
}

impl Post {
    /// Takes a message to be sent. `entropy` becomes the session if this is the first to that recipient
    /// since the start.
    pub fn send(
        &mut self,
        to: PublicKey,
        body: &Value,
        entropy: Session,
        now: Millis,
        turn: &mut Turn,
    ) -> Result<Id, Refused> {
        let (me, network) = (self.me.clone(), self.network.clone());
        let mut bytes = 0;
        for friend in self.friends.values() {
            let pending = friend.sending.pending.iter();
            bytes += pending.map(|one| one.message.bytes().len()).sum::<usize>();
        }
        let time = self.clock.tick(now);
        let sending = &mut self.friend(to, now, turn)?.sending;
        if sending.pending.len() >= MAX_PENDING_EACH || bytes >= MAX_PENDING_BYTES {
            return Err(Refused::Full);
        }
        let (session, number) = sending.session.unwrap_or((entropy, 1));
        let head = Head {
            to,
            session,
            number,
            time,
        };
        let message = Message::sign(&me, &network, head, body)?;
        sending.session = Some((session, number + 1));
        let entry = outgoing(&message, State::Sending);
        let place = self.remember(to, &entry, now, turn)?;
        turn.changes.push(Place::Pending(to, place).put(&entry));
        let id = message.id();
        let sending = &mut self.friend(to, now, turn)?.sending;
        sending.push(place, message);
        // What was left elsewhere keeps its time; this one is left at once if nobody is there.
        sending.leave = Wait::default();
        turn.effects.push(Effect::State {
            id,
            state: State::Sending,
        });
        Ok(id)
    }

    /// Gives up what is too old. To be called before [`Self::due`].
    pub fn expire(&mut self, now: Millis, turn: &mut Turn) {
        let old = |one: &Pending| one.message.time.saturating_add(MESSAGE_LIFETIME) <= now;
        let mut gone = Vec::new();
        for (to, friend) in self.friends.iter_mut() {
            while friend.sending.pending.front().is_some_and(old) {
                gone.extend(friend.sending.pending.pop_front().map(|one| (*to, one)));
            }
        }
        for (to, one) in gone {
            self.conclude(&to, one.place, &one.message, State::Expired, turn);
        }
    }

    /// What is to be carried now. Each errand is answered by one [`Self::carried`].
    pub fn due(&mut self, now: Millis) -> Vec<Errand> {
        let busy = self.friends.values().filter(|one| one.sending.busy).count();
        let mut room = DIRECT_CARRIED.saturating_sub(busy);
        let (me, network) = (self.me.clone(), self.network.clone());
        let mut errands = Vec::new();
        for (to, friend) in self.friends.iter_mut() {
            let sending = &mut friend.sending;
            if room == 0 || sending.busy {
                continue;
            }
            let away = sending.deliver.failures > 0;
            let mut batch = None;
            if !sending.owed.is_empty() && sending.receipts.is_over(now) {
                let sign = |(session, next): &(Session, u64)| {
                    let (author, to) = (me.public(), *to);
                    let (session, next) = (*session, *next);
                    let receipt = Receipt {
                        author,
                        to,
                        session,
                        next,
                    };
                    receipt.sign(&me, &network)
                };
                batch = Some(Batch::Receipts(sending.owed.iter().map(sign).collect()));
                sending.brought = std::mem::take(&mut sending.owed);
            }
            if batch.is_none() && sending.deliver.is_over(now) {
                batch = sending.first_batch();
            }
            if batch.is_none() && away && sending.leave.is_over(now) {
                batch = sending.unleft();
            }
            if let Some(batch) = batch {
                room -= 1;
                sending.busy = true;
                errands.push(Errand {
                    to: *to,
                    contact: friend.row.contact.clone(),
                    batch,
                });
            }
        }
        errands
    }

    /// When [`Self::due`] has something next; nothing while all recipients are being tried.
    pub fn next_time(&self) -> Option<Millis> {
        let sending = self.friends.values().map(|friend| &friend.sending);
        let idle = sending.filter(|one| !one.busy);
        idle.filter_map(Sending::next_time).min()
    }

    /// How an errand ended.
    pub fn carried(&mut self, to: &PublicKey, carried: Carried, now: Millis, turn: &mut Turn) {
        let mut prng = self.prng.clone();
        let _ = self.prng.next_u64();
        let Some(friend) = self.friends.get_mut(to) else {
            return;
        };
        let sending = &mut friend.sending;
        sending.busy = false;
        match carried {
            Carried::Answered {
                session,
                first,
                count,
                taken,
            } => self.answered(to, (session, first, count), &taken, now, turn),
            Carried::Unreached { mailboxes } => {
                sending.unreached(now, &mut prng);
                // Whoever has other mailboxes now does not look into the old ones.
                if !mailboxes.is_empty()
                    && !mailboxes.iter().any(|one| sending.left_at.contains(one))
                {
                    sending.pending.iter_mut().for_each(|one| one.left = false);
                    sending.leave = Wait::default();
                }
                if !mailboxes.is_empty() {
                    sending.left_at = mailboxes;
                }
            }
            Carried::Left(ids) => {
                match ids.is_empty() {
                    true => sending.leave.fail(now, &mut prng),
                    false => sending.leave = Wait::default(),
                }
                for one in &mut sending.pending {
                    if !one.left && ids.contains(&one.id) {
                        one.left = true;
                        let (id, state) = (one.id, State::Waiting);
                        turn.effects.push(Effect::State { id, state });
                    }
                }
            }
            Carried::Receipts(brought) => sending.brought(brought, now, &mut prng),
        }
    }

    fn answered(
        &mut self,
        to: &PublicKey,
        (session, first, count): (Session, u64, usize),
        taken: &Taken,
        now: Millis,
        turn: &mut Turn,
    ) {
        let mut prng = self.prng.clone();
        let Some(friend) = self.friends.get_mut(to) else {
            return;
        };
        match taken {
            Taken::Until { next } if *next > first => {
                friend.sending.deliver = Wait::default();
                self.settle(to, &session, *next, turn);
            }
            Taken::Refused {
                why: NotTaken::Blocked | NotTaken::Invalid,
            } => {
                friend.sending.deliver = Wait::default();
                let end = first + count as u64;
                self.end(to, &session, end, State::Refused, turn);
            }
            // Nothing of it was taken: as if nobody had been there.
            Taken::Until { .. } | Taken::Refused { .. } => {
                friend.sending.unreached(now, &mut prng);
            }
        }
    }

    /// The recipient has stored everything of a session below a number.
    pub(super) fn settle(&mut self, to: &PublicKey, session: &Session, next: u64, turn: &mut Turn) {
        self.end(to, session, next, State::Delivered, turn);
    }

    fn end(&mut self, to: &PublicKey, session: &Session, end: u64, state: State, turn: &mut Turn) {
        let Some(friend) = self.friends.get_mut(to) else {
            return;
        };
        let ended = |one: &Pending| one.message.session == *session && one.message.number < end;
        let pending = std::mem::take(&mut friend.sending.pending);
        let mut over = Vec::new();
        for one in pending {
            match ended(&one) {
                true => over.push(one),
                false => friend.sending.pending.push_back(one),
            }
        }
        for one in over {
            self.conclude(to, one.place, &one.message, state, turn);
        }
    }

    /// A message came by way of a mailbox: its author is to hear of it.
    pub(super) fn owe(&mut self, author: PublicKey, session: Session, next: u64) {
        let Some(friend) = self.friends.get_mut(&author) else {
            return;
        };
        let owed = &mut friend.sending.owed;
        owed.retain(|(known, _)| *known != session);
        owed.push((session, next));
        friend.sending.receipts.until = 0;
    }

    /// A recipient may be there again: it is tried at once.
    pub fn wake(&mut self, author: &PublicKey) {
        let Some(friend) = self.friends.get_mut(author) else {
            return;
        };
        // The errand under way may be what makes it seem to be there.
        friend.sending.woken = friend.sending.busy;
        if !friend.sending.busy {
            friend.sending.deliver.until = 0;
            friend.sending.receipts.until = 0;
        }
    }

    /// The own network is back: everybody is tried at once.
    pub fn wake_all(&mut self) {
        for friend in self.friends.values_mut() {
            friend.sending.deliver.until = 0;
            friend.sending.leave.until = 0;
            friend.sending.receipts.until = 0;
        }
    }

    /// What has become of a message that is on its way; nothing if it is not.
    pub fn on_its_way(&self, id: &Id) -> Option<State> {
        let sending = self.friends.values().flat_map(|one| &one.sending.pending);
        let found = sending.into_iter().find(|one| one.id == *id)?;
        Some(match found.left {
            true => State::Waiting,
            false => State::Sending,
        })
    }

    /// How many messages are on their way.
    pub fn pending(&self) -> usize {
        let sending = self.friends.values().map(|one| one.sending.pending.len());
        sending.sum()
    }
}
