//! A file on its way into a collection, and what others are told of it before it is there.

use std::sync::Arc;

use super::collection::Collection;
use super::entry::{About, Entry};
use super::store::Stored;
use crate::platform;
use crate::proto::files::cid::Cid;

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

/// Others are told that something is here. Dropped, it is taken back if that did not come true.
pub(super) struct Announced {
    pub collection: Collection,
    pub cid: Cid,
}

impl Drop for Announced {
    fn drop(&mut self) {
        let (files, cid) = (self.collection.files.clone(), self.cid);
        if !self.collection.all().contains_key(&cid) && platform::can_spawn() {
            platform::spawn(async move { files.withdraw(&cid).await });
        }
    }
}
