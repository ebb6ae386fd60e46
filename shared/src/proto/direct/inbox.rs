//! Receiving: in order within each session of an author, each message once, stored before anything is
//! said about it.

use super::message::{Message, Receipt, Session};
use super::post::{Effect, Post, Refused, Turn};
use super::rows::{Cursor, Direction, Entry, Place, State};
use super::seal;
use super::wire::{Delivery, NotTaken, Parcel, Taken};
use crate::limits::{
    CLOCK_TOLERANCE, MAX_SESSIONS_EACH, MAX_UNTOLD_OF_STRANGERS, MESSAGE_LIFETIME,
};
use crate::proto::Millis;
use crate::proto::key::PublicKey;

/// A message that the application has not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Counts all that arrived here.
    pub arrival: u64,
    /// When it counts as written.
    pub time: Millis,
    /// What was written.
    pub message: Message,
}

impl Post {
    /// From now on somebody reads messages here, or not. Without a reader none are taken.
    pub fn set_reading(&mut self, reading: bool) {
        self.reading = reading;
    }

    /// Whether somebody does.
    pub fn is_reading(&self) -> bool {
        self.reading
    }

    /// The oldest message that was not taken, after this one.
    pub fn untold(&self, after: Option<u64>) -> Option<&Received> {
        let newer = |one: &&Received| after.is_none_or(|after| one.arrival > after);
        self.untold.iter().find(newer)
    }

    /// Whether something was left in a mailbox because too much was unread, and there is room again.
    pub fn has_room_again(&mut self) -> bool {
        let room = self.crowded && self.untold.len() < MAX_UNTOLD_OF_STRANGERS / 2;
        self.crowded &= !room;
        room
    }

    /// The application has taken all up to this one.
    pub fn told(&mut self, arrival: u64, turn: &mut Turn) {
        while self
            .untold
            .front()
            .is_some_and(|one| one.arrival <= arrival)
        {
            if let Some(one) = self.untold.pop_front() {
                turn.changes.push(Place::Untold(one.arrival).remove());
            }
        }
    }

    /// A peer brings something from a source, which strangers are counted for; what to answer once the changes
    /// are durable.
    pub fn delivered(
        &mut self,
        delivery: &Delivery,
        source: u64,
        now: Millis,
        turn: &mut Turn,
    ) -> Taken {
        let taken = match delivery {
            Delivery::Messages { settled, messages } => {
                self.take(*settled, messages, source, now, turn)
            }
            Delivery::Receipt { receipt } => match self.receipt(receipt, turn) {
                true => Ok(0),
                false => Err(NotTaken::Invalid),
            },
        };
        match taken {
            Ok(next) => Taken::Until { next },
            Err(why) => Taken::Refused { why },
        }
    }

    /// Something from a mailbox, which is its source. Whether it is done with, and may be forgotten there once
    /// the changes are durable.
    pub fn fetched(&mut self, sealed: &[u8], source: u64, now: Millis, turn: &mut Turn) -> bool {
        let Ok(plain) = seal::open(&self.me, sealed) else {
            return true;
        };
        match Parcel::decode(&plain) {
            Err(_) => true,
            Ok(Parcel::Receipt { receipt }) => {
                self.receipt(&receipt, turn);
                true
            }
            Ok(Parcel::Message { settled, message }) => {
                self.unpack(settled, message, source, now, turn)
            }
        }
    }

    fn unpack(
        &mut self,
        settled: u64,
        message: Vec<u8>,
        source: u64,
        now: Millis,
        turn: &mut Turn,
    ) -> bool {
        let messages = std::slice::from_ref(&message);
        let next = match self.take(settled, messages, source, now, turn) {
            Ok(next) => next,
            Err(NotTaken::Invalid | NotTaken::Blocked | NotTaken::NotMine) => return true,
            Err(why @ (NotTaken::NotReading | NotTaken::Full | NotTaken::Failed)) => {
                self.crowded |= why == NotTaken::Full;
                return false;
            }
        };
        match Message::stored(&message, &self.network) {
            // An earlier one is missing: it may lie in another mailbox.
            Ok(message) if message.number >= next => false,
            Ok(message) => {
                self.owe(message.author, message.session, next);
                true
            }
            Err(_) => true,
        }
    }

