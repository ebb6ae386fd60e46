//! native node
pub mod config;
pub mod transport;
