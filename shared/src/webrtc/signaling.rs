//! `/webrtc-signaling/0.0.1`: how two peers that nobody can dial come to a direct connection.
//!
//! Both have a stream to each other, through a relay that both are connected to. Over it go two session
//! descriptions and any number of ICE candidates; then their WebRTC stacks find a way. The relayed
//! connection has proven who is at the other end, and the descriptions hold the hashes of the certificates, so
//! nothing else has to be proven.
//!
//! [`Attempt`] is one try of one end, [`Meeting`] decides which of several tries with one peer stays, [`wire`]
//! and [`candidate`] are what is said. [`description`] is for stacks that write no session
//! descriptions themselves. Nothing here knows a stream, a clock or a WebRTC stack: whoever drives it has them. See `shared/spec/webrtc-signaling.md`.

mod attempt;
pub mod candidate;
pub mod description;
mod failure;
mod meeting;
pub mod wire;

pub use attempt::{Attempt, End, Output};
pub use failure::Failure;
pub use meeting::{Meeting, Verdict, dials_first};

/// The name of the protocol, the same in every network: other implementations speak it, too.
pub const PROTOCOL: &str = "/webrtc-signaling/0.0.1";

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
