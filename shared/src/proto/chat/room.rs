//! One room as one member sees it: what comes in, what goes out, what is kept and what is told.
//!
//! How to drive it. After each call take [`Room::poll`] until it gives nothing, and do what it says in
//! that order; call [`Room::tick`] when the time of [`Room::wake`] has come. What is said here takes two
//! steps: [`Room::draft`] gives a packet that is to be kept durably, [`Room::commit`] sends it after that.

mod incoming;
mod speaking;

use std::collections::VecDeque;
use std::sync::Arc;

use super::history::{Answer, Request};
use super::keys::{RoomKeys, Topic};
use super::log::{Held, Holds, Log, Taken};
use super::members::Members;
use super::message::{Body, Content, MessageId};
use super::packet::{PacketId, packet_id};
use super::rates::{Rate, Rates};
use super::stamp::{Clock, Stamp};
use super::sync::Sync;
use super::view::{self, Entry, MemberView, RoomEvent};
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::proto::Millis;
use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::prng::Prng;

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Sent to everybody in the room.
    Publish(Vec<u8>),
    /// Kept, when there is time.
    Keep(PacketId, Vec<u8>),
    /// Not kept any more.
    Forget(PacketId),
    /// Asked of a peer; the answer comes to [`Room::answered`].
    Ask(Vec<u8>, Request),
    /// What a peer gave proves nothing, as everybody can see.
    Blame(Vec<u8>),
    /// Told to the application.
    Event(RoomEvent),
}

/// What a room begins with.
pub struct RoomConfig {
    /// Where it is.
    pub keys: RoomKeys,
    /// Who speaks.
    pub author: SigningKey,
    /// As what: at most 64 bytes.
    pub nick: String,
    /// The peer that others may ask for history.
    pub peer: Vec<u8>,
    /// A random number; one that was used before only with all messages of that time.
    pub session: u64,
    /// Random, and never used before.
    pub seed: [u8; 32],
}

/// A room.
pub struct Room {
    keys: RoomKeys,
    author: SigningKey,
    nick: String,
    peer: Vec<u8>,
    session: u64,
    next_number: u64,
    clock: Clock,
    seed: [u8; 32],
    sealed: u64,
    random: Prng,
    log: Log,
    members: Members,
    sync: Sync,
    own_rate: Rates<()>,
    rates: Rates<PublicKey>,
    draft: Option<(Body, Vec<u8>)>,
    outputs: VecDeque<Output>,
    read: Stamp,
    /// How many messages of others are later than that.
    unread: u64,
    told_missing: u64,
    told_unread: u64,
    synced: bool,
    /// When somebody else was heard last.
    heard_at: Millis,
    beat: Beat,
}

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// It was said here, and is kept already.
    Own,
    /// It came when it was said.
    Heard,
    /// Somebody gave it later.
    Given,
}

/// When this member says that it is here.
#[derive(Default)]
struct Beat {
    /// Not before the room was entered.
    due: Option<Millis>,
    last: Millis,
}

impl Room {
    /// A room that was not entered yet.
    pub fn new(config: RoomConfig) -> Result<Room> {
        speaking::check_nick(&config.nick)?;
        let mut number = [0; 8];
        number.copy_from_slice(&config.seed[..8]);
        let number = u64::from_be_bytes(number);
        let own = Rate {
            burst: limits::CHAT_BURST,
            per_second: limits::CHAT_PER_SECOND,
        };
        let others = Rate {
            burst: own.burst * limits::CHAT_LENIENCE,
            per_second: own.per_second * limits::CHAT_LENIENCE,
        };
        let sync = Sync::new(config.peer.clone(), number ^ 1);
        Ok(Room {
            keys: config.keys,
            author: config.author,
            nick: config.nick,
            peer: config.peer,
            session: config.session & limits::MAX_SAFE_INTEGER,
            next_number: 1,
            clock: Clock::default(),
            seed: config.seed,
            sealed: 0,
            random: Prng::new(number),
            log: Log::default(),
            members: Members::default(),
            sync,
            own_rate: Rates::new(own, 1),
            rates: Rates::new(others, limits::MAX_CHAT_RATES),
            draft: None,
            outputs: VecDeque::new(),
            read: Stamp::default(),
            unread: 0,
            told_missing: 0,
            told_unread: 0,
            synced: false,
            heard_at: 0,
            beat: Beat::default(),
        })
    }

    /// Takes back what was kept: packets in any order, and up to where it was read. What is not valid is
    /// passed over; whether everything was, and own numbers can go on.
    pub fn restore(&mut self, packets: Vec<Vec<u8>>, read: Stamp, now: Millis) -> bool {
        let (mut whole, some) = (true, !packets.is_empty());
        for packet in packets {
            whole &= match self.keys.read(&packet) {
                Ok(body) => {
                    self.clock.saw(body.at, now);
                    let id = packet_id(&packet);
                    let heard = false;
                    let taken = self.log.take(Held {
                        id,
                        packet,
                        body,
                        heard,
                    });
                    self.make_room(taken);
                    true
                }
                Err(_) => false,
            };
        }
        self.count_on();
        self.read = read;
        self.count_unread();
        self.told_missing = self.log.missing();
        self.told_unread = self.unread;
        // Own messages may have made room for those of others, and their numbers with them.
        whole && !(some && self.next_number == 1)
    }

