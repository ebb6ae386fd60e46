//! Which pieces of a file are there, in blocks that are replaced one by one.
//!
//! Knows that disks write 512 bytes wholly or not at all, and does not rely on it: a torn block is noticed, and
//! costs the pieces that it was about.

use super::{Damage, checksum};
use crate::proto::files::cid::{CID_BYTES, Cid};
use crate::proto::files::pieces::Pieces;
use crate::proto::files::tree::Tree;

/// Bytes of a block.
pub const BLOCK: usize = 512;
const CHECK: usize = 32;
const BODY: usize = BLOCK - CHECK;
/// Pieces that a block is about: almost 1 GiB.
const PIECES: u64 = BODY as u64 * 8;
const MAGIC: [u8; 8] = *b"WarrenM\x01";
const CONTEXT: &str = "warren 2026 map of a partial file v1";

/// The map of a partial file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMap {
    /// What it will be.
    pub cid: Cid,
    /// Its shape.
    pub tree: Tree,
    /// What is there.
    pub pieces: Pieces,
}

/// Where the block is that has a piece.
pub fn block_offset(piece: u64) -> u64 {
    (1 + piece / PIECES) * BLOCK as u64
}

impl KeptMap {
    /// Of a file of which nothing is there.
    pub fn new(cid: Cid, tree: Tree) -> KeptMap {
        let pieces = Pieces::none(tree.pieces());
        KeptMap { cid, tree, pieces }
    }

