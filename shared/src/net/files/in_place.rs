//! Files that stay where their owner has them, and are read there: nothing is copied, and what is there may change, or not be
//! allowed to be read for now.
//!
//! Knows what becomes of one that cannot be read any more: it is given to nobody, and stays in the list, which says why.

use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;

use super::collection::Collection;
use super::entry::{About, Entry};
use super::restoring;
use super::store::{Held, Intake};
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::proto::files::cid::{Cid, Root};

/// How it is with such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InPlace {
    /// It is what it was, as far as anybody knows.
    Readable,
    /// Its owner has to allow first that it is read.
    NeedsPermission,
    /// It has changed, or is not there any more.
    Changed,
}

impl InPlace {
    /// As it crosses a boundary.
    pub fn as_str(self) -> &'static str {
        match self {
            InPlace::Readable => "readable",
            InPlace::NeedsPermission => "needs-permission",
            InPlace::Changed => "changed",
        }
    }

    /// What it is, if it is one of these.
    pub fn of(text: &str) -> Option<InPlace> {
        [
            InPlace::Readable,
            InPlace::NeedsPermission,
            InPlace::Changed,
        ]
        .into_iter()
        .find(|one| one.as_str() == text)
    }

    /// Why nothing of it is there, if so.
    pub fn refused(self) -> Option<Error> {
        match self {
            InPlace::Readable => None,
            InPlace::NeedsPermission => Some(
                Error::new(Code::PermissionDenied, "this page may not read the file")
                    .with_remedy("Allow it: call peer.files.allow() when somebody clicks."),
            ),
            InPlace::Changed => Some(
                Error::new(
                    Code::NotFound,
                    "the file has changed since it was shared, or is not where it was",
                )
                .with_remedy("Share it again, or remove it and fetch what it was from others."),
            ),
        }
    }
}

/// Told once that a file cannot be read any more.
#[derive(Default)]
pub(super) struct Lost {
    told: Mutex<Option<oneshot::Sender<()>>>,
    /// Held while something is said of it in the network: what is taken back is not said again before that is over.
    saying: futures::lock::Mutex<()>,
}

impl Lost {
    pub fn tell(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = told.take() {
            let _ = told.send(());
        }
    }

    fn heard(&self) -> oneshot::Receiver<()> {
        let (tell, heard) = oneshot::channel();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told = Some(tell);
        heard
    }
}

impl Collection {
    /// Begins a file that stays where it is: the application has said under this number where that is.
    pub async fn begin_in_place(&self, about: &About, place: u64) -> Result<Box<dyn Intake>> {
        let listing = about.listing(Cid::file(Root::default()), 0);
        listing.map(|listing| self.sign(&listing)).transpose()?;
        self.store.begin_in_place(place).await
    }

    /// Its owner lets it be read: gives it again, if it is still what it was.
    pub async fn allow(&self, cid: &Cid) -> Result<Arc<Entry>> {
        // A directory may have it as well: what is allowed is to read the owner's own.
        let alone = self.all().get(cid).cloned();
        let entry = alone.map_or_else(|| self.find(cid), Ok)?;
        let saying = entry.lost.saying.lock().await;
        entry.allow().await?;
        // Also when it was given before: it may have been lost while its owner was asked.
        restoring::give(self, &entry)?;
        drop(saying);
        Ok(entry)
    }

    /// Gives it to nobody from the moment on in which it turns out that it cannot be read.
    pub(super) fn watch(&self, entry: &Arc<Entry>) {
        if entry.in_place().is_none() {
            return;
        }
        let heard = entry.lost.heard();
        let (collection, entry) = (self.clone(), Arc::downgrade(entry));
        platform::spawn(async move {
            // Nothing is said of one that was removed.
            if heard.await.is_ok()
                && let Some(entry) = entry.upgrade()
            {
                collection.withhold(&entry).await;
            }
        });
    }

    async fn withhold(&self, entry: &Arc<Entry>) {
        let _saying = entry.lost.saying.lock().await;
        if entry.refused().is_none() {
            // Its owner was faster.
            return;
        }
        let cid = entry.cid();
        {
            let all = self.all();
            if !all.get(&cid).is_some_and(|now| Arc::ptr_eq(now, entry)) {
                return;
            }
            self.unlist(entry);
            self.files.unshare(&cid);
        }
        // A directory may have it as well.
        match self.folders.held(&cid) {
            Some(held) => drop(self.files.share(held)),
            None => self.files.withdraw(&cid).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_crosses_is_read_back_and_says_what_to_do() {
        for (one, code) in [
            (InPlace::Readable, None),
            (InPlace::NeedsPermission, Some(Code::PermissionDenied)),
            (InPlace::Changed, Some(Code::NotFound)),
        ] {
            assert_eq!(InPlace::of(one.as_str()), Some(one));
            assert_eq!(one.refused().map(|error| error.code()), code);
        }
        assert_eq!(InPlace::of("elsewhere"), None);
    }
}
