//! Directories of a collection: opened when their list is there, and forgotten.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::collection::Collection;
use super::super::entry::{Entry, removed};
use super::super::store::Held;
use super::{Folder, Member};
use crate::error::{Error, Result};
use crate::proto::files::cid::Cid;
use crate::proto::files::directory::Directory;

impl Collection {
    /// The directory of this id, once its list is there.
    pub fn folder(&self, cid: &Cid) -> Option<Arc<Folder>> {
        self.folders.get(cid)
    }

    /// Verified bytes that are there of a directory's files, each counted as often as the directory has it.
    pub fn there_of(&self, folder: &Folder) -> u64 {
        let state = self.folders.state();
        let whole = folder.there.load(Ordering::Relaxed);
        let coming = folder.members.iter().filter(|wanted| !wanted.is_small());
        let some = coming.filter_map(|wanted| match state.members.get(&wanted.cid.root)? {
            Member::Own(entry) if !entry.is_whole() => Some(entry.there() * wanted.times),
            _ => None,
        });
        // What has just become whole may be counted twice for a moment.
        (whole + some.sum::<u64>()).min(folder.directory.size())
    }

    /// Reads the list of a directory, which is whole.
    pub(super) async fn open_folder(&self, entry: &Arc<Entry>) -> Result<Arc<Folder>, NotOpened> {
        let cid = entry.cid();
        if let Some(folder) = self.folders.get(&cid) {
            return Ok(folder);
        }
        let mut block = Vec::with_capacity(entry.tree().size() as usize);
        for piece in 0..entry.tree().pieces() {
            block.extend(entry.read_piece(piece).await?);
        }
        let directory = Directory::decode(&block).map_err(|flaw| NotOpened::NoList(flaw.into()))?;
        let folder = Folder::new(entry.clone(), directory);
        folder.look(&self.folders);
        // Under the lock of all: what was removed meanwhile stays removed.
        let all = self.all();
        if !all.get(&cid).is_some_and(|now| Arc::ptr_eq(now, entry)) {
            return Err(removed().into());
        }
        let mut state = self.folders.state();
        let folder = state.all.entry(cid).or_insert_with(|| Arc::new(folder));
        Ok(folder.clone())
    }

    /// Forgets a directory, and gives those of its files to nobody that no other one has.
    pub(in super::super) fn forget_folder(&self, cid: &Cid) {
        for gone in self.folders.forget(cid) {
            // It may be shared by itself as well.
            let alone = self.all().get(&gone).cloned();
            if !alone.as_ref().is_some_and(|entry| entry.is_whole()) {
                self.files.unshare(&gone);
            }
            if let Some(alone) = alone {
                let _ = self.files.share(alone);
            }
        }
    }
}

/// Why a directory is not opened.
pub(super) enum NotOpened {
    /// It is none, or would harm whoever extracts it.
    NoList(Error),
    /// It cannot be read now, or is not there any more.
    NotNow(Error),
}

impl From<Error> for NotOpened {
    fn from(error: Error) -> NotOpened {
        NotOpened::NotNow(error)
    }
}

impl From<NotOpened> for Error {
    fn from(why: NotOpened) -> Error {
        match why {
            NotOpened::NoList(error) | NotOpened::NotNow(error) => error,
        }
    }
}
