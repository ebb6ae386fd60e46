//! The messages of one room that a peer has: each once, bounded, and what is known to be missing.
//!
//! Knows bodies that were verified. Does not know where they come from, nor who is there.

use std::sync::Arc;

use super::history::{Answer, Page, Request, Short, short};
use super::keys::Topic;
use super::message::{Body, Content, MessageId};
use super::numbers::Numbers;
use super::packet::PacketId;
use super::stamp::Stamp;
use crate::limits::{
    HISTORY_GIVES_WAY, HISTORY_GIVES_WAY_SPARE, MAX_CHAT_PACKET, MAX_HISTORY_HAVE, MAX_ROOM_BYTES,
    MAX_ROOM_MESSAGES, MAX_ROOM_MESSAGES_PER_AUTHOR, MAX_SAFE_INTEGER,
};
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::sorted::{SortedMap, sort_short};

/// A message that is kept.
#[derive(Debug)]
pub struct Held {
    /// Its name as a packet.
    pub id: PacketId,
    /// As it travels.
    pub packet: Vec<u8>,
    /// What it says.
    pub body: Body,
    /// Whether it was heard when it was said, and not given later: relays hold that to a rate, and keys cost nothing.
    pub heard: bool,
}

/// A number that is equal where the same messages are, and hardly ever elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// How many messages there are.
    pub count: u64,
    /// The first 53 bits of their names, combined by exclusive or.
    pub sum: u64,
}

/// How much a peer holds of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holds {
    /// Messages, deletions and marks among them.
    pub messages: usize,
    /// Of these, messages that were heard when they were said.
    pub heard: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Whose messages they are.
    pub authors: usize,
    /// In how many sessions they are numbered.
    pub sessions: usize,
    /// Who is there.
    pub members: usize,
}

/// What became of a message.
#[derive(Debug)]
pub enum Taken {
    /// It is there now, and these are not any more.
    New(Vec<Arc<Held>>),
    /// It was there already, or was deleted.
    Known,
    /// There is no room for anything so old.
    TooOld,
}

/// Where a message stands among all. Two authors may have said something at one [`Stamp`].
pub(super) type Place = (Stamp, MessageId);
type SessionId = (PublicKey, u64);

/// There is one only while a message of it is here, or what takes one back.
#[derive(Default)]
struct Session {
    numbers: Numbers,
    /// Its last number, as its author says.
    head: u64,
    /// How many messages of it are here, and how many deletions of such.
    held: usize,
}

impl Session {
    /// Whether nothing is missing, from the first one on.
    fn is_whole(&self) -> bool {
        self.numbers.missing(1, self.head) == 0
    }
}

/// All messages of a room.
#[derive(Default)]
pub struct Log {
    messages: SortedMap<Place, Arc<Held>>,
    stamps: SortedMap<MessageId, Stamp>,
    sessions: SortedMap<SessionId, Session>,
    /// Those of which something is missing, few as a rule.
    broken: SortedMap<SessionId, ()>,
    authors: SortedMap<PublicKey, usize>,
    /// How many messages were heard.
    heard: usize,
    /// Messages that were heard, less those that had to give way to given ones since.
    spare: usize,
    /// What deletions that are here take back.
    deleted: SortedMap<MessageId, ()>,
    /// How many of the others change a message, by edits and marks: most are changed by none.
    changes: SortedMap<MessageId, usize>,
    /// Whether some have made room for others: what came before a session's first one is not missed then.
    made_room: bool,
    bytes: usize,
    sum: u64,
}

impl Log {
    /// Takes a verified message.
    pub fn take(&mut self, held: Held) -> Taken {
        let id = held.body.id();
        let deletes = matches!(held.body.content, Content::Delete { .. });
        if self.stamps.contains_key(&id) || (!deletes && self.deleted.contains_key(&id)) {
            self.arrived(id);
            return Taken::Known;
        }
        let held = Arc::new(held);
        self.insert(held.clone());
        let mut removed = Vec::new();
        if let (true, Some(target)) = (deletes, held.body.touches()) {
            removed.extend(self.erase(target));
        }
        while let Some(place) = self.gives_way(&held) {
            removed.extend(self.remove(place));
        }
        match removed.iter().any(|one| Arc::ptr_eq(one, &held)) {
            true => Taken::TooOld,
            false => Taken::New(removed),
        }
    }

