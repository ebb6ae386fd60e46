//! The folder of what is kept: for each file, and for the list of each directory, its bytes, hashes and map as a partial file
//! has them, and a note of who asked for it; beside that a folder with the files of the directory. What has no note was not
//! wanted any more when the relay ended, and is removed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use warren_shared::error::Result;
use warren_shared::limits::{MAX_DIRECTORY, MAX_KEPT_NOTE};
use warren_shared::net::files::Held;
use warren_shared::proto::files::cid::{Cid, Kind};
use warren_shared::proto::files::directory::Directory;
use warren_shared::proto::files::keeping::{Extent, Note, different};
use warren_shared::proto::files::tree::Tree;
use warren_shared::proto::key::NetworkId;

use super::file::{KeptFile, place};
use super::members::Members;
use crate::files::{PartialFile, failed, on_disk};
use crate::identity::sync_dir;

const FOLDER: &str = "kept";
/// The endings of what belongs to one kept file or directory; the note is the first that goes.
const ENDS: [&str; 6] = ["note", "note-new", "map", "hashes", "data", MEMBERS];
/// The folder with the files of a directory.
const MEMBERS: &str = "files";
/// Tries to remove a folder.
const REMOVED_AGAIN: usize = 3;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    folder: Arc<Path>,
    network: NetworkId,
    /// Whoever reads a list has it.
    reading: Arc<Mutex<()>>,
}

/// A file or directory of which something is there.
pub(super) struct Found {
    pub cid: Cid,
    pub note: Note,
    pub extent: Extent,
    /// All that it consists of, if all of that is there: itself first.
    pub whole: Option<Vec<Arc<dyn Held>>>,
}

/// The list of a directory.
pub(super) struct List {
    pub extent: Extent,
    /// Its different files, in the order of their first paths.
    pub files: Vec<(Cid, Tree)>,
}

impl Disk {
    /// In a data directory. Blocks.
    pub fn open(data: &Path, network: &NetworkId) -> Result<Disk> {
        let folder = data.join(FOLDER);
        std::fs::create_dir_all(&folder)
            .and_then(|()| sync_dir(data))
            .map_err(|error| failed("make", &folder, error))?;
        Ok(Disk {
            folder: folder.into(),
            network: network.clone(),
            reading: Arc::default(),
        })
    }

    fn path(&self, cid: &Cid, end: &str) -> PathBuf {
        place(&self.folder, cid, end)
    }

    /// Where the files of a directory are.
    pub fn members(&self, cid: &Cid) -> Members {
        Members::new(self.path(cid, MEMBERS))
    }

    /// The folder that has a file of something that is kept.
    pub fn folder_of(&self, owner: &Cid, cid: &Cid) -> PathBuf {
        match owner == cid {
            true => self.folder.to_path_buf(),
            false => self.path(owner, MEMBERS),
        }
    }

    /// Who asked for it, if that can be read.
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

    /// The list of a directory, if all of it is there and it is one.
    pub async fn list(&self, cid: Cid) -> Result<Option<List>> {
        let disk = self.clone();
        on_disk(move || Ok(disk.read_list(&cid))).await
    }

    fn read_list(&self, cid: &Cid) -> Option<List> {
        let tree = KeptFile::whole(&self.folder, cid)?.tree();
        if tree.size() > MAX_DIRECTORY as u64 {
            return None;
        }
        // One at a time: a list of the largest kind takes hundreds of megabytes while it is looked through.
        let _turn = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let block = std::fs::read(self.path(cid, "data")).ok()?;
        let directory = Directory::decode(&block).ok()?;
        // There is one encoding.
        if directory.publish().0 != *cid {
            return None;
        }
        let extent = Extent::of_directory(tree, &directory)?;
        let files = different(&directory)?;
        Some(List { extent, files })
    }

    /// All that a file or directory with so many bytes consists of, if all of that is there: itself first.
    pub async fn whole(&self, cid: Cid, size: u64) -> Result<Option<Vec<Arc<dyn Held>>>> {
        let disk = self.clone();
        on_disk(move || Ok(disk.find(&cid, size).1)).await
    }

