//! The peer on the network: one composed behaviour, one function that builds a swarm, one loop that
//! drives it, and the overlay above.
//!
//! `proto` never imports this, and this never imports a platform: transports come in ready-made.

pub mod address;
pub mod admission;
mod answers;
mod behaviour;
mod budget;
mod client;
mod closing;
mod codec;
pub mod discover;
mod driver;
mod guard;
mod handle;
mod heartbeat;
mod keeper;
mod messages;
pub mod names;
pub mod node;
mod noise;
pub mod outside;
pub mod overlay;
pub mod perf;
mod ping;
pub mod protocols;
mod publisher;
#[cfg(feature = "apps")]
pub mod rpc;
pub mod snapshot;
#[cfg(feature = "apps")]
pub mod standings;
#[cfg(not(feature = "apps"))]
#[path = "standings/none.rs"]
pub mod standings;
pub mod streams;
mod subscribers;
pub mod swarm;
mod table;
mod texts;
pub mod turns;
pub mod webrtc;

pub use answers::SharedStore;
pub use behaviour::Role;
pub use client::{RecordClient, StoreReport};
pub use handle::{Event, Handle, HostHint, Route};
pub use keeper::Dialable;
pub use node::{Node, NodeConfig};
