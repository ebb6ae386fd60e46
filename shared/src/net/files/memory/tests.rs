use futures::executor::block_on;

use super::*;
use crate::limits::FILE_READ;
use crate::proto::files::tree::{Decoder, root_of};

const SIZE: usize = 2 * PIECE as usize + 12_345;

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 253) as u8).collect()
}

/// Takes a file in, in portions that fit nothing.
fn kept(store: &MemoryStore, bytes: &[u8]) -> Result<Arc<dyn Stored>> {
    block_on(async {
        let mut intake = store.begin(0).await?;
        for portion in bytes.chunks(100_001) {
            intake.take(portion.to_vec()).await?;
        }
        intake.finish().await
    })
}

fn read(file: &dyn Stored) -> Vec<u8> {
    let pieces = (0..file.tree().pieces()).map(|piece| block_on(file.bytes(piece)));
    pieces
        .flat_map(|piece| piece.expect("it is there"))
        .collect()
}

/// All of a file goes from one to another as it does over a stream.
fn pass(from: &dyn Stored, to: &dyn Stored) {
    let (root, tree) = (from.cid().root, from.tree());
    let mut sender = Sender::new(root, tree, 0..tree.groups());
    let mut decoder = Decoder::new(root, tree, 0..tree.groups());
    while sender.need().is_some() {
        let portion = block_on(from.read(sender, FILE_READ));
        assert_eq!(portion.outcome, Ok(()));
        sender = portion.sender;
        let mut input = portion.bytes.as_slice();
        let mut parts = Vec::new();
        while let Some(part) = decoder.take(&mut input).expect("right") {
            parts.push(part);
        }
        block_on(to.write(parts)).expect("written");
    }
    (0..tree.pieces()).for_each(|piece| block_on(to.complete(piece)).expect("marked"));
}

#[test]
fn a_file_is_what_was_taken_in() {
    for size in [0, 1, PIECE as usize, SIZE] {
        let (store, bytes) = (MemoryStore::new(4 * MIB), bytes(size));
        let file = kept(&store, &bytes).expect("there is room");
        assert_eq!(file.cid(), Cid::file(root_of(&bytes)));
        assert!(
            file.pieces().is_full() && read(file.as_ref()) == bytes,
            "{size}"
        );
    }
}

#[test]
fn what_was_fetched_can_be_given_and_read() {
    let (store, bytes) = (MemoryStore::new(8 * MIB), bytes(SIZE));
    let file = kept(&store, &bytes).expect("there is room");
    let open = || block_on(store.open(file.cid(), file.tree())).expect("there is room");
    let (first, second) = (open(), open());
    assert_eq!(
        block_on(first.bytes(0)).map_err(|error| error.code()),
        Err(Code::NotFound)
    );
    pass(file.as_ref(), first.as_ref());
    pass(first.as_ref(), second.as_ref());
    assert!(read(second.as_ref()) == bytes);
}

#[test]
fn room_is_bounded_and_given_back() {
    let (store, bytes) = (MemoryStore::new(MIB), bytes(600 * 1024));
    let code = |outcome: Result<Arc<dyn Stored>>| outcome.map(drop).map_err(|error| error.code());
    let file = kept(&store, &bytes).expect("there is room");
    assert_eq!(code(kept(&store, &bytes)), Err(Code::StorageFailed));
    let open = |size| block_on(store.open(file.cid(), Tree::new(size).expect("a size")));
    assert_eq!(code(open(600 * 1024)), Err(Code::StorageFailed));
    assert_eq!(code(open(2 * MIB)), Err(Code::TooLarge));
    assert_eq!(code(open(crate::limits::MAX_FILE)), Err(Code::TooLarge));
    assert_eq!(*store.0.used(), file_space(&bytes));
    drop(file);
    assert_eq!(*store.0.used(), 0);
    // What is larger than announced needs more, what is smaller gives the rest back.
    let begin = |size| block_on(store.begin(size)).map_err(|error| error.code());
    assert_eq!(begin(2 * MIB).map(drop), Err(Code::TooLarge));
    let intake = begin(900 * 1024).expect("there is room");
    assert_eq!(begin(200 * 1024).map(drop), Err(Code::StorageFailed));
    let empty = block_on(intake.finish()).expect("empty");
    assert_eq!((empty.tree().size(), *store.0.used()), (0, FILE_IN_MEMORY));
    drop(empty);
    kept(&store, &bytes).expect("there is room again");
}

#[test]
fn what_was_discarded_is_gone_for_those_who_hold_it() {
    let (store, bytes) = (MemoryStore::new(8 * MIB), bytes(SIZE));
    let file = kept(&store, &bytes).expect("there is room");
    let other = block_on(store.open(file.cid(), file.tree())).expect("there is room");
    pass(file.as_ref(), other.as_ref());
    other.discard();
    assert_eq!(*store.0.used(), file_space(&bytes), "its room is free");
    let sender = || Sender::new(other.cid().root, other.tree(), 0..other.tree().groups());
    let portion = block_on(other.read(sender(), FILE_READ));
    assert_eq!(
        (portion.bytes.len(), portion.outcome),
        (0, Err(FileRefusal::Gone))
    );
    let code = |outcome: Result<()>| outcome.map_err(|error| error.code());
    assert_eq!(
        code(block_on(other.bytes(0)).map(drop)),
        Err(Code::Cancelled)
    );
    assert_eq!(code(block_on(other.complete(0))), Err(Code::Cancelled));
    assert_eq!(
        code(block_on(other.write(Vec::new()))),
        Err(Code::Cancelled)
    );
    assert_eq!(other.pieces().count(), 0);
    other.discard();
    assert!(read(file.as_ref()) == bytes, "only that one");
    file.discard();
    assert_eq!(*store.0.used(), 0);
    drop((file, other));
    assert_eq!(*store.0.used(), 0, "not given back twice");
}

fn file_space(bytes: &[u8]) -> u64 {
    let size = bytes.len() as u64;
    size + size.div_ceil(GROUP) * PAIR as u64 + FILE_IN_MEMORY
}
