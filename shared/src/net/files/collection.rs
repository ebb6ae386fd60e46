//! The files of a peer whose application has no disk: what it shares, and what it has fetched and gives to others.
//!
//! Knows what is there, under its id. Where the bytes are is the affair of a [`FileStore`].
//!
//! [`FileStore`]: super::store::FileStore

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use futures::future::{Shared, join, select};
use futures::{FutureExt, StreamExt, stream};

use super::entry::{About, Entry};
use super::folders::Folders;
use super::following::Following;
use super::memory::MemoryStore;
use super::new::{Announced, New};
use super::store::{Held, Intake, Room, SharedFileStore, Stored};
use super::wishes::covering;
use super::{Files, restoring};
use crate::error::{Code, Error, Result};
use crate::limits::{
    FETCH_PATIENCE, FILES_IN_MEMORY, FILES_WITHDRAW_PATIENCE, FILES_WITHDRAWN_AT_ONCE,
    LISTING_LIFETIME, MAX_DIRECTORY,
};
use crate::net::overlay::Overlay;
use crate::net::reach::once_in_reach;
use crate::platform;
use crate::proto::files::cid::{Cid, Kind, Root};
use crate::proto::files::search::{Listing, Signed};
use crate::proto::key::SigningKey;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Collection {
    pub(super) files: Files,
    pub(super) store: SharedFileStore,
    pub(super) author: SigningKey,
    all: Arc<Mutex<BTreeMap<Cid, Arc<Entry>>>>,
    pub(super) folders: Folders,
    /// Small files of directories, on their way.
    pub(super) arriving: Arc<MemoryStore>,
    restored: Shared<oneshot::Receiver<()>>,
}

impl Collection {
    /// Of a peer that runs for this author. What the store has kept is given to others again.
    pub fn new(files: Files, store: SharedFileStore, author: SigningKey) -> Collection {
        let (done, restored) = oneshot::channel();
        let collection = Collection {
            files,
            store,
            author,
            all: Arc::default(),
            folders: Folders::default(),
            arriving: Arc::new(MemoryStore::new(FILES_IN_MEMORY)),
            restored: restored.shared(),
        };
        platform::spawn(restoring::run(collection.clone(), done));
        collection
    }

    /// Returns when what was kept is there.
    pub async fn restored(&self) {
        let _ = self.restored.clone().await;
    }

    /// What is done with files without keeping them.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Begins a file of at least so many bytes that the application hands over, unless this cannot be said about it.
    pub async fn begin(&self, about: &About, size: u64) -> Result<Box<dyn Intake>> {
        // Nobody knows yet which file it is.
        let listing = about.listing(Cid::file(Root::default()), 0);
        listing.map(|listing| self.sign(&listing)).transpose()?;
        self.store.begin(size).await
    }

    /// Shares what was handed over. Returns when others can find it.
    pub async fn share(&self, stored: Arc<dyn Stored>, about: About) -> Result<Arc<Entry>> {
        let cid = stored.cid();
        let listing = about.listing(cid, stored.tree().size());
        let signed = listing.map(|listing| self.sign(&listing)).transpose()?;
        // It is put in when nothing is waited for any more: whoever gives up before that leaves nothing behind.
        let _announced = Announced {
            collection: self.clone(),
            cid,
        };
        once_in_reach(|| self.files.announce(&cid)).await?;
        let mut new = New::of(stored, about);
        new.entry.keep(true).await?;
        self.files.share(new.entry.clone())?;
        let before = self.all().insert(cid, new.entry.clone());
        let entry = new.stays();
        self.watch(&entry);
        if let Some(before) = before {
            before.discard();
            self.unlist(&before);
            // It may have been withheld meanwhile, and withdrawn.
            self.files.announce_soon(&cid);
        }
        if let Some(signed) = signed {
            let words = signed.listing().tokens();
            self.files.list(signed);
            self.files.announce_words(&words);
        }
        Ok(entry)
    }

    /// What is there of a file under this id, by itself or in a directory.
    pub fn find(&self, cid: &Cid) -> Result<Arc<Entry>> {
        self.best(&self.all(), cid).ok_or_else(|| {
            Error::new(Code::NotFound, "this file is not here")
                .with_remedy("Fetch it, or share it again if it was removed.")
        })
    }

    /// What is there of a file by itself, unless a directory has all of it, or is fetching it and nobody else is.
    fn best(&self, all: &BTreeMap<Cid, Arc<Entry>>, cid: &Cid) -> Option<Arc<Entry>> {
        let Some(alone) = all.get(cid) else {
            return self.folders.entry(cid);
        };
        if alone.is_whole() {
            return Some(alone.clone());
        }
        let member = self
            .folders
            .entry(cid)
            .filter(|member| member.is_whole() || (member.is_followed() && !alone.is_followed()));
        Some(member.unwrap_or_else(|| alone.clone()))
    }

    /// The bytes of a piece, as soon as they are there.
    pub async fn read_piece(&self, cid: &Cid, piece: u64) -> Result<Vec<u8>> {
        let entry = self.find(cid)?;
        let outcome = entry.read_piece(piece).await;
        match self.find(cid) {
            // It was shared while it was fetched, or fetched again.
            Ok(now) if outcome.is_err() && !Arc::ptr_eq(&now, &entry) => {
                now.read_piece(piece).await
            }
            _ => outcome,
        }
    }

