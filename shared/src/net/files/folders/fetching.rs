//! The files of a directory, fetched from those who have it: many small ones at a time over the same streams, a few large
//! ones beside them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use futures::future::{Either, select, try_join_all};

use super::super::collection::Collection;
use super::super::entry::{About, Entry, removed};
use super::super::following::{Following, again};
use super::super::how::How;
use super::super::note::{Note, Part};
use super::super::sources::Sources;
use super::super::store::{FileStore, Held, Partial};
use super::packs::Packing;
use super::{Folder, Member, NotOpened, Wanted, locked, no_such_file};
use crate::error::{Code, Error, Result};
use crate::limits::{FETCH_PATIENCE, FILES_IN_FLIGHT_TAB, LARGE_AT_ONCE, SMALL_AT_ONCE};
use crate::proto::files::cid::Cid;
use crate::proto::files::tree::Tree;

/// Somebody wants all files of a directory. When nobody does any more, what has come stays where the store keeps it.
pub struct FollowingFolder {
    collection: Collection,
    following: Following,
    folder: Arc<Folder>,
}

/// What one round of fetching shares.
struct Round<'a> {
    collection: &'a Collection,
    folder: &'a Folder,
    sources: Sources,
    packing: futures::lock::Mutex<Packing>,
}

impl Collection {
    /// Follows a directory until all of its files are there. Returns when its list is: one that is none, or would harm
    /// whoever extracts it, is refused.
    pub async fn follow_folder(&self, cid: Cid, about: About) -> Result<FollowingFolder> {
        let following = self.follow(cid, about).await?;
        let entry = following.complete().await?;
        let folder = match self.open_folder(&entry).await {
            Ok(folder) => folder,
            Err(NotOpened::NoList(error)) => {
                drop(following);
                self.remove_this(&entry).await;
                return Err(error);
            }
            // The application may have shared it meanwhile. Otherwise what is there of it stays.
            Err(NotOpened::NotNow(error)) => self.folders.get(&cid).ok_or(error)?,
        };
        // Somebody wants it now.
        self.folders.pause(&cid, false);
        Ok(FollowingFolder {
            collection: self.clone(),
            following,
            folder,
        })
    }

    /// A file of a directory that is here or being fetched, as soon as all of it is there or somebody fetches it; it comes
    /// before the others.
    pub async fn member_of(&self, directory: &Cid, cid: &Cid) -> Result<Arc<Entry>> {
        let coming = || {
            let found = self.find(cid).ok();
            found.filter(|entry| entry.is_whole() || entry.is_followed())
        };
        if let Some(entry) = coming() {
            return Ok(entry);
        }
        let folder = self.folders.get(directory).ok_or_else(no_such_file)?;
        let known = folder.members.iter().any(|wanted| wanted.cid == *cid);
        if !known {
            return Err(no_such_file());
        }
        loop {
            let arrival = folder.arrival(cid.root);
            if let Some(entry) = coming() {
                return Ok(entry);
            }
            if !folder.entry.is_followed() {
                return Err(removed());
            }
            // Whoever fetched it may have given up, and somebody else goes on.
            if let Either::Right(_) = select(arrival, folder.entry.closed()).await {
                return Err(removed());
            }
        }
    }
}

impl FollowingFolder {
    /// The entry of its list.
    pub fn entry(&self) -> &Entry {
        self.following.entry()
    }

    /// Its list, and how far it is.
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// Returns when all of its files are there. Then it is shared until it is removed.
    pub async fn complete(&self) -> Result<()> {
        let closed = self.entry().closed();
        match select(closed, self.fetch().boxed()).await {
            Either::Right((outcome, _)) => outcome,
            Either::Left(_) => {
                // The application may have shared it meanwhile.
                let now = self.collection.folder(&self.entry().cid());
                match now.is_some_and(|folder| folder.is_complete()) {
                    true => Ok(()),
                    false => Err(removed()),
                }
            }
        }
    }

