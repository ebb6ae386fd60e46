//! Files in memory, within a bound: whether there is room for one is said before it comes.

use std::collections::TryReserveError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::entry::removed;
use super::store::{self, FileStore, Held, Intake, Partial, Portion, Stored};
use crate::error::{Code, Error, Result};
use crate::limits::{FILE_IN_MEMORY, GROUP, PIECE};
use crate::proto::files::cid::Cid;
use crate::proto::files::pieces::Pieces;
use crate::proto::files::tree::{Need, PAIR, Sender, Tree, TreeBuilder, Verified};
use crate::proto::files::wire::FileRefusal;

const MIB: u64 = 1024 * 1024;

/// See the module.
pub struct MemoryStore(Arc<Room>);

impl MemoryStore {
    /// For so many bytes, hashes included.
    pub fn new(most: u64) -> MemoryStore {
        let used = Mutex::new(0);
        MemoryStore(Arc::new(Room { most, used }))
    }

    fn space(&self) -> Space {
        Space {
            room: self.0.clone(),
            taken: 0,
        }
    }
}

#[async_trait]
impl FileStore for MemoryStore {
    async fn begin(&self, size: u64) -> Result<Box<dyn Intake>> {
        let mut space = self.space();
        space.hold(size)?;
        Ok(Box::new(MemoryIntake {
            expected: size,
            builder: TreeBuilder::new(),
            data: Vec::new(),
            hashes: Vec::new(),
            space,
        }))
    }

    async fn open(&self, cid: Cid, tree: Tree) -> Result<Arc<dyn Stored>> {
        let mut space = self.space();
        space.hold(tree.size())?;
        let mut hashes = Vec::new();
        grow(&mut hashes, tree.outboard_size() as usize)?;
        let state = State {
            data: vec![Vec::new(); tree.pieces() as usize],
            hashes,
            pieces: Pieces::none(tree.pieces()),
            space: Some(space),
        };
        Ok(MemoryFile::shared(cid, tree, state))
    }

    async fn room(&self) -> Result<store::Room> {
        Ok(store::Room {
            durable: false,
            used: *self.0.used(),
            most: self.0.most,
            reason: String::new(),
        })
    }
}

struct Room {
    most: u64,
    used: Mutex<u64>,
}

impl Room {
    fn used(&self) -> MutexGuard<'_, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn full(&self) -> Error {
        let most = self.most / MIB;
        let full = format!("the {most} MiB that files may take in memory are full");
        Error::new(Code::StorageFailed, full)
            .with_remedy("Remove a file that is not needed any more, then try again.")
    }

    fn too_small(&self) -> Error {
        let most = self.most / MIB;
        let small = format!("files in memory may take {most} MiB, and this one is larger");
        Error::new(Code::TooLarge, small)
            .with_remedy("Use `warren share` and `warren get` for it: they keep files on disk.")
    }
}

/// There is room by the store's own count, but the device has none.
fn exhausted(_: TryReserveError) -> Error {
    Error::new(Code::StorageFailed, "this device has no memory left")
        .with_remedy("Remove a file that is not needed any more, then try again.")
}

/// Zeros up to this length. Where there is no memory for them, that is an error, and not the end of everything.
fn grow(bytes: &mut Vec<u8>, length: usize) -> Result<()> {
    let more = length.saturating_sub(bytes.len());
    bytes.try_reserve_exact(more).map_err(exhausted)?;
    bytes.resize(length, 0);
    Ok(())
}

/// What one file takes of the room. Given back when it is dropped.
struct Space {
    room: Arc<Room>,
    taken: u64,
}

impl Space {
    /// Takes what a file of this size needs, instead of what was taken before.
    fn hold(&mut self, size: u64) -> Result<()> {
        let hashes = size.div_ceil(GROUP).saturating_mul(PAIR as u64);
        let needed = size.saturating_add(hashes).saturating_add(FILE_IN_MEMORY);
        if needed > self.room.most {
            return Err(self.room.too_small());
        }
        let mut used = self.room.used();
        let then = *used - self.taken + needed;
        if then > self.room.most {
            return Err(self.room.full());
        }
        (*used, self.taken) = (then, needed);
        Ok(())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        *self.room.used() -= self.taken;
    }
}

struct MemoryIntake {
    expected: u64,
    builder: TreeBuilder,
    data: Vec<Vec<u8>>,
    hashes: Vec<u8>,
    space: Space,
}

