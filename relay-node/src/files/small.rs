//! A small file of a directory that is being fetched: in memory until it is complete, then on the disk at once.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::files::{Held, Partial, Portion};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Need, PAIR, Sender, Tree, Verified};
use warren_shared::proto::files::wire::FileRefusal;

use super::partial::put;
use super::{failed, on_disk};

/// Larger files go to the disk piece by piece.
const MOST: u64 = 1024 * 1024;

/// A small file. Cheap to clone.
#[derive(Clone)]
pub struct SmallFile {
    cid: Cid,
    tree: Tree,
    state: Arc<Mutex<State>>,
}

struct State {
    data: Vec<u8>,
    hashes: Vec<u8>,
    pieces: Pieces,
}

impl SmallFile {
    /// If it is small enough.
    pub fn new(cid: Cid, tree: Tree) -> Option<SmallFile> {
        (tree.size() <= MOST).then(|| SmallFile {
            cid,
            tree,
            state: Arc::new(Mutex::new(State {
                data: vec![0; tree.size() as usize],
                hashes: vec![0; tree.outboard_size() as usize],
                pieces: Pieces::none(tree.pieces()),
            })),
        })
    }

    /// Writes a file of which all is there, durably, by way of a folder on the same disk.
    pub async fn finish(&self, folder: &Path, place: PathBuf) -> Result<()> {
        let data = {
            let state = self.state();
            if !state.pieces.is_full() {
                return Err(Error::new(Code::Internal, "a file is not complete"));
            }
            state.data.clone()
        };
        let new = new_in(folder);
        on_disk(move || {
            write(&new, &data).map_err(|error| failed("write", &new, error))?;
            put(&new, &place)
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path for something that is moved away when all of it is written.
fn new_in(folder: &Path) -> PathBuf {
    let number = u64::from_le_bytes(warren_shared::platform::entropy());
    folder.join(format!("{number:016x}.new"))
}

/// Copies a file to its place, durably, by way of a folder on the same disk.
pub async fn copy(folder: &Path, from: PathBuf, place: PathBuf) -> Result<()> {
    let new = new_in(folder);
    on_disk(move || {
        let copied = File::open(&from).and_then(|mut from| {
            let mut to = File::create_new(&new)?;
            io::copy(&mut from, &mut to)?;
            to.sync_all()
        });
        copied.map_err(|error| failed("write", &new, error))?;
        put(&new, &place)
    })
    .await
}

fn write(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(data)?;
    file.sync_all()
}

#[async_trait]
impl Held for SmallFile {
    fn cid(&self) -> Cid {
        self.cid
    }

    fn tree(&self) -> Tree {
        self.tree
    }

    fn pieces(&self) -> Pieces {
        self.state().pieces.clone()
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        Portion::fill(sender, room, |need, out| {
            let state = self.state();
            let (all, offset) = match need {
                Need::Hashes { offset, .. } => (&state.hashes, offset),
                Need::Data { offset, .. } => (&state.data, offset),
            };
            let found = all
                .get(offset as usize..)
                .and_then(|rest| rest.get(..out.len()));
            out.copy_from_slice(found.ok_or(FileRefusal::Gone)?);
            Ok(())
        })
    }
}

#[async_trait]
impl Partial for SmallFile {
    async fn write(&self, parts: Vec<Verified>) -> Result<()> {
        let mut state = self.state();
        for part in &parts {
            let State { data, hashes, .. } = &mut *state;
            let (into, at, bytes) = match part {
                Verified::Pair { index, pair } => (hashes, *index as usize * PAIR, &pair[..]),
                Verified::Group {
                    offset,
                    data: bytes,
                } => (data, *offset as usize, &bytes[..]),
            };
            if let Some(place) = into
                .get_mut(at..)
                .and_then(|rest| rest.get_mut(..bytes.len()))
            {
                place.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    async fn complete(&self, piece: u64) -> Result<()> {
        self.state().pieces.insert(piece);
        Ok(())
    }
}
