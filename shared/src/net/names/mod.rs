//! Names on the network: witnesses that answer, and the agent that resolves and claims.
//!
//! The rules are in `proto::names`; here they get a store, connections, time and randomness.

mod agent;
mod answer;
mod asking;
mod frames;
mod ledger;
mod owner;
mod rates;
mod registry;
mod service;
mod solver;

pub use agent::{Agent, Progressed, Solver, Surroundings};
pub use ledger::{Kept, MemoryLedger, NameLedger, Work};
pub use owner::{Held, Names};
pub use rates::Rates;
pub use registry::Registry;
pub use service::NameService;
pub use solver::cooperative;