    /// What to do next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Enters: says that we are here, and begins to ask for history.
    pub fn enter(&mut self, now: Millis) {
        self.say_here(true, now);
        self.pump(now);
    }

    /// A relay takes messages of this room from now on; it may have some, too.
    pub fn relay(&mut self, peer: Vec<u8>, now: Millis) {
        self.sync.relay(peer, now);
        if self.beat.due.is_some() {
            self.say_here(true, now);
        }
        self.pump(now);
    }

    /// A relay is gone, or keeps no messages.
    pub fn no_holder(&mut self, peer: &Vec<u8>) {
        self.sync.remove(peer);
    }

    /// Leaves: the others are told.
    pub fn leave(&mut self, now: Millis) {
        self.say(Content::Gone {}, now);
        self.beat.due = None;
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Millis) {
        for id in self.members.stopped_typing(now) {
            self.tell_typing(id, false);
        }
        for (id, member) in self.members.lost(now) {
            self.member_left(id, &member, true);
        }
        if self.beat.due.is_some_and(|due| due <= now) {
            self.say_here(false, now);
        }
        self.pump(now);
    }

    /// When [`Self::tick`] is to be called, if nothing happens before.
    pub fn wake(&self) -> Millis {
        let times = [self.beat.due, self.members.next(), self.sync.next()];
        times.into_iter().flatten().min().unwrap_or(Millis::MAX)
    }

    /// Everything so far was read.
    pub fn mark_read(&mut self) {
        self.read_up_to_end();
        self.tell_unread();
    }

    /// Gives another peer what it lacks.
    pub fn answer(&self, request: &Request) -> Answer {
        self.log.answer(request)
    }

    /// The newest messages, or those before one of them; the oldest first.
    pub fn history(&self, before: Option<&MessageId>, limit: usize) -> Result<Vec<Entry>> {
        let place = |id: &MessageId| {
            let held = self.log.get(id).ok_or_else(gone)?;
            Ok::<_, Error>((held.body.at, *id))
        };
        let before = before.map(place).transpose()?;
        Ok(view::entries(&self.log, before, limit, &self.me()))
    }

    /// Who is here, this member excepted.
    pub fn members(&self) -> Vec<MemberView> {
        self.members.views()
    }

    /// How much is held of it.
    pub fn holds(&self) -> Holds {
        let members = self.members.count();
        Holds {
            members,
            ..self.log.holds()
        }
    }

    /// How many messages are known to be missing.
    pub fn missing(&self) -> u64 {
        self.log.missing()
    }

    /// How many messages of others were not read.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Up to where it was read, to be kept.
    pub fn read(&self) -> Stamp {
        self.read
    }

    /// Where it is.
    pub fn topic(&self) -> Topic {
        self.keys.topic()
    }

    /// Who speaks here.
    pub fn me(&self) -> PublicKey {
        self.author.public()
    }

    /// The session that messages are numbered in, to be kept.
    pub fn session(&self) -> u64 {
        self.session
    }

    /// The messages themselves.
    pub fn log(&self) -> &Log {
        &self.log
    }

    fn read_up_to_end(&mut self) {
        let last = self.log.iter().next_back();
        self.read = self
            .read
            .max(last.map_or(Stamp::default(), |held| held.body.at));
        self.unread = 0;
    }

    fn is_unread(&self, held: &Held) -> bool {
        held.body.at > self.read && view::is_shown(held) && held.body.author != self.me()
    }

    /// Counts them all: too much for every message that comes.
    fn count_unread(&mut self) {
        self.unread = self.log.iter().filter(|held| self.is_unread(held)).count() as u64;
    }

    /// Asks whoever is to be asked now.
    fn pump(&mut self, now: Millis) {
        while let Some((peer, before)) = self.sync.next_to_ask(now) {
            let request = self.log.request(self.topic(), before);
            self.outputs.push_back(Output::Ask(peer, request));
        }
    }

    fn make_room(&mut self, taken: Taken) -> bool {
        let Taken::New(removed) = taken else {
            return false;
        };
        for held in removed {
            self.outputs.push_back(Output::Forget(held.id));
        }
        true
    }

    /// Numbers of our own session that come back are not used again.
    fn count_on(&mut self) {
        let last = self.log.last_number(self.me(), self.session);
        self.next_number = self.next_number.max(last + 1);
    }

    fn tell(&mut self, event: RoomEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn tell_unread(&mut self) {
        let count = self.unread;
        if std::mem::replace(&mut self.told_unread, count) != count {
            self.tell(RoomEvent::Unread { count });
        }
    }

    fn tell_counts(&mut self, now: Millis) {
        self.tell_unread();
        let count = self.log.missing();
        if count > 0 {
            self.sync.wanted(self.log.digest(), now);
        }
        if std::mem::replace(&mut self.told_missing, count) != count {
            self.tell(RoomEvent::Missing { count });
        }
    }
}

fn gone() -> Error {
    Error::new(
        Code::NotFound,
        "the message before which the history is wanted is not here",
    )
    .with_remedy("Ask for the newest messages; it may be deleted, or have made room for others.")
}

/// What had to give way to a message.
type Removed = Vec<Arc<Held>>;

#[cfg(test)]
mod tests;
