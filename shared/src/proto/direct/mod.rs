//! Direct messages, pure: what is signed, how it is sealed, who sends what when, who has got what,
//! and what a mailbox keeps.
//!
//! Knows no connection and no disk. [`Post`] is driven in *turns*: whoever drives it makes the changes
//! of a turn durable, and only then carries out its effects. When the changes cannot be made, it
//! forgets the machine and restores one from what is stored. `sim` drives it that way, and crashes it
//! in between.

pub mod contact;
mod friends;
mod hybrid;
mod inbox;
pub mod mailbox;
mod message;
mod outbox;
mod post;
mod rows;
mod seal;
#[cfg(any(test, feature = "selftest"))]
pub mod sim;
pub mod wire;

pub use contact::{Contact, Device};
pub use inbox::Received;
pub use message::{Head, Id, Message, Receipt, Session};
pub use outbox::{Batch, Carried, Errand};
pub use post::{Effect, Post, Refused, Turn};
pub use rows::{Change, Direction, Entry, State, history_of};
pub use seal::{open, seal};

#[cfg(test)]
mod tests;
