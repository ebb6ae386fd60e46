//! A way through a tree, from its root to the groups that are wanted, in the order in which hashes prove what
//! is below them.
//!
//! Knows what comes next and whether it is right. Whoever goes the way brings the bytes: from a stream, to
//! believe it, or from a disk, to send it.

use std::ops::Range;

use super::{Hash, PAIR, Span, Tree, halves, hash_group, hash_pair};
use crate::proto::files::cid::Root;

/// The bytes are not those that belong here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mismatch;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The hashes below a node: which of all pairs.
    Pair(u64),
    /// A group: where it begins and how long it is.
    Group(u64, usize),
}

impl Step {
    pub fn length(self) -> usize {
        match self {
            Step::Pair(_) => PAIR,
            Step::Group(_, length) => length,
        }
    }
}

/// Where somebody is on the way. The stack is as deep as the tree, at most 27 hashes.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub tree: Tree,
    pub wanted: Range<u64>,
    pub stack: Vec<(Span, Hash)>,
}

impl Walk {
    /// A way to groups that the tree holds; to none, when it does not hold them.
    pub fn new(root: Root, tree: Tree, wanted: Range<u64>) -> Walk {
        let stack = match tree.holds(&wanted) {
            true => vec![(tree.all(), root)],
            false => Vec::new(),
        };
        Walk {
            tree,
            wanted,
            stack,
        }
    }

    /// What comes next, until all is there.
    pub fn step(&self) -> Option<Step> {
        let (span, _) = self.stack.last()?;
        Some(match span.groups {
            1 => {
                let bytes = self.tree.bytes(&(span.first..span.first + 1));
                Step::Group(bytes.start, (bytes.end - bytes.start) as usize)
            }
            _ => Step::Pair(span.index()),
        })
    }

    /// Takes the bytes of the next step if they are right; otherwise nothing changes.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        let (span, expected) = *self.stack.last().ok_or(Mismatch)?;
        if self.step().map(Step::length) != Some(bytes.len()) {
            return Err(Mismatch);
        }
        let root = span == self.tree.all();
        if span.groups == 1 {
            if hash_group(span.first, bytes, root) != expected {
                return Err(Mismatch);
            }
            self.stack.pop();
            return Ok(());
        }
        let pair: &[u8; PAIR] = bytes.try_into().map_err(|_| Mismatch)?;
        if hash_pair(pair, root) != expected {
            return Err(Mismatch);
        }
        self.stack.pop();
        let ((left, right), (left_hash, right_hash)) = (span.halves(), halves(pair));
        for half in [(right, right_hash), (left, left_hash)] {
            if half.0.meets(&self.wanted) {
                self.stack.push(half);
            }
        }
        Ok(())
    }
}
