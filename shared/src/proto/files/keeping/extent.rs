//! How much of a relay something takes.
//!
//! Knows that what lies beside bytes takes room as well, and that equal files of a directory are kept once.

use std::collections::HashMap;

use super::super::cid::{Cid, Kind};
use super::super::directory::Directory;
use super::super::tree::Tree;
use crate::limits::{KEPT_FILE, KEPT_MEMBER};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the file, or of all files of the directory, as who asks for it signs.
    pub size: u64,
    /// Bytes of the disk that are counted.
    pub bytes: u64,
    /// Paths of a directory, also those of equal files: each costs whoever reads the list.
    pub files: u64,
}

fn bytes_of(tree: Tree) -> u64 {
    tree.size() + tree.outboard_size()
}

impl Extent {
    /// Of something that is asked for. Of a directory nothing else is known before its list is there.
    pub fn asked(cid: &Cid, size: u64) -> Extent {
        let tree = Tree::new(size).filter(|_| cid.kind == Kind::File);
        Extent {
            size,
            bytes: KEPT_FILE + tree.map_or(0, bytes_of),
            files: 0,
        }
    }

    /// The same with the list of the directory, whose files are not known yet.
    pub fn with_list(self, list: Tree) -> Extent {
        Extent {
            bytes: KEPT_FILE + bytes_of(list),
            ..self
        }
    }

    /// Of a directory with all its files. Nothing when the list contradicts itself: who fetched that would miss a file.
    pub fn of_directory(list: Tree, directory: &Directory) -> Option<Extent> {
        let files = different(directory)?;
        let each = files.iter().map(|(_, tree)| bytes_of(*tree) + KEPT_MEMBER);
        Some(Extent {
            size: directory.size(),
            bytes: KEPT_FILE + bytes_of(list) + each.sum::<u64>(),
            files: directory.entries().len() as u64,
        })
    }
}

/// The different files of a directory, in the order of their first paths. Nothing when one is said to have two sizes.
pub fn different(directory: &Directory) -> Option<Vec<(Cid, Tree)>> {
    let (mut all, mut known) = (Vec::new(), HashMap::new());
    for entry in directory.entries() {
        match known.insert(entry.cid, entry.size) {
            None => all.push((entry.cid, Tree::new(entry.size)?)),
            Some(size) if size == entry.size => {}
            Some(_) => return None,
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PIECE;
    use crate::proto::files::directory::Entry;
    use crate::proto::files::path::FilePath;

    fn directory(files: &[(&str, u8, u64)]) -> Directory {
        let entries = files.iter().map(|(path, number, size)| Entry {
            path: FilePath::new(path).unwrap(),
            cid: Cid::file([*number; 32]),
            size: *size,
            media: String::new(),
        });
        Directory::new(entries.collect()).unwrap()
    }

    #[test]
    fn equal_files_are_counted_once_and_everything_counts() {
        let list = Tree::new(2 * PIECE).unwrap();
        let (large, empty) = (Tree::new(3 * PIECE).unwrap(), Tree::new(0).unwrap());
        let files = [("a", 1, 3 * PIECE), ("b", 2, 0), ("c/a", 1, 3 * PIECE)];
        let directory = directory(&files);
        let all = different(&directory).unwrap();
        let (one, two) = (Cid::file([1; 32]), Cid::file([2; 32]));
        assert_eq!(all, [(one, large), (two, empty)]);
        let extent = Extent::of_directory(list, &directory).unwrap();
        let bytes = bytes_of(list) + bytes_of(large) + KEPT_FILE + 2 * KEPT_MEMBER;
        let wanted = Extent {
            size: 6 * PIECE,
            bytes,
            files: 3,
        };
        assert_eq!(extent, wanted);
        let asked = Extent::asked(&Cid::directory([7; 32]), extent.size);
        assert_eq!((asked.bytes, asked.files), (KEPT_FILE, 0));
        assert_eq!(asked.with_list(list).bytes, KEPT_FILE + bytes_of(list));
        let file = Extent::asked(&one, 3 * PIECE);
        assert_eq!(file.bytes, KEPT_FILE + bytes_of(large));
    }

    #[test]
    fn a_file_has_one_size() {
        let list = Tree::new(100).unwrap();
        let lie = directory(&[("a", 1, 5), ("b", 1, 6)]);
        assert_eq!(different(&lie), None);
        assert_eq!(Extent::of_directory(list, &lie), None);
    }
}
