//! A file on its way to its place.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use warren_shared::error::{Code, Error, Result};
use warren_shared::net::files::{Files, Held, How, Partial, Sources};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::tree::Tree;

use super::Got;
use super::shown::Shown;
use super::work::Work;
use crate::files::PartialFile;

/// Downloads that take longer are announced to others, who may then fetch from them.
const WORTH_TELLING: Duration = Duration::from_secs(2);
/// How long it is tried to take that back.
const FAREWELL: Duration = Duration::from_secs(2);

/// One download of a file or a directory.
pub(super) struct Getting<'a> {
    pub files: Files,
    pub sources: Sources,
    pub how: How,
    pub work: Work,
    pub shown: Shown<'a>,
    /// Whether others were told that some of it is here.
    pub told: AtomicBool,
}

impl Getting<'_> {
    /// Fetches a file to its place.
    pub async fn file(&self, cid: Cid, place: &Path) -> Result<Got> {
        let partial = self.begin(cid).await?;
        let (size, had) = (partial.tree().size(), partial.bytes());
        self.shown.begin(cid, size, had).await;
        self.files.share(Arc::new(partial.clone()))?;
        let kept = || partial.kept();
        let fetching = self.fetch(&partial, &self.how);
        let fetched = self.shown.while_waiting(&self.how.tally, kept, fetching);
        tokio::select! {
            fetched = fetched => fetched?,
            never = self.announce(cid) => match never {},
        }
        partial.finish(place.to_owned()).await?;
        self.files.unshare(&cid);
        self.take_back(cid).await;
        Ok(self.got(size, had))
    }

    /// Opens what is there of a file, however little. Its size is what a source has proven, now or then.
    pub async fn begin(&self, cid: Cid) -> Result<PartialFile> {
        let tree = match PartialFile::begun(&self.work.folder, &cid) {
            Some(tree) => tree,
            None => self.files.shape(&self.sources, self.how.patience).await?,
        };
        self.open(cid, tree).await
    }

    pub async fn open(&self, cid: Cid, tree: Tree) -> Result<PartialFile> {
        let folder = self.work.folder.clone();
        let opening = tokio::task::spawn_blocking(move || PartialFile::open(&folder, cid, tree));
        opening.await.map_err(|error| {
            Error::new(Code::Internal, "a partial file was not opened").caused_by(error)
        })?
    }

    /// Says where others look that some of it is here, if that lasts.
    async fn announce(&self, cid: Cid) -> Infallible {
        tokio::time::sleep(WORTH_TELLING).await;
        self.told.store(true, Ordering::Relaxed);
        if let Err(error) = self.files.announce(&cid).await {
            tracing::debug!(%error, "nobody is told of what is there already");
        }
        std::future::pending().await
    }

    async fn take_back(&self, cid: Cid) {
        if self.told.load(Ordering::Relaxed) {
            let _ = tokio::time::timeout(FAREWELL, self.files.withdraw(&cid)).await;
        }
    }

    /// Fetches what is missing. What is there is durable then.
    pub async fn fetch(&self, partial: &PartialFile, how: &How) -> Result<()> {
        let target: Arc<dyn Partial> = Arc::new(partial.clone());
        let outcome = match partial.pieces().is_full() {
            true => Ok(()),
            false => self.files.fetch(&self.sources, target, how.clone()).await,
        };
        partial.settle().await?;
        outcome
    }

    pub fn got(&self, size: u64, had: u64) -> Got {
        let tally = &self.how.tally;
        Got {
            size,
            had,
            came: tally.came.load(Ordering::Relaxed),
            liars: tally.liars.load(Ordering::Relaxed),
        }
    }
}
