//! Small files of directories, many in one file of the store: read from there, and put there.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::super::entry::removed;
use super::super::note::{Note, Part};
use super::super::store::{FileStore, Held, Partial, Portion, Stored};
use super::{Folders, Member, locked};
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_PACK_FILES, PACK, PACK_PIECES_KEPT, PIECE};
use crate::proto::files::cid::{Cid, Root};
use crate::proto::files::kept::{Damage, PackRow, packed, rows};
use crate::proto::files::pieces::Pieces;
use crate::proto::files::tree::{Need, Sender, Tree, TreeBuilder, Verified};
use crate::proto::files::wire::FileRefusal;

/// Pieces of packs that were read last: whoever fetches a directory takes one file of a piece after the other.
pub(super) type Recent = Arc<Mutex<VecDeque<(Cid, u64, Arc<Vec<u8>>)>>>;

/// A file of the store with many files in it. Discarded with the last one that anybody has.
pub(super) struct Pack {
    stored: Arc<dyn Stored>,
    live: AtomicUsize,
    recent: Recent,
}

/// One of them.
pub(super) struct Packed {
    pack: Arc<Pack>,
    cid: Cid,
    tree: Tree,
    at: u64,
}

/// A pack as the store has it, and what is in it.
pub(super) type Written = (Arc<dyn Stored>, Vec<Arc<Packed>>);

impl Pack {
    /// What a store has kept, and what is in it. One that is none is discarded; one that cannot be read now, or that a later
    /// version has written, stays.
    pub async fn open(stored: Arc<dyn Stored>, recent: Recent) -> Result<Vec<Arc<Packed>>> {
        let first = stored.bytes(0).await?;
        let rows = rows(&first, stored.tree().size()).inspect_err(|damage| {
            if *damage != Damage::UnknownVersion {
                stored.discard();
            }
        })?;
        Ok(Pack::of(stored, rows, recent))
    }

    fn of(stored: Arc<dyn Stored>, rows: Vec<PackRow>, recent: Recent) -> Vec<Arc<Packed>> {
        let live = AtomicUsize::new(rows.len());
        let pack = Arc::new(Pack {
            stored,
            live,
            recent,
        });
        let all = rows.into_iter().filter_map(|PackRow { root, at, size }| {
            Some(Arc::new(Packed {
                pack: pack.clone(),
                cid: Cid::file(root),
                tree: Tree::new(size)?,
                at,
            }))
        });
        all.collect()
    }

    async fn piece(&self, piece: u64) -> Result<Arc<Vec<u8>>> {
        let cid = self.stored.cid();
        let same = |known: &&(Cid, u64, Arc<Vec<u8>>)| known.0 == cid && known.1 == piece;
        if let Some((_, _, bytes)) = locked(&self.recent).iter().find(same) {
            return Ok(bytes.clone());
        }
        let bytes = Arc::new(self.stored.bytes(piece).await?);
        let mut recent = locked(&self.recent);
        recent.truncate(PACK_PIECES_KEPT - 1);
        recent.push_front((cid, piece, bytes.clone()));
        Ok(bytes)
    }

    /// Bytes of it, verified; an error when it is not there any more.
    async fn slice(&self, at: u64, size: u64) -> Result<Vec<u8>> {
        if !self.stored.pieces().is_full() {
            return Err(removed());
        }
        let (end, mut bytes) = (at + size, Vec::with_capacity(size as usize));
        for piece in at / PIECE..end.div_ceil(PIECE) {
            let found = self.piece(piece).await?;
            let begins = piece * PIECE;
            let from = at.saturating_sub(begins) as usize;
            let to = ((end - begins).min(PIECE) as usize).min(found.len());
            bytes.extend(found.get(from..to).unwrap_or_default());
        }
        match bytes.len() as u64 == size {
            true => Ok(bytes),
            false => Err(Error::new(Code::StorageFailed, "a kept file is too short")),
        }
    }
}

impl Packed {
    /// No directory has it any more.
    pub fn let_go(&self) {
        if self.pack.live.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.pack.stored.discard();
        }
    }

    /// Nothing of it is there for anybody; what is kept stays.
    pub fn close(&self) {
        self.pack.stored.close();
    }

    pub fn root(&self) -> Root {
        self.cid.root
    }

    async fn whole(&self) -> Result<Vec<u8>> {
        self.pack.slice(self.at, self.tree.size()).await
    }
}

