//! protocol crate

pub mod error;
pub mod limits;
pub mod proto;
pub mod store;
