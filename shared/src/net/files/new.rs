//! A file on its way into a collection.

use std::sync::Arc;

use super::entry::{About, Entry};
use super::store::Stored;

/// A file that is not in the collection yet. Dropped before that, it leaves nothing behind.
pub(super) struct New {
    pub entry: Arc<Entry>,
    stays: bool,
}

impl New {
    pub fn of(stored: Arc<dyn Stored>, about: About) -> New {
        let entry = Entry::new(stored, about);
        New {
            entry,
            stays: false,
        }
    }

    pub fn stays(&mut self) -> Arc<Entry> {
        self.stays = true;
        self.entry.clone()
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if !self.stays {
            self.entry.discard();
        }
    }
}
