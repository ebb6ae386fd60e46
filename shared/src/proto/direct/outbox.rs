//! Sending: each recipient has a queue, one delivery at a time, retried with backoff; what is not delivered
//! within a second is left in mailboxes beside that.

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
    /// This peer has no relay now, and no connection to one of the recipient.
    Parked,
    /// Messages were left in mailboxes.
    Left {
        /// These are in at least one; the others in none.
        ids: Vec<Id>,
        /// The recipient's mailboxes, as far as known.
        mailboxes: Vec<Vec<u8>>,
    },
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
        let sending = &mut self.befriend(to, now, turn)?.sending;
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
        let place = self.remember(to, &entry, turn)?;
        turn.changes.push(Place::Pending(to, place).put(&entry));
        let id = message.id();
        let sending = &mut self.befriend(to, now, turn)?.sending;
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

    /// What is to be carried now. Each errand is answered by one [`Self::carried`]. Without a relay (`joined`) only
    /// those are reached who are connected: nothing is left anywhere.
    pub fn due(&mut self, now: Millis, joined: bool) -> Vec<Errand> {
        let all = || self.friends.values().map(|friend| &friend.sending);
        let room = |busy: usize| DIRECT_CARRIED.saturating_sub(busy);
        let mut deliveries = room(all().filter(|one| one.delivering).count());
        let mut asides = room(all().filter(|one| one.aside).count());
        let (me, network) = (self.me.clone(), self.network.clone());
        let mut errands = Vec::new();
        for (to, friend) in self.friends.iter_mut() {
            let sending = &mut friend.sending;
            let delivery = match deliveries {
                0 => None,
                _ => sending.delivery(now),
            };
            deliveries -= usize::from(delivery.is_some());
            let sign = |(session, next): &(Session, u64)| {
                let receipt = Receipt {
                    author: me.public(),
                    to: *to,
                    session: *session,
                    next: *next,
                };
                receipt.sign(&me, &network)
            };
            let beside = match asides {
                _ if !joined => None,
                0 => None,
                _ => sending.beside(now, sign),
            };
            asides -= usize::from(beside.is_some());
            errands.extend(delivery.into_iter().chain(beside).map(|batch| Errand {
                to: *to,
                contact: friend.row.contact.clone(),
                batch,
            }));
        }
        errands
    }

    /// When [`Self::due`] has something next; nothing while all that can be done is under way.
    pub fn next_time(&self, joined: bool) -> Option<Millis> {
        let sending = self.friends.values().map(|friend| &friend.sending);
        sending.filter_map(|one| one.next_time(joined)).min()
    }

    /// How an errand ended.
    pub fn carried(&mut self, to: &PublicKey, carried: Carried, now: Millis, turn: &mut Turn) {
        let mut prng = self.prng.clone();
        let _ = self.prng.next_u64();
        let Some(friend) = self.friends.get_mut(to) else {
            return;
        };
        let sending = &mut friend.sending;
        match carried {
            Carried::Answered {
                session,
                first,
                count,
                taken,
            } => {
                sending.delivering = false;
                self.answered(to, (session, first, count), &taken, now, turn);
            }
            Carried::Unreached { mailboxes } => {
                sending.unreached(now, &mut prng);
                sending.seen_at(mailboxes);
            }
            Carried::Parked => sending.parked(now),
            Carried::Left { ids, mailboxes } => {
                for id in sending.left(&ids, mailboxes, now, &mut prng) {
                    let state = State::Waiting;
                    turn.effects.push(Effect::State { id, state });
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
                friend.sending.answered();
                self.settle(to, &session, *next, turn);
            }
            Taken::Refused {
                why: NotTaken::Blocked | NotTaken::Invalid,
            } => {
                friend.sending.answered();
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
        friend.sending.wake();
    }

    /// The own network is back: everybody is tried at once.
    pub fn wake_all(&mut self) {
        for friend in self.friends.values_mut() {
            friend.sending.wake();
            friend.sending.leave.until = 0;
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
