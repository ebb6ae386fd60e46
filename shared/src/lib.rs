//! The Warren protocol crate: compiled to the native node and to the browser peer.
//!
//! Data goes one way: a JavaScript call or a command → [`api`] or a command line → the driver in
//! [`net`] → a pure state machine in [`proto`] → outputs → driver → swarm.

pub mod api;
pub mod error;
pub mod limits;
pub mod net;
pub mod platform;
pub mod proto;
mod sorted;
pub mod store;
pub mod webrtc;

#[cfg(any(test, feature = "selftest"))]
pub mod selftest;