    /// How much something takes as far as that can be told, and all that it consists of if that is there.
    fn find(&self, cid: &Cid, size: u64) -> (Extent, Option<Vec<Arc<dyn Held>>>) {
        let asked = Extent::asked(cid, size);
        let Some(itself) = KeptFile::whole(&self.folder, cid) else {
            return (asked, None);
        };
        if cid.kind == Kind::File {
            let right = itself.tree().size() == size;
            let file = || vec![Arc::new(itself) as Arc<dyn Held>];
            return (asked, right.then(file));
        }
        let list = self.read_list(cid);
        let Some(list) = list.filter(|list| list.extent.size == size) else {
            return (asked, None);
        };
        let members = self.members(cid);
        let itself = std::iter::once(Some(Arc::new(itself) as Arc<dyn Held>));
        let files = list.files.iter();
        let files = files.map(|(cid, tree)| members.whole(cid, *tree));
        (list.extent, itself.chain(files).collect())
    }

    /// Removes all of a file or directory.
    pub async fn remove(&self, cid: Cid) -> Result<()> {
        let paths = ENDS.map(|end| self.path(&cid, end));
        // All that can be, whatever cannot.
        let all = move || {
            paths
                .iter()
                .map(|path| remove(path))
                .fold(Ok(()), Result::and)
        };
        on_disk(all).await
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
                Some(note) => {
                    let (extent, whole) = self.find(&cid, note.size());
                    found.push(Found {
                        cid,
                        note,
                        extent,
                        whole,
                    });
                }
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
    let folder = path.extension().is_some_and(|end| end == MEMBERS);
    let removed = match folder {
        true => remove_folder(path),
        false => std::fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, error)),
        _ => Ok(()),
    }
}

/// Something that was given up may still be put into it: then once more.
fn remove_folder(path: &Path) -> io::Result<()> {
    for _ in 0..REMOVED_AGAIN {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            done => return done,
        }
    }
    std::fs::remove_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use warren_shared::limits::DAY;
    use warren_shared::proto::files::directory::Entry;
    use warren_shared::proto::files::keeping::{KeepRequest, Kept};
    use warren_shared::proto::files::path::FilePath;
    use warren_shared::proto::files::search::Listing;
    use warren_shared::proto::files::tree::root_of;
    use warren_shared::proto::key::SigningKey;

    const NOW: u64 = 1_700_000_000_000;

    fn network() -> NetworkId {
        "test".parse().unwrap()
    }

    /// Of an empty file, or what is said to be one.
    fn note(cid: Cid) -> Note {
        note_of(cid, 0)
    }

    fn note_of(cid: Cid, size: u64) -> Note {
        let listing = Listing {
            cid,
            name: "nothing".to_owned(),
            size,
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
        let found: Vec<(Cid, bool)> = found
            .iter()
            .map(|one| (one.cid, one.whole.is_some()))
            .collect();
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

    #[tokio::test]
    async fn a_directory_is_whole_when_all_of_its_files_are_there() {
        let data = tempfile::tempdir().unwrap();
        let disk = Disk::open(data.path(), &network()).unwrap();
        let abc = Cid::file(root_of(b"abc"));
        let entry = |path| Entry {
            path: FilePath::new(path).unwrap(),
            cid: abc,
            size: 3,
            media: String::new(),
        };
        let directory = Directory::new(vec![entry("a"), entry("b/c")]).unwrap();
        let (cid, block) = directory.publish();
        let tree = Tree::new(block.len() as u64).unwrap();
        disk.write_note(cid, note_of(cid, 6)).await.unwrap();
        std::fs::write(disk.path(&cid, "data"), &block).unwrap();
        disk.partial(cid, tree).await.unwrap();
        let found = disk.load().await.unwrap();
        assert_eq!((found.len(), found[0].cid), (1, cid));
        assert!(found[0].whole.is_none(), "its list alone");
        let extent = Extent::of_directory(tree, &directory).unwrap();
        assert_eq!(found[0].extent, extent);
        let files = disk.list(cid).await.unwrap().expect("its list").files;
        assert_eq!(files, [(abc, Tree::new(3).unwrap())]);

        let members = disk.members(&cid);
        members.begin().await.unwrap();
        std::fs::write(members.small(&abc), "abc").unwrap();
        let whole = disk.whole(cid, 6).await.unwrap().expect("all of it");
        let parts: Vec<Cid> = whole.iter().map(|held| held.cid()).collect();
        assert_eq!(parts, [cid, abc]);
        assert!(disk.whole(cid, 7).await.unwrap().is_none(), "another size");
        assert!(disk.load().await.unwrap()[0].whole.is_some());
        std::fs::remove_file(disk.path(&cid, "note")).unwrap();
        assert!(disk.load().await.unwrap().is_empty());
        assert_eq!(names(&data.path().join(FOLDER)), 0, "nothing is left");
    }
}
