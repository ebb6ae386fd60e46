//! What is wanted of a file on its way: all of it or some, and what of that is wanted soon.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Code, Error, Result};
use crate::limits::PIECE;
use crate::proto::files::pieces::Pieces;
use crate::proto::files::tree::Tree;

/// What whoever fetches a file is to bring, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Only these pieces, and those that somebody reads; without, all.
    pub only: Option<Vec<Range<u64>>>,
    /// Pieces at which somebody waits or has read of late, the most urgent first: they and the next ones come before others.
    pub readers: Vec<u64>,
}

impl Wishes {
    /// Of so many pieces those that are wanted.
    pub fn pieces(&self, length: u64) -> Pieces {
        let Some(only) = &self.only else {
            return Pieces::all(length);
        };
        let mut wanted = Pieces::none(length);
        only.iter().for_each(|run| wanted.insert_range(run.clone()));
        self.readers.iter().for_each(|piece| {
            wanted.insert(*piece);
        });
        wanted
    }
}

/// The pieces that have these bytes; refused when the file has no such bytes. An end behind that of the file is the end of
/// the file.
pub(super) fn covering(tree: Tree, bytes: &Range<u64>) -> Result<Range<u64>> {
    if bytes.start > bytes.end || bytes.start > tree.size() {
        let (start, end, size) = (bytes.start, bytes.end, tree.size());
        let what = format!("a file of {size} bytes has no range from {start} to {end}");
        let remedy = "Pass a start that is not behind the end, nor behind that of the file.";
        return Err(Error::new(Code::InvalidArgument, what).with_remedy(remedy));
    }
    let end = bytes.end.min(tree.size());
    Ok(match bytes.start < end {
        true => bytes.start / PIECE..end.div_ceil(PIECE),
        false => 0..0,
    })
}

/// How many bytes of a range are in these pieces.
pub(super) fn bytes_there(pieces: &Pieces, bytes: &Range<u64>) -> u64 {
    let within = |piece: u64| {
        let (start, end) = (piece * PIECE, (piece + 1) * PIECE);
        end.min(bytes.end).saturating_sub(start.max(bytes.start))
    };
    let there = (bytes.start / PIECE..bytes.end.div_ceil(PIECE)).filter(|piece| pieces.has(*piece));
    there.map(within).sum()
}

/// What is wanted by those who follow a file. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Wants(Arc<Mutex<Vec<Option<Range<u64>>>>>);

/// What one of them wants. Dropped, it does not any more.
pub(super) struct Want {
    all: Wants,
    /// Without, everything.
    pub pieces: Option<Range<u64>>,
}

impl Wants {
    pub fn add(&self, pieces: Option<Range<u64>>) -> Want {
        self.list().push(pieces.clone());
        let all = self.clone();
        Want { all, pieces }
    }

    /// Only these; without, all.
    pub fn only(&self) -> Option<Vec<Range<u64>>> {
        let list = self.list();
        let runs: Option<Vec<Range<u64>>> = list.iter().cloned().collect();
        runs.filter(|runs| !runs.is_empty())
    }

    fn list(&self) -> MutexGuard<'_, Vec<Option<Range<u64>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Want {
    /// Whether it is fulfilled.
    pub fn is_met(&self, there: &Pieces) -> bool {
        match &self.pieces {
            Some(pieces) => pieces.clone().all(|piece| there.has(piece)),
            None => there.is_full(),
        }
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        let mut list = self.all.list();
        if let Some(at) = list.iter().position(|other| *other == self.pieces) {
            list.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_covered_by_pieces() {
        let tree = Tree::new(3 * PIECE + 5).expect("it is small");
        for (start, end, pieces) in [
            (0, 1, 0..1),
            (PIECE - 1, PIECE + 1, 0..2),
            (PIECE, 2 * PIECE, 1..2),
            (3 * PIECE, u64::MAX, 3..4),
            (7, 7, 0..0),
            (tree.size(), tree.size() + 9, 0..0),
        ] {
            let found = covering(tree, &(start..end)).expect("there are such bytes");
            assert_eq!(found, pieces, "{start} to {end}");
        }
        for (start, end) in [(2, 1), (tree.size() + 1, tree.size() + 2)] {
            let refused = covering(tree, &(start..end)).expect_err("no such bytes");
            assert_eq!(refused.code(), Code::InvalidArgument);
        }
    }

    #[test]
    fn bytes_of_a_range_are_counted_where_their_pieces_are_there() {
        let mut pieces = Pieces::none(4);
        pieces.insert(1);
        pieces.insert(3);
        for (start, end, there) in [
            (0, PIECE, 0),
            (PIECE - 5, PIECE + 7, 7),
            (PIECE + 1, 2 * PIECE + 9, PIECE - 1),
            (0, 3 * PIECE + 5, PIECE + 5),
            (9, 9, 0),
        ] {
            assert_eq!(bytes_there(&pieces, &(start..end)), there);
        }
    }

    #[test]
    fn all_is_wanted_for_as_long_as_one_wants_all() {
        let wants = Wants::default();
        assert_eq!(wants.only(), None);
        let some = wants.add(Some(1..3));
        let same = wants.add(Some(1..3));
        assert_eq!(wants.only(), Some(vec![1..3, 1..3]));
        let all = wants.add(None);
        assert_eq!(wants.only(), None);
        drop(all);
        drop(same);
        let left = wants.only().expect("only some");
        assert_eq!((left.len(), &left[0]), (1, &(1..3)));
        let mut there = Pieces::none(4);
        there.insert_range(1..2);
        assert!(!some.is_met(&there));
        there.insert_range(2..3);
        assert!(some.is_met(&there));

        let only = wants.only();
        let readers = vec![3, 9];
        let wanted = Wishes { only, readers }.pieces(4);
        assert_eq!(wanted.iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert!(Wishes::default().pieces(4).is_full());
    }
}
