//! Sending a range of a file that may have changed since it was hashed.
//!
//! Knows what to read next, and lets nothing pass that does not belong to the file it was: an honest peer
//! never sends a wrong byte. What was read is sent as it is.

use std::ops::Range;

use super::walk::{Step, Walk};
use super::{PAIR, Tree};
use crate::proto::files::cid::Root;

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Of the hashes that are kept beside the file.
    Hashes {
        /// From here on.
        offset: u64,
        /// So many bytes.
        length: usize,
    },
    /// Of the file.
    Data {
        /// From here on.
        offset: u64,
        /// So many bytes.
        length: usize,
    },
}

/// Why nothing more can be sent. Both are answered by *gone*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Changed {
    /// The file is another one now: hash it again.
    File,
    /// The hashes are damaged: make them again.
    Hashes,
}

/// Why reading a range ended before its end.
#[derive(Debug)]
pub enum Stop<E> {
    /// What was read is not right.
    Changed(Changed),
    /// It could not be read.
    Failed(E),
}

/// Goes over what is sent, in its order.
#[derive(Clone, Debug)]
pub struct Sender {
    pub(super) walk: Walk,
}

impl Sender {
    /// For some groups of a file. Nothing is sent of groups that the tree does not hold.
    pub fn new(root: Root, tree: Tree, groups: Range<u64>) -> Sender {
        let walk = Walk::new(root, tree, groups);
        Sender { walk }
    }

    /// What is to be read next, until all was sent.
    pub fn need(&self) -> Option<Need> {
        Some(match self.walk.step()? {
            Step::Pair(index) => Need::Hashes {
                offset: index * PAIR as u64,
                length: PAIR,
            },
            Step::Group(offset, length) => Need::Data { offset, length },
        })
    }

    /// Reads on, as far as there is room for so many bytes, and adds what is right to `out`. What was added before it
    /// stopped is to be sent nevertheless.
    pub fn fill<E>(
        &mut self,
        room: usize,
        out: &mut Vec<u8>,
        mut read: impl FnMut(Need, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), Stop<E>> {
        while let Some(need) = self.need() {
            let (Need::Hashes { length, .. } | Need::Data { length, .. }) = need;
            let start = out.len();
            if start > 0 && start + length > room {
                return Ok(());
            }
            out.resize(start + length, 0);
            let outcome = match read(need, &mut out[start..]) {
                Ok(()) => self.read(&out[start..]).map_err(Stop::Changed),
                Err(error) => Err(Stop::Failed(error)),
            };
            if let Err(stop) = outcome {
                out.truncate(start);
                return Err(stop);
            }
        }
        Ok(())
    }

    /// What was read. If it is right, it is to be sent; otherwise nothing is, neither now nor later. Fewer bytes
    /// than were needed are wrong, too.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), Changed> {
        let changed = match self.walk.step() {
            Some(Step::Pair(_)) => Changed::Hashes,
            _ => Changed::File,
        };
        self.walk.take(bytes).map_err(|_| changed)
    }
}
