//! The peer on the network: one composed behaviour, one function that builds a swarm, one loop that
//! drives it, and the overlay above.
//!
//! `proto` never imports this, and this never imports a platform: transports come in ready-made.

pub mod address;
pub mod admission;
mod answers;
mod behaviour;
mod budget;
pub mod chat;
mod client;
mod codec;
pub mod discover;
mod driver;
mod gossip;
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
pub mod protocols;
mod publisher;
pub mod rpc;
pub mod snapshot;
pub mod streams;
mod subscribers;
pub mod swarm;
mod table;
pub mod turns;
pub mod webrtc;

pub use answers::{Method, SharedStore};
pub use behaviour::Role;
pub use client::{RecordClient, StoreReport};
pub use handle::{Event, Handle, HostHint, Route};
pub use keeper::Dialable;
pub use node::{Node, NodeConfig};
