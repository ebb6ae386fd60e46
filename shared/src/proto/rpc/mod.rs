//! JSON-RPC 2.0: what a message means, and which error says what is wrong with one.
//!
//! Knows texts only. How they travel is in `net/rpc`; both are written down in `spec/rpc.md`.

mod allow;
mod fault;
mod request;
mod response;

#[cfg(test)]
mod tests;

pub use allow::{Allow, Verdict};
pub use fault::Fault;
pub use request::{Incoming, Request, batch_text, check_method, check_params};
pub use response::{Batch, Part, Response, read_batch, read_part};

/// Every peer answers this, with `"pong"`.
pub const PING: &str = "warren.ping";
/// Every peer answers this, with what it can do, coarsely.
pub const CAPABILITIES: &str = "warren.capabilities";
