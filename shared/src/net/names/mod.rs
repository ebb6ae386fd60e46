//! Names on the network: witnesses that answer, and the agent that resolves and claims.
//!
//! The rules are in `proto::names`; here they get a store, connections, time and randomness.

mod agent;
#[cfg(feature = "server")]
mod answer;
mod asking;
#[cfg(feature = "server")]
mod ledger;
mod owner;
#[cfg(feature = "server")]
mod rates;
#[cfg(feature = "server")]
mod registry;
#[cfg(feature = "server")]
mod service;
#[cfg(feature = "server")]
mod shares;
mod solver;

pub use agent::{Agent, Progressed, Solver, Surroundings};
#[cfg(feature = "server")]
pub use ledger::{Kept, MemoryLedger, NameLedger, Work};
pub use owner::{Held, Mine, Names};
#[cfg(feature = "server")]
pub use rates::Rates;
#[cfg(feature = "server")]
pub use registry::{Imported, Registry};
#[cfg(feature = "server")]
pub use service::NameService;
pub use solver::cooperative;
