//! Chat rooms, pure: topics and keys, messages that prove themselves, the log of a room with its gaps,
//! the room as a machine, and a simulator that loses what can be lost.
//!
//! Knows no clock, randomness, socket or disk: times and seeds are arguments, and what is to be sent,
//! asked, kept and told comes out as values. The wire format is in `spec/chat.md`.

pub mod history;
pub mod keys;
pub mod log;
mod members;
pub mod message;
mod numbers;
#[cfg(feature = "server")]
pub mod offences;
pub mod packet;
#[cfg(feature = "passphrases")]
pub mod passphrase;
pub mod rates;
pub mod room;
mod seal;
mod stamp;
mod sync;
pub mod view;

#[cfg(test)]
mod sim;

pub use keys::{RoomKeys, RoomRef, Topic};
pub use log::Holds;
pub use message::{Content, FileCard, MessageId};
pub use packet::{PacketId, packet_id};
pub use room::{Output, Room, RoomConfig};
pub use stamp::Stamp;
pub use view::{Entry, MemberView, RoomEvent};
