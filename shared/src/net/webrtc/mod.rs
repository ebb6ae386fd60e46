//! WebRTC connections for libp2p, whoever makes the data channels.
//!
//! A platform brings a [`Session`] (a peer connection) that opens and yields [`Channel`]s. What
//! happens on them is the same natively and in a browser: [`Substream`] frames, bounds and ends the
//! streams, [`authenticate`] proves who is at the other end, and [`Muxer`] gives both to libp2p.

#[cfg(feature = "apps")]
pub mod agent;
#[cfg(feature = "apps")]
mod call;
mod handshake;
mod muxer;
mod substream;
mod target;
#[cfg(feature = "apps")]
mod turn;

#[cfg(feature = "apps")]
pub use call::{News, Stack};
pub use handshake::{Side, authenticate};
pub use muxer::{Muxer, Session};
pub use substream::{Channel, Received, Substream};
pub use target::Target;
