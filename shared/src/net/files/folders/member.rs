//! What is there of a file of a directory, wherever its bytes are.

use std::sync::Arc;

use super::super::entry::{About, Entry};
use super::super::store::Held;
use super::packs::Packed;

/// What is there of a file of a directory.
#[derive(Clone)]
pub(super) enum Member {
    /// A small one, in a pack.
    Packed(Arc<Packed>),
    /// A small one that waits in memory for its pack.
    Waiting(Arc<Entry>),
    /// One with a place of its own; it may be on its way.
    Own(Arc<Entry>),
}

impl Member {
    pub fn held(&self) -> Arc<dyn Held> {
        match self {
            Member::Packed(packed) => packed.clone(),
            Member::Waiting(entry) | Member::Own(entry) => entry.clone(),
        }
    }

    pub fn entry(&self) -> Arc<Entry> {
        match self {
            Member::Packed(packed) => Entry::new(packed.clone(), About::default()),
            Member::Waiting(entry) | Member::Own(entry) => entry.clone(),
        }
    }

    pub fn is_whole(&self) -> bool {
        match self {
            Member::Packed(_) | Member::Waiting(_) => true,
            Member::Own(entry) => entry.is_whole(),
        }
    }

    pub fn discard(&self) {
        match self {
            Member::Packed(packed) => packed.let_go(),
            Member::Waiting(entry) | Member::Own(entry) => entry.discard(),
        }
    }

    pub fn close(&self) {
        match self {
            Member::Packed(packed) => packed.close(),
            Member::Waiting(entry) | Member::Own(entry) => entry.close(),
        }
    }
}
