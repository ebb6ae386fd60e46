//! Believing a range of a file as it comes in.
//!
//! Knows at most one group that is not verified. What it gives out is right; where that is written is the
//! caller's to say.

use std::ops::Range;

use super::walk::{Mismatch, Step, Walk};
use super::{PAIR, Tree};
use crate::proto::files::cid::Root;

/// Something that is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Two hashes of the tree: who serves the range to others keeps them at `index * 64`.
    Pair {
        /// Which of all pairs.
        index: u64,
        /// The hashes of the left and the right half.
        pair: [u8; PAIR],
    },
    /// A group of the file.
    Group {
        /// Where it begins.
        offset: u64,
        /// Its bytes.
        data: Vec<u8>,
    },
}

impl Verified {
    /// How many bytes of the file it has.
    pub fn bytes(&self) -> u64 {
        match self {
            Verified::Pair { .. } => 0,
            Verified::Group { data, .. } => data.len() as u64,
        }
    }
}

/// Takes a stream of hashes and groups.
#[derive(Clone, Debug)]
pub struct Decoder {
    walk: Walk,
    waiting: Vec<u8>,
}

impl Decoder {
    /// Expects some groups of a file. None that the tree does not hold.
    pub fn new(root: Root, tree: Tree, groups: Range<u64>) -> Decoder {
        Decoder {
            walk: Walk::new(root, tree, groups),
            waiting: Vec::new(),
        }
    }

    /// Whether all of it has come.
    pub fn is_done(&self) -> bool {
        self.walk.step().is_none()
    }

    /// Takes from the input what the next step needs; an empty file needs nothing, and is verified without input. Nothing comes out when the input does not suffice, or when
    /// all is there; what remains of the input then was not asked for.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Verified>, Mismatch> {
        let Some(step) = self.walk.step() else {
            return Ok(None);
        };
        let missing = step.length() - self.waiting.len();
        let (now, rest) = input.split_at(missing.min(input.len()));
        *input = rest;
        if now.len() < missing {
            self.waiting.reserve_exact(missing);
            self.waiting.extend_from_slice(now);
            return Ok(None);
        }
        let mut bytes = std::mem::take(&mut self.waiting);
        bytes.extend_from_slice(now);
        self.walk.take(&bytes)?;
        Ok(Some(verified(step, bytes)))
    }
}

fn verified(step: Step, data: Vec<u8>) -> Verified {
    match step {
        Step::Group(offset, _) => Verified::Group { offset, data },
        Step::Pair(index) => {
            let mut pair = [0; PAIR];
            pair.copy_from_slice(&data);
            Verified::Pair { index, pair }
        }
    }
}
