//! protocol crate

pub mod error;
pub mod limits;
pub mod proto;
pub mod store;

#[cfg(any(test, feature = "selftest"))]
pub mod selftest;
