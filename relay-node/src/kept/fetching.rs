//! What is to be kept, on its way: a file, or the list of a directory and then all of its files. Nothing is given to others
//! before all of it is there, and nothing stays of what does not come whole.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::try_join;
use futures::{StreamExt, TryStreamExt, stream};
use warren_shared::error::{Code, Error};
use warren_shared::limits::{
    FILES_IN_FLIGHT, KEEP_FETCHES, KEEP_PATIENCE, LARGE_AT_ONCE, MAX_DIRECTORY, PIECE,
    SMALL_AT_ONCE,
};
use warren_shared::net::Route;
use warren_shared::net::files::{Held, How, Partial, Sources, Tally};
use warren_shared::proto::files::cid::{Cid, Kind};
use warren_shared::proto::files::keeping::{Extent, KeepRefusal, NotKept, Note};
use warren_shared::proto::files::tree::Tree;

use super::Inner;
use super::disk::List;
use super::members::{Members, is_small};
use crate::files::{PartialFile, SmallFile, on_disk};

/// How often it is counted how much has come.
const COUNT_EVERY: Duration = Duration::from_millis(500);
/// What is asked for at a time of one file, or of all of a directory.
const IN_FLIGHT: u64 = FILES_IN_FLIGHT / KEEP_FETCHES as u64;

type Outcome = std::result::Result<(), NotKept>;

/// The files of a directory on their way.
#[derive(Clone)]
struct Coming {
    inner: Arc<Inner>,
    members: Members,
    sources: Sources,
    tally: Arc<Tally>,
    /// Bytes that were there before.
    had: Arc<AtomicU64>,
}

impl Inner {
    /// Fetches something, and gives it to others from then on. Of what does not come whole nothing stays.
    pub(super) async fn bring(
        self: &Arc<Self>,
        cid: Cid,
        note: &Note,
        named: Vec<Route>,
        came: &AtomicU64,
    ) -> Outcome {
        let fetched = self.fetch(cid, note, named, came).await;
        let _turn = self.turn.lock().await;
        let outcome = match fetched {
            Ok(()) => self.give(cid, note).await,
            Err(why) => Err(why),
        };
        match outcome {
            Ok(()) => {
                self.room().complete(&cid);
                self.list(note);
            }
            Err(_) => {
                self.drop_kept(&cid).await;
                self.room().remove(&cid);
            }
        }
        outcome
    }

    /// Gives what has come to others, if the operator still wants that.
    async fn give(&self, cid: Cid, note: &Note) -> Outcome {
        if note.kept().iter().all(|kept| self.denies(&kept.request)) {
            return Err(KeepRefusal::Denied.into());
        }
        let whole = self.disk.whole(cid, note.size()).await.map_err(refusal)?;
        let whole = whole.ok_or(KeepRefusal::StorageFailed)?;
        let parts: Vec<Cid> = whole.iter().map(|held| held.cid()).collect();
        match self.unwanted(parts.iter()) {
            Some(unwanted) => Err(NotKept::Unwanted(unwanted)),
            None => Ok(self.share(cid, whole)?),
        }
    }

    async fn fetch(
        self: &Arc<Self>,
        cid: Cid,
        note: &Note,
        named: Vec<Route>,
        came: &AtomicU64,
    ) -> Outcome {
        let place = self.fetches.acquire().await;
        let _place = place.map_err(|_| KeepRefusal::Busy)?;
        self.write(&cid, note).await?;
        let sources = self.files.sources(cid, named);
        let shape = self.files.shape(&sources, KEEP_PATIENCE).await;
        let tree = shape.map_err(|_| KeepRefusal::NotFetched)?;
        if cid.kind == Kind::Directory {
            let list = self.fetch_list(cid, tree, note.size(), &sources).await?;
            return self.fetch_members(cid, list, sources, came).await;
        }
        if tree.size() != note.size() {
            return Err(KeepRefusal::Malformed.into());
        }
        let partial = self.disk.partial(cid, tree).await.map_err(refusal)?;
        tokio::select! {
            fetched = self.fetch_all(&sources, &partial, how(IN_FLIGHT)) => fetched,
            never = count(|| partial.bytes(), came) => match never {},
        }
    }

    /// Fetches what is missing of a file. It is durable then.
    async fn fetch_all(&self, sources: &Sources, partial: &PartialFile, how: How) -> Outcome {
        let target: Arc<dyn Partial> = Arc::new(partial.clone());
        if !partial.pieces().is_full() {
            let fetched = self.files.fetch(sources, target, how).await;
            fetched.map_err(refusal)?;
        }
        Ok(partial.settle().await.map_err(refusal)?)
    }

