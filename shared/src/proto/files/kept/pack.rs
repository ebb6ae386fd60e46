//! Small files of directories, many in one kept file: a table of them, then their bytes one after the other.
//!
//! Knows the table. The kept file proves its own bytes, so a table that is read is the one that was written; what cannot
//! be one is refused nevertheless.

use super::Damage;
use crate::limits::{MAX_PACK_FILES, PIECE};
use crate::proto::files::cid::Root;

const MAGIC: [u8; 8] = *b"WarrenP\x01";
/// The magic, and how many files there are.
const START: usize = MAGIC.len() + 4;
/// A root, and a size.
const ROW: usize = 32 + 4;

/// Where a file is in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackRow {
    /// What it is.
    pub root: Root,
    /// Where it begins.
    pub at: u64,
    /// In bytes, at most a piece.
    pub size: u64,
}

/// A pack of these files; their rows are the same as those that [`rows`] reads.
pub fn packed(files: &[(Root, Vec<u8>)]) -> Vec<u8> {
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut pack = Vec::with_capacity(START + files.len() * ROW + bytes);
    pack.extend(MAGIC);
    pack.extend((files.len() as u32).to_be_bytes());
    for (root, bytes) in files {
        pack.extend(root);
        pack.extend((bytes.len() as u32).to_be_bytes());
    }
    for (_, bytes) in files {
        pack.extend(bytes);
    }
    pack
}

/// What is in a pack of this size, whose first piece this is: its table is never longer.
pub fn rows(first: &[u8], size: u64) -> Result<Vec<PackRow>, Damage> {
    if first.get(..7) != Some(&MAGIC[..7]) {
        return Err(Damage::NotOurs);
    }
    if first.get(7) != Some(&MAGIC[7]) {
        return Err(Damage::UnknownVersion);
    }
    let truncated = Damage::Truncated(first.len() as u64);
    let count: [u8; 4] = field(first, MAGIC.len()).ok_or(truncated)?;
    let count = u32::from_be_bytes(count) as usize;
    if count > MAX_PACK_FILES {
        return Err(Damage::Damaged(MAGIC.len() as u64));
    }
    let mut at = (START + count * ROW) as u64;
    let mut rows = Vec::with_capacity(count);
    for place in (0..count).map(|number| START + number * ROW) {
        let root = field(first, place).ok_or(truncated)?;
        let size: [u8; 4] = field(first, place + 32).ok_or(truncated)?;
        let size = u64::from(u32::from_be_bytes(size));
        if size > PIECE {
            return Err(Damage::Damaged(place as u64));
        }
        rows.push(PackRow { root, at, size });
        at += size;
    }
    match at == size {
        true => Ok(rows),
        false => Err(Damage::Damaged(START as u64)),
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

const _: () = assert!(START + MAX_PACK_FILES * ROW <= PIECE as usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_found_again() {
        let files = [
            ([1; 32], b"one".to_vec()),
            ([2; 32], Vec::new()),
            ([3; 32], vec![3; PIECE as usize]),
        ];
        let pack = packed(&files);
        let rows = rows(&pack[..PIECE as usize], pack.len() as u64).unwrap();
        assert_eq!(rows.len(), files.len());
        for (row, (root, bytes)) in rows.iter().zip(&files) {
            let found = &pack[row.at as usize..(row.at + row.size) as usize];
            assert_eq!((&row.root, found), (root, bytes.as_slice()));
        }
        assert_eq!(super::rows(&packed(&[]), START as u64), Ok(Vec::new()));
    }

    #[test]
    fn the_format_is_this() {
        let pack = packed(&[([7; 32], b"ab".to_vec())]);
        let mut expected = b"WarrenP\x01\0\0\0\x01".to_vec();
        expected.extend([7; 32]);
        expected.extend(b"\0\0\0\x02ab");
        assert_eq!(pack, expected);
    }

    #[test]
    fn what_cannot_be_a_pack_is_refused() {
        let pack = packed(&[([7; 32], b"ab".to_vec()), ([8; 32], b"c".to_vec())]);
        let size = pack.len() as u64;
        assert_eq!(rows(b"WarrenM\x01", 8), Err(Damage::NotOurs));
        assert_eq!(rows(b"WarrenP\x02", 8), Err(Damage::UnknownVersion));
        assert_eq!(rows(&pack, size + 1), Err(Damage::Damaged(START as u64)));
        for cut in 8..START + 2 * ROW {
            assert_eq!(rows(&pack[..cut], size), Err(Damage::Truncated(cut as u64)));
        }
        let mut many = pack.clone();
        many[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(rows(&many, size), Err(Damage::Damaged(8)));
        let mut large = pack;
        large[START + 32..START + ROW].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(rows(&large, size), Err(Damage::Damaged(START as u64)));
    }
}
