//! What is kept on disk beside files: which pieces of a download are there, and what is shared; and whole files where
//! there is no other place for them.
//!
//! Knows bytes and checksums. A disk that forgets, tears or damages what was written is noticed, and what is read
//! then is right or nothing. Writing durably is the store's.

mod index;
mod map;
mod pack;
mod slot;

use std::fmt;

pub use self::index::{Index, Place, Row, Shared};
pub use self::map::{BLOCK, KeptMap, block_offset};
pub use self::pack::{PackRow, packed, rows};
pub use self::slot::{Disk, Found, MAX_NOTE, Part, Slot, Taking};
use crate::error::{Code, Error};

/// What is wrong with bytes from a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// Something else than what it should be.
    NotOurs,
    /// Written by a later version.
    UnknownVersion,
    /// It ends too soon: after so many bytes that are right.
    Truncated(u64),
    /// It is wrong from here on.
    Damaged(u64),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::NotOurs => f.write_str("this is no file of Warren's"),
            Damage::UnknownVersion => f.write_str("it was written by a later version"),
            Damage::Truncated(at) => write!(f, "it ends too soon, after {at} bytes"),
            Damage::Damaged(at) => write!(f, "it is damaged from byte {at} on"),
        }
    }
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Error {
        let error = Error::new(Code::StorageFailed, damage.to_string());
        match damage {
            Damage::UnknownVersion => error.with_remedy("Use that version again, or a later one."),
            Damage::NotOurs => error.with_remedy("Move it away: another program has written it."),
            Damage::Truncated(_) | Damage::Damaged(_) => error.with_remedy(
                "What is missing is made again from the files themselves; check the disk if this comes again.",
            ),
        }
    }
}

/// 32 bytes that only these parts have, in this order.
fn checksum(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        let length = (part.len() as u64).to_be_bytes();
        hasher.update(&length).update(part);
    }
    *hasher.finalize().as_bytes()
}
