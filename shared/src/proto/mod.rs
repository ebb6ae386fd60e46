//! Pure protocol logic: bytes and events in, values and outputs out.
//!
//! Nothing here knows a clock, randomness, a socket or libp2p: time and seeds are arguments, so a
//! whole network fits into a unit test and replays from a seed.

pub mod cbor;
pub mod chat;
pub mod clock;
pub mod date;
pub mod direct;
pub mod envelope;
#[cfg(feature = "files")]
pub mod files;
pub mod gather;
pub mod homes;
pub mod join;
pub mod key;
pub mod names;
pub mod prng;
pub mod record;
pub mod reputation;
pub mod rpc;
pub mod select;

pub use key::NetworkId;

/// Wall-clock time in milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = u64;
