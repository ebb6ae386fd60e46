//! What is shared where its owner has it. Nothing is copied; a file that changes is noticed.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::files::{Held, Portion};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Built, Need, Sender, Tree, TreeBuilder};
use warren_shared::proto::files::wire::FileRefusal;

use super::{failed, portion, refusal};

/// Read at a time when a file is hashed.
const PORTION: usize = 1024 * 1024;
/// Hashes that are kept in memory: those of a file of 64 GiB.
const MOST_IN_MEMORY: u64 = 256 * 1024 * 1024;

/// What a file looks like from outside: whatever changes it changes this, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// In bytes.
    pub size: u64,
    /// When it was changed last, in nanoseconds since 1970.
    pub modified: u64,
}

impl Stamp {
    /// Of what is at a path now.
    pub fn of(path: &Path) -> io::Result<Stamp> {
        std::fs::metadata(path).map(|metadata| Stamp::from(&metadata))
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Stamp {
        let (seconds, rest) = (metadata.mtime().max(0), metadata.mtime_nsec().max(0));
        Stamp {
            size: metadata.len(),
            modified: (seconds as u64)
                .saturating_mul(1_000_000_000)
                .saturating_add(rest as u64),
        }
    }
}

/// The hashes of a file, beside it.
#[derive(Debug)]
pub(super) enum Hashes {
    Memory(Vec<u8>),
    File(File),
}

impl Hashes {
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self {
            Hashes::File(file) => file.read_exact_at(out, offset),
            Hashes::Memory(all) => {
                let found = usize::try_from(offset).ok();
                let found = found.and_then(|at| all.get(at..)?.get(..out.len()));
                out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// A file that is shared in place. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SharedFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    stamp: Stamp,
    cid: Cid,
    tree: Tree,
    hashes: Hashes,
}

impl SharedFile {
    /// Hashes a file. Blocks for as long as that takes.
    pub fn hash(path: &Path) -> Result<SharedFile> {
        let (stamp, built, hashes) = hash(path)?;
        Ok(SharedFile::new(
            path,
            stamp,
            built.root,
            built.tree,
            Hashes::Memory(hashes),
        ))
    }

    pub(super) fn new(
        path: &Path,
        stamp: Stamp,
        root: [u8; 32],
        tree: Tree,
        hashes: Hashes,
    ) -> SharedFile {
        SharedFile(Arc::new(Inner {
            path: path.to_owned(),
            stamp,
            cid: Cid::file(root),
            tree,
            hashes,
        }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What it looked like when it was hashed.
    pub fn stamp(&self) -> Stamp {
        self.0.stamp
    }

    /// Whether it still looks as it did. Blocks.
    pub fn is_unchanged(&self) -> bool {
        Stamp::of(&self.0.path).is_ok_and(|stamp| stamp == self.0.stamp)
    }
}

/// Hashes what is at a path: what it looks like, what it is, and the hashes in between.
pub(super) fn hash(path: &Path) -> Result<(Stamp, Built, Vec<u8>)> {
    let unreadable = |error| failed("read", path, error);
    let mut file = File::open(path).map_err(unreadable)?;
    let stamp = Stamp::from(&file.metadata().map_err(unreadable)?);
    let tree = Tree::new(stamp.size).ok_or_else(|| too_large(path))?;
    if tree.outboard_size() > MOST_IN_MEMORY {
        return Err(too_large(path));
    }
    let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
    let mut buffer = vec![0; PORTION.min(stamp.size as usize + 1)];
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        if !builder.take(&buffer[..read], &mut hashes) {
            return Err(too_large(path));
        }
    }
    let built = builder.finish(&mut hashes);
    let after = Stamp::from(&file.metadata().map_err(unreadable)?);
    match after == stamp && built.tree == tree {
        true => Ok((stamp, built, hashes)),
        false => Err(changing(path)),
    }
}

fn too_large(path: &Path) -> Error {
    let message = format!("{} is larger than 64 GiB", path.display());
    Error::new(Code::TooLarge, message).with_remedy("Split it, and share its parts.")
}

fn changing(path: &Path) -> Error {
    let message = format!("{} changes while it is read", path.display());
    Error::new(Code::StorageFailed, message)
        .with_remedy("Share it when whoever writes it has finished.")
}

#[async_trait]
impl Held for SharedFile {
    fn cid(&self) -> Cid {
        self.0.cid
    }

    fn tree(&self) -> Tree {
        self.0.tree
    }

    fn pieces(&self) -> Pieces {
        Pieces::all(self.0.tree.pieces())
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        let inner = self.0.clone();
        portion(sender, move |sender| inner.read(sender, room)).await
    }
}

impl Inner {
    /// Opens the file each time: thousands may be shared, and one that was replaced is noticed.
    fn read(&self, sender: Sender, room: usize) -> Portion {
        let mut open = None;
        Portion::fill(sender, room, |need, out| {
            self.find(&mut open, need, out).map_err(refusal)
        })
    }

    fn find(&self, open: &mut Option<File>, need: Need, out: &mut [u8]) -> io::Result<()> {
        let offset = match need {
            Need::Hashes { offset, .. } => return self.hashes.read(offset, out),
            Need::Data { offset, .. } => offset,
        };
        let file = match open {
            Some(file) => file,
            None => open.insert(self.as_it_was()?),
        };
        file.read_exact_at(out, offset)
    }

    fn as_it_was(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        match Stamp::from(&file.metadata()?) == self.stamp {
            true => Ok(file),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// What is shared out of memory: the list of a directory's files.
#[derive(Clone, Debug)]
pub struct Block {
    cid: Cid,
    tree: Tree,
    data: Arc<[u8]>,
    hashes: Arc<[u8]>,
}

impl Block {
    /// These bytes, under this id, which is theirs.
    pub fn new(cid: Cid, data: Vec<u8>) -> Option<Block> {
        let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
        if !builder.take(&data, &mut hashes) {
            return None;
        }
        let built = builder.finish(&mut hashes);
        (built.root == cid.root).then(|| Block {
            cid,
            tree: built.tree,
            data: data.into(),
            hashes: hashes.into(),
        })
    }
}

#[async_trait]
impl Held for Block {
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
        Portion::fill(sender, room, |need, out| {
            let (all, offset) = match need {
                Need::Hashes { offset, .. } => (&self.hashes, offset),
                Need::Data { offset, .. } => (&self.data, offset),
            };
            let found = all
                .get(offset as usize..)
                .and_then(|rest| rest.get(..out.len()));
            out.copy_from_slice(found.ok_or(FileRefusal::Gone)?);
            Ok(())
        })
    }
}
