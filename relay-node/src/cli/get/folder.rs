//! A directory on its way to its place: its list first, then its files, many at a time over the same streams.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt, TryStreamExt, stream};
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::MAX_DIRECTORY;
use warren_shared::net::files::{Held, How};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::directory::{Directory, Entry};
use warren_shared::proto::files::tree::Tree;

use super::Got;
use super::fetch::Getting;
use super::work::is_there;
use crate::files::{SmallFile, copy, failed, place_in};

/// Files that are fetched at the same time: enough that small ones do not wait for each other's way there and back.
const AT_ONCE: usize = 16;

impl Getting<'_> {
    /// Fetches a directory to its place. Files that are there already are checked and stay. Also tells its files.
    pub async fn folder(&self, cid: Cid, place: &Path) -> Result<(Got, Vec<PathBuf>)> {
        let directory = self.list(cid).await?;
        std::fs::create_dir_all(place).map_err(|error| failed("make", place, error))?;
        let (size, had) = (directory.size(), AtomicU64::new(0));
        self.shown.begin(cid, size, 0).await;
        // Whoever has the directory has its files.
        let how = How {
            whole: true,
            ..self.how.clone()
        };
        let each = |equal: Vec<Entry>| {
            let (how, had) = (how.clone(), &had);
            async move { self.equal(equal, place, &how, had).await }
        };
        let files = stream::iter(equal(&directory)).map(each);
        let all = files.buffer_unordered(AT_ONCE).try_collect::<()>();
        let kept = || 0;
        self.shown.while_waiting(&self.how.tally, kept, all).await?;
        let paths = directory.entries().iter();
        let paths = paths.map(|entry| place.join(entry.path.as_str()));
        Ok((self.got(size, had.into_inner()), paths.collect()))
    }

    /// The list of its files. What is no list, or leads out of its place, is refused before anything is written there.
    async fn list(&self, cid: Cid) -> Result<Directory> {
        let partial = self.begin(cid).await?;
        if partial.tree().size() > MAX_DIRECTORY as u64 {
            return Err(Error::new(
                Code::TooLarge,
                "the directory has too many files",
            ));
        }
        let how = How {
            tally: Arc::default(),
            ..self.how.clone()
        };
        self.fetch(&partial, &how).await?;
        Ok(Directory::decode(&partial.whole()?)?)
    }

    /// Fetches one of equal files, unless one of them is there, and copies it to where the others belong.
    async fn equal(
        &self,
        equal: Vec<Entry>,
        root: &Path,
        how: &How,
        had: &AtomicU64,
    ) -> Result<()> {
        let (mut there, mut missing) = (None, Vec::new());
        for entry in equal {
            let place = place_in(root, &entry.path)?;
            match is_there(&place, entry.cid).await? {
                true => {
                    had.fetch_add(entry.size, Ordering::Relaxed);
                    there = Some(place);
                }
                false => missing.push((entry, place)),
            }
        }
        for (entry, place) in missing {
            match &there {
                Some(there) => {
                    copy(&self.work.folder, there.clone(), place).await?;
                    had.fetch_add(entry.size, Ordering::Relaxed);
                }
                None => {
                    self.entry(entry, place.clone(), how.clone(), had).await?;
                    there = Some(place);
                }
            }
        }
        Ok(())
    }

    async fn entry(&self, entry: Entry, place: PathBuf, how: How, had: &AtomicU64) -> Result<()> {
        let tree = Tree::new(entry.size)
            .ok_or_else(|| Error::new(Code::TooLarge, "a file of the directory is too large"))?;
        if let Some(small) = SmallFile::new(entry.cid, tree) {
            let target = Arc::new(small.clone());
            self.files.fetch(&self.sources, target, how).await?;
            return small.finish(&self.work.folder, place).await;
        }
        let partial = self.open(entry.cid, tree).await?;
        had.fetch_add(partial.bytes(), Ordering::Relaxed);
        self.files.share(Arc::new(partial.clone()))?;
        self.fetch(&partial, &how).await?;
        partial.finish(place).await?;
        self.files.unshare(&partial.cid());
        Ok(())
    }
}

/// The files of a directory: together those that are equal, each of them in the order of its first path.
fn equal(directory: &Directory) -> Vec<Vec<Entry>> {
    let (mut all, mut known) = (Vec::<Vec<Entry>>::new(), HashMap::new());
    for entry in directory.entries() {
        let at = *known.entry(entry.cid).or_insert(all.len());
        match all.get_mut(at) {
            Some(equal) => equal.push(entry.clone()),
            None => all.push(vec![entry.clone()]),
        }
    }
    all
}