#[async_trait]
impl Held for Packed {
    fn cid(&self) -> Cid {
        self.cid
    }

    fn tree(&self) -> Tree {
        self.tree
    }

    fn pieces(&self) -> Pieces {
        match self.pack.stored.pieces().is_full() {
            true => Pieces::all(1),
            false => Pieces::none(1),
        }
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        let bytes = match self.whole().await {
            Ok(bytes) => bytes,
            Err(error) => {
                let outcome = match error.code() {
                    Code::Cancelled => FileRefusal::Gone,
                    _ => FileRefusal::StorageFailed,
                };
                return Portion {
                    sender,
                    bytes: Vec::new(),
                    outcome: Err(outcome),
                };
            }
        };
        let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
        // No piece is too large.
        let _ = builder.take(&bytes, &mut hashes);
        builder.finish(&mut hashes);
        Portion::fill(sender, room, |need, out| {
            let (all, offset) = match need {
                Need::Hashes { offset, .. } => (&hashes, offset),
                Need::Data { offset, .. } => (&bytes, offset),
            };
            let found = all.get(offset as usize..);
            let found = found.and_then(|rest| rest.get(..out.len()));
            out.copy_from_slice(found.ok_or(FileRefusal::Gone)?);
            Ok(())
        })
    }
}

#[async_trait]
impl Partial for Packed {
    async fn write(&self, _: Vec<Verified>) -> Result<()> {
        Ok(())
    }

    async fn complete(&self, _: u64) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Stored for Packed {
    async fn bytes(&self, _: u64) -> Result<Vec<u8>> {
        self.whole().await
    }

    fn is_kept(&self) -> bool {
        self.pack.stored.is_kept()
    }

    /// It goes when no directory has it any more, whoever has looked at it.
    fn discard(&self) {}
}

/// Small files on their way into packs.
#[derive(Default)]
pub(super) struct Packing {
    files: Vec<(Root, Vec<u8>)>,
    bytes: u64,
}

impl Packing {
    /// One more.
    pub fn add(&mut self, root: Root, bytes: Vec<u8>) {
        self.bytes += bytes.len() as u64;
        self.files.push((root, bytes));
    }

    /// Whether they are enough for a pack.
    pub fn is_full(&self) -> bool {
        self.bytes >= PACK || self.files.len() >= MAX_PACK_FILES
    }

    /// What is in a pack of them, which the store has from now on, and does not keep yet. They are still here when that
    /// fails.
    pub async fn write(&mut self, store: &dyn FileStore, recent: &Recent) -> Result<Written> {
        let pack = packed(&self.files);
        let size = pack.len() as u64;
        let rows = rows(pack.get(..PIECE as usize).unwrap_or(&pack), size)?;
        let mut intake = store.begin(size).await?;
        for part in pack.chunks(PIECE as usize) {
            intake.take(part.to_vec()).await?;
        }
        let stored = intake.finish().await?;
        *self = Packing::default();
        Ok((stored.clone(), Pack::of(stored, rows, recent.clone())))
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Folders {
    /// Writes a pack that is kept from now on, and reads its files from there.
    pub(super) async fn pack(
        &self,
        store: &dyn FileStore,
        packing: &mut Packing,
    ) -> Result<Vec<Member>> {
        let (stored, all) = packing.write(store, &self.recent).await?;
        let kept = stored.keep(Note::of(Part::Pack).encode()).await;
        if let Err(error) = kept {
            stored.discard();
            return Err(error);
        }
        Ok(self.put_packed(all))
    }

    /// Files of a pack are there from now on; those that were there before are let go of.
    pub(super) fn put_packed(&self, all: Vec<Arc<Packed>>) -> Vec<Member> {
        let mut put = Vec::new();
        for packed in all {
            let member = Member::Packed(packed.clone());
            match self.put(packed.root(), member.clone()) {
                true => put.push(member),
                false => packed.let_go(),
            }
        }
        put
    }
}
