//! A file in two files of a disk: its bytes, and beside them its hashes, the map of its pieces, and what is said of it.
//!
//! Knows what is written in which order, so that after a crash at any moment there is what is right, or nothing. The
//! disk is its user's: a tab's is in a worker, where reading and writing are calls that return.

mod head;

use std::collections::BTreeMap;

use super::map::{BLOCK, KeptMap, block_offset};
use crate::limits::GROUPS_PER_PIECE;
use crate::proto::files::cid::Cid;
use crate::proto::files::tree::{
    Built, Need, PAIR, Packed, Sender, Stop, Tree, TreeBuilder, unpack,
};

pub use self::head::MAX_NOTE;
use self::head::{HEAD, Head};

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The bytes of the file, and nothing else.
    Data,
    /// Everything else.
    Beside,
}

/// Where they are.
pub trait Disk {
    /// Why something could not be done.
    type Error;

    /// Bytes from a place on: as many as are wanted, or an error.
    fn read(&self, part: Part, at: u64, into: &mut [u8]) -> Result<(), Self::Error>;

    /// Puts bytes at a place.
    fn write(&self, part: Part, at: u64, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Cuts it off there, or adds zeros up to there.
    fn resize(&self, part: Part, size: u64) -> Result<(), Self::Error>;

    /// Returns when what was written survives a crash.
    fn flush(&self, part: Part) -> Result<(), Self::Error>;

    /// How long it is.
    fn size(&self, part: Part) -> Result<u64, Self::Error>;
}

/// A file that is being taken in, from its beginning to its end.
#[derive(Debug)]
pub struct Taking<D> {
    disk: D,
    builder: TreeBuilder,
    /// Hashes that are not written yet.
    hashes: Vec<u8>,
    written: u64,
}

impl<D: Disk> Taking<D> {
    /// Nothing yet. Room for so many bytes is asked for at once.
    pub fn new(disk: D, size: u64) -> Result<Taking<D>, D::Error> {
        disk.resize(Part::Beside, 0)?;
        disk.resize(Part::Data, size)?;
        Ok(Taking {
            disk,
            builder: TreeBuilder::new(),
            hashes: Vec::new(),
            written: 0,
        })
    }

    /// Takes more of it. False when it is larger than files can be.
    pub fn take(&mut self, bytes: &[u8]) -> Result<bool, D::Error> {
        let at = self.builder.size();
        if !self.builder.take(bytes, &mut self.hashes) {
            return Ok(false);
        }
        self.disk.write(Part::Data, at, bytes)?;
        self.write_hashes()?;
        Ok(true)
    }

    /// There is no more. It is kept when that is said of it.
    pub fn finish(mut self) -> Result<Slot<D>, D::Error> {
        let builder = std::mem::take(&mut self.builder);
        let Built { root, tree } = builder.finish(&mut self.hashes);
        self.write_hashes()?;
        self.disk.resize(Part::Data, tree.size())?;
        let mut map = KeptMap::new(Cid::file(root), tree);
        map.pieces.insert_range(0..tree.pieces());
        Slot::laid(self.disk, map)
    }

    fn write_hashes(&mut self) -> Result<(), D::Error> {
        let at = HEAD as u64 + self.written;
        self.disk.write(Part::Beside, at, &self.hashes)?;
        self.written += self.hashes.len() as u64;
        self.hashes.clear();
        Ok(())
    }
}

/// A file of which all or some is there.
#[derive(Debug)]
pub struct Slot<D> {
    disk: D,
    map: KeptMap,
    /// Where the blocks of the map are that tell of pieces which are not durable yet, each with one of these.
    fresh: BTreeMap<u64, u64>,
    waiting: usize,
}

/// What there was on a disk.
#[derive(Debug)]
pub enum Found<D> {
    /// A file, and what is said of it.
    Kept(Slot<D>, Vec<u8>),
    /// Nothing that was ever kept: it may be overwritten.
    Nothing,
    /// Something that a later version has written.
    Later,
}

impl<D: Disk> Slot<D> {
    /// A place for a file that is to be fetched: room for all of it is asked for at once.
    pub fn create(disk: D, cid: Cid, tree: Tree) -> Result<Slot<D>, D::Error> {
        // What was here before is not taken for what is to come.
        disk.resize(Part::Beside, 0)?;
        disk.resize(Part::Data, 0)?;
        disk.resize(Part::Data, tree.size())?;
        Slot::laid(disk, KeptMap::new(cid, tree))
    }

    /// What is kept on a disk. Pieces that were written and had not come into the map yet when the program stopped
    /// count as well, if they are right.
    pub fn restore(disk: D) -> Result<Found<D>, D::Error> {
        if disk.size(Part::Beside)? < HEAD as u64 {
            return Ok(Found::Nothing);
        }
        let mut bytes = [0; HEAD];
        disk.read(Part::Beside, 0, &mut bytes)?;
        let Head { cid, tree, note } = match Head::decode(&bytes) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(Found::Nothing),
            Err(head::Later) => return Ok(Found::Later),
        };
        let map = read_map(&disk, cid, tree)?;
        let mut slot = Slot {
            disk,
            map,
            fresh: BTreeMap::new(),
            waiting: 0,
        };
        slot.recover()?;
        Ok(Found::Kept(slot, note))
    }

    /// Where it is.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// What it is, and which pieces are there.
    pub fn map(&self) -> &KeptMap {
        &self.map
    }

