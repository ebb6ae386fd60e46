use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::limits::{GROUP, PIECE};
use crate::proto::files::tree::{Decoder, Verified, pack, root_of};
use crate::proto::prng::Prng;

const SIZE: usize = 2 * PIECE as usize + 12_345;

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 253) as u8).collect()
}

/// A change that a crash may take away, whole or in part.
#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Resize(u64),
}

#[derive(Debug, Default)]
struct Files {
    now: [Vec<u8>; 2],
    durable: [Vec<u8>; 2],
    changes: [Vec<Change>; 2],
}

/// Two files that can be cut off from their power after so many changes.
#[derive(Clone, Debug, Default)]
struct Fragile {
    files: Rc<RefCell<Files>>,
    /// How much may still be done, if that is limited.
    left: Rc<Cell<Option<u64>>>,
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Resize(size) => file.resize(*size as usize, 0),
        Change::Write(at, bytes) => {
            let end = *at as usize + bytes.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            file[*at as usize..end].copy_from_slice(bytes);
        }
    }
}

impl Fragile {
    fn works(&self) -> Result<(), ()> {
        match self.left.get() {
            Some(0) => Err(()),
            left => {
                self.left.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }

    fn now(&self, part: Part) -> Vec<u8> {
        self.files.borrow().now[part as usize].clone()
    }

    fn change(&self, part: Part, change: Change) -> Result<(), ()> {
        self.works()?;
        let mut files = self.files.borrow_mut();
        apply(&mut files.now[part as usize], &change);
        files.changes[part as usize].push(change);
        Ok(())
    }

    /// What is left when the power was away: of what was not flushed some, some of it torn, in any order.
    fn after_a_crash(&self, random: &mut Prng) -> Fragile {
        let files = self.files.borrow();
        let mut left = files.durable.clone();
        for (file, changes) in left.iter_mut().zip(&files.changes) {
            for change in changes {
                match (random.below(3), change) {
                    (0, _) => {}
                    (1, Change::Write(at, bytes)) => {
                        let half = bytes[..bytes.len() / 2].to_vec();
                        apply(file, &Change::Write(*at, half));
                    }
                    (_, change) => apply(file, change),
                }
            }
        }
        let disk = Fragile::default();
        disk.files.borrow_mut().now = left.clone();
        disk.files.borrow_mut().durable = left;
        disk
    }
}

impl Disk for Fragile {
    type Error = ();

    fn read(&self, part: Part, at: u64, into: &mut [u8]) -> Result<(), ()> {
        let file = &self.files.borrow().now[part as usize];
        let found = file
            .get(at as usize..)
            .and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(found.ok_or(())?);
        Ok(())
    }

    fn write(&self, part: Part, at: u64, bytes: &[u8]) -> Result<(), ()> {
        self.change(part, Change::Write(at, bytes.to_vec()))
    }

    fn resize(&self, part: Part, size: u64) -> Result<(), ()> {
        self.change(part, Change::Resize(size))
    }

    fn flush(&self, part: Part) -> Result<(), ()> {
        self.works()?;
        let mut files = self.files.borrow_mut();
        files.durable[part as usize] = files.now[part as usize].clone();
        files.changes[part as usize].clear();
        Ok(())
    }

    fn size(&self, part: Part) -> Result<u64, ()> {
        Ok(self.files.borrow().now[part as usize].len() as u64)
    }
}

fn taken(disk: Fragile, bytes: &[u8]) -> Result<Slot<Fragile>, ()> {
    let mut taking = Taking::new(disk, bytes.len() as u64)?;
    for portion in bytes.chunks(100_001) {
        assert!(taking.take(portion)?);
    }
    taking.finish()
}

fn restored(disk: Fragile) -> Option<(Slot<Fragile>, Vec<u8>)> {
    match Slot::restore(disk).expect("it can be read") {
        Found::Kept(slot, note) => Some((slot, note)),
        Found::Nothing => None,
        Found::Later => panic!("it is of this version"),
    }
}

/// All that a slot says it has is right.
fn right(slot: &Slot<Fragile>, bytes: &[u8]) -> bool {
    let KeptMap { tree, pieces, .. } = slot.map();
    let range = |piece| tree.bytes(&tree.piece(piece));
    pieces.iter().all(|piece| {
        let range = range(piece);
        slot.piece(piece)
            .is_ok_and(|found| found == bytes[range.start as usize..range.end as usize])
    })
}

/// The parts of a piece, as they come from a source.
fn parts(source: &Slot<Fragile>, piece: u64) -> Vec<Verified> {
    let KeptMap { cid, tree, .. } = source.map();
    let mut sender = Sender::new(cid.root, *tree, tree.piece(piece));
    let mut decoder = Decoder::new(cid.root, *tree, tree.piece(piece));
    let mut stream = Vec::new();
    source
        .fill(&mut sender, usize::MAX, &mut stream)
        .expect("it is right");
    let mut input = stream.as_slice();
    std::iter::from_fn(|| decoder.take(&mut input).expect("right")).collect()
}

#[test]
fn a_file_is_what_was_taken_in_and_comes_back_when_it_was_kept() {
    for size in [0, 1, GROUP as usize, PIECE as usize, SIZE] {
        let (disk, bytes) = (Fragile::default(), bytes(size));
        let mut slot = taken(disk.clone(), &bytes).expect("written");
        assert_eq!(slot.map().cid, Cid::file(root_of(&bytes)));
        assert!(
            slot.map().pieces.is_full() && right(&slot, &bytes),
            "{size}"
        );
        assert_eq!(disk.now(Part::Data), bytes, "nothing but the bytes");
        assert!(restored(disk.clone()).is_none(), "{size}: not kept yet");
        slot.keep(b"about it").expect("written");
        let (back, note) = restored(disk).expect("kept");
        assert_eq!(
            (back.map(), note.as_slice()),
            (slot.map(), &b"about it"[..])
        );
        assert!(right(&back, &bytes));
    }
}

#[test]
fn what_was_announced_larger_than_it_is_takes_no_more() {
    let (disk, bytes) = (Fragile::default(), bytes(1_000));
    let mut taking = Taking::new(disk.clone(), 1 << 20).expect("there is room");
    assert_eq!(
        disk.size(Part::Data),
        Ok(1 << 20),
        "room is asked for at once"
    );
    assert!(taking.take(&bytes).expect("written"));
    taking.finish().expect("written");
    assert_eq!(disk.size(Part::Data), Ok(1_000));
}

#[test]
fn what_is_said_of_a_file_has_a_bound() {
    let disk = Fragile::default();
    let mut slot = taken(disk.clone(), b"small").expect("written");
    slot.keep(&[7; MAX_NOTE]).expect("written");
    let note = |disk: &Fragile| restored(disk.clone()).expect("kept").1;
    assert_eq!(note(&disk), [7; MAX_NOTE]);
    slot.keep(&[7; MAX_NOTE + 1]).expect("written");
    assert!(note(&disk).is_empty());
}

/// Whatever a crash leaves of a download is right, and what was settled is all there.
#[test]
fn a_crash_costs_nothing_that_was_settled() {
    let bytes = bytes(5 * PIECE as usize + 100);
    let source = taken(Fragile::default(), &bytes).expect("written");
    let (cid, tree) = (source.map().cid, source.map().tree);
    let parts: Vec<_> = (0..tree.pieces())
        .map(|piece| pack(&parts(&source, piece)))
        .collect();
    let mut crashes = 0;
    for seed in 0..200 {
        let mut random = Prng::new(seed);
        let disk = Fragile::default();
        disk.left.set(Some(random.below(60)));
        let (mut kept, mut settled, mut written) = (false, 0, 0);
        let outcome = (|| {
            let mut slot = Slot::create(disk.clone(), cid, tree)?;
            slot.keep(b"note")?;
            kept = true;
            for (piece, parts) in (0..).zip(&parts) {
                slot.write(parts)?;
                slot.complete(piece);
                written = piece + 1;
                if random.below(2) == 0 {
                    slot.settle()?;
                    settled = piece + 1;
                    assert_eq!(slot.waiting(), 0);
                }
            }
            slot.settle()?;
            settled = tree.pieces();
            Ok::<_, ()>(())
        })();
        crashes += u32::from(outcome.is_err());
        // Everything that is left works again.
        let left = disk.after_a_crash(&mut random);
        let Some((slot, note)) = restored(left.clone()) else {
            assert!(!kept, "seed {seed}");
            continue;
        };
        assert!(right(&slot, &bytes), "seed {seed}");
        assert_eq!((slot.map().cid, note.as_slice()), (cid, &b"note"[..]));
        let there = |piece| slot.map().pieces.has(piece);
        assert!(
            (0..settled).all(there),
            "seed {seed}: {settled} of {written}"
        );
        // It goes on from there, and is whole then.
        let mut slot = slot;
        for (piece, parts) in (0..).zip(&parts) {
            slot.write(parts).expect("written");
            slot.complete(piece);
        }
        slot.settle().expect("written");
        let (back, _) = restored(left).expect("kept");
        assert!(back.map().pieces.is_full() && right(&back, &bytes));
    }
    assert!((50..200).contains(&crashes), "{crashes}");
}

#[test]
fn what_was_written_and_not_settled_counts_when_it_is_there() {
    let bytes = bytes(SIZE);
    let source = taken(Fragile::default(), &bytes).expect("written");
    let disk = Fragile::default();
    let (cid, tree) = (source.map().cid, source.map().tree);
    let mut slot = Slot::create(disk.clone(), cid, tree).expect("written");
    slot.keep(b"").expect("written");
    slot.write(&pack(&parts(&source, 1))).expect("written");
    drop(slot);
    let (back, _) = restored(disk).expect("kept");
    assert_eq!(back.map().pieces.iter().collect::<Vec<_>>(), [1]);
    assert!(right(&back, &bytes));
}

#[test]
fn what_lies_beyond_a_file_is_not_written() {
    let disk = Fragile::default();
    let tree = Tree::new(SIZE as u64).expect("a size");
    let slot = Slot::create(disk.clone(), Cid::file([7; 32]), tree).expect("written");
    let sizes = || [Part::Data, Part::Beside].map(|part| disk.size(part).expect("read"));
    let before = sizes();
    let (pairs, size) = (tree.outboard_size() / PAIR as u64, SIZE as u64);
    let pair = |index| Verified::Pair {
        index,
        pair: [9; PAIR],
    };
    let group = |offset| Verified::Group {
        offset,
        data: vec![9; 10],
    };
    let beyond = [
        vec![pair(pairs)],
        vec![pair(u64::MAX)],
        // The first of both is within.
        vec![pair(pairs - 1), pair(pairs)],
        vec![group(size)],
        vec![group(size - 9)],
        vec![group(u64::MAX - 20)],
    ];
    for parts in beyond {
        slot.write(&pack(&parts)).expect("left out");
        assert_eq!(sizes(), before);
    }
    let mut last = [0; 9];
    disk.read(Part::Data, size - 9, &mut last).expect("read");
    assert_eq!(last, [0; 9]);
    slot.write(&pack(&[group(size - 10)])).expect("written");
    disk.read(Part::Data, size - 9, &mut last).expect("read");
    assert_eq!(last, [9; 9]);
}

#[test]
fn a_file_that_was_changed_is_not_given_out() {
    let (disk, bytes) = (Fragile::default(), bytes(SIZE));
    let mut slot = taken(disk.clone(), &bytes).expect("written");
    slot.keep(b"").expect("written");
    disk.write(Part::Data, PIECE + 5, b"!").expect("written");
    let (slot, _) = restored(disk.clone()).expect("kept");
    assert!(slot.piece(0).is_ok());
    assert!(matches!(slot.piece(1), Err(Stop::Changed(_))));
    // What was cut off is missing, and known to be.
    disk.resize(Part::Data, PIECE + 5).expect("cut");
    let (slot, _) = restored(disk).expect("kept");
    assert_eq!(slot.map().pieces.iter().collect::<Vec<_>>(), [0]);
}

#[test]
fn what_a_later_version_wrote_is_neither_read_nor_taken_for_nothing() {
    let disk = Fragile::default();
    taken(disk.clone(), b"small")
        .expect("written")
        .keep(b"")
        .expect("written");
    disk.write(Part::Beside, 7, &[2]).expect("written");
    assert!(matches!(Slot::restore(disk.clone()), Ok(Found::Later)));
    disk.write(Part::Beside, 7, &[1]).expect("written");
    disk.write(Part::Beside, 60, &[1]).expect("written");
    assert!(matches!(Slot::restore(disk), Ok(Found::Nothing)));
}

#[test]
fn whatever_is_damaged_nothing_wrong_comes_out() {
    let bytes = bytes(SIZE);
    let (mut lost, mut gone) = (0, 0);
    for seed in 0..200 {
        let mut random = Prng::new(seed);
        let disk = Fragile::default();
        let mut slot = taken(disk.clone(), &bytes).expect("written");
        slot.keep(b"note").expect("written");
        for _ in 0..1 + random.below(4) {
            let part = [Part::Data, Part::Beside][random.below(2) as usize];
            let at = random.below(disk.now(part).len().max(1) as u64);
            match random.below(8) {
                0 => disk.resize(part, at).expect("cut"),
                _ => disk
                    .write(part, at, &[random.next_u64() as u8])
                    .expect("written"),
            }
        }
        // The head may be damaged so that it is that of a later version.
        let Ok(Found::Kept(slot, note)) = Slot::restore(disk) else {
            gone += 1;
            continue;
        };
        assert_eq!(
            (slot.map().cid.root, note.as_slice()),
            (root_of(&bytes), &b"note"[..])
        );
        let tree = slot.map().tree;
        for piece in 0..tree.pieces() {
            let range = tree.bytes(&tree.piece(piece));
            match slot.piece(piece) {
                Ok(found) => assert_eq!(found, bytes[range.start as usize..range.end as usize]),
                Err(_) => lost += 1,
            }
        }
    }
    assert!(lost > 20 && gone > 5, "{lost} {gone}");
}
