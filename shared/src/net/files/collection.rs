//! The files of a peer whose application has no disk: what it shares, and what it has fetched and gives to others.
//!
//! Knows what is there, under its id. Where the bytes are is the affair of a [`FileStore`].
//!
//! [`FileStore`]: super::store::FileStore

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use futures::future::{Either, Shared, join, select};
use futures::{FutureExt, StreamExt, stream};

use super::entry::{About, Entry, removed};
use super::folders::Folders;
use super::memory::MemoryStore;
use super::new::New;
use super::store::{Held, Intake, Partial, Room, SharedFileStore, Stored};
use super::wishes::{Want, covering};
use super::{Files, How, Sources, restoring};
use crate::error::{Code, Error, Result};
use crate::limits::{
    FETCH_PATIENCE, FETCH_WORTH_TELLING, FILES_IN_FLIGHT_TAB, FILES_IN_MEMORY,
    FILES_WITHDRAW_PATIENCE, FILES_WITHDRAWN_AT_ONCE, LISTING_LIFETIME, MAX_DIRECTORY,
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
        once_in_reach(|| self.files.announce(&cid)).await?;
        let mut new = New::of(stored, about);
        new.entry.keep(true).await?;
        self.files.share(new.entry.clone())?;
        let before = self.all().insert(cid, new.entry.clone());
        let entry = new.stays();
        if let Some(before) = before {
            before.discard();
            self.unlist(&before);
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
        let found = self.all().get(cid).cloned();
        let found = found.or_else(|| self.folders.entry(cid));
        found.ok_or_else(|| {
            Error::new(Code::NotFound, "this file is not here")
                .with_remedy("Fetch it, or share it again if it was removed.")
        })
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

    /// Asks nobody for more of a file, or goes on. What has come stays, and what was asked for is taken.
    pub fn pause(&self, cid: &Cid, on: bool) -> Result<()> {
        self.find(cid)?.pause.turn(on);
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
        if let Some(entry) = self.all().get(&cid) {
            return self.following(entry, None, bytes);
        }
        // Some directory may have all of it.
        let member = self.folders.entry(&cid);
        if let Some(entry) = member.filter(|entry| entry.is_whole()) {
            return self.following(&entry, None, bytes);
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

    /// Called under the lock of all, so that nobody removes it for want of followers.
    fn following(
        &self,
        entry: &Arc<Entry>,
        sources: Option<Sources>,
        bytes: Option<&Range<u64>>,
    ) -> Result<Following> {
        let pieces = bytes.map(|bytes| covering(entry.tree(), bytes));
        let want = entry.wants.add(pieces.transpose()?);
        let others = entry.followers.fetch_add(1, Ordering::Relaxed);
        // Somebody wants it now. Whoever wants a part of it waits with those who let it rest.
        if bytes.is_none() || others == 0 {
            entry.pause.end();
        }
        Ok(Following {
            collection: self.clone(),
            entry: entry.clone(),
            want,
            sources: Mutex::new(sources),
        })
    }

    fn let_go(&self, entry: &Entry) {
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

/// Somebody wants all of a file, or some. When nobody does any more, what has come of it is forgotten, unless that was all that
/// somebody wanted, or the store keeps it.
pub struct Following {
    collection: Collection,
    entry: Arc<Entry>,
    want: Want,
    /// Those that have proven its size: fetched from until the first pause.
    sources: Mutex<Option<Sources>>,
}

impl Following {
    /// What is there of it.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Returns it when all that is wanted of it is there. Then it is shared until it is removed.
    pub async fn complete(&self) -> Result<Arc<Entry>> {
        match select(self.entry.closed(), self.fetch().boxed()).await {
            Either::Right((outcome, _)) => {
                outcome?;
                if self
                    .want
                    .pieces
                    .as_ref()
                    .is_none_or(|pieces| !pieces.is_empty())
                {
                    self.entry.stays.store(true, Ordering::Relaxed);
                }
                Ok(self.entry.clone())
            }
            Either::Left(_) => {
                // The application may have shared it meanwhile.
                let found = self.collection.find(&self.entry.cid()).ok();
                let met = |now: &Arc<Entry>| self.want.is_met(&now.pieces());
                found.filter(met).ok_or_else(removed)
            }
        }
    }

    /// Whether it was neither removed nor replaced.
    fn is_known(&self, all: &BTreeMap<Cid, Arc<Entry>>) -> bool {
        let known = all.get(&self.entry.cid());
        known.is_some_and(|known| Arc::ptr_eq(known, &self.entry))
    }

    fn announce_soon(&self) {
        if self.entry.cid().kind == Kind::Directory {
            // Whoever has one has its files; these come after it.
            return;
        }
        // Under the lock: what is withdrawn meanwhile stays withdrawn.
        let all = self.collection.all();
        if self.is_known(&all) {
            self.collection.files.announce_soon(&self.entry.cid());
        }
    }

    /// Whoever wants some of it need not fetch that itself, though it may have to.
    async fn fetch(&self) -> Result<()> {
        let pieces = match &self.want.pieces {
            _ if self.want.is_met(&self.entry.pieces()) => return Ok(()),
            None => return self.take_turn().await,
            Some(pieces) => pieces.clone(),
        };
        match select(self.come(pieces).boxed(), self.take_turn().boxed()).await {
            Either::Left(((), _)) => {
                self.announce_soon();
                Ok(())
            }
            Either::Right((outcome, _)) => outcome,
        }
    }

    /// Returns when these have come, whoever fetches them. They come before what nobody waits for.
    async fn come(&self, pieces: Range<u64>) {
        for piece in pieces {
            while let Some(arrival) = self.entry.arrival(piece) {
                let _ = arrival.await;
            }
        }
    }

    /// Whoever came first fetches; the others wait for it, and go on when it gives up.
    async fn take_turn(&self) -> Result<()> {
        let _turn = self.entry.turn.lock().await;
        while !self.want.is_met(&self.entry.pieces()) {
            self.entry.pause.over().await;
            self.ask().await?;
        }
        Ok(())
    }

    /// Returns when all that is wanted of it is there, or there is a pause.
    async fn ask(&self) -> Result<()> {
        let (files, cid) = (&self.collection.files, self.entry.cid());
        let sources = self
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let sources = sources.unwrap_or_else(|| files.sources(cid, Vec::new()));
        let how = How {
            patience: FETCH_PATIENCE,
            whole: false,
            in_flight: FILES_IN_FLIGHT_TAB,
            tally: self.entry.tally.clone(),
        };
        let target: Arc<dyn Partial> = self.entry.clone();
        let fetching = files.fetch(&sources, target, how).boxed();
        match select(fetching, platform::sleep(FETCH_WORTH_TELLING)).await {
            Either::Left((outcome, _)) => outcome.map_err(again)?,
            Either::Right(((), fetching)) => {
                self.announce_soon();
                fetching.await.map_err(again)?;
            }
        }
        self.announce_soon();
        Ok(())
    }
}

/// Where nothing is kept, what has come is forgotten when nobody follows it any more.
pub(super) fn again(error: Error) -> Error {
    match error.code() {
        Code::NotFound => {
            error.with_remedy("Check that somebody shares it in this network, then fetch it again.")
        }
        _ => error,
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut all = self.collection.all();
        let last = self.entry.followers.fetch_sub(1, Ordering::Relaxed) == 1;
        let cid = self.entry.cid();
        let whole = match cid.kind {
            Kind::File => self.entry.is_whole(),
            Kind::Directory => {
                let folder = self.collection.folders.get(&cid);
                folder.is_some_and(|folder| folder.is_complete())
            }
        };
        if !last || !self.is_known(&all) || whole {
            return;
        }
        if self.entry.is_kept() || self.entry.stays.load(Ordering::Relaxed) {
            self.entry.give_up();
        } else {
            all.remove(&cid);
            drop(all);
            self.collection.let_go(&self.entry);
        }
    }
}
