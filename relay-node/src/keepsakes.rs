//! A few small files beside the identity: which witnesses are believed, what was seen of names.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::outside;

use crate::identity::sync_dir;

const FOLDER: &str = "names";

/// How the file is called until it is complete.
const UNFINISHED: &str = "new";

/// One file for each, replaced as a whole: by what was saved last, whichever write ends last.
#[derive(Clone, Debug)]
pub struct Keepsakes {
    folder: PathBuf,
    /// How many saves were asked for.
    asked: Arc<AtomicU64>,
    /// Which one is in each file. The inner lock is held while its file is written, by no other.
    written: Arc<Mutex<HashMap<PathBuf, Written>>>,
}

type Written = Arc<Mutex<u64>>;

impl Keepsakes {
    /// In a folder of the data directory, which is locked by whoever calls this. What an earlier
    /// program left unfinished is removed.
    pub fn in_dir(data: &Path) -> Result<Self> {
        let folder = data.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        for entry in std::fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
            let path = entry.map_err(|error| failed(&folder, error))?.path();
            if path.extension().is_some_and(|end| end == UNFINISHED) {
                std::fs::remove_file(&path).map_err(|error| failed(&path, error))?;
            }
        }
        Ok(Self {
            folder,
            asked: Arc::default(),
            written: Arc::default(),
        })
    }

    /// All that are kept under names with this beginning, by the rest of their names.
    pub fn all(&self, beginning: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        all_in(&self.folder, beginning)
    }

    /// As [`Self::all`], of a data directory that somebody else may use meanwhile: nothing is written.
    pub fn seen_in(data: &Path, beginning: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        let folder = data.join(FOLDER);
        match folder.is_dir() {
            true => all_in(&folder, beginning),
            false => Ok(BTreeMap::new()),
        }
    }

    /// Keeps something durably, in the place of what was there. Blocks.
    pub fn put(&self, what: &str, bytes: &[u8]) -> Result<()> {
        self.writing(what)(bytes)
    }

    /// Takes a place in the order of saves, at once; the write may come when it likes, and blocks.
    fn writing(&self, what: &str) -> impl FnOnce(&[u8]) -> Result<()> + Send + use<> {
        let (folder, path) = (self.folder.clone(), self.path(what));
        let written = self.written(&path);
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        move |bytes| {
            let mut last = locked(&written);
            if *last > number {
                return Ok(());
            }
            replace(&folder, &path, bytes).map_err(|error| failed(&path, error))?;
            *last = number;
            Ok(())
        }
    }

    fn written(&self, path: &Path) -> Written {
        let mut written = locked(&self.written);
        written.entry(path.to_owned()).or_default().clone()
    }

    fn path(&self, what: &str) -> PathBuf {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let name: String = what
            .chars()
            .map(|c| if plain(c) { c } else { '_' })
            .collect();
        self.folder.join(name)
    }
}

impl outside::Keepsakes for Keepsakes {
    fn load(&self, what: String) -> BoxFuture<'static, Result<Option<Vec<u8>>>> {
        let path = self.path(&what);
        Box::pin(async move {
            match tokio::fs::read(&path).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(&path, error)),
            }
        })
    }

    fn save(&self, what: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<()>> {
        let write = self.writing(&what);
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || write(&bytes)).await;
            written.map_err(|error| {
                Error::new(Code::Internal, "a write was dropped").caused_by(error)
            })?
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn all_in(folder: &Path, beginning: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let unreadable = |error| failed(folder, error);
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(rest) = name.and_then(|name| name.strip_prefix(beginning)) {
            let bytes = std::fs::read(&path).map_err(|error| failed(&path, error))?;
            found.insert(rest.to_owned(), bytes);
        }
    }
    Ok(found)
}

fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut new = tempfile_in(folder)?;
    new.1.write_all(bytes)?;
    new.1.sync_all()?;
    std::fs::rename(&new.0, path)?;
    sync_dir(folder)
}

/// Two writes of one process never share a file.
fn tempfile_in(folder: &Path) -> std::io::Result<(PathBuf, std::fs::File)> {
    let number = u64::from_le_bytes(warren_shared::platform::entropy());
    let path = folder.join(format!("{number:016x}.{UNFINISHED}"));
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)?;
    Ok((path, file))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::new(
        Code::StorageFailed,
        format!("cannot use {}", path.display()),
    )
    .caused_by(error)
    .with_remedy("Check free space and permissions of the data directory.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use outside::Keepsakes as _;

    #[tokio::test]
    async fn what_is_kept_is_there_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let keepsakes = Keepsakes::in_dir(data.path()).unwrap();
        assert_eq!(keepsakes.load("floors-net".into()).await.unwrap(), None);
        keepsakes.save("floors-net".into(), vec![1]).await.unwrap();
        keepsakes
            .save("floors-net".into(), vec![2, 3])
            .await
            .unwrap();
        keepsakes.save("../escape".into(), vec![4]).await.unwrap();
        let again = Keepsakes::in_dir(data.path()).unwrap();
        assert_eq!(
            again.load("floors-net".into()).await.unwrap(),
            Some(vec![2, 3])
        );
        let files = std::fs::read_dir(data.path().join(FOLDER)).unwrap().count();
        assert_eq!(files, 2, "nothing unfinished, and nothing outside");
    }

    #[tokio::test]
    async fn what_was_saved_last_stays_whichever_write_ends_last() {
        let data = tempfile::tempdir().unwrap();
        let keepsakes = Keepsakes::in_dir(data.path()).unwrap();
        let first = keepsakes.save("held".into(), vec![1]);
        let other = keepsakes.save("floors".into(), vec![9]);
        let second = keepsakes.save("held".into(), vec![2]);
        for save in [second, first, other] {
            save.await.unwrap();
        }
        assert_eq!(keepsakes.load("held".into()).await.unwrap(), Some(vec![2]));
        let floors = keepsakes.load("floors".into()).await.unwrap();
        assert_eq!(floors, Some(vec![9]));
    }

    #[tokio::test]
    async fn a_write_that_hangs_holds_up_nothing_but_its_own_file() {
        let data = tempfile::tempdir().unwrap();
        let keepsakes = Keepsakes::in_dir(data.path()).unwrap();
        let held = keepsakes.written(&keepsakes.path("held"));
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (began, begun) = tokio::sync::oneshot::channel();
        let hanging = tokio::task::spawn_blocking(move || {
            let _write = locked(&held);
            began.send(()).unwrap();
            ended.recv().unwrap();
        });
        begun.await.unwrap();
        let waits = keepsakes.save("held".into(), vec![1]);
        keepsakes.save("floors".into(), vec![9]).await.unwrap();
        assert_eq!(keepsakes.load("held".into()).await.unwrap(), None);
        end.send(()).unwrap();
        hanging.await.unwrap();
        waits.await.unwrap();
        assert_eq!(keepsakes.load("held".into()).await.unwrap(), Some(vec![1]));
    }

    #[test]
    fn what_was_left_unfinished_is_removed() {
        let data = tempfile::tempdir().unwrap();
        Keepsakes::in_dir(data.path()).unwrap();
        let left = data.path().join(FOLDER).join("0123456789abcdef.new");
        std::fs::write(&left, "half").unwrap();
        Keepsakes::in_dir(data.path()).unwrap();
        assert!(!left.exists());
    }
}
