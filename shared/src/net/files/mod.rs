//! Files: what this peer shares, and what it fetches from everybody who has it.
//!
//! What is asked, believed and done next is decided in `proto/files`, disks are behind [`Held`] and [`Partial`]; here
//! it is carried. `spec/files.md` has the protocol.

mod announcing;
mod asking;
mod collection;
mod entry;
mod fetching;
mod finding;
mod folders;
mod following;
mod how;
mod in_place;
mod keeping;
mod link;
mod memory;
mod new;
mod note;
mod pace;
mod pause;
mod pinning;
mod restoring;
mod serving;
mod sources;
mod store;
mod taking;
mod waiting;
mod wishes;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use futures::channel::mpsc;

pub use self::collection::Collection;
pub use self::entry::{About, Entry, removed};
use self::fetching::Fetching;
pub use self::folders::{Folder, FollowingFolder, NewFolder};
pub use self::following::Following;
pub use self::how::{How, Present, Tally};
pub use self::in_place::InPlace;
#[cfg(feature = "server")]
pub use self::keeping::{Keeper, Wanted};
pub use self::memory::MemoryStore;
use self::pace::Rate;
pub use self::sources::Sources;
pub use self::store::{
    FileStore, Held, Intake, Kept, KeptFiles, Partial, Portion, Room, SharedFileStore, Stored,
};
pub use self::wishes::Wishes;
use super::budget::{Limits, SharedBudget};
use super::handle::Route;
use super::overlay::{Kademlia, Overlay};
use super::protocols;
use super::streams::Registry;
use crate::error::{Code, Error, Result};
use crate::limits::{
    FILE_JOBS, FILE_JOBS_PER_PEER, FILE_JOBS_PER_PREFIX, MAX_ANNOUNCED, MAX_SHARED,
};
use crate::platform;
use crate::proto::files::cid::{Cid, Root};
use crate::proto::files::search::{Catalogue, Signed, holders, word};
use crate::proto::key::Key;

/// The files of one peer. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    overlay: Arc<Kademlia>,
    shelf: Arc<Shelf>,
    wake: mpsc::Sender<()>,
}

/// What others may ask of this peer.
struct Shelf {
    held: RwLock<HashMap<Root, Arc<dyn Held>>>,
    catalogue: Mutex<Catalogue>,
    announced: Mutex<Vec<Key>>,
    announced_at_most: AtomicUsize,
    /// What is given to nobody.
    denied: RwLock<HashSet<Root>>,
    budget: SharedBudget,
    rate: Rate,
}

impl Files {
    /// Answers from now on.
    pub(super) fn start(overlay: Arc<Kademlia>, streams: &Registry) -> Result<Files> {
        let handle = overlay.handle().clone();
        let incoming = streams
            .accept(protocols::files(handle.network()))
            .map_err(|_| Error::new(Code::Internal, "files are answered already"))?;
        let share = Limits(FILE_JOBS, FILE_JOBS_PER_PEER, FILE_JOBS_PER_PREFIX);
        let shelf = Arc::new(Shelf {
            held: RwLock::default(),
            catalogue: Mutex::default(),
            announced: Mutex::default(),
            announced_at_most: AtomicUsize::new(MAX_ANNOUNCED),
            denied: RwLock::default(),
            budget: SharedBudget::new(share),
            rate: Rate::default(),
        });
        let (wake, woken) = mpsc::channel(1);
        platform::spawn(serving::run(shelf.clone(), handle, incoming));
        let announcing = announcing::run(Arc::downgrade(&shelf), overlay.clone(), woken);
        platform::spawn(announcing);
        Ok(Files {
            overlay,
            shelf,
            wake,
        })
    }

    /// Sends no faster than this from now on, all receivers together.
    pub fn limit_rate(&self, bytes_per_second: Option<u64>) {
        self.shelf.rate.limit(bytes_per_second);
    }

    /// Gives a file, or what is there of it, to whoever asks for it. What is whole does not give way to what is not.
    pub fn share(&self, held: Arc<dyn Held>) -> Result<()> {
        let mut all = self
            .shelf
            .held
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_SHARED {
            let full = format!("a peer shares at most {MAX_SHARED} files");
            return Err(Error::new(Code::Overloaded, full));
        }
        let whole = |known: &Arc<dyn Held>| known.pieces().is_full();
        let root = held.cid().root;
        if whole(&held) || !all.get(&root).is_some_and(whole) {
            all.insert(root, held);
        }
        Ok(())
    }

