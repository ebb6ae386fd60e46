//! Files and directories that a relay keeps for publishers that leave (`--pin-quota`).
//!
//! Who gets how much room is decided in `warren-shared`; here they are fetched, written, given out, and removed. What is
//! kept survives a restart: beside each are the signed requests for it.

mod again;
mod denied;
mod disk;
mod fetching;
mod file;
mod given;
mod members;
mod orders;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use warren_shared::error::Result;
use warren_shared::limits::{KEEP_FETCHES, KEPT_MEMBERS_ANNOUNCED};
use warren_shared::net::files::{Files, Held, Keeper, Wanted};
use warren_shared::net::{Node, connected};
use warren_shared::proto::Millis;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::keeping::{
    KeepRefusal, KeepRequest, Kept, NotKept, Note, Room, Wish,
};

pub use self::denied::Denied;
use self::disk::Disk;
use self::given::Given;

/// What a relay keeps for others. Cheap to clone.
#[derive(Clone)]
pub struct KeptFiles(Arc<Inner>);

struct Inner {
    files: Files,
    disk: Disk,
    denylist: Option<PathBuf>,
    denied: RwLock<Denied>,
    room: Mutex<Room>,
    given: Mutex<Given>,
    /// Held while it is decided what stays and what goes.
    turn: tokio::sync::Mutex<()>,
    fetches: Semaphore,
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl KeptFiles {
    /// Shares what was kept before, and answers those who ask from now on.
    pub async fn start(
        node: &Node,
        data: &Path,
        quota: u64,
        denylist: Option<PathBuf>,
    ) -> Result<KeptFiles> {
        let denied = match &denylist {
            Some(path) => Denied::read(path)?,
            None => Denied::default(),
        };
        let files = node.files()?;
        files.deny(denied.roots());
        let inner = Arc::new(Inner {
            disk: Disk::open(data, node.network())?,
            files,
            denylist,
            denied: RwLock::new(denied),
            room: Mutex::new(Room::new(quota)),
            given: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            fetches: Semaphore::new(KEEP_FETCHES),
            tasks: Mutex::new(Some(JoinSet::new())),
        });
        inner.load().await?;
        let kept = KeptFiles(inner);
        node.keep_files(Arc::new(kept.clone()))?;
        kept.0.spawn(orders::look_after(kept.0.clone()));
        Ok(kept)
    }

    /// How many files and directories were asked for, and what they take of the disk.
    pub fn usage(&self) -> (usize, u64) {
        let room = self.0.room();
        (room.count(), room.used())
    }

    /// Ends what goes on. What is there stays.
    pub async fn stop(&self) {
        let tasks = self.0.tasks().take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }
}

#[async_trait]
impl Keeper for KeptFiles {
    async fn keep(&self, wanted: Wanted) -> std::result::Result<Millis, NotKept> {
        let (tell, told) = oneshot::channel();
        let inner = self.0.clone();
        // It goes on when nobody waits for it any more.
        self.0.spawn(async move {
            let _ = tell.send(inner.keep(wanted).await);
        });
        told.await.unwrap_or(Err(KeepRefusal::Busy.into()))
    }
}

fn wish(kept: &Kept) -> Wish {
    Wish {
        author: kept.request.author(),
        source: kept.source,
        seq: kept.request.seq(),
        until: kept.request.until(),
    }
}

impl Inner {
    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = &mut *self.tasks() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    fn denies(&self, request: &KeepRequest) -> bool {
        let denied = self.denied.read().unwrap_or_else(PoisonError::into_inner);
        denied.has(&request.cid(), &request.author())
    }

    /// Which of these files the operator does not want, if there is one.
    fn unwanted<'a>(&self, mut cids: impl Iterator<Item = &'a Cid>) -> Option<Cid> {
        let denied = self.denied.read().unwrap_or_else(PoisonError::into_inner);
        cids.find(|cid| denied.has_file(cid)).copied()
    }

