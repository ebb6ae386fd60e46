//! Hashing a file while it is read, once and in any portions.
//!
//! Knows at most one group and a hash for each height of the tree, however large the file is.

use super::{Hash, PAIR, Tree, hash_group, hash_pair};
use crate::limits::{GROUP, MAX_FILE};
use crate::proto::files::cid::Root;

/// A hashed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// What its id is made of.
    pub root: Root,
    /// Its shape.
    pub tree: Tree,
}

/// Takes a file from beginning to end.
#[derive(Clone, Debug, Default)]
pub struct TreeBuilder {
    waiting: Vec<u8>,
    /// Hashes of whole subtrees, the largest first.
    stack: Vec<Hash>,
    groups: u64,
    size: u64,
}

impl TreeBuilder {
    /// Nothing yet.
    pub fn new() -> TreeBuilder {
        TreeBuilder::default()
    }

    /// Bytes taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes more of the file, and adds to `hashes` the pairs that are complete with it. False when the file is
    /// too large; then it takes nothing.
    #[must_use]
    pub fn take(&mut self, mut bytes: &[u8], hashes: &mut Vec<u8>) -> bool {
        let size = self.size.saturating_add(bytes.len() as u64);
        if size > MAX_FILE {
            return false;
        }
        self.size = size;
        // The last group waits until it is known whether it is the last one: the root is hashed differently.
        while self.waiting.len() + bytes.len() > GROUP as usize {
            let (now, rest) = bytes.split_at(GROUP as usize - self.waiting.len());
            bytes = rest;
            if self.waiting.is_empty() {
                self.group(now, hashes);
            } else {
                let mut group = std::mem::take(&mut self.waiting);
                group.extend_from_slice(now);
                self.group(&group, hashes);
                group.clear();
                self.waiting = group;
            }
        }
        self.waiting.extend_from_slice(bytes);
        true
    }

    /// The file has ended.
    pub fn finish(mut self, hashes: &mut Vec<u8>) -> Built {
        let only = self.groups == 0;
        let mut hash = hash_group(self.groups, &self.waiting, only);
        while let Some(left) = self.stack.pop() {
            hash = merge(left, hash, self.stack.is_empty(), hashes);
        }
        let tree = Tree { size: self.size };
        Built { root: hash, tree }
    }

    /// A group that is not the last one.
    fn group(&mut self, data: &[u8], hashes: &mut Vec<u8>) {
        let mut hash = hash_group(self.groups, data, false);
        self.groups += 1;
        // As many subtrees are complete with it as its number ends in zeros.
        for _ in 0..self.groups.trailing_zeros() {
            if let Some(left) = self.stack.pop() {
                hash = merge(left, hash, false, hashes);
            }
        }
        self.stack.push(hash);
    }
}

fn merge(left: Hash, right: Hash, root: bool, hashes: &mut Vec<u8>) -> Hash {
    let mut pair = [0; PAIR];
    pair[..32].copy_from_slice(&left);
    pair[32..].copy_from_slice(&right);
    hashes.extend_from_slice(&pair);
    hash_pair(&pair, root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let mut builder = TreeBuilder {
            size: MAX_FILE - 1,
            ..TreeBuilder::new()
        };
        let mut hashes = Vec::new();
        assert!(builder.take(&[0], &mut hashes));
        assert!(!builder.take(&[0], &mut hashes));
        assert_eq!((builder.size(), hashes.len()), (MAX_FILE, 0));
    }
}