    /// Whoever came first fetches; the others wait for it, and go on when it gives up.
    async fn fetch(&self) -> Result<()> {
        let _turn = self.entry().turn.lock().await;
        let missing = self.folder.look(&self.collection.folders);
        if missing.is_empty() && self.folder.announced.load(Ordering::Relaxed) {
            return Ok(());
        }
        let round = Round {
            collection: &self.collection,
            folder: &self.folder,
            sources: self
                .collection
                .files
                .sources(self.entry().cid(), Vec::new()),
            packing: futures::lock::Mutex::default(),
        };
        let _leaving = Leaving(&self.folder);
        let outcome = round.run(missing).await;
        // What has come stays in any case.
        let packed = round.pack_rest().await;
        outcome.map_err(again)?;
        packed?;
        self.collection.announce_folder(&self.folder);
        Ok(())
    }
}

/// Nobody fetches any more, however that ended: nobody waits.
struct Leaving<'a>(&'a Folder);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Collection {
    /// Says that a directory is here, if all of it is: whoever has it has its files.
    pub(in super::super) fn announce_folder(&self, folder: &Folder) {
        let all = self.all();
        let cid = folder.entry.cid();
        let known = all.get(&cid);
        if folder.is_complete() && known.is_some_and(|now| Arc::ptr_eq(now, &folder.entry)) {
            folder.announced.store(true, Ordering::Relaxed);
            self.files.announce_soon(&cid);
        }
    }
}

