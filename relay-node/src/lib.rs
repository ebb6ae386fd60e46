//! native node
pub mod config;
pub mod http;
pub mod identity;
pub mod tls;
pub mod transport;
