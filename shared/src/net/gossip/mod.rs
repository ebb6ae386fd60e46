//! Topics that many peers hear: relays route them with full gossipsub, all other peers are leaves that
//! speak its wire protocol with their relays.
//!
//! Knows nothing about what is in a packet but whether it may be passed on.

pub(super) mod leaf;
mod lines;
#[cfg(feature = "server")]
mod pace;
#[cfg(feature = "server")]
pub(super) mod paced;
#[cfg(feature = "server")]
pub(super) mod router;
mod wire;

pub use leaf::{Heard, Leaf};
