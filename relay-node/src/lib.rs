//! native node
pub mod config;
pub mod identity;
pub mod transport;
