//! Direct messages on the network: the task that sends, receives and remembers them, and the mailboxes of
//! relays.
//!
//! The rules are in `proto::direct`; here they get a disk, connections, time and randomness.

mod agent;
mod carrier;
mod fetching;
#[cfg(feature = "server")]
mod mailbox;
mod shelf;
mod task;

pub(super) use agent::{Brought, Surroundings, inbox};
pub use agent::{Direct, Recipient, Sent, Told};
#[cfg(feature = "server")]
pub use mailbox::{MailboxService, MailboxStore, MemoryMailbox};
#[cfg(feature = "server")]
pub use shelf::conforms;
pub use shelf::{MemoryShelf, Row, SharedShelf, Shelf};