    /// All that is there, or on its way.
    pub fn list(&self) -> Vec<Arc<Entry>> {
        self.all().values().cloned().collect()
    }

    /// Gives a file to nobody from now on, and forgets it. Whether it was there.
    pub async fn remove(&self, cid: &Cid) -> bool {
        let Some(entry) = self.all().remove(cid) else {
            return false;
        };
        self.let_go(&entry);
        self.store.settle().await;
        true
    }

    /// The same, unless something else has taken its place.
    pub(super) async fn remove_this(&self, entry: &Arc<Entry>) {
        let cid = entry.cid();
        {
            let mut all = self.all();
            let known = all.get(&cid).is_some_and(|now| Arc::ptr_eq(now, entry));
            if !known || all.remove(&cid).is_none() {
                return;
            }
        }
        self.let_go(entry);
        self.store.settle().await;
    }

    /// Asks nobody for more of a file, or goes on. What has come stays, and what was asked for is taken.
    pub fn pause(&self, cid: &Cid, on: bool) -> Result<()> {
        let alone = self.all().get(cid).cloned();
        let entry = alone.map_or_else(|| self.find(cid), Ok)?;
        entry.pause.turn(on);
        self.folders.pause(cid, on);
        Ok(())
    }

    /// Follows a file until it is whole. Returns when its size is proven and there is a place for it.
    pub async fn follow(&self, cid: Cid, about: About) -> Result<Following> {
        self.follow_some(cid, about, None).await
    }

    /// Follows a file until these bytes of it are there, or all.
    pub async fn follow_some(
        &self,
        cid: Cid,
        about: About,
        bytes: Option<&Range<u64>>,
    ) -> Result<Following> {
        {
            let all = self.all();
            let alone = all.contains_key(&cid);
            let known = self.best(&all, &cid);
            // What nobody fetches of a file of a directory is that directory's.
            let known = known.filter(|entry| alone || entry.is_whole() || entry.is_followed());
            if let Some(entry) = known {
                if let Some(error) = entry.refused() {
                    return Err(error);
                }
                return self.following(&entry, None, bytes);
            }
        }
        let sources = self.files.sources(cid, Vec::new());
        let tree = self.files.shape(&sources, FETCH_PATIENCE).await?;
        if cid.kind == Kind::Directory && tree.size() > MAX_DIRECTORY as u64 {
            let large = Error::new(Code::TooLarge, "the directory has too many files");
            return Err(large.with_remedy("Ask whoever shares it for its parts, or for one file."));
        }
        // Whoever was first has taken the room that there is.
        if let Some(entry) = self.all().get(&cid) {
            return self.following(entry, Some(sources), bytes);
        }
        bytes.map(|bytes| covering(tree, bytes)).transpose()?;
        let mut new = New::of(self.store.open(cid, tree).await?, about);
        new.entry.keep(false).await?;
        let mut all = self.all();
        // Somebody else may have begun meanwhile.
        let entry = match all.get(&cid) {
            Some(entry) => entry.clone(),
            None => {
                self.files.share(new.entry.clone())?;
                all.insert(cid, new.entry.clone());
                new.stays()
            }
        };
        self.following(&entry, Some(sources), bytes)
    }

    /// How much fits into the store.
    pub async fn room(&self) -> Result<Room> {
        self.store.room().await
    }

    /// Ends with everything, and says so where that can be reached soon. What is kept comes back next time.
    pub async fn close(&self) {
        let all = std::mem::take(&mut *self.all());
        let leaving = all.into_values().map(|entry| {
            entry.close();
            self.files.unshare(&entry.cid());
            async move { self.files.withdraw(&entry.cid()).await }
        });
        self.folders.close(&self.files);
        // All are closed at once; what is said in the network takes its turn.
        let leaving = stream::iter(leaving.collect::<Vec<_>>());
        let leaving = leaving.buffer_unordered(FILES_WITHDRAWN_AT_ONCE);
        let patience = platform::sleep(FILES_WITHDRAW_PATIENCE);
        let leaving = select(leaving.collect::<()>().boxed(), patience);
        join(leaving, self.store.close()).await;
    }

    pub(super) fn let_go(&self, entry: &Entry) {
        entry.discard();
        self.unlist(entry);
        let (files, cid) = (self.files.clone(), entry.cid());
        files.unshare(&cid);
        self.forget_folder(&cid);
        // A directory may have it as well.
        if let Some(held) = self.folders.held(&cid) {
            let _ = files.share(held);
        }
        if platform::can_spawn() {
            platform::spawn(async move { files.withdraw(&cid).await });
        }
    }

    /// It is not found by its words any more.
    pub(super) fn unlist(&self, entry: &Entry) {
        let listing = entry.about().listing(entry.cid(), entry.tree().size());
        let words = listing.map_or_else(Vec::new, |listing| listing.tokens());
        self.files.unlist(&entry.cid(), &words);
    }

    pub(super) fn sign(&self, listing: &Listing) -> Result<Signed> {
        let client = self.files.overlay.client();
        let now = client.now();
        let times = (now, now + LISTING_LIFETIME);
        let network = self.files.overlay.handle().network();
        listing.sign(&self.author, network, now, times)
    }

    pub(super) fn all(&self) -> MutexGuard<'_, BTreeMap<Cid, Arc<Entry>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
