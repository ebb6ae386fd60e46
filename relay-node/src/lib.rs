//! native node
pub mod transport;