impl Round<'_> {
    async fn run(&self, missing: Vec<Wanted>) -> Result<()> {
        self.pack_waiting().await?;
        {
            let mut queue = locked(&self.folder.queue);
            let (small, large) = missing.into_iter().partition(Wanted::is_small);
            *queue = [small, large];
        }
        // Whoever asked for a file meanwhile is asked what for: it is known now which ones are missing.
        let waiting: Vec<_> = locked(&self.folder.waiting)
            .iter()
            .map(|(root, _)| *root)
            .collect();
        waiting
            .into_iter()
            .for_each(|root| self.folder.hasten(root));
        let lanes = (0..SMALL_AT_ONCE + LARGE_AT_ONCE).map(|lane| self.lane(lane < LARGE_AT_ONCE));
        try_join_all(lanes).await.map(drop)
    }

    /// One file after the other; large ones first, if these are for this lane.
    async fn lane(&self, large: bool) -> Result<()> {
        loop {
            self.folder.entry.pause.over().await;
            let Some(wanted) = self.next(large) else {
                return Ok(());
            };
            match wanted.is_small() {
                true => self.small(wanted).await?,
                false => self.large(wanted).await?,
            }
        }
    }

    fn next(&self, large: bool) -> Option<Wanted> {
        let [smalls, others] = &mut *locked(&self.folder.queue);
        let first = if large { others.pop_front() } else { None };
        first.or_else(|| smalls.pop_front())
    }

    async fn small(&self, wanted: Wanted) -> Result<()> {
        let (collection, root) = (self.collection, wanted.cid.root);
        if !collection.folders.is_whole(&root) {
            let stored = collection.arriving.open(wanted.cid, tree(&wanted)?).await?;
            let entry = Entry::new(stored, About::default());
            self.fetch(&entry).await?;
            let member = Member::Waiting(entry.clone());
            if collection.folders.put(root, member) {
                collection.files.share(entry)?;
            }
        }
        self.folder.came(&wanted);
        self.add_waiting(&wanted).await
    }

    async fn large(&self, wanted: Wanted) -> Result<()> {
        let entry = self.open(&wanted).await?;
        let outcome = match select(entry.closed(), self.bring(&wanted, &entry).boxed()).await {
            Either::Right((outcome, _)) => outcome,
            Either::Left(_) => Err(removed()),
        };
        // The application may have handed it over meanwhile.
        if !self.collection.folders.is_whole(&wanted.cid.root) {
            outcome?;
        }
        self.folder.came(&wanted);
        Ok(())
    }

    /// Fetches what is missing of a large file.
    async fn bring(&self, wanted: &Wanted, entry: &Arc<Entry>) -> Result<()> {
        entry.followers.fetch_add(1, Ordering::Relaxed);
        let _followed = Followed(entry);
        let _want = entry.wants.add(None);
        self.folder.wake(&wanted.cid.root);
        let _turn = entry.turn.lock().await;
        while !entry.is_whole() {
            entry.pause.over().await;
            self.fetch(entry).await?;
        }
        Ok(())
    }

    /// The place of a large file, with what is there of it.
    async fn open(&self, wanted: &Wanted) -> Result<Arc<Entry>> {
        let (collection, root) = (self.collection, wanted.cid.root);
        if let Some(Member::Own(entry)) = collection.folders.member(&root) {
            return Ok(entry);
        }
        let stored = collection.store.open(wanted.cid, tree(wanted)?).await?;
        stored.keep(Note::of(Part::Member).encode()).await?;
        let entry = Entry::new(stored, About::default());
        match collection.folders.put(root, Member::Own(entry.clone())) {
            true => collection.files.share(entry.clone())?,
            false => entry.discard(),
        }
        match collection.folders.member(&root) {
            Some(Member::Own(entry)) => Ok(entry),
            _ => Err(removed()),
        }
    }

    async fn fetch(&self, entry: &Arc<Entry>) -> Result<()> {
        // Small files wait behind what was asked for of others: on a slow line that is not to take longer than anybody waits.
        let share = match locked(&self.folder.queue)[0].is_empty() {
            true => LARGE_AT_ONCE as u64,
            false => 4 * LARGE_AT_ONCE as u64,
        };
        loop {
            let how = How {
                patience: FETCH_PATIENCE,
                // Whoever has the directory has its files.
                whole: true,
                in_flight: FILES_IN_FLIGHT_TAB / share,
                tally: self.folder.tally(),
            };
            let pulse = self.folder.pulse();
            let target: Arc<dyn Partial> = entry.clone();
            let Collection { files, .. } = self.collection;
            match files.fetch(&self.sources, target, how).await {
                // Others have come meanwhile: it waits behind them.
                Err(error) if error.code() == Code::NotFound && self.folder.pulse() != pulse => {}
                outcome => return outcome,
            }
        }
    }

    /// Those that a round before has left in memory.
    async fn pack_waiting(&self) -> Result<()> {
        for wanted in self
            .folder
            .members
            .iter()
            .filter(|wanted| wanted.is_small())
        {
            self.add_waiting(wanted).await?;
        }
        Ok(())
    }

    /// Packs a file that is only in memory, whoever has fetched it: they may be given up before they pack it.
    async fn add_waiting(&self, wanted: &Wanted) -> Result<()> {
        match self.collection.folders.member(&wanted.cid.root) {
            Some(Member::Waiting(entry)) => {
                let bytes = entry.read_piece(0).await?;
                self.add(wanted, bytes).await
            }
            _ => Ok(()),
        }
    }

    async fn add(&self, wanted: &Wanted, bytes: Vec<u8>) -> Result<()> {
        let mut packing = self.packing.lock().await;
        packing.add(wanted.cid.root, bytes);
        match packing.is_full() {
            true => self.pack(&mut packing).await,
            false => Ok(()),
        }
    }

    async fn pack_rest(&self) -> Result<()> {
        let mut packing = self.packing.lock().await;
        match packing.is_empty() {
            true => Ok(()),
            false => self.pack(&mut packing).await,
        }
    }

    async fn pack(&self, packing: &mut Packing) -> Result<()> {
        let Collection { folders, store, .. } = self.collection;
        for member in folders.pack(store.as_ref(), packing).await? {
            self.collection.files.share(member.held())?;
        }
        Ok(())
    }
}

struct Followed<'a>(&'a Entry);

impl Drop for Followed<'_> {
    fn drop(&mut self) {
        if self.0.followers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.give_up();
        }
    }
}

fn tree(wanted: &Wanted) -> Result<Tree> {
    Tree::new(wanted.size)
        .ok_or_else(|| Error::new(Code::TooLarge, "a file of the directory is too large"))
}
