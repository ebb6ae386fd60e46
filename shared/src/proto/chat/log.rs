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
    MAX_HISTORY_HAVE, MAX_ROOM_BYTES, MAX_ROOM_MEMBERS, MAX_ROOM_MESSAGES,
    MAX_ROOM_MESSAGES_PER_AUTHOR, MAX_SAFE_INTEGER,
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
}

/// A number that is equal where the same messages are, and hardly ever elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// How many messages there are.
    pub count: u64,
    /// The first 53 bits of their names, combined by exclusive or.
    pub sum: u64,
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

type Place = (Stamp, MessageId);
type SessionId = (PublicKey, u64);

#[derive(Default)]
struct Session {
    numbers: Numbers,
    /// Its last number, as its author says.
    head: u64,
}

/// All messages of a room.
#[derive(Default)]
pub struct Log {
    messages: SortedMap<Place, Arc<Held>>,
    stamps: SortedMap<MessageId, Stamp>,
    sessions: SortedMap<SessionId, Session>,
    authors: SortedMap<PublicKey, usize>,
    /// What deletions that are here take back.
    deleted: SortedMap<MessageId, ()>,
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
        while let Some(oldest) = self.beyond_limits(&held.body.author) {
            removed.extend(self.remove(oldest));
        }
        match removed.iter().any(|one| Arc::ptr_eq(one, &held)) {
            true => Taken::TooOld,
            false => Taken::New(removed),
        }
    }

    fn insert(&mut self, held: Arc<Held>) {
        let id = held.body.id();
        self.arrived(id);
        self.bytes += held.packet.len();
        self.sum ^= number_of(&held.id);
        *self.authors.or_default(id.author) += 1;
        self.stamps.insert(id, held.body.at);
        self.messages.insert((held.body.at, id), held);
    }

    fn arrived(&mut self, id: MessageId) {
        let session = self.sessions.or_default((id.author, id.session));
        session.numbers.add(id.number);
    }

    /// A deletion counts whenever it comes; it cannot be taken back itself.
    fn erase(&mut self, target: MessageId) -> Option<Arc<Held>> {
        let held = self.get(&target);
        if held.is_some_and(|held| matches!(held.body.content, Content::Delete { .. })) {
            return None;
        }
        self.deleted.insert(target, ());
        self.arrived(target);
        let stamp = *self.stamps.get(&target)?;
        self.remove((stamp, target))
    }

    fn remove(&mut self, place: Place) -> Option<Arc<Held>> {
        let held = self.messages.remove(&place)?;
        let id = place.1;
        self.stamps.remove(&id);
        self.bytes -= held.packet.len();
        self.sum ^= number_of(&held.id);
        let left = self.authors.or_default(id.author);
        *left -= 1;
        if *left == 0 {
            self.authors.remove(&id.author);
        }
        if let (Content::Delete { .. }, Some(target)) = (&held.body.content, held.body.touches()) {
            self.deleted.remove(&target);
        }
        Some(held)
    }

    /// The oldest message of an author who has too many, or of all when those are too many.
    fn beyond_limits(&self, author: &PublicKey) -> Option<Place> {
        let mut places = self.messages.keys();
        if self.author_is_full(author, 1) {
            return places.find(|(_, id)| id.author == *author).copied();
        }
        self.is_full(1).then(|| places.next().copied()).flatten()
    }

    /// Whether there is more than the limits allow, less `spare`.
    fn is_full(&self, spare: usize) -> bool {
        self.messages.len() >= MAX_ROOM_MESSAGES + spare || self.bytes > MAX_ROOM_BYTES
    }

    fn author_is_full(&self, author: &PublicKey, spare: usize) -> bool {
        let count = self.authors.get(author).copied().unwrap_or(0);
        count >= MAX_ROOM_MESSAGES_PER_AUTHOR + spare
    }

    /// An author says which number was the last one of a session.
    pub fn expect(&mut self, author: PublicKey, session: u64, head: u64) {
        let known = self.sessions.get_mut(&(author, session));
        if let Some(session) = known {
            session.head = session.head.max(head);
        } else if head > 0 && self.sessions.len() < MAX_ROOM_MESSAGES + MAX_ROOM_MEMBERS {
            self.sessions.or_default((author, session)).head = head;
        }
    }

    /// How many messages are known to be missing. What had to make room is not.
    pub fn missing(&self) -> u64 {
        let sessions = self.sessions.iter().map(|((author, _), session)| {
            let made_room = self.is_full(0) || self.author_is_full(author, 0);
            let first = session.numbers.first().filter(|_| made_room).unwrap_or(1);
            let missing = session.numbers.missing(first, session.head);
            missing.min(MAX_ROOM_MESSAGES as u64)
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
