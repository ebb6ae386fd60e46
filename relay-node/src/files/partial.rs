//! A file that is being fetched: its bytes and hashes where they belong, and a map of what is there, which survives
//! a crash at any moment.
//!
//! A piece is in the map on the disk only when its bytes are there durably. What was written and is not in the map yet
//! is verified again when the file is opened, and is not lost either.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Mutex as Turn;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::PIECE;
use warren_shared::net::files::{Held, Partial, Portion};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::kept::{BLOCK, KeptMap, block_offset};
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Need, PAIR, Sender, Tree, Verified, pair_runs};

use super::{failed, on_disk, portion, refusal};
use crate::identity::sync_dir;

/// Pieces that are made durable together, 64 MiB: a disk is asked to write through so often and not for each.
const TOGETHER: usize = 256;
/// And no later than this after the last time.
const LONGEST: Duration = Duration::from_millis(500);

/// A partial file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PartialFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cid: Cid,
    tree: Tree,
    data: File,
    hashes: File,
    map: File,
    paths: Paths,
    state: Mutex<State>,
    /// Whose turn it is to write: those who write to one file at a time only keep each other's processors busy. With what
    /// is written together.
    turn: Arc<Turn<Vec<u8>>>,
    /// Pieces that are durable.
    kept: AtomicU64,
}

#[derive(Debug)]
struct Paths {
    folder: PathBuf,
    data: PathBuf,
    hashes: PathBuf,
    map: PathBuf,
}

#[derive(Debug)]
struct State {
    map: KeptMap,
    /// Pieces that are written and not in the map on the disk.
    fresh: Vec<u64>,
    synced: Instant,
    /// Somebody makes them durable.
    syncing: bool,
}

impl Paths {
    fn new(folder: &Path, cid: &Cid) -> Paths {
        let path = |end: &str| folder.join(format!("{cid}.{end}"));
        Paths {
            folder: folder.to_owned(),
            data: path("data"),
            hashes: path("hashes"),
            map: path("map"),
        }
    }
}

impl PartialFile {
    /// The shape of what was begun in a folder, as it was proven then.
    pub fn begun(folder: &Path, cid: &Cid) -> Option<Tree> {
        let bytes = std::fs::read(Paths::new(folder, cid).map).ok()?;
        let (map, _) = KeptMap::salvage(&bytes).ok()?;
        (map.cid == *cid).then_some(map.tree)
    }

    /// Goes on with what was begun in a folder, or begins. Blocks.
    pub fn open(folder: &Path, cid: Cid, tree: Tree) -> Result<PartialFile> {
        let paths = Paths::new(folder, &cid);
        let open = |path: &Path| {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path);
            file.map_err(|error| failed("open", path, error))
        };
        let known = known(&paths.map, cid, tree)?;
        let (data, hashes, map) = (open(&paths.data)?, open(&paths.hashes)?, open(&paths.map)?);
        let writing = |error| failed("write to", folder, error);
        data.set_len(tree.size()).map_err(writing)?;
        hashes.set_len(tree.outboard_size()).map_err(writing)?;
        let kept = recovered(
            known.unwrap_or_else(|| KeptMap::new(cid, tree)),
            &data,
            &hashes,
        );
        // What was found again is durable before it is in the map.
        data.sync_all()
            .and_then(|()| hashes.sync_all())
            .map_err(writing)?;
        let bytes = kept.encode();
        map.set_len(bytes.len() as u64).map_err(writing)?;
        map.write_all_at(&bytes, 0).map_err(writing)?;
        map.sync_all()
            .and_then(|()| sync_dir(folder))
            .map_err(writing)?;
        let count = kept.pieces.count();
        Ok(PartialFile(Arc::new(Inner {
            cid,
            tree,
            data,
            hashes,
            map,
            paths,
            state: Mutex::new(State {
                map: kept,
                fresh: Vec::new(),
                synced: Instant::now(),
                syncing: false,
            }),
            turn: Arc::default(),
            kept: AtomicU64::new(count),
        })))
    }

    /// Pieces that are durable: no crash takes them away.
    pub fn kept(&self) -> u64 {
        self.0.kept.load(Ordering::Relaxed)
    }

    /// Bytes that are there.
    pub fn bytes(&self) -> u64 {
        let state = self.0.state();
        let pieces = &state.map.pieces;
        let all = pieces.count() * PIECE;
        // The last piece may be shorter.
        let last = self.0.tree.pieces() - 1;
        match pieces.has(last) {
            true => all - (self.0.tree.pieces() * PIECE - self.0.tree.size()),
            false => all,
        }
    }

    /// Makes durable what is not.
    pub async fn settle(&self) -> Result<()> {
        let inner = self.0.clone();
        on_disk(move || inner.sync()).await
    }

    /// Puts a file of which all is there in its place, durably, and tidies up.
    pub async fn finish(&self, place: PathBuf) -> Result<()> {
        let inner = self.0.clone();
        on_disk(move || inner.finish(&place)).await
    }

    /// All bytes of a small file that is whole.
    pub fn whole(&self) -> Result<Vec<u8>> {
        let inner = &self.0;
        let mut bytes = vec![0; inner.tree.size() as usize];
        let read = inner.data.read_exact_at(&mut bytes, 0);
        read.map_err(|error| failed("read", &inner.paths.data, error))?;
        Ok(bytes)
    }
}

/// The map of what was begun, if there is one: of a damaged one what is whole.
fn known(path: &Path, cid: Cid, tree: Tree) -> Result<Option<KeptMap>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, error)),
    };
    let (map, damage) = match KeptMap::salvage(&bytes) {
        Ok(read) => read,
        Err(damage) => {
            tracing::warn!(%damage, "a map of a partial file is lost; what is there is verified again");
            return Ok(None);
        }
    };
    if let Some(damage) = damage {
        tracing::warn!(%damage, "a part of a map of a partial file is lost; what is there is verified again");
    }
    Ok((map.cid == cid && map.tree == tree).then_some(map))
}

