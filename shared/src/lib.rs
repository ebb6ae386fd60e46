//! protocol crate
