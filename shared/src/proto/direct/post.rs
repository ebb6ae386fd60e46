//! The machine of one author's messages: what it sends, what it has got, and what it remembers.
//!
//! Driven in turns, see the module above. The sending half is in `outbox`, the receiving half in `inbox`, who is
//! remembered in `friends`.

use std::collections::VecDeque;

use super::contact::Contact;
use super::friends::Friend;
use super::hybrid::Hybrid;
use super::inbox::Received;
use super::message::{Id, Message, Session};
use super::rows::{Change, Correspondent, Counters, Cursor, Direction, Entry, Place, State};
use crate::limits::MAX_BLOCKED;
use crate::proto::cbor;
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::prng::Prng;
use crate::proto::record::Refusal;
use crate::sorted::SortedMap;

/// Why a message cannot be sent, or somebody not be blocked.
pub use crate::proto::record::Refusal as Refused;

/// What is to be made durable, and what is to be done after that.
#[derive(Debug, Default)]
pub struct Turn {
    /// All or none of them.
    pub changes: Vec<Change>,
    /// In their order.
    pub effects: Vec<Effect>,
}

impl Turn {
    /// What has finally become of a message in this turn: it is on its way no more, and that is not durable yet.
    pub fn concluded(&self, id: &Id) -> Option<State> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::State { id: one, state } if one == id && state.is_final() => Some(*state),
            _ => None,
        })
    }
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A message of ours has come further.
    State {
        /// Which.
        id: Id,
        /// How far.
        state: State,
    },
    /// There is a message that the application has not taken.
    Arrived,
}

/// See the module.
#[derive(Debug)]
pub struct Post {
    pub(super) me: SigningKey,
    pub(super) network: NetworkId,
    pub(super) prng: Prng,
    pub(super) clock: Hybrid,
    pub(super) arrivals: u64,
    pub(super) friends: SortedMap<PublicKey, Friend>,
    pub(super) cursors: SortedMap<(PublicKey, Session), Cursor>,
    pub(super) untold: VecDeque<Received>,
    pub(super) blocked: Vec<PublicKey>,
    /// Whether somebody reads messages here.
    pub(super) reading: bool,
    /// Something stayed in a mailbox because too much was unread.
    pub(super) crowded: bool,
    /// Messages of all histories.
    pub(super) kept: u64,
}

impl Post {
    /// A machine that remembers nothing. The seed is for jitter.
    pub fn new(me: SigningKey, network: NetworkId, seed: u64) -> Post {
        Post {
            me,
            network,
            prng: Prng::new(seed),
            clock: Hybrid::default(),
            arrivals: 0,
            friends: SortedMap::default(),
            cursors: SortedMap::default(),
            untold: VecDeque::new(),
            blocked: Vec::new(),
            reading: false,
            crowded: false,
            kept: 0,
        }
    }

    /// Which rows are needed to restore a machine: keys with these beginnings.
    pub const NEEDED: [&str; 6] = ["c", "p/", "b/", "i/", "o/", "u/"];

    /// Takes in a row that was stored, in the order of [`Self::NEEDED`] and of the keys. One that cannot be
    /// read is an error: what is forgotten would be delivered twice, or never.
    pub fn restore(&mut self, key: &str, row: &[u8]) -> Result<(), Refusal> {
        match Place::of(key).ok_or(Refusal::Malformed)? {
            Place::Counters => {
                let counters: Counters = cbor::decode(row)?;
                self.clock.last = counters.last;
                self.arrivals = counters.arrivals;
            }
            Place::Correspondent(author) => {
                let row: Correspondent = cbor::decode(row)?;
                self.kept += row.next.saturating_sub(row.first);
                self.friends.or_default(author).row = row;
            }
            Place::Blocked(author) => self.blocked.push(author),
            Place::Cursor(author, session) => {
                let cursor = cbor::decode(row)?;
                self.cursors.insert((author, session), cursor);
            }
            Place::Pending(author, place) => {
                let message = Message::stored(&Entry::decode(row)?.message, &self.network)?;
                let friend = self.friends.or_default(author);
                // Older versions did not say to whom something was written.
                friend.row.written.get_or_insert(message.time);
                friend.sending.push(place, message);
            }
            Place::Untold(arrival) => {
                let entry = Entry::decode(row)?;
                let message = Message::stored(&entry.message, &self.network)?;
                self.untold.push_back(Received {
                    arrival,
                    time: entry.time,
                    message,
                });
            }
            Place::History(..) => {}
        }
        Ok(())
    }

    /// Whose messages these are.
    pub fn author(&self) -> PublicKey {
        self.me.public()
    }

    /// What is known of where an author is.
    pub fn contact(&self, author: &PublicKey) -> Contact {
        let known = self.friends.get(author);
        known.map_or_else(Contact::default, |friend| friend.row.contact.clone())
    }

    /// Takes nothing more from an author, and forgets what was not read yet of it.
    pub fn block(&mut self, author: PublicKey, turn: &mut Turn) -> Result<(), Refused> {
        if self.blocked.contains(&author) {
            return Ok(());
        }
        if self.blocked.len() >= MAX_BLOCKED {
            return Err(Refused::Full);
        }
        self.blocked.push(author);
        turn.changes.push(Place::Blocked(author).put(&0u8));
        for received in &self.untold {
            if received.message.author == author {
                turn.changes.push(Place::Untold(received.arrival).remove());
            }
        }
        self.untold.retain(|one| one.message.author != author);
        Ok(())
    }

    /// Listens to an author again.
    pub fn unblock(&mut self, author: &PublicKey, turn: &mut Turn) {
        self.blocked.retain(|one| one != author);
        turn.changes.push(Place::Blocked(*author).remove());
    }

    /// Who is blocked.
    pub fn blocked(&self) -> &[PublicKey] {
        &self.blocked
    }

    /// Writes down what became of a message of ours, if it is still in the history.
    pub(super) fn conclude(
        &mut self,
        to: &PublicKey,
        place: u64,
        message: &Message,
        state: State,
        turn: &mut Turn,
    ) {
        turn.changes.push(Place::Pending(*to, place).remove());
        let entry = outgoing(message, state);
        if self
            .friends
            .get(to)
            .is_some_and(|one| one.row.first <= place)
        {
            turn.changes.push(Place::History(*to, place).put(&entry));
        }
        let id = message.id();
        turn.effects.push(Effect::State { id, state });
    }
}

pub(super) fn outgoing(message: &Message, state: State) -> Entry {
    Entry {
        direction: Direction::Out,
        state,
        time: message.time,
        message: message.bytes().to_vec(),
    }
}
