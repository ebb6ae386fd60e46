//! Transports of the native node that libp2p does not bring along.

pub mod ws;
