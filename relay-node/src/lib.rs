//! native node
pub mod config;
pub mod http;
pub mod identity;
pub mod store;
pub mod tls;
pub mod transport;
