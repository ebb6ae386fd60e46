//! The native Warren node as a library: the relay, its command-line peers, and what they stand on.
//! The binary `warren` is a thin `main` around [`cli`], and tests run the same parts in-process.

pub mod cli;
pub mod config;
pub mod control;
pub mod dns;
pub mod fetch;
pub mod files;
pub mod history;
pub mod http;
pub mod identity;
pub mod keepsakes;
pub mod kept;
pub mod memory;
mod met;
pub mod peer;
pub mod relay;
mod resources;
pub mod solver;
pub mod store;
pub mod tls;
pub mod transport;