    /// Fetches the list of a directory, which says how much room all of it takes: that is taken, or it is refused.
    async fn fetch_list(
        &self,
        cid: Cid,
        tree: Tree,
        size: u64,
        sources: &Sources,
    ) -> std::result::Result<List, NotKept> {
        if tree.size() > MAX_DIRECTORY as u64 {
            return Err(KeepRefusal::Malformed.into());
        }
        let extent = Extent::asked(&cid, size).with_list(tree);
        self.take_room(&cid, extent).await?;
        let partial = self.disk.partial(cid, tree).await.map_err(refusal)?;
        self.fetch_all(sources, &partial, how(IN_FLIGHT)).await?;
        let list = self.disk.list(cid).await.map_err(refusal)?;
        // What is no directory would harm who extracts it.
        let list = list.filter(|list| list.extent.size == size);
        let list = list.ok_or(KeepRefusal::Malformed)?;
        if let Some(unwanted) = self.unwanted(list.files.iter().map(|(cid, _)| cid)) {
            return Err(NotKept::Unwanted(unwanted));
        }
        self.take_room(&cid, list.extent).await?;
        Ok(list)
    }

    async fn take_room(&self, cid: &Cid, extent: Extent) -> Outcome {
        let _turn = self.turn.lock().await;
        let now = self.files.network_time();
        let gone = self.room().extend(cid, extent, now)?;
        self.make_way(&gone).await;
        Ok(())
    }

    /// Fetches all files of a directory from those who have its list: many small ones at a time, a few others beside them.
    async fn fetch_members(
        self: &Arc<Self>,
        cid: Cid,
        list: List,
        sources: Sources,
        came: &AtomicU64,
    ) -> Outcome {
        let coming = Coming {
            inner: self.clone(),
            members: self.disk.members(&cid),
            sources,
            tally: Arc::default(),
            had: Arc::default(),
        };
        coming.members.begin().await.map_err(refusal)?;
        let files = list.files.into_iter();
        let (small, large): (Vec<_>, Vec<_>) = files.partition(|(_, tree)| is_small(*tree));
        let fetch = |(cid, tree)| coming.clone().member(cid, tree);
        let small = stream::iter(small).map(fetch);
        let small = small.buffer_unordered(SMALL_AT_ONCE).try_collect::<()>();
        let large = stream::iter(large).map(fetch);
        let large = large.buffer_unordered(LARGE_AT_ONCE).try_collect::<()>();
        let have = || {
            let came = coming.tally.came.load(Ordering::Relaxed);
            came + coming.had.load(Ordering::Relaxed)
        };
        tokio::select! {
            fetched = try_join(small, large) => fetched.map(drop),
            never = count(have, came) => match never {},
        }
    }
}

impl Coming {
    /// Whether a file of the directory is there, or was kept before with something else.
    async fn is_there(&self, cid: Cid, tree: Tree) -> std::result::Result<bool, NotKept> {
        let owner = self.inner.given().owner_of(&cid);
        let other = owner.map(|owner| self.inner.disk.folder_of(&owner, &cid));
        let members = self.members.clone();
        let there = on_disk(move || {
            let there = members.whole(&cid, tree).is_some();
            Ok(there || other.is_some_and(|other| members.take_over(&other, &cid, tree)))
        });
        Ok(there.await.map_err(refusal)?)
    }

    /// Fetches a file of the directory, unless it is there. Whoever has the list has all of it.
    async fn member(self, cid: Cid, tree: Tree) -> Outcome {
        if self.is_there(cid, tree).await? {
            self.had.fetch_add(tree.size(), Ordering::Relaxed);
            return Ok(());
        }
        let how = |in_flight| How {
            whole: true,
            tally: self.tally.clone(),
            ..how(in_flight)
        };
        if is_small(tree) {
            let small = SmallFile::new(cid, tree).ok_or(KeepRefusal::Malformed)?;
            let target: Arc<dyn Partial> = Arc::new(small.clone());
            let fetched = self.inner.files.fetch(&self.sources, target, how(PIECE));
            fetched.await.map_err(refusal)?;
            let place = self.members.small(&cid);
            let written = small.finish(self.members.folder(), place).await;
            return Ok(written.map_err(refusal)?);
        }
        let partial = self.members.partial(cid, tree).await.map_err(refusal)?;
        self.had.fetch_add(partial.bytes(), Ordering::Relaxed);
        let how = how(IN_FLIGHT / LARGE_AT_ONCE as u64);
        self.inner.fetch_all(&self.sources, &partial, how).await
    }
}

fn how(in_flight: u64) -> How {
    How {
        patience: KEEP_PATIENCE,
        whole: false,
        in_flight,
        tally: Arc::new(Tally::default()),
    }
}

async fn count(have: impl Fn() -> u64, came: &AtomicU64) -> Infallible {
    loop {
        came.store(have(), Ordering::Relaxed);
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

fn refusal(error: Error) -> KeepRefusal {
    match error.code() {
        Code::StorageFailed | Code::PermissionDenied | Code::Internal => {
            tracing::error!(%error, cause = error.cause(), "something could not be kept");
            KeepRefusal::StorageFailed
        }
        _ => KeepRefusal::NotFetched,
    }
}