    /// Keeps it from now on, with a few bytes that say what it is: at most [`MAX_NOTE`], others are left out.
    pub fn keep(&mut self, note: &[u8]) -> Result<(), D::Error> {
        self.settle()?;
        self.disk.flush(Part::Data)?;
        let (cid, tree) = (self.map.cid, self.map.tree);
        let note = match note.len() <= MAX_NOTE {
            true => note.to_vec(),
            false => Vec::new(),
        };
        let head = Head { cid, tree, note }.encode();
        self.disk.write(Part::Beside, 0, &head)?;
        self.disk.flush(Part::Beside)
    }

    /// Writes what was verified, as it crosses. Returns when it can be read again.
    pub fn write(&self, packed: &[u8]) -> Result<(), D::Error> {
        let tree = self.map.tree;
        for part in unpack(packed) {
            match part {
                Packed::Pairs { index, pairs }
                    if fits(index, PAIR, pairs, tree.outboard_size()) =>
                {
                    let at = HEAD as u64 + index * PAIR as u64;
                    self.disk.write(Part::Beside, at, pairs)?;
                }
                Packed::Groups { offset, data } if fits(offset, 1, data, tree.size()) => {
                    self.disk.write(Part::Data, offset, data)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All of a piece is written.
    pub fn complete(&mut self, piece: u64) {
        if self.map.pieces.insert(piece) {
            self.fresh.insert(block_offset(piece), piece);
            self.waiting += 1;
        }
    }

    /// How many pieces a crash would cost.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Makes them durable.
    pub fn settle(&mut self) -> Result<(), D::Error> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        self.disk.flush(Part::Data)?;
        self.disk.flush(Part::Beside)?;
        let begins = map_offset(self.map.tree);
        for (at, piece) in &self.fresh {
            let block = self.map.block(*piece);
            self.disk.write(Part::Beside, begins + at, &block)?;
        }
        self.disk.flush(Part::Beside)?;
        self.fresh.clear();
        self.waiting = 0;
        Ok(())
    }

    /// Reads on in a range; see [`Sender::fill`].
    pub fn fill(
        &self,
        sender: &mut Sender,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop<D::Error>> {
        sender.fill(room, out, |need, out| self.read(need, out))
    }

    /// The bytes of a piece that is there. They are verified.
    pub fn piece(&self, piece: u64) -> Result<Vec<u8>, Stop<D::Error>> {
        let groups = self.map.tree.piece(piece);
        let mut sender = Sender::new(self.map.cid.root, self.map.tree, groups);
        let mut bytes = Vec::new();
        while let Some(need) = sender.need() {
            let mut part = Vec::new();
            // Room for nothing but what is needed next.
            sender.fill(1, &mut part, |need, out| self.read(need, out))?;
            if let Need::Data { .. } = need {
                bytes.append(&mut part);
            }
        }
        Ok(bytes)
    }

    fn read(&self, need: Need, out: &mut [u8]) -> Result<(), D::Error> {
        match need {
            Need::Hashes { offset, .. } => self.disk.read(Part::Beside, HEAD as u64 + offset, out),
            Need::Data { offset, .. } => self.disk.read(Part::Data, offset, out),
        }
    }

    /// With its map written, and room for its hashes.
    fn laid(disk: D, map: KeptMap) -> Result<Slot<D>, D::Error> {
        disk.write(Part::Beside, map_offset(map.tree), &map.encode())?;
        disk.flush(Part::Data)?;
        disk.flush(Part::Beside)?;
        Ok(Slot {
            disk,
            map,
            fresh: BTreeMap::new(),
            waiting: 0,
        })
    }

    fn recover(&mut self) -> Result<(), D::Error> {
        // Of a file that was cut off what is left is there.
        let (tree, size) = (self.map.tree, self.disk.size(Part::Data)?);
        if size < tree.size() {
            let cut = tree.groups_of(size..tree.size());
            for piece in cut.start / GROUPS_PER_PIECE..tree.pieces() {
                self.map.pieces.remove(piece);
            }
            self.disk.resize(Part::Data, tree.size())?;
        }
        for piece in 0..tree.pieces() {
            if !self.map.pieces.has(piece) && self.piece(piece).is_ok() {
                self.complete(piece);
            }
        }
        self.settle()
    }
}

/// The map behind the hashes, in blocks that disks write at once.
fn map_offset(tree: Tree) -> u64 {
    HEAD as u64 + tree.outboard_size().next_multiple_of(BLOCK as u64)
}

/// What is whole of a map: what is lost is verified again.
fn read_map<D: Disk>(disk: &D, cid: Cid, tree: Tree) -> Result<KeptMap, D::Error> {
    let begins = map_offset(tree);
    let empty = KeptMap::new(cid, tree);
    let length = empty.encode().len() as u64;
    let there = disk.size(Part::Beside)?.saturating_sub(begins).min(length);
    let mut bytes = vec![0; there as usize];
    disk.read(Part::Beside, begins, &mut bytes)?;
    let found = KeptMap::salvage(&bytes).map(|(map, _)| map);
    let ours = found.ok().filter(|map| map.cid == cid && map.tree == tree);
    Ok(ours.unwrap_or(empty))
}

/// Whether bytes that begin at the place of this number lie within so many.
fn fits(number: u64, each: usize, bytes: &[u8], size: u64) -> bool {
    let begin = number.checked_mul(each as u64);
    let end = begin.and_then(|begin| begin.checked_add(bytes.len() as u64));
    end.is_some_and(|end| end <= size)
}

const _: () = assert!(HEAD.is_multiple_of(BLOCK));

#[cfg(test)]
mod tests;
