//! The peer on the network: one composed behaviour, one function that builds a swarm, one loop that
//! drives it, and the overlay above.
//!
//! `proto` never imports this, and this never imports a platform: transports come in ready-made.

pub mod address;
pub mod admission;
mod answers;
#[cfg(feature = "apps")]
pub mod apps;
mod behaviour;
#[cfg(feature = "apps")]
pub mod borrowed;
mod budget;
#[cfg(feature = "apps")]
pub mod chat;
mod circuits;
mod client;
mod closing;
mod codec;
#[cfg(feature = "apps")]
pub mod direct;
pub mod discover;
mod driver;
#[cfg(feature = "files")]
pub mod files;
mod finding;
#[cfg(feature = "apps")]
mod gossip;
mod guard;
mod handle;
mod heartbeat;
mod hiding;
mod keeper;
pub mod lending;
mod messages;
mod muxing;
pub mod names;
pub mod node;
mod noise;
pub mod outside;
pub mod overlay;
mod patient;
pub mod perf;
mod ping;
pub mod protocols;
mod publisher;
#[cfg(feature = "apps")]
pub mod reach;
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
pub use client::{Reach, RecordClient, StoreReport};
pub use finding::connected;
pub use handle::{Event, Handle, HostHint, Route};
pub use keeper::Dialable;
pub use libp2p::PeerId;
pub use node::{Node, NodeConfig};
