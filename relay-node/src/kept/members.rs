//! The files of a kept directory, in a folder of their own, so that they come and go with it: small ones alone, the others with
//! hashes and maps as kept files have them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use warren_shared::error::Result;
use warren_shared::limits::PIECE;
use warren_shared::net::files::{Held, Portion};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Sender, Tree};
use warren_shared::proto::files::wire::FileRefusal;

use super::file::{KeptFile, place};
use crate::files::{Block, PartialFile, failed, on_disk, refusal};
use crate::identity::sync_dir;

/// What is put in its place whole, and has nothing beside it.
const SMALL: &str = "small";
/// What was being written when the relay ended.
const NEW: &str = "new";

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Members {
    folder: Arc<Path>,
}

/// Whether a file is kept without its hashes: they are made again faster than they would be read.
pub(super) fn is_small(tree: Tree) -> bool {
    tree.size() <= PIECE
}

impl Members {
    pub fn new(folder: PathBuf) -> Members {
        Members {
            folder: folder.into(),
        }
    }

    /// Makes the folder, or goes on with it.
    pub async fn begin(&self) -> Result<()> {
        let folder = self.folder.clone();
        on_disk(move || make(&folder).map_err(|error| failed("make", &folder, error))).await
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a small file goes.
    pub fn small(&self, cid: &Cid) -> PathBuf {
        place(&self.folder, cid, SMALL)
    }

    /// Goes on with what is there of a larger file, or begins.
    pub async fn partial(&self, cid: Cid, tree: Tree) -> Result<PartialFile> {
        let folder = self.folder.clone();
        on_disk(move || PartialFile::open(&folder, cid, tree)).await
    }

    /// Takes over a copy of a file that is whole in another folder of the kept; whether it is there then. A copy, because what
    /// somebody says of a file here must never lead to what was kept for others. Blocks for as long as that takes.
    pub fn take_over(&self, from: &Path, cid: &Cid, tree: Tree) -> bool {
        let copy = |end: &str, to: &str| copy(&place(from, cid, end), &self.folder, cid, to);
        let right = |end: &&str| block(&place(from, cid, end), *cid, tree).is_ok();
        let copied = match is_small(tree) {
            // One that is kept for itself has its bytes beside its map.
            true => {
                let found = [SMALL, "data"].into_iter().find(right);
                found.is_some_and(|end| copy(end, SMALL).is_ok())
            }
            false => {
                let whole = KeptFile::whole(&Arc::from(from), cid);
                let same = whole.is_some_and(|file| file.tree() == tree);
                same && ["data", "hashes", "map"]
                    .iter()
                    .all(|end| copy(end, end).is_ok())
            }
        };
        copied && sync_dir(&self.folder).is_ok() && self.whole(cid, tree).is_some()
    }

    /// A file of which all is there. Blocks for a moment.
    pub fn whole(&self, cid: &Cid, tree: Tree) -> Option<Arc<dyn Held>> {
        if !is_small(tree) {
            let file = KeptFile::whole(&self.folder, cid)?;
            return (file.tree() == tree).then(|| Arc::new(file) as Arc<dyn Held>);
        }
        let length = self.small(cid).metadata().ok()?.len();
        let (cid, folder) = (*cid, self.folder.clone());
        let small = || Arc::new(KeptSmall { cid, tree, folder }) as Arc<dyn Held>;
        (length == tree.size()).then(small)
    }
}

fn make(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == NEW) {
            std::fs::remove_file(path)?;
        }
    }
    match folder.parent() {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Durable before it has its name.
fn copy(from: &Path, folder: &Path, cid: &Cid, to: &str) -> io::Result<()> {
    let new = place(folder, cid, &[to, ".", NEW].concat());
    std::fs::copy(from, &new)?;
    File::open(&new)?.sync_all()?;
    std::fs::rename(&new, place(folder, cid, to))
}

/// A small file of a directory.
#[derive(Debug)]
struct KeptSmall {
    cid: Cid,
    tree: Tree,
    folder: Arc<Path>,
}

/// Reads all of it. What is not what it was is gone.
fn block(path: &Path, cid: Cid, tree: Tree) -> std::result::Result<Block, FileRefusal> {
    let length = File::open(path).and_then(|file| file.metadata());
    if length.map_err(refusal)?.len() != tree.size() {
        return Err(FileRefusal::Gone);
    }
    let bytes = std::fs::read(path).map_err(refusal)?;
    let block = Block::new(cid, bytes).filter(|block| block.tree() == tree);
    block.ok_or(FileRefusal::Gone)
}

#[async_trait]
impl Held for KeptSmall {
    fn cid(&self) -> Cid {
        self.cid
    }

    fn tree(&self) -> Tree {
        self.tree
    }

    fn pieces(&self) -> Pieces {
        Pieces::all(self.tree.pieces())
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        let (path, cid, tree) = (place(&self.folder, &self.cid, SMALL), self.cid, self.tree);
        let reading = tokio::task::spawn_blocking(move || block(&path, cid, tree)).await;
        // The task was dropped: this program ends.
        match reading.unwrap_or(Err(FileRefusal::StorageFailed)) {
            Ok(block) => block.read(sender, room).await,
            Err(why) => Portion {
                sender,
                bytes: Vec::new(),
                outcome: Err(why),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warren_shared::proto::files::tree::{TreeBuilder, root_of};

    #[tokio::test]
    async fn a_small_file_is_there_when_it_has_its_size_and_given_when_it_is_right() {
        let data = tempfile::tempdir().unwrap();
        let members = Members::new(data.path().join("files"));
        members.begin().await.unwrap();
        let (cid, tree) = (Cid::file(root_of(b"abc")), Tree::new(3).unwrap());
        assert!(members.whole(&cid, tree).is_none());
        let read = || async {
            let held = members.whole(&cid, tree).expect("it is there");
            let sender = Sender::new(cid.root, tree, tree.piece(0));
            let portion = held.read(sender, 100).await;
            (portion.bytes, portion.outcome)
        };
        std::fs::write(members.small(&cid), "abc").unwrap();
        assert_eq!(read().await, (b"abc".to_vec(), Ok(())));
        assert!(members.whole(&cid, Tree::new(4).unwrap()).is_none());
        // A disk that fails is noticed before anything is given.
        std::fs::write(members.small(&cid), "abd").unwrap();
        assert_eq!(read().await, (Vec::new(), Err(FileRefusal::Gone)));
        std::fs::write(members.small(&cid), "ab").unwrap();
        assert!(members.whole(&cid, tree).is_none());
        std::fs::write(members.folder().join("1.new"), "ab").unwrap();
        members.begin().await.unwrap();
        assert_eq!(std::fs::read_dir(members.folder()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_larger_file_is_there_when_all_of_it_is() {
        let data = tempfile::tempdir().unwrap();
        let members = Members::new(data.path().join("files"));
        members.begin().await.unwrap();
        let (cid, tree) = (Cid::file([7; 32]), Tree::new(PIECE + 1).unwrap());
        let partial = members.partial(cid, tree).await.unwrap();
        partial.settle().await.unwrap();
        assert!(members.whole(&cid, tree).is_none(), "nothing has come");
    }

    #[tokio::test]
    async fn what_is_whole_elsewhere_is_taken_over_and_stays() {
        let data = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| Members::new(data.path().join(name)));
        for members in [&one, &two] {
            members.begin().await.unwrap();
        }
        let (cid, tree) = (Cid::file(root_of(b"abc")), Tree::new(3).unwrap());
        assert!(!two.take_over(one.folder(), &cid, tree), "it is not there");
        std::fs::write(one.small(&cid), "abc").unwrap();
        assert!(two.take_over(one.folder(), &cid, tree));
        std::fs::remove_dir_all(one.folder()).unwrap();
        assert!(two.whole(&cid, tree).is_some());

        // Of one that is kept for itself, and is large.
        let bytes = vec![7; PIECE as usize + 1];
        let (cid, tree) = (Cid::file(root_of(&bytes)), Tree::new(PIECE + 1).unwrap());
        let [hashes, map] = ["hashes", "map"].map(|end| place(data.path(), &cid, end));
        let mut pairs = Vec::new();
        let mut builder = TreeBuilder::new();
        assert!(builder.take(&bytes, &mut pairs));
        builder.finish(&mut pairs);
        std::fs::write(place(data.path(), &cid, "data"), &bytes).unwrap();
        std::fs::write(&hashes, &pairs).unwrap();
        drop(PartialFile::open(data.path(), cid, tree).unwrap());
        assert!(two.take_over(data.path(), &cid, tree));
        // Whoever says something else of it reaches what is kept for others neither now nor when it is fetched.
        let three = Members::new(data.path().join("three"));
        three.begin().await.unwrap();
        for size in [PIECE + 2, 2 * PIECE, 5] {
            let lie = Tree::new(size).unwrap();
            assert!(!three.take_over(data.path(), &cid, lie));
            drop(three.partial(cid, lie).await.unwrap());
        }
        let kept = KeptFile::whole(&data.path().into(), &cid).expect("it stays");
        assert_eq!(kept.tree(), tree);
        assert_eq!(
            std::fs::read(place(data.path(), &cid, "data")).unwrap(),
            bytes
        );
        std::fs::remove_file(map).unwrap();
        assert!(two.whole(&cid, tree).is_some());
    }
}
