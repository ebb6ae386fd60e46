//! Keys: who signs ([`SigningKey`], [`PublicKey`]), which network ([`NetworkId`]), and where in the
//! key space something lives ([`Key`]).
//!
//! Knows encodings and hashes. Does not know what is stored under a key, nor how to reach it.

mod ed25519;
mod location;
#[cfg(test)]
mod memo;
mod network;

pub use ed25519::{PublicKey, SigningKey};
pub use location::{Key, Space};
pub use network::NetworkId;
