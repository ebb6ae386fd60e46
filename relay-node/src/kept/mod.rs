//! Files that a relay keeps for publishers that leave (`--pin-quota`).
//!
//! Who gets how much room is decided in `warren-shared`; here files are fetched, written, given out, and removed. What is
//! kept survives a restart: beside each file are the signed requests for it.

mod again;
mod denied;
mod disk;
mod file;
mod orders;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::{FILES_IN_FLIGHT, KEEP_FETCHES, KEEP_PATIENCE};
use warren_shared::net::files::{Files, Held, How, Keeper, Partial, Tally, Wanted};
use warren_shared::net::{Node, Route, connected};
use warren_shared::proto::Millis;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::keeping::{KeepRefusal, KeepRequest, Kept, Note, Room, Wish};

pub use self::denied::Denied;
use self::disk::Disk;
use crate::files::PartialFile;

/// How often it is counted how much of a file has come.
const COUNT_EVERY: Duration = Duration::from_millis(500);

/// What a relay keeps for others. Cheap to clone.
#[derive(Clone)]
pub struct KeptFiles(Arc<Inner>);

struct Inner {
    files: Files,
    disk: Disk,
    denylist: Option<PathBuf>,
    denied: RwLock<Denied>,
    room: Mutex<Room>,
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

    /// How many files there are, and what they take of the disk.
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
    async fn keep(&self, wanted: Wanted) -> std::result::Result<Millis, KeepRefusal> {
        let (tell, told) = oneshot::channel();
        let inner = self.0.clone();
        // It goes on when nobody waits for it any more.
        self.0.spawn(async move {
            let _ = tell.send(inner.keep(wanted).await);
        });
        told.await.unwrap_or(Err(KeepRefusal::Busy))
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

    async fn keep(self: &Arc<Self>, wanted: Wanted) -> std::result::Result<Millis, KeepRefusal> {
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
                return Err(KeepRefusal::Denied);
            }
            let (tree, now) = (kept.request.tree(), self.files.network_time());
            let admitted = self.room().admit(cid, tree, wish(&kept), now)?;
            for gone in &admitted.gone {
                tracing::info!(cid = %gone, "a file is kept no longer: its room is needed");
                self.drop_file(gone).await;
            }
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
        if let Some(listing) = kept.request.listing() {
            let (inner, words) = (self.clone(), listing.listing().tokens());
            self.spawn(async move { inner.announce(&cid, &words).await });
        }
        tracing::info!(%cid, author = %kept.request.author().to_base36(), until, "a file is kept");
        Ok(until)
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

    /// Fetches a file, and gives it to others from then on. Of what does not come whole nothing stays.
    async fn bring(
        &self,
        cid: Cid,
        note: &Note,
        named: Vec<Route>,
        came: &AtomicU64,
    ) -> std::result::Result<(), KeepRefusal> {
        let fetched = self.fetch(cid, note, named, came).await;
        let _turn = self.turn.lock().await;
        let denied = note.kept().iter().all(|kept| self.denies(&kept.request));
        let outcome = match fetched {
            Ok(()) if denied => Err(KeepRefusal::Denied),
            Ok(()) => self.share(cid),
            Err(why) => Err(why),
        };
        match outcome {
            Ok(()) => {
                self.room().complete(&cid);
                self.list(note);
            }
            Err(_) => {
                self.drop_file(&cid).await;
                self.room().remove(&cid);
            }
        }
        outcome
    }

    async fn fetch(
        &self,
        cid: Cid,
        note: &Note,
        named: Vec<Route>,
        came: &AtomicU64,
    ) -> std::result::Result<(), KeepRefusal> {
        let place = self.fetches.acquire().await;
        let _place = place.map_err(|_| KeepRefusal::Busy)?;
        let tree = note.tree();
        self.write(&cid, note).await?;
        let sources = self.files.sources(cid, named);
        let shape = self.files.shape(&sources, KEEP_PATIENCE).await;
        match shape {
            Ok(shape) if shape == tree => {}
            Ok(_) => return Err(KeepRefusal::Malformed),
            Err(_) => return Err(KeepRefusal::NotFetched),
        }
        let partial = self.disk.partial(cid, tree).await.map_err(refusal)?;
        let how = How {
            patience: KEEP_PATIENCE,
            whole: false,
            in_flight: FILES_IN_FLIGHT / KEEP_FETCHES as u64,
            tally: Arc::new(Tally::default()),
        };
        let target: Arc<dyn Partial> = Arc::new(partial.clone());
        if !partial.pieces().is_full() {
            tokio::select! {
                fetched = self.files.fetch(&sources, target, how) => fetched.map_err(refusal)?,
                never = count(&partial, came) => match never {},
            }
        }
        partial.settle().await.map_err(refusal)
    }

    /// Gives a file to others that is there.
    fn share(&self, cid: Cid) -> std::result::Result<(), KeepRefusal> {
        let file = self.disk.whole(&cid).ok_or(KeepRefusal::StorageFailed)?;
        self.files
            .share(Arc::new(file))
            .map_err(|_| KeepRefusal::Full)
    }

    /// Nothing of a file is here from now on.
    async fn drop_file(&self, cid: &Cid) {
        let listings = self.disk.note(cid);
        let listings = listings.iter().flat_map(Note::kept);
        let listings = listings.filter_map(|kept| kept.request.listing());
        let words: Vec<String> = listings.flat_map(|one| one.listing().tokens()).collect();
        self.files.unshare(cid);
        self.files.unlist(cid, &words);
        if let Err(error) = self.disk.remove(*cid).await {
            tracing::error!(%error, "a file that is not kept any more could not be removed");
        }
        let (files, cid) = (self.files.clone(), *cid);
        self.spawn(async move { files.withdraw(&cid).await });
    }
}

async fn count(partial: &PartialFile, came: &AtomicU64) -> Infallible {
    loop {
        came.store(partial.bytes(), Ordering::Relaxed);
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

fn refusal(error: Error) -> KeepRefusal {
    match error.code() {
        Code::StorageFailed | Code::PermissionDenied | Code::Internal => {
            tracing::error!(%error, cause = error.cause(), "a file could not be kept");
            KeepRefusal::StorageFailed
        }
        _ => KeepRefusal::NotFetched,
    }
}