/// Finds pieces that are there and not in the map: they were written just before a crash. What is not there costs little,
/// because the hashes above it are missing, too.
fn recovered(mut map: KeptMap, data: &File, hashes: &File) -> KeptMap {
    for piece in 0..map.tree.pieces() {
        if map.pieces.has(piece) {
            continue;
        }
        let mut sender = Sender::new(map.cid.root, map.tree, map.tree.piece(piece));
        let mut out = Vec::new();
        let found = sender.fill(usize::MAX, &mut out, |need, out| {
            read(data, hashes, need, out)
        });
        if found.is_ok() {
            map.pieces.insert(piece);
        }
    }
    map
}

fn read(data: &File, hashes: &File, need: Need, out: &mut [u8]) -> io::Result<()> {
    match need {
        Need::Hashes { offset, .. } => hashes.read_exact_at(out, offset),
        Need::Data { offset, .. } => data.read_exact_at(out, offset),
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, parts: &[Verified], together: &mut Vec<u8>) -> Result<()> {
        let groups = parts.iter().filter_map(|part| match part {
            Verified::Group { offset, data } => Some((*offset, data)),
            Verified::Pair { .. } => None,
        });
        let mut start = 0;
        together.clear();
        for (offset, data) in groups {
            if start + together.len() as u64 != offset {
                self.write_data(start, together)?;
                together.clear();
                start = offset;
            }
            together.extend_from_slice(data);
        }
        self.write_data(start, together)?;
        for (index, pairs) in pair_runs(parts) {
            let written = self.hashes.write_all_at(&pairs, index * PAIR as u64);
            written.map_err(|error| failed("write to", &self.paths.hashes, error))?;
        }
        Ok(())
    }

    fn write_data(&self, offset: u64, data: &[u8]) -> Result<()> {
        let written = self.data.write_all_at(data, offset);
        written.map_err(|error| failed("write to", &self.paths.data, error))
    }

    /// Whether it is time to make durable what is not.
    fn complete(&self, piece: u64) -> bool {
        let mut state = self.state();
        if state.map.pieces.insert(piece) {
            state.fresh.push(piece);
        }
        let due = state.fresh.len() >= TOGETHER || state.synced.elapsed() >= LONGEST;
        due && !state.syncing
    }

    fn sync(&self) -> Result<()> {
        let (blocks, count) = {
            let mut state = self.state();
            state.syncing = true;
            // As they are now: what comes later may not be durable with the rest.
            let fresh = std::mem::take(&mut state.fresh);
            let blocks = fresh.iter().map(|piece| (block_offset(*piece), *piece));
            let blocks: BTreeMap<u64, u64> = blocks.collect();
            let bytes = blocks.into_iter();
            let bytes = bytes.map(|(at, piece)| (at, state.map.block(piece)));
            let blocks: Vec<(u64, [u8; BLOCK])> = bytes.collect();
            (blocks, state.map.pieces.count())
        };
        let outcome = self.write_map(&blocks);
        let mut state = self.state();
        state.syncing = false;
        state.synced = Instant::now();
        outcome.map_err(|error| failed("write to", &self.paths.folder, error))?;
        self.kept.fetch_max(count, Ordering::Relaxed);
        Ok(())
    }

    fn write_map(&self, blocks: &[(u64, [u8; BLOCK])]) -> io::Result<()> {
        self.data.sync_data()?;
        self.hashes.sync_data()?;
        for (at, block) in blocks {
            self.map.write_all_at(block, *at)?;
        }
        self.map.sync_data()
    }

    fn finish(&self, place: &Path) -> Result<()> {
        if !self.state().map.pieces.is_full() {
            return Err(Error::new(Code::Internal, "a file is not complete"));
        }
        self.sync()?;
        put(&self.paths.data, place)?;
        for path in [&self.paths.map, &self.paths.hashes] {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::debug!(%error, "something is left of a partial file");
            }
        }
        Ok(())
    }
}

/// Moves a file that is durable to its place; nothing that is there is replaced.
pub(super) fn put(from: &Path, place: &Path) -> Result<()> {
    if place.symlink_metadata().is_ok() {
        let message = format!("{} is there already", place.display());
        return Err(Error::new(Code::InvalidArgument, message)
            .with_remedy("Move it away, or choose another place with --output."));
    }
    let parent = place
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    std::fs::rename(from, place)
        .and_then(|()| sync_dir(parent))
        .map_err(|error| failed("write", place, error))
}

#[async_trait]
impl Held for PartialFile {
    fn cid(&self) -> Cid {
        self.0.cid
    }

    fn tree(&self) -> Tree {
        self.0.tree
    }

    fn pieces(&self) -> Pieces {
        self.0.state().map.pieces.clone()
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        let inner = self.0.clone();
        portion(sender, move |sender| {
            Portion::fill(sender, room, |need, out| {
                self::read(&inner.data, &inner.hashes, need, out).map_err(refusal)
            })
        })
        .await
    }
}

#[async_trait]
impl Partial for PartialFile {
    async fn write(&self, parts: Vec<Verified>) -> Result<()> {
        let inner = self.0.clone();
        // Goes with the work: it is still under way when nobody waits for it any more.
        let mut turn = inner.turn.clone().lock_owned().await;
        on_disk(move || inner.write(&parts, &mut turn)).await
    }

    async fn complete(&self, piece: u64) -> Result<()> {
        match self.0.complete(piece) {
            true => self.settle().await,
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