    async fn keep(self: &Arc<Self>, wanted: Wanted) -> std::result::Result<Millis, NotKept> {
        let Wanted {
            request,
            peer,
            source,
            came,
        } = wanted;
        let (cid, until) = (request.cid(), request.until());
        let kept = Kept { source, request };
        let whole = {
            let _turn = self.turn.lock().await;
            if self.denies(&kept.request) {
                return Err(KeepRefusal::Denied.into());
            }
            let (size, now) = (kept.request.size(), self.files.network_time());
            let admitted = self.room().admit(cid, size, wish(&kept), now)?;
            self.make_way(&admitted.gone).await;
            if admitted.whole {
                self.add(&cid, &kept).await?;
            }
            admitted.whole
        };
        if !whole {
            let note = Note::new(kept.clone());
            self.bring(cid, &note, vec![connected(peer)], &came).await?;
        }
        // Whoever is told that it is kept may leave: others find it here from now on.
        self.announce(&cid, &[]).await;
        let listing = kept.request.listing();
        let words = listing.map_or_else(Vec::new, |listing| listing.listing().tokens());
        let inner = self.clone();
        self.spawn(async move {
            inner.announce(&cid, &words).await;
            inner.announce_members(&cid).await;
        });
        tracing::info!(%cid, author = %kept.request.author().to_base36(), until, "it is kept");
        Ok(until)
    }

    /// Removes what has to go for something else.
    async fn make_way(&self, gone: &[Cid]) {
        for cid in gone {
            tracing::info!(%cid, "it is kept no longer: its room is needed");
            self.drop_kept(cid).await;
        }
    }

    /// One more request for what is there.
    async fn add(&self, cid: &Cid, kept: &Kept) -> std::result::Result<(), KeepRefusal> {
        let mut note = self
            .disk
            .note(cid)
            .unwrap_or_else(|| Note::new(kept.clone()));
        note.add(kept.clone());
        self.write(cid, &note).await?;
        self.list(&note);
        Ok(())
    }

    async fn write(&self, cid: &Cid, note: &Note) -> std::result::Result<(), KeepRefusal> {
        let written = self.disk.write_note(*cid, note.clone()).await;
        written.map_err(|error| {
            tracing::error!(%error, "what is kept could not be noted");
            KeepRefusal::StorageFailed
        })
    }

    fn list(&self, note: &Note) {
        let now = self.files.network_time();
        for kept in note.kept() {
            let listing = kept.request.listing();
            if let Some(listing) = listing.filter(|listing| listing.expires() > now) {
                self.files.list(listing.clone());
            }
        }
    }

    async fn announce(&self, cid: &Cid, words: &[String]) {
        if let Err(error) = self.files.announce_kept(cid, words).await {
            tracing::debug!(%error, "a kept file is not announced yet");
        }
    }

    /// The first files of a directory are found by their own ids, too.
    async fn announce_members(&self, cid: &Cid) {
        let members: Vec<Cid> = {
            let given = self.given();
            let members = given.members(cid).iter();
            members.take(KEPT_MEMBERS_ANNOUNCED).copied().collect()
        };
        self.files.announce_members(members.into_iter()).await;
    }

    /// Gives to others what is there, itself first.
    fn share(&self, cid: Cid, whole: Vec<Arc<dyn Held>>) -> std::result::Result<(), KeepRefusal> {
        let given = self.given().add(&self.files, cid, whole);
        given.map_err(|_| KeepRefusal::Full)
    }

    /// Nothing of a file or directory is here from now on. What something else has as well stays.
    async fn drop_kept(&self, cid: &Cid) {
        let listings = self.disk.note(cid);
        let listings = listings.iter().flat_map(Note::kept);
        let listings = listings.filter_map(|kept| kept.request.listing());
        let words: Vec<String> = listings.flat_map(|one| one.listing().tokens()).collect();
        let gone = self.given().remove(&self.files, cid);
        self.files.unlist(cid, &words);
        if let Err(error) = self.disk.remove(*cid).await {
            tracing::error!(%error, "what is not kept any more could not be removed");
        }
        let files = self.files.clone();
        self.spawn(async move { files.withdraw_kept(gone.into_iter()).await });
    }
}