    fn take(
        &mut self,
        settled: u64,
        messages: &[Vec<u8>],
        source: u64,
        now: Millis,
        turn: &mut Turn,
    ) -> Result<u64, NotTaken> {
        if !self.reading {
            return Err(NotTaken::NotReading);
        }
        let mut opened = Vec::with_capacity(messages.len());
        for bytes in messages {
            let message = Message::open(bytes, &self.network).map_err(|_| NotTaken::Invalid)?;
            opened.push(message);
        }
        let first = opened.first().ok_or(NotTaken::Invalid)?;
        let (author, session) = (first.author, first.session);
        self.check(&opened, settled, now)?;
        let spare = self.spare_cursor(author, session, now)?;
        let known = self
            .cursors
            .get(&(author, session))
            .map(|cursor| cursor.next);
        let begun = known.unwrap_or(1).max(settled);
        let mut next = begun;
        for message in opened {
            if message.number > next {
                break;
            }
            if message.number < next {
                continue;
            }
            match self.store(message, source, now, turn) {
                Ok(()) => next += 1,
                Err(_) if next > begun => break,
                Err(_) => return Err(NotTaken::Full),
            }
        }
        if known != Some(next) {
            if let Some(spare) = spare {
                self.drop_session(author, spare, turn);
            }
            self.advance(author, session, next, now, turn);
        }
        Ok(next)
    }

    /// What must hold for all messages of a delivery.
    fn check(&self, messages: &[Message], settled: u64, now: Millis) -> Result<(), NotTaken> {
        let first = messages.first().ok_or(NotTaken::Invalid)?;
        if self.blocked.contains(&first.author) {
            return Err(NotTaken::Blocked);
        }
        let own = self.author();
        for message in messages {
            if message.to != own {
                return Err(NotTaken::NotMine);
            }
            let thread = (message.author, message.session) == (first.author, first.session);
            let old = message
                .time
                .saturating_add(MESSAGE_LIFETIME + CLOCK_TOLERANCE)
                <= now;
            if !thread || old || message.author == own || message.number < settled {
                return Err(NotTaken::Invalid);
            }
        }
        Ok(())
    }

    fn store(
        &mut self,
        message: Message,
        source: u64,
        now: Millis,
        turn: &mut Turn,
    ) -> Result<(), Refused> {
        if !self.may_wait_unread(&message.author) {
            return Err(Refused::Full);
        }
        self.admit(message.author, source, now, turn);
        self.arrivals += 1;
        let entry = Entry {
            direction: Direction::In,
            state: State::Delivered,
            time: self.clock.hear(message.time, now),
            message: message.bytes().to_vec(),
        };
        turn.changes.push(Place::Untold(self.arrivals).put(&entry));
        self.remember(message.author, &entry, turn)?;
        self.untold.push_back(Received {
            arrival: self.arrivals,
            time: entry.time,
            message,
        });
        turn.effects.push(Effect::Arrived);
        Ok(())
    }

    /// Which session of an author gives way to a new one, if one has to: none of whose messages can come again.
    fn spare_cursor(
        &self,
        author: PublicKey,
        session: Session,
        now: Millis,
    ) -> Result<Option<Session>, NotTaken> {
        if self.cursors.contains_key(&(author, session)) {
            return Ok(None);
        }
        let of_author = self.cursors.iter().filter(|((of, _), _)| *of == author);
        let (mut count, mut oldest) = (0, None);
        for ((_, session), cursor) in of_author {
            count += 1;
            let one = (cursor.used, *session);
            oldest = Some(oldest.map_or(one, |known: (Millis, Session)| known.min(one)));
        }
        match oldest {
            _ if count < MAX_SESSIONS_EACH => Ok(None),
            Some((used, session)) if used + MESSAGE_LIFETIME + CLOCK_TOLERANCE <= now => {
                Ok(Some(session))
            }
            _ => Err(NotTaken::Full),
        }
    }

    fn advance(
        &mut self,
        author: PublicKey,
        session: Session,
        next: u64,
        now: Millis,
        turn: &mut Turn,
    ) {
        let place = Place::Cursor(author, session);
        let cursor = Cursor { next, used: now };
        self.cursors.insert((author, session), cursor);
        turn.changes.push(place.put(&cursor));
    }

    /// Somebody says what it has stored of our messages; whether that is authentic.
    fn receipt(&mut self, bytes: &[u8], turn: &mut Turn) -> bool {
        let own = self.author();
        match Receipt::open(bytes, &self.network) {
            Ok(receipt) if receipt.to == own => {
                self.settle(&receipt.author, &receipt.session, receipt.next, turn);
                self.wake(&receipt.author);
                true
            }
            _ => false,
        }
    }
}
