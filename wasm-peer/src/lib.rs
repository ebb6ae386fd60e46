//! The browser peer: wasm-bindgen bindings, web transports, and the port to the JavaScript API.
//!
//! Everything a peer decides is in `warren-shared`; this crate only connects it to a browser.
#![cfg(target_arch = "wasm32")]

mod host;
mod log;
mod port;
mod shelf;
mod transport;

#[cfg(feature = "selftest")]
mod selftest;

pub use port::serve;
