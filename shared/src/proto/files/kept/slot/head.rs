//! What stands before the hashes of a kept file: that it is kept, what it is, and what is said of it.

use super::super::checksum;
use crate::proto::files::cid::{CID_BYTES, Cid};
use crate::proto::files::tree::Tree;

/// Bytes of it.
pub(super) const HEAD: usize = 4_096;
const CHECK: usize = 32;
const BODY: usize = HEAD - CHECK;
const MAGIC: [u8; 8] = *b"WarrenS\x01";
const SIZE: usize = MAGIC.len() + CID_BYTES;
const LENGTH: usize = SIZE + 8;
const NOTE: usize = LENGTH + 2;
/// The longest that can be said of a file.
pub const MAX_NOTE: usize = BODY - NOTE;
const CONTEXT: &str = "warren 2026 kept file v1";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub cid: Cid,
    pub tree: Tree,
    /// At most [`MAX_NOTE`] bytes.
    pub note: Vec<u8>,
}

/// A later version has written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Later;

impl Head {
    pub fn encode(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let note = &self.note[..self.note.len().min(MAX_NOTE)];
        bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
        bytes[MAGIC.len()..SIZE].copy_from_slice(&self.cid.to_bytes());
        bytes[SIZE..LENGTH].copy_from_slice(&self.tree.size().to_be_bytes());
        bytes[LENGTH..NOTE].copy_from_slice(&(note.len() as u16).to_be_bytes());
        bytes[NOTE..NOTE + note.len()].copy_from_slice(note);
        let check = checksum(CONTEXT, &[&bytes[..BODY]]);
        bytes[BODY..].copy_from_slice(&check);
        bytes
    }

    /// Nothing, if it was not written to its end.
    pub fn decode(bytes: &[u8; HEAD]) -> Result<Option<Head>, Later> {
        if bytes[..7] == MAGIC[..7] && bytes[7] > MAGIC[7] {
            return Err(Later);
        }
        let mut size = [0; 8];
        size.copy_from_slice(&bytes[SIZE..LENGTH]);
        let length = usize::from(u16::from_be_bytes([bytes[LENGTH], bytes[LENGTH + 1]]));
        let parts = Cid::from_bytes(&bytes[MAGIC.len()..SIZE])
            .zip(Tree::new(u64::from_be_bytes(size)))
            .zip(bytes[NOTE..BODY].get(..length));
        let head = parts.map(|((cid, tree), note)| {
            let note = note.to_vec();
            Head { cid, tree, note }
        });
        // Whatever differs in any byte is not what was written.
        Ok(head.filter(|head| head.encode() == *bytes))
    }
}