    /// All of it, to be written before the first piece.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.head().to_vec();
        for number in 0..self.blocks() {
            bytes.extend(self.block(number * PIECES));
        }
        bytes
    }

    /// The block that has a piece, to be written at [`block_offset`] when the piece is durable.
    pub fn block(&self, piece: u64) -> [u8; BLOCK] {
        let number = piece / PIECES;
        let mut block = [0; BLOCK];
        for (index, word) in block[..BODY].chunks_exact_mut(8).enumerate() {
            let at = number as usize * (BODY / 8) + index;
            word.copy_from_slice(&self.pieces.word(at).to_le_bytes());
        }
        self.seal(&mut block, number + 1);
        block
    }

    fn blocks(&self) -> u64 {
        self.tree.pieces().div_ceil(PIECES)
    }

    fn head(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..8].copy_from_slice(&MAGIC);
        block[8..8 + CID_BYTES].copy_from_slice(&self.cid.to_bytes());
        block[8 + CID_BYTES..16 + CID_BYTES].copy_from_slice(&self.tree.size().to_be_bytes());
        self.seal(&mut block, 0);
        block
    }

    fn seal(&self, block: &mut [u8; BLOCK], number: u64) {
        let check = self.check(&block[..BODY], number);
        block[BODY..].copy_from_slice(&check);
    }

    fn check(&self, body: &[u8], number: u64) -> [u8; CHECK] {
        let (cid, size) = (self.cid.to_bytes(), self.tree.size().to_be_bytes());
        checksum(CONTEXT, &[&cid, &size, &number.to_be_bytes(), body])
    }

    /// Reads a map that is whole.
    pub fn decode(bytes: &[u8]) -> Result<KeptMap, Damage> {
        let (map, damage) = KeptMap::salvage(bytes)?;
        match damage {
            None => Ok(map),
            Some(damage) => Err(damage),
        }
    }

    /// Reads what is whole of a map: what a damaged block was about counts as not there, and the first damage is
    /// told. Nothing is read without its head.
    pub fn salvage(bytes: &[u8]) -> Result<(KeptMap, Option<Damage>), Damage> {
        let mut map = KeptMap::read_head(bytes)?;
        let mut damage = None;
        for number in 0..map.blocks() {
            let at = (number as usize + 1) * BLOCK;
            let found = match bytes.get(at..at + BLOCK) {
                Some(block) => map.read_block(block, number),
                None => Err(Damage::Truncated(at.min(bytes.len()) as u64)),
            };
            damage = damage.or(found.err());
        }
        let end = (map.blocks() as usize + 1) * BLOCK;
        if bytes.len() > end {
            damage = damage.or(Some(Damage::Damaged(end as u64)));
        }
        Ok((map, damage))
    }

    fn read_head(bytes: &[u8]) -> Result<KeptMap, Damage> {
        let begins = MAGIC.starts_with(&bytes[..bytes.len().min(7)]);
        if !begins {
            return Err(Damage::NotOurs);
        }
        let Some(block) = bytes.get(..BLOCK) else {
            return Err(Damage::Truncated(0));
        };
        if block[7] != MAGIC[7] {
            return Err(Damage::UnknownVersion);
        }
        let mut size = [0; 8];
        size.copy_from_slice(&block[8 + CID_BYTES..16 + CID_BYTES]);
        let cid = Cid::from_bytes(&block[8..8 + CID_BYTES]);
        let tree = Tree::new(u64::from_be_bytes(size));
        let map = cid.zip(tree).map(|(cid, tree)| KeptMap::new(cid, tree));
        let whole = map.filter(|map| map.head() == *block);
        whole.ok_or(Damage::Damaged(0))
    }

    fn read_block(&mut self, block: &[u8], number: u64) -> Result<(), Damage> {
        let damaged = Err(Damage::Damaged((number + 1) * BLOCK as u64));
        let (body, check) = block.split_at(BODY);
        if self.check(body, number + 1) != check {
            return damaged;
        }
        let here = (number * PIECES)..((number + 1) * PIECES).min(self.tree.pieces());
        for (byte, eight) in (0u64..).zip(body) {
            for bit in (0..8).filter(|bit| eight >> bit & 1 == 1) {
                let piece = here.start + byte * 8 + bit;
                if !here.contains(&piece) {
                    return damaged;
                }
                self.pieces.insert(piece);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PIECE;

    fn map() -> KeptMap {
        let tree = Tree::new(9_000 * PIECE - 5).unwrap();
        let mut map = KeptMap::new(Cid::file([7; 32]), tree);
        for piece in [0, 1, 63, 64, 3_839, 3_840, 7_777, 8_999] {
            assert!(map.pieces.insert(piece));
        }
        map
    }

    #[test]
    fn it_is_read_back() {
        let map = map();
        let bytes = map.encode();
        assert_eq!(bytes.len(), 4 * BLOCK);
        assert_eq!(KeptMap::decode(&bytes).as_ref(), Ok(&map));
        let empty = KeptMap::new(Cid::directory([1; 32]), Tree::new(0).unwrap());
        assert_eq!(KeptMap::decode(&empty.encode()), Ok(empty));
    }

    #[test]
    fn one_block_is_replaced() {
        let mut map = map();
        let mut bytes = map.encode();
        map.pieces.insert(5_000);
        let at = block_offset(5_000) as usize;
        assert_eq!(at, 2 * BLOCK);
        bytes[at..at + BLOCK].copy_from_slice(&map.block(5_000));
        assert_eq!(KeptMap::decode(&bytes), Ok(map));
    }

    #[test]
    fn damage_costs_what_it_touches_and_is_told() {
        let map = map();
        let bytes = map.encode();
        for at in (0..bytes.len()).step_by(37) {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            let block = (at / BLOCK * BLOCK) as u64;
            match KeptMap::decode(&bad) {
                Err(Damage::NotOurs) => assert!(at < 7),
                Err(Damage::UnknownVersion) => assert_eq!(at, 7),
                Err(Damage::Damaged(from)) => assert_eq!(from, block),
                other => panic!("{at}: {other:?}"),
            }
            if at >= BLOCK {
                let (left, _) = KeptMap::salvage(&bad).unwrap();
                assert!(left.pieces.iter().all(|piece| map.pieces.has(piece)));
                assert!(left.pieces.iter().all(|piece| block_offset(piece) != block));
                assert!(left.pieces.count() >= 3);
            }
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(
            KeptMap::decode(&longer),
            Err(Damage::Damaged(4 * BLOCK as u64))
        );
        for cut in [0, 1, 8, 511, 512, 1_000, bytes.len() - 1] {
            let found = KeptMap::decode(&bytes[..cut]);
            assert!(
                matches!(found, Err(Damage::Truncated(_))),
                "{cut}: {found:?}"
            );
        }
        assert_eq!(KeptMap::decode(b"something else"), Err(Damage::NotOurs));
    }

    #[test]
    fn blocks_of_another_map_are_refused() {
        let (one, other) = (
            map(),
            KeptMap {
                cid: Cid::file([8; 32]),
                ..map()
            },
        );
        let mut bytes = one.encode();
        bytes[BLOCK..2 * BLOCK].copy_from_slice(&other.block(0));
        assert_eq!(KeptMap::decode(&bytes), Err(Damage::Damaged(512)));
        let mut bytes = one.encode();
        bytes.copy_within(BLOCK..2 * BLOCK, 2 * BLOCK);
        assert_eq!(KeptMap::decode(&bytes), Err(Damage::Damaged(1_024)));
    }
}