#[async_trait]
impl Intake for MemoryIntake {
    async fn take(&mut self, bytes: Vec<u8>) -> Result<()> {
        let size = self.builder.size().saturating_add(bytes.len() as u64);
        self.space.hold(size.max(self.expected))?;
        let hashes = (bytes.len() / GROUP as usize + 1) * PAIR;
        self.hashes.try_reserve(hashes).map_err(exhausted)?;
        if !self.builder.take(&bytes, &mut self.hashes) {
            return Err(self.space.room.too_small());
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let piece = match self.data.pop() {
                Some(piece) if piece.len() < PIECE as usize => piece,
                whole => {
                    self.data.extend(whole);
                    Vec::new()
                }
            };
            rest = self.fill(piece, rest)?;
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Arc<dyn Stored>> {
        let MemoryIntake {
            builder,
            mut data,
            mut hashes,
            mut space,
            ..
        } = *self;
        let built = builder.finish(&mut hashes);
        space.hold(built.tree.size())?;
        // An empty file has a piece, too.
        data.resize(built.tree.pieces() as usize, Vec::new());
        let state = State {
            data,
            hashes,
            pieces: Pieces::all(built.tree.pieces()),
            space: Some(space),
        };
        Ok(MemoryFile::shared(Cid::file(built.root), built.tree, state))
    }
}

impl MemoryIntake {
    /// Puts a piece back with as much as it takes; what is left.
    fn fill<'a>(&mut self, mut piece: Vec<u8>, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let room = PIECE as usize - piece.len();
        let (now, rest) = bytes.split_at(bytes.len().min(room));
        // What comes in small portions is not moved with each of them.
        let more = if piece.is_empty() { now.len() } else { room };
        piece.try_reserve_exact(more).map_err(exhausted)?;
        piece.extend_from_slice(now);
        self.data.push(piece);
        Ok(rest)
    }
}

struct MemoryFile {
    cid: Cid,
    tree: Tree,
    state: Mutex<State>,
}

struct State {
    /// By pieces: those of which nothing has come have no bytes yet.
    data: Vec<Vec<u8>>,
    hashes: Vec<u8>,
    pieces: Pieces,
    /// None when it was discarded.
    space: Option<Space>,
}

impl MemoryFile {
    fn shared(cid: Cid, tree: Tree, state: State) -> Arc<dyn Stored> {
        let state = Mutex::new(state);
        Arc::new(MemoryFile { cid, tree, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be written to, unless it was discarded.
    fn kept(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.state();
        match state.space {
            Some(_) => Ok(state),
            None => Err(removed()),
        }
    }
}

impl State {
    fn find(&self, need: Need) -> Option<&[u8]> {
        match need {
            Need::Hashes { offset, length } => self
                .hashes
                .get(usize::try_from(offset).ok()?..)?
                .get(..length),
            Need::Data { offset, length } => {
                let piece = self.data.get((offset / PIECE) as usize)?;
                piece.get((offset % PIECE) as usize..)?.get(..length)
            }
        }
    }

    fn write(&mut self, tree: Tree, part: &Verified) -> Result<()> {
        let (place, at, bytes) = match part {
            Verified::Pair { index, pair } => {
                (&mut self.hashes, *index as usize * PAIR, pair.as_slice())
            }
            Verified::Group { offset, data } => {
                let Some(piece) = self.data.get_mut((offset / PIECE) as usize) else {
                    return Ok(());
                };
                let begins = offset - offset % PIECE;
                let length = tree.size().saturating_sub(begins).min(PIECE);
                grow(piece, length as usize)?;
                (piece, (offset % PIECE) as usize, data.as_slice())
            }
        };
        let place = place
            .get_mut(at..)
            .and_then(|rest| rest.get_mut(..bytes.len()));
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }
}

#[async_trait]
impl Held for MemoryFile {
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
        let state = self.state();
        Portion::fill(sender, room, |need, out| {
            out.copy_from_slice(state.find(need).ok_or(FileRefusal::Gone)?);
            Ok(())
        })
    }
}

#[async_trait]
impl Partial for MemoryFile {
    async fn write(&self, parts: Vec<Verified>) -> Result<()> {
        let mut state = self.kept()?;
        let mut parts = parts.iter();
        parts.try_for_each(|part| state.write(self.tree, part))
    }

    async fn complete(&self, piece: u64) -> Result<()> {
        self.kept()?.pieces.insert(piece);
        Ok(())
    }
}

#[async_trait]
impl Stored for MemoryFile {
    async fn bytes(&self, piece: u64) -> Result<Vec<u8>> {
        let state = self.kept()?;
        let found = match state.pieces.has(piece) {
            true => state.data.get(piece as usize).cloned(),
            false => None,
        };
        found.ok_or_else(|| Error::new(Code::NotFound, "this piece of the file is not there"))
    }

    fn discard(&self) {
        let mut state = self.state();
        state.data = Vec::new();
        state.hashes = Vec::new();
        state.pieces = Pieces::none(self.tree.pieces());
        state.space = None;
    }
}

#[cfg(test)]
mod tests;
