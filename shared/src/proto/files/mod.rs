//! Files, pure: content ids and directories, ranges that prove themselves, messages, the download as a
//! machine, what is kept on disk, and search; and a simulator of many peers that come, go and lie.
//!
//! Knows no clock, randomness, socket or disk: times and seeds are arguments, and what is to be read,
//! sent, asked and written comes out as values. The formats are in `spec/files.md`.

pub mod cid;
pub mod directory;
pub mod download;
pub mod keeping;
pub mod kept;
pub mod path;
pub mod pieces;
pub mod readers;
pub mod search;
pub mod tree;
pub mod wire;

pub use cid::{Cid, Kind};

#[cfg(test)]
mod vectors;
#[cfg(test)]
mod whole;
