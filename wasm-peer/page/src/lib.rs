//! What a page and a WebAssembly module of the peer say to each other: calls over a message port, what the page
//! lends, and errors on the console. The engine uses it, and the module of apps beside it.
#![cfg(target_arch = "wasm32")]

pub mod host;
pub mod log;
pub mod port;
