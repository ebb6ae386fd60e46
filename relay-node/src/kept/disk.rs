//! The folder of what is kept: for each file its bytes, hashes and map as a partial file has them, and a note of who asked
//! for it. What has no note was not wanted any more when the relay ended, and is removed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use warren_shared::error::Result;
use warren_shared::limits::MAX_KEPT_NOTE;
use warren_shared::net::files::Held;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::keeping::Note;
use warren_shared::proto::files::kept::KeptMap;
use warren_shared::proto::files::tree::Tree;
use warren_shared::proto::key::NetworkId;

use super::file::KeptFile;
use crate::files::{PartialFile, failed, on_disk};
use crate::identity::sync_dir;

const FOLDER: &str = "kept";
/// The endings of the files of one kept file; the note is the last that is written, and the first that goes.
const ENDS: [&str; 5] = ["note", "note-new", "map", "hashes", "data"];

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    network: NetworkId,
}

/// A file of which something is there.
pub(super) struct Found {
    pub cid: Cid,
    pub tree: Tree,
    pub note: Note,
    pub whole: bool,
}

impl Disk {
    /// In a data directory. Blocks.
    pub fn open(data: &Path, network: &NetworkId) -> Result<Disk> {
        let folder = data.join(FOLDER);
        std::fs::create_dir_all(&folder)
            .and_then(|()| sync_dir(data))
            .map_err(|error| failed("make", &folder, error))?;
        Ok(Disk {
            folder,
            network: network.clone(),
        })
    }

    fn path(&self, cid: &Cid, end: &str) -> PathBuf {
        self.folder.join(format!("{cid}.{end}"))
    }

    /// Who asked for a file, if it can be read.
    pub fn note(&self, cid: &Cid) -> Option<Note> {
        let path = self.path(cid, "note");
        let length = path.metadata().ok()?.len();
        if length > MAX_KEPT_NOTE as u64 {
            return None;
        }
        let bytes = std::fs::read(&path).ok()?;
        let note = Note::decode(&bytes, &self.network);
        let note = note.inspect_err(|refusal| {
            tracing::warn!(%cid, why = refusal.as_str(), "who asked for a kept file cannot be read");
        });
        note.ok().filter(|note| note.cid() == *cid)
    }

    /// Writes that durably, in place of what was there.
    pub async fn write_note(&self, cid: Cid, note: Note) -> Result<()> {
        let (new, path) = (self.path(&cid, "note-new"), self.path(&cid, "note"));
        let folder = self.folder.clone();
        on_disk(move || {
            let written = write(&new, &note.encode())
                .and_then(|()| std::fs::rename(&new, &path))
                .and_then(|()| sync_dir(&folder));
            written.map_err(|error| failed("write", &path, error))
        })
        .await
    }

    /// Goes on with what is there of a file, or begins.
    pub async fn partial(&self, cid: Cid, tree: Tree) -> Result<PartialFile> {
        let folder = self.folder.clone();
        on_disk(move || PartialFile::open(&folder, cid, tree)).await
    }

    /// A file of which all is there. Blocks for a moment.
    pub fn whole(&self, cid: &Cid) -> Option<KeptFile> {
        let bytes = std::fs::read(self.path(cid, "map")).ok()?;
        let map = KeptMap::decode(&bytes).ok()?;
        let (data, hashes) = (self.path(cid, "data"), self.path(cid, "hashes"));
        let long = |path: &Path, length| path.metadata().is_ok_and(|found| found.len() == length);
        let whole = map.cid == *cid
            && map.pieces.is_full()
            && long(&data, map.tree.size())
            && long(&hashes, map.tree.outboard_size());
        whole.then(|| KeptFile::new(*cid, map.tree, data, hashes))
    }

    /// Removes all of a file.
    pub async fn remove(&self, cid: Cid) -> Result<()> {
        let paths = ENDS.map(|end| self.path(&cid, end));
        on_disk(move || paths.iter().try_for_each(|path| remove(path))).await
    }

    /// All that is there; what has no note, or one that cannot be read, is removed.
    pub async fn load(&self) -> Result<Vec<Found>> {
        let disk = self.clone();
        on_disk(move || disk.load_all()).await
    }

    fn load_all(&self) -> Result<Vec<Found>> {
        let unreadable = |error| failed("read", &self.folder, error);
        let mut all: BTreeMap<Cid, Vec<PathBuf>> = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let end = path.extension().and_then(|end| end.to_str());
            let cid = path
                .file_stem()
                .and_then(|name| name.to_str()?.parse().ok());
            // What is not ours is left alone.
            if let (Some(cid), Some(true)) = (cid, end.map(|end| ENDS.contains(&end))) {
                all.entry(cid).or_default().push(path);
            }
        }
        let mut found = Vec::new();
        for (cid, paths) in all {
            match self.note(&cid) {
                Some(note) => found.push(Found {
                    tree: note.tree(),
                    whole: self
                        .whole(&cid)
                        .is_some_and(|file| file.tree() == note.tree()),
                    cid,
                    note,
                }),
                None => paths.iter().try_for_each(|path| remove(path))?,
            }
        }
        Ok(found)
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warren_shared::limits::DAY;
    use warren_shared::proto::files::keeping::{KeepRequest, Kept};
    use warren_shared::proto::files::search::Listing;
    use warren_shared::proto::files::tree::root_of;
    use warren_shared::proto::key::SigningKey;

    const NOW: u64 = 1_700_000_000_000;

    fn network() -> NetworkId {
        "test".parse().unwrap()
    }

    /// Of an empty file, or what is said to be one.
    fn note(cid: Cid) -> Note {
        let listing = Listing {
            cid,
            name: "nothing".to_owned(),
            size: 0,
            media: String::new(),
            tags: Vec::new(),
        };
        let key = SigningKey::from_seed([1; 32]);
        let request = KeepRequest::sign(&listing, &key, &network(), (NOW, NOW + DAY)).unwrap();
        Note::new(Kept { source: 1, request })
    }

    fn names(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[tokio::test]
    async fn what_is_there_is_found_again_and_the_rest_is_removed() {
        let data = tempfile::tempdir().unwrap();
        let disk = Disk::open(data.path(), &network()).unwrap();
        let folder = data.path().join(FOLDER);
        let (empty, other) = (Cid::file(root_of(&[])), Cid::file([9; 32]));
        let tree = Tree::new(0).unwrap();
        for cid in [empty, other] {
            disk.write_note(cid, note(cid)).await.unwrap();
            let partial = disk.partial(cid, tree).await.unwrap();
            partial.settle().await.unwrap();
        }
        std::fs::write(folder.join("not ours"), "x").unwrap();
        let found = disk.load().await.unwrap();
        let found: Vec<(Cid, bool)> = found.iter().map(|one| (one.cid, one.whole)).collect();
        // An empty file is there as soon as it is begun, and nothing of the other one has come.
        let mut wanted = [(empty, true), (other, false)];
        wanted.sort();
        assert_eq!(found, wanted);
        assert_eq!(disk.note(&empty), Some(note(empty)));

        std::fs::write(disk.path(&other, "note"), "damaged").unwrap();
        let found = disk.load().await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(names(&folder), 5, "four of one file, and what is not ours");
        disk.remove(empty).await.unwrap();
        assert_eq!(names(&folder), 1);
        assert!(disk.load().await.unwrap().is_empty());
        let moved = note(other);
        disk.write_note(empty, moved).await.unwrap();
        assert_eq!(disk.note(&empty), None, "the note of another file");
    }
}
