//! What a profile has shared before: an index of paths, and the hashes of each file, so that what has not changed is not
//! read again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use warren_shared::error::Result;
use warren_shared::platform;
use warren_shared::proto::files::cid::{Cid, Kind};
use warren_shared::proto::files::kept::{Damage, Index, Place, Row, Shared};
use warren_shared::proto::files::tree::Tree;

use super::failed;
use super::here::{Hashes, SharedFile, Stamp, hash};
use crate::identity::sync_dir;

const FOLDER: &str = "files";
const INDEX: &str = "index";

/// The index of one profile.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    index: Index,
    file: File,
}

impl Library {
    /// In a data directory, which is locked by whoever calls this. Blocks.
    pub fn open(data: &Path) -> Result<Library> {
        let folder = data.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|error| failed("make", &folder, error))?;
        let path = folder.join(INDEX);
        let open = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path);
        let mut file = open.map_err(|error| failed("open", &path, error))?;
        let writing = |error| failed("write to", &path, error);
        let bytes = std::fs::read(&path).map_err(|error| failed("read", &path, error))?;
        let (mut index, damage) = Index::salvage(&bytes)?;
        match damage {
            None => {}
            Some(Damage::Truncated(at)) if at > 0 => file.set_len(at).map_err(writing)?,
            Some(damage) => {
                if !bytes.is_empty() {
                    tracing::warn!(%damage, "a part of the index of shared files is lost");
                }
                file.set_len(0).map_err(writing)?;
                file.write_all(&index.rewrite()).map_err(writing)?;
            }
        }
        file.sync_all()
            .and_then(|()| sync_dir(&folder))
            .map_err(writing)?;
        let state = Mutex::new(State { index, file });
        Ok(Library { folder, state })
    }

    /// A file as it is shared: read again only if it looks different from what it was. Blocks.
    pub fn share(&self, path: &Path) -> Result<SharedFile> {
        let stamp = Stamp::of(path).map_err(|error| failed("read", path, error))?;
        if let Some(known) = self.known(path, stamp) {
            return Ok(known);
        }
        let (stamp, built, hashes) = hash(path)?;
        let cid = Cid::file(built.root);
        let kept = self.keep(&cid, &hashes);
        let kept = kept.map_err(|error| failed("write to", &self.folder, error))?;
        self.put(Shared {
            cid,
            size: stamp.size,
            place: Place::There {
                path: path.as_os_str().as_bytes().to_vec(),
                modified: stamp.modified,
            },
            pinned: false,
            used: platform::now(),
            listing: Vec::new(),
        })?;
        Ok(SharedFile::new(path, stamp, built.root, built.tree, kept))
    }

    fn known(&self, path: &Path, stamp: Stamp) -> Option<SharedFile> {
        let state = self.state();
        let found = state.index.shared().find(|shared| match &shared.place {
            Place::There {
                path: known,
                modified,
            } => {
                let same = known.as_slice() == path.as_os_str().as_bytes();
                same && *modified == stamp.modified && shared.size == stamp.size
            }
            Place::Store => false,
        })?;
        let cid = found.cid;
        drop(state);
        let tree = Tree::new(stamp.size)?;
        let file = File::open(self.hashes(&cid)).ok()?;
        // Wrong hashes are noticed when they are sent; missing ones are made again here.
        let whole = file.metadata().ok()?.len() == tree.outboard_size();
        (whole && cid.kind == Kind::File)
            .then(|| SharedFile::new(path, stamp, cid.root, tree, Hashes::File(file)))
    }

    fn hashes(&self, cid: &Cid) -> PathBuf {
        self.folder.join(cid.to_string())
    }

    fn keep(&self, cid: &Cid, hashes: &[u8]) -> io::Result<Hashes> {
        let path = self.hashes(cid);
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(hashes)?;
        file.sync_data()?;
        std::fs::rename(&new, &path)?;
        File::open(&path).map(Hashes::File)
    }

    fn put(&self, shared: Shared) -> Result<()> {
        let mut state = self.state();
        let Some(row) = state.index.change(Row::Put { shared }) else {
            // A path beyond any that can be opened, or too many files: it is hashed again the next time.
            return Ok(());
        };
        let written = state
            .file
            .write_all(&row)
            .and_then(|()| state.file.sync_data());
        written.map_err(|error| failed("write to", &self.folder.join(INDEX), error))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warren_shared::net::files::Held;

    #[test]
    fn what_has_not_changed_is_not_read_again() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("file");
        std::fs::write(&path, vec![7; 100_000]).unwrap();
        let stamp = Stamp::of(&path).unwrap();
        let library = Library::open(data.path()).unwrap();
        assert!(library.known(&path, stamp).is_none());
        let cid = library.share(&path).unwrap().cid();
        drop(library);
        let library = Library::open(data.path()).unwrap();
        assert_eq!(library.known(&path, stamp).expect("known").cid(), cid);
        std::fs::write(&path, "other").unwrap();
        let stamp = Stamp::of(&path).unwrap();
        assert!(library.known(&path, stamp).is_none());
        assert_ne!(library.share(&path).unwrap().cid(), cid);
    }

    #[test]
    fn an_index_that_was_cut_off_goes_on() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let library = Library::open(data.path()).unwrap();
        library.share(&path).unwrap();
        drop(library);
        let index = data.path().join(FOLDER).join(INDEX);
        let whole = std::fs::read(&index).unwrap();
        for cut in [0, 5, 8, whole.len() - 1] {
            std::fs::write(&index, &whole[..cut]).unwrap();
            let library = Library::open(data.path()).unwrap();
            let stamp = Stamp::of(&path).unwrap();
            assert!(library.known(&path, stamp).is_none(), "{cut}");
            library.share(&path).unwrap();
            drop(library);
            let library = Library::open(data.path()).unwrap();
            assert!(library.known(&path, stamp).is_some(), "{cut}");
        }
    }
}
