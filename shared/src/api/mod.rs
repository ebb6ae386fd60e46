//! The boundary between an application and the engine of its peer: plain messages, so that the two
//! may live in different threads, tabs or processes.

mod messages;
mod params;
mod session;

pub use messages::{Call, DhtEntry, Outgoing, Reply, StartParams, WireValue};
#[cfg(feature = "apps")]
pub use messages::{RpcAction, RpcCall};
pub use params::Params;
pub use session::{Session, Surroundings};