    /// Nothing was heard for so long that much may be missing: what was heard before counts no more than what is
    /// given now.
    pub fn missed_much(&mut self) {
        for held in self.messages.values_mut().filter_map(Arc::get_mut) {
            self.heard -= usize::from(std::mem::take(&mut held.heard));
        }
    }

    fn insert(&mut self, held: Arc<Held>) {
        let id = held.body.id();
        self.arrived(id);
        self.sessions.or_default((id.author, id.session)).held += 1;
        self.bytes += held.packet.len();
        self.sum ^= number_of(&held.id);
        *self.authors.or_default(id.author) += 1;
        if held.heard {
            self.heard += 1;
            let most = HISTORY_GIVES_WAY * HISTORY_GIVES_WAY_SPARE;
            self.spare = most.min(self.spare + 1);
        }
        if let Some(target) = held.body.touches() {
            *self.changes.or_default(target) += 1;
        }
        self.stamps.insert(id, held.body.at);
        self.messages.insert((held.body.at, id), held);
    }

    /// One less of what a session is here for.
    fn let_go(&mut self, id: MessageId) {
        let key = (id.author, id.session);
        if let Some(session) = self.sessions.get_mut(&key) {
            session.held -= 1;
            if session.held == 0 {
                self.sessions.remove(&key);
                self.broken.remove(&key);
            }
        }
    }

    fn arrived(&mut self, id: MessageId) {
        let key = (id.author, id.session);
        self.sessions.or_default(key).numbers.add(id.number);
        self.look_at(key);
    }

    /// Whether something is missing of a session.
    fn look_at(&mut self, key: SessionId) {
        if self.sessions.get(&key).is_some_and(Session::is_whole) {
            self.broken.remove(&key);
        } else {
            self.broken.insert(key, ());
        }
    }

    /// A deletion counts whenever it comes; it cannot be taken back itself.
    fn erase(&mut self, target: MessageId) -> Option<Arc<Held>> {
        let held = self.get(&target);
        if held.is_some_and(|held| matches!(held.body.content, Content::Delete { .. })) {
            return None;
        }
        self.arrived(target);
        if self.deleted.insert(target, ()).is_none() {
            self.sessions
                .or_default((target.author, target.session))
                .held += 1;
        }
        let stamp = *self.stamps.get(&target)?;
        self.remove((stamp, target))
    }

    fn remove(&mut self, place: Place) -> Option<Arc<Held>> {
        let held = self.messages.remove(&place)?;
        let id = place.1;
        self.stamps.remove(&id);
        self.bytes -= held.packet.len();
        self.sum ^= number_of(&held.id);
        self.heard -= usize::from(held.heard);
        let left = self.authors.or_default(id.author);
        *left -= 1;
        if *left == 0 {
            self.authors.remove(&id.author);
        }
        self.let_go(id);
        if let Some(target) = held.body.touches() {
            let left = self.changes.or_default(target);
            *left -= 1;
            if *left == 0 {
                self.changes.remove(&target);
            }
        }
        if let (Content::Delete { .. }, Some(target)) = (&held.body.content, held.body.touches())
            && self.deleted.remove(&target).is_some()
        {
            self.let_go(target);
        }
        Some(held)
    }

    /// What gives way to a message that was taken: the oldest one of an author who has too many, or of all when those
    /// are too many. What was heard gives way to what is given only when there is little that was given, and only now
    /// and then: as often as messages get lost.
    fn gives_way(&mut self, to: &Held) -> Option<Place> {
        if self.author_is_full(&to.body.author, 1) {
            let mut places = self.messages.keys();
            return places.find(|(_, id)| id.author == to.body.author).copied();
        }
        if self.messages.len() <= MAX_ROOM_MESSAGES && self.bytes <= MAX_ROOM_BYTES {
            return None;
        }
        self.made_room = true;
        let (oldest, held) = self.messages.iter().next()?;
        if to.heard || !held.heard {
            return Some(*oldest);
        }
        let given = self.messages.len() - self.heard;
        if given * HISTORY_GIVES_WAY <= MAX_ROOM_MESSAGES && self.spare >= HISTORY_GIVES_WAY {
            self.spare -= HISTORY_GIVES_WAY;
            return Some(*oldest);
        }
        let mut given = self.messages.iter().filter(|(_, held)| !held.heard);
        given.next().map(|(place, _)| *place)
    }