    /// Gives a file to nobody from now on; what is being sent of it is sent.
    pub fn unshare(&self, cid: &Cid) {
        let mut all = self
            .shelf
            .held
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.remove(&cid.root);
        drop(all);
        self.shelf.catalogue().remove(cid, None);
    }

    /// Says what something is, to those who ask what this peer shares.
    pub fn list(&self, signed: Signed) -> bool {
        self.shelf.catalogue().put(signed)
    }

    /// Nobody finds something by these words any more. Words of other files stay.
    pub fn unlist(&self, cid: &Cid, words: &[String]) {
        let network = self.overlay.handle().network();
        let mut catalogue = self.shelf.catalogue();
        catalogue.remove(cid, None);
        let unused = words.iter().filter(|token| !catalogue.has(token));
        let unused: Vec<Key> = unused.map(|token| word(network, token)).collect();
        drop(catalogue);
        self.shelf.keys().retain(|known| !unused.contains(known));
    }

    /// Says in the network that this peer has something, and keeps that said.
    pub async fn announce(&self, cid: &Cid) -> Result<()> {
        self.announce_at(holders(self.overlay.handle().network(), cid))
            .await
    }

    /// Says in the network that this peer lists something with these words, and keeps that said. That takes a moment,
    /// for which nobody waits.
    pub fn announce_words(&self, words: &[String]) {
        let network = self.overlay.handle().network();
        for token in words {
            self.shelf.announces(word(network, token));
        }
        let _ = self.wake.clone().try_send(());
    }

    /// As [`Self::announce`], for those who do not wait for it.
    pub fn announce_soon(&self, cid: &Cid) {
        let key = holders(self.overlay.handle().network(), cid);
        // What is said is renewed by itself: a player asks for some bytes of a file again and again.
        let known = self.shelf.keys().contains(&key);
        if !known && self.shelf.announces(key) {
            let _ = self.wake.clone().try_send(());
        }
    }

    async fn announce_at(&self, key: Key) -> Result<()> {
        announcing::announce(&self.overlay, key).await?;
        match self.shelf.announces(key) {
            true => Ok(()),
            false => {
                let full = format!("a peer names at most {MAX_ANNOUNCED} files and words");
                Err(Error::new(Code::Overloaded, full)
                    .with_remedy("Share a directory instead of its files."))
            }
        }
    }

    /// Says that no longer, and takes it back where that can be reached.
    pub async fn withdraw(&self, cid: &Cid) {
        let key = holders(self.overlay.handle().network(), cid);
        self.shelf.keys().retain(|known| *known != key);
        if let Err(error) = self.overlay.withdraw(key).await {
            tracing::debug!(%error, "not withdrawn");
        }
    }

    /// Looks for those who have something, beside those that are named.
    pub fn sources(&self, cid: Cid, named: Vec<Route>) -> Sources {
        Sources::look(self.overlay.clone(), cid, named)
    }

    /// Fetches what is missing of a file. Returns when all that is wanted of it is there, or when it rests and nothing is under way.
    pub async fn fetch(
        &self,
        sources: &Sources,
        partial: Arc<dyn Partial>,
        how: How,
    ) -> Result<()> {
        let standings = self.overlay.handle().standings().clone();
        standings.load().await;
        Fetching::run(sources.clone(), partial, standings, how).await
    }
}

impl Shelf {
    fn find(&self, root: &Root) -> Option<Arc<dyn Held>> {
        let all = self.held.read().unwrap_or_else(PoisonError::into_inner);
        all.get(root).cloned()
    }

    fn catalogue(&self) -> MutexGuard<'_, Catalogue> {
        self.catalogue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, Vec<Key>> {
        self.announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// One more place where this peer is named, if there is room.
    fn announces(&self, key: Key) -> bool {
        let mut keys = self.keys();
        if !keys.contains(&key) {
            if keys.len() >= self.announced_at_most.load(Ordering::Relaxed) {
                return false;
            }
            keys.push(key);
        }
        true
    }

    #[cfg(feature = "server")]
    fn announce_at_most(&self, places: usize) {
        self.announced_at_most.store(places, Ordering::Relaxed);
    }

    #[cfg(feature = "server")]
    fn deny(&self, roots: HashSet<Root>) {
        *self.denied.write().unwrap_or_else(PoisonError::into_inner) = roots;
    }

    fn denies(&self, root: &Root) -> bool {
        let denied = self.denied.read().unwrap_or_else(PoisonError::into_inner);
        denied.contains(root)
    }

    fn announced(&self) -> Vec<Key> {
        self.keys().clone()
    }
}
