//! The hash tree of a file, cut off above groups of 16 KiB: its shape, and how its hashes are made.
//!
//! Knows what BLAKE3 prescribes, and where the two hashes below a node are kept: behind those of all nodes
//! inside it, so that a tree grows only at its end while a file is read. The crate `bao-tree` has the same
//! formats; its trees cannot be 4 GiB large where pointers have 32 bits, and browsers are such a place.

mod build;
mod decode;
mod pack;
mod send;
mod walk;

use std::ops::Range;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

pub use self::build::{Built, TreeBuilder};
pub use self::decode::{Decoder, Verified};
pub use self::pack::{Packed, pack, pair_runs, unpack};
pub use self::send::{Changed, Need, Sender, Stop};
pub use self::walk::Mismatch;
use super::cid::Root;
use crate::limits::{GROUP, GROUPS_PER_PIECE, MAX_FILE};

/// Bytes of the two hashes below a node.
pub const PAIR: usize = 64;

/// A hash inside the tree, or its root.
type Hash = [u8; 32];

/// The shape of a tree. It follows from the size of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tree {
    size: u64,
}

impl Tree {
    /// Of a file of so many bytes, if it is not too large.
    pub fn new(size: u64) -> Option<Tree> {
        (size <= MAX_FILE).then_some(Tree { size })
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Groups of the file; an empty file has one, which is empty.
    pub fn groups(&self) -> u64 {
        self.size.div_ceil(GROUP).max(1)
    }

    /// Pieces of the file.
    pub fn pieces(&self) -> u64 {
        self.groups().div_ceil(GROUPS_PER_PIECE)
    }

    /// Bytes of all pairs of hashes.
    pub fn outboard_size(&self) -> u64 {
        (self.groups() - 1) * PAIR as u64
    }

    /// The groups of a piece.
    pub fn piece(&self, piece: u64) -> Range<u64> {
        let first = piece.saturating_mul(GROUPS_PER_PIECE).min(self.groups());
        first..(first + GROUPS_PER_PIECE).min(self.groups())
    }

    /// The groups that hold a range of bytes.
    pub fn groups_of(&self, bytes: Range<u64>) -> Range<u64> {
        let end = bytes.end.min(self.size).div_ceil(GROUP);
        (bytes.start / GROUP).min(end)..end
    }

    /// The bytes of some groups.
    pub fn bytes(&self, groups: &Range<u64>) -> Range<u64> {
        let at = |group: u64| group.saturating_mul(GROUP).min(self.size);
        at(groups.start)..at(groups.end)
    }

    /// The last group, which is in its place only in a file of this size: whoever has verified it knows the size.
    pub fn proof(&self) -> Range<u64> {
        self.groups() - 1..self.groups()
    }

    /// Whether these groups are some of the file.
    pub fn holds(&self, groups: &Range<u64>) -> bool {
        groups.start < groups.end && groups.end <= self.groups()
    }

    fn all(&self) -> Span {
        let groups = self.groups();
        Span { first: 0, groups }
    }
}

/// A node of the tree: the groups below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    groups: u64,
}

impl Span {
    /// Its two halves; the left one is as large as a power of two can be.
    fn halves(self) -> (Span, Span) {
        let left = self.groups.next_power_of_two() / 2;
        let (first, groups) = (self.first, left);
        let right = Span {
            first: first + left,
            groups: self.groups - left,
        };
        (Span { first, groups }, right)
    }

    /// Which of all pairs is its own: the nodes to its left have one less than groups for each of the powers of
    /// two that they make up, then come those inside it.
    fn index(self) -> u64 {
        let before = self.first - u64::from(self.first.count_ones());
        before + self.groups - 2
    }

    fn meets(self, groups: &Range<u64>) -> bool {
        self.first < groups.end && groups.start < self.first + self.groups
    }
}

/// The hash of a group; the only group of a file is its root.
fn hash_group(group: u64, data: &[u8], root: bool) -> Hash {
    if root {
        return *blake3::hash(data).as_bytes();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(group * GROUP).update(data);
    hasher.finalize_non_root()
}

/// The hash of a node from those below it.
fn hash_pair(pair: &[u8; PAIR], root: bool) -> Hash {
    let (left, right) = halves(pair);
    match root {
        true => *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes(),
        false => merge_subtrees_non_root(&left, &right, Mode::Hash),
    }
}

fn halves(pair: &[u8; PAIR]) -> (Hash, Hash) {
    let (mut left, mut right) = (Hash::default(), Hash::default());
    left.copy_from_slice(&pair[..32]);
    right.copy_from_slice(&pair[32..]);
    (left, right)
}

/// The root of bytes that are there at once.
pub fn root_of(data: &[u8]) -> Root {
    *blake3::hash(data).as_bytes()
}

const _: () = assert!(PIECE_HOLDS_GROUPS && MAX_FILE.is_multiple_of(GROUP));
const PIECE_HOLDS_GROUPS: bool = GROUPS_PER_PIECE.is_power_of_two() && GROUP == 16 * 1024;

#[cfg(test)]
mod tests;