    /// Whether another message may be one too many.
    fn is_full(&self) -> bool {
        self.messages.len() >= MAX_ROOM_MESSAGES || self.bytes > MAX_ROOM_BYTES - MAX_CHAT_PACKET
    }

    fn author_is_full(&self, author: &PublicKey, spare: usize) -> bool {
        let count = self.authors.get(author).copied().unwrap_or(0);
        count >= MAX_ROOM_MESSAGES_PER_AUTHOR + spare
    }

    /// An author says which number was the last one of a session. Nobody believes that of a session of which no message
    /// is here: keys cost nothing, and what is missing of it shows in what others have.
    pub fn expect(&mut self, author: PublicKey, session: u64, head: u64) {
        let key = (author, session);
        if let Some(session) = self.sessions.get_mut(&key) {
            session.head = session.head.max(head);
            self.look_at(key);
        }
    }

    /// How many messages are known to be missing. What had to make room is not.
    pub fn missing(&self) -> u64 {
        let sessions = self.broken.keys().filter_map(|key| {
            let session = self.sessions.get(key)?;
            let made_room = self.made_room || self.is_full() || self.author_is_full(&key.0, 0);
            let first = session.numbers.first().filter(|_| made_room).unwrap_or(1);
            let missing = session.numbers.missing(first, session.head);
            Some(missing.min(MAX_ROOM_MESSAGES as u64))
        });
        sessions.sum()
    }

    /// The last number of a session that has arrived; 0 if there is none.
    pub fn last_number(&self, author: PublicKey, session: u64) -> u64 {
        let session = self.sessions.get(&(author, session));
        session.map_or(0, |session| session.numbers.last())
    }

    /// What its messages come to.
    pub fn digest(&self) -> Digest {
        Digest {
            count: self.messages.len() as u64,
            sum: self.sum,
        }
    }

    /// How much that is; the members are counted elsewhere.
    pub fn holds(&self) -> Holds {
        Holds {
            messages: self.messages.len(),
            heard: self.heard,
            bytes: self.bytes,
            authors: self.authors.len(),
            sessions: self.sessions.len(),
            members: 0,
        }
    }

    /// A message.
    pub fn get(&self, id: &MessageId) -> Option<&Held> {
        let stamp = self.stamps.get(id)?;
        self.messages.get(&(*stamp, *id)).map(|held| &**held)
    }

    /// All messages, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Held> {
        self.messages
            .iter()
            .map(|(_, held)| held)
            .map(|held| &**held)
    }

    /// What changes a message, the oldest first.
    pub fn changes(&self, id: MessageId) -> impl Iterator<Item = &Held> {
        let some = self.changes.contains_key(&id);
        let all = some.then(|| self.iter()).into_iter().flatten();
        all.filter(move |held| held.body.touches() == Some(id))
    }

    /// Asks for what is missing of what was said before a time.
    pub fn request(&self, topic: Topic, before: Millis) -> Request {
        let newest = self.iter().rev().filter(|held| held.body.time() < before);
        let mut have: Vec<Short> = newest
            .take(MAX_HISTORY_HAVE)
            .map(|held| short(&held.id))
            .collect();
        sort_short(&mut have, Ord::cmp);
        have.dedup();
        Request {
            topic,
            before,
            have: have.concat(),
        }
    }

    /// Gives what the asking one lacks.
    pub fn answer(&self, request: &Request) -> Answer {
        let mut page = Page::default();
        for held in self.iter().rev() {
            if held.body.time() < request.before
                && !request.has(&held.id)
                && !page.offer(&held.packet)
            {
                break;
            }
        }
        page.answer()
    }
}

fn number_of(id: &PacketId) -> u64 {
    u64::from_be_bytes(short(id)) & MAX_SAFE_INTEGER
}

#[cfg(test)]
mod tests;
