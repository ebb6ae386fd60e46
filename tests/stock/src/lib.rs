//! The stock WebRTC transports as a rival of the benchmarks: a node that answers, and a page that dials and measures.
//!
//! Nothing of the product is in here, so that both sides of a comparison stay apart.

pub mod chunked;
pub mod peer;
pub mod perf;

#[cfg(target_arch = "wasm32")]
mod page;
