//! Streams between peers: one behaviour that opens them, counts them, and lets nothing get lost.
//!
//! There are two ways to use a stream. *Requests* are one frame each way ([`ask`], [`Asked`]); *plain
//! streams* belong to whoever opened or accepted them ([`Registry::accept`]). Both are opened by
//! [`Behaviour::open`], and both are bounded in the same way: a [`Protocol`] says how many streams the
//! remote of one connection may have open here. What goes beyond is refused at once, visibly for the
//! remote, because its stream is reset. We open half as many at a remote, because it may not know yet
//! that those before them have ended; whatever else is to be opened waits in line, for a bounded time
//! in a bounded queue, and is told why when it fails. When a connection closes before a stream was
//! open, it is opened over another one: streams of *hasty* protocols are open at once, and whoever asks
//! on them asks again when the connection closes.
//!
//! # A new protocol
//!
//! One of plain streams, such as a chat or files: make a [`Protocol`] with a limit from
//! [`crate::limits`], give it to [`Registry::accept`] where it is served and serve what comes out of
//! the queue, and open streams with `Handle::open`. `perf` does just that.
//!
//! One of requests: add a [`Service`], say in `Answers` what is answered, and add a method to `Handle`
//! that asks.
//!
//! A limit counts against the 512 streams that yamux allows one connection: whoever goes beyond those
//! loses the connection. `limits` checks the sum.

mod behaviour;
mod failure;
mod handler;
mod opening;
mod registry;
mod requests;
mod slots;
mod stream;

#[cfg(all(test, not(target_family = "wasm")))]
mod tests;

use libp2p::StreamProtocol;
use libp2p::swarm::ConnectionId;

pub use self::behaviour::Behaviour;
pub use self::failure::Failure;
pub use self::opening::Opening;
pub use self::registry::{Incoming, Registry};
pub use self::requests::{Asked, ask};
#[cfg(feature = "apps")]
pub use self::stream::Duplex;
pub use self::stream::Stream;
pub use super::protocols::Service;

/// What both ends know of a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// As it is negotiated.
    pub name: StreamProtocol,
    /// How many of its streams the remote of one connection may have open here.
    pub streams: usize,
    /// Whether the first message goes out before the remote has confirmed that it speaks the protocol.
    /// That saves a round trip. But what the message asks for must bear repetition: a connection that
    /// closes meanwhile leaves open whether it arrived.
    pub hasty: bool,
}

impl Protocol {
    /// How many streams we open there at a time. A remote learns a moment later than we do that one has ended,
    /// and may count all that we had beside all that we open next.
    fn own_share(&self) -> usize {
        (self.streams / 2).max(1)
    }
}

/// A stream of ours, negotiated.
#[derive(Debug)]
pub struct Opened {
    /// Nothing was sent on it yet.
    pub stream: Stream,
    /// What carries it.
    pub connection: ConnectionId,
}
