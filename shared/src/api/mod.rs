//! The boundary between an application and the engine of its peer: plain messages, so that the two
//! may live in different threads, tabs or processes.

#[cfg(feature = "apps")]
mod apps;
mod messages;
mod params;
mod session;

#[cfg(feature = "apps")]
pub use apps::{AppCall, AppParams, AppSession, Lodging};
pub use messages::{Call, DhtEntry, Outgoing, Reply, StartParams, WireValue};
pub use params::Params;
pub use session::{Session, Surroundings};
