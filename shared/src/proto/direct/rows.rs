//! What of messages is kept on disk, as rows of text keys and bytes.
//!
//! | key | row |
//! |---|---|
//! | `c` | the clock, and how many messages have arrived |
//! | `p/<author>` | a correspondent: where it is, which of its history is kept |
//! | `i/<author>/<session>` | the number that is expected next |
//! | `o/<author>/<place>` | a message on its way |
//! | `u/<arrival>` | a message that the application has not taken |
//! | `h/<author>/<place>` | history |
//! | `b/<author>` | somebody who is blocked |

use std::fmt::Write;

use minicbor::{Decode, Encode};

use super::contact::Contact;
use super::message::Session;
use crate::proto::key::PublicKey;
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// A row to be written, or removed when there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// The row.
    pub value: Option<Vec<u8>>,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Direction {
    /// To us.
    #[n(0)]
    In,
    /// From us.
    #[n(1)]
    Out,
}

/// What has become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum State {
    /// Stored here, on its way.
    #[n(0)]
    Sending,
    /// It waits in a mailbox as well.
    #[n(1)]
    Waiting,
    /// The recipient has stored it.
    #[n(2)]
    Delivered,
    /// The recipient does not take it.
    #[n(3)]
    Refused,
    /// Nobody took it in its time.
    #[n(4)]
    Expired,
}

impl State {
    /// All of them.
    pub const ALL: [State; 5] = [
        State::Sending,
        State::Waiting,
        State::Delivered,
        State::Refused,
        State::Expired,
    ];

    /// A short word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Sending => "sending",
            State::Waiting => "waiting",
            State::Delivered => "delivered",
            State::Refused => "refused",
            State::Expired => "expired",
        }
    }

    /// Whether nothing more becomes of it.
    pub fn is_final(self) -> bool {
        !matches!(self, State::Sending | State::Waiting)
    }
}

/// A message in the history, or on its way.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Entry {
    /// Which way.
    #[n(0)]
    pub direction: Direction,
    /// What has become of it.
    #[n(1)]
    pub state: State,
    /// When it counts as written: no later than two minutes after it came.
    #[n(2)]
    pub time: Millis,
    /// The signed message.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub message: Vec<u8>,
}

/// The row `c`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Counters {
    #[n(0)]
    pub last: Millis,
    #[n(1)]
    pub arrivals: u64,
}

/// A row `p`: places `first..next` of the history are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Correspondent {
    #[n(0)]
    pub first: u64,
    #[n(1)]
    pub next: u64,
    #[n(2)]
    pub contact: Contact,
    /// When something last came or went.
    #[n(3)]
    pub used: Millis,
    /// When this author last wrote to it. Nothing for a stranger, and in rows of older versions.
    #[n(4)]
    pub written: Option<Millis>,
    /// What a stranger's last message came from: an address prefix, a peer or a mailbox, shortened.
    #[n(5)]
    pub source: Option<u64>,
}

/// A row `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Cursor {
    #[n(0)]
    pub next: u64,
    #[n(1)]
    pub used: Millis,
}

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Counters,
    Correspondent(PublicKey),
    Cursor(PublicKey, Session),
    Pending(PublicKey, u64),
    Untold(u64),
    History(PublicKey, u64),
    Blocked(PublicKey),
}

impl Place {
    pub fn key(&self) -> String {
        match self {
            Place::Counters => "c".to_owned(),
            Place::Correspondent(author) => [&beginning('p', author)[..66]].concat(),
            Place::Cursor(author, session) => hex(beginning('i', author), session),
            Place::Pending(author, place) => hex(beginning('o', author), &place.to_be_bytes()),
            Place::Untold(arrival) => hex("u/".to_owned(), &arrival.to_be_bytes()),
            Place::History(author, place) => hex(beginning('h', author), &place.to_be_bytes()),
            Place::Blocked(author) => [&beginning('b', author)[..66]].concat(),
        }
    }

    pub fn of(key: &str) -> Option<Place> {
        if key == "c" {
            return Some(Place::Counters);
        }
        let mut parts = key.split('/');
        let kind = parts.next()?;
        let first = parts.next()?;
        if kind == "u" {
            return Some(Place::Untold(number(first)?));
        }
        let author: PublicKey = first.parse().ok()?;
        let rest = parts.next();
        Some(match kind {
            "p" => Place::Correspondent(author),
            "b" => Place::Blocked(author),
            "o" => Place::Pending(author, number(rest?)?),
            "h" => Place::History(author, number(rest?)?),
            "i" => Place::Cursor(author, u128::from_str_radix(rest?, 16).ok()?.to_be_bytes()),
            _ => return None,
        })
    }

    pub fn put(&self, row: &impl Encode<()>) -> Change {
        Change {
            key: self.key(),
            value: Some(cbor::encode(row)),
        }
    }

    pub fn remove(&self) -> Change {
        Change {
            key: self.key(),
            value: None,
        }
    }
}

impl Entry {
    /// Reads a row.
    pub fn decode(bytes: &[u8]) -> Result<Entry, Refusal> {
        Ok(cbor::decode(bytes)?)
    }
}

/// Keys of the history with an author begin with this.
pub fn history_of(author: &PublicKey) -> String {
    beginning('h', author)
}

fn beginning(kind: char, author: &PublicKey) -> String {
    let mut text = String::with_capacity(100);
    text.push(kind);
    text.push('/');
    let mut text = hex(text, author.as_bytes());
    text.push('/');
    text
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

fn hex(mut text: String, bytes: &[u8]) -> String {
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key::SigningKey;

    #[test]
    fn keys_are_read_back_and_lie_in_order() {
        let author = SigningKey::from_seed([1; 32]).public();
        let places = [
            Place::Counters,
            Place::Correspondent(author),
            Place::Cursor(author, [0xab; 16]),
            Place::Pending(author, 7),
            Place::Untold(255),
            Place::History(author, u64::MAX),
            Place::Blocked(author),
        ];
        for place in places {
            assert_eq!(Place::of(&place.key()), Some(place));
        }
        assert!(Place::Untold(255).key() < Place::Untold(256).key());
        assert!(
            Place::History(author, 9)
                .key()
                .starts_with(&history_of(&author))
        );
        for key in ["", "x", "p/", "u/zz", "o/00/1", "h"] {
            assert_eq!(Place::of(key), None, "{key}");
        }
    }
}
