use bao_tree::io::outboard::PostOrderMemOutboard;
use bao_tree::io::sync::encode_ranges_validated;
use bao_tree::{BlockSize, ChunkNum, ChunkRanges};

use super::*;
use crate::proto::prng::Prng;

const K: u64 = 1_024;

/// Sizes around everything that changes the shape of a tree.
const SIZES: [u64; 17] = [
    0,
    1,
    K,
    K + 1,
    GROUP - 1,
    GROUP,
    GROUP + 1,
    2 * GROUP,
    2 * GROUP + 1,
    3 * GROUP,
    5 * GROUP + 7,
    8 * GROUP,
    8 * GROUP + 1,
    16 * GROUP,
    17 * GROUP - 5,
    33 * GROUP + K,
    64 * GROUP - 1,
];

pub(super) fn content(size: u64) -> Vec<u8> {
    let mut random = Prng::new(size);
    (0..size).map(|_| random.next_u64() as u8).collect()
}

fn built(data: &[u8], portion: usize) -> (Built, Vec<u8>) {
    let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
    for part in data.chunks(portion.max(1)) {
        assert!(builder.take(part, &mut hashes));
    }
    (builder.finish(&mut hashes), hashes)
}

/// What a sender sends, or why it does not.
fn sent(built: &Built, data: &[u8], hashes: &[u8], groups: Range<u64>) -> Result<Vec<u8>, Changed> {
    let mut sender = Sender::new(built.root, built.tree, groups);
    let mut out = Vec::new();
    while let Some(need) = sender.need() {
        let (source, offset, length) = match need {
            Need::Hashes { offset, length } => (hashes, offset as usize, length),
            Need::Data { offset, length } => (data, offset as usize, length),
        };
        let end = (offset + length).min(source.len());
        let read = source.get(offset..end).unwrap_or_default();
        sender.read(read)?;
        out.extend_from_slice(read);
    }
    Ok(out)
}

/// What a receiver believes, of a stream that comes in portions, and whether that is all.
fn received(
    mut decoder: Decoder,
    stream: &[u8],
    portion: usize,
) -> (Vec<Verified>, Result<bool, Mismatch>) {
    let mut out = Vec::new();
    for mut part in stream.chunks(portion).chain([&[][..]]) {
        loop {
            match decoder.take(&mut part) {
                Ok(Some(verified)) => out.push(verified),
                Ok(None) => break,
                Err(mismatch) => return (out, Err(mismatch)),
            }
        }
        if !part.is_empty() {
            return (out, Ok(false));
        }
    }
    let done = decoder.is_done();
    (out, Ok(done))
}

#[test]
fn trees_are_those_of_bao() {
    for size in SIZES {
        let data = content(size);
        let (built, hashes) = built(&data, 1_000);
        let theirs = PostOrderMemOutboard::create(&data, BlockSize::from_chunk_log(4));
        assert_eq!(&built.root, theirs.root.as_bytes(), "{size}");
        assert_eq!(built.root, root_of(&data), "{size}");
        assert_eq!(hashes, theirs.data, "{size}");
        assert_eq!(built.tree.outboard_size(), hashes.len() as u64, "{size}");
    }
}

#[test]
fn streams_are_those_of_bao() {
    for size in SIZES.into_iter().filter(|size| *size > 0) {
        let data = content(size);
        let (built, hashes) = built(&data, 70_000);
        let theirs = PostOrderMemOutboard::create(&data, BlockSize::from_chunk_log(4));
        let groups = built.tree.groups();
        for (first, end) in [
            (0, groups),
            (groups - 1, groups),
            (groups / 3, groups / 3 + 1),
        ] {
            let chunks = ChunkRanges::from(ChunkNum(first * 16)..ChunkNum(end * 16));
            let mut expected = Vec::new();
            encode_ranges_validated(&data[..], &theirs, &chunks, &mut expected).unwrap();
            let ours = sent(&built, &data, &hashes, first..end).unwrap();
            assert_eq!(ours, expected, "{size}: {first}..{end}");
        }
    }
}

#[test]
fn portions_do_not_matter() {
    let data = content(9 * GROUP + 3);
    let expected = built(&data, usize::MAX);
    for portion in [1, 1_023, 16_384, 16_385, 50_000] {
        assert_eq!(built(&data, portion), expected, "{portion}");
    }
}

#[test]
fn every_range_arrives_with_the_hashes_to_pass_it_on() {
    for size in SIZES {
        let data = content(size);
        let (built, hashes) = built(&data, 9_999);
        let groups = built.tree.groups();
        let mut random = Prng::new(size);
        for _ in 0..8 {
            let first = random.below(groups);
            let range = first..first + 1 + random.below(groups - first);
            let stream = sent(&built, &data, &hashes, range.clone()).unwrap();
            let portion = 1 + random.below(40_000) as usize;
            let decoder = Decoder::new(built.root, built.tree, range.clone());
            let (parts, done) = received(decoder, &stream, portion);
            assert_eq!(done, Ok(true), "{size}: {range:?}");
            let (mut copy, mut tree) = (vec![0; data.len()], vec![0; hashes.len()]);
            for part in parts {
                match part {
                    Verified::Pair { index, pair } => {
                        tree[index as usize * PAIR..][..PAIR].copy_from_slice(&pair);
                    }
                    Verified::Group { offset, data } => {
                        copy[offset as usize..][..data.len()].copy_from_slice(&data);
                    }
                }
            }
            let bytes = built.tree.bytes(&range);
            let bytes = bytes.start as usize..bytes.end as usize;
            assert_eq!(copy[bytes.clone()], data[bytes], "{size}: {range:?}");
            let again = sent(&built, &copy, &tree, range.clone());
            assert_eq!(again.as_ref(), Ok(&stream), "{size}: {range:?}");
        }
    }
}

#[test]
fn a_wrong_byte_is_noticed_before_anything_of_its_group_comes_out() {
    let data = content(5 * GROUP + 7);
    let (built, hashes) = built(&data, 9_999);
    let stream = sent(&built, &data, &hashes, 1..5).unwrap();
    let mut random = Prng::new(1);
    for _ in 0..60 {
        let at = random.below(stream.len() as u64) as usize;
        let mut wrong = stream.clone();
        wrong[at] ^= 1 << random.below(8);
        let decoder = Decoder::new(built.root, built.tree, 1..5);
        let (parts, done) = received(decoder, &wrong, 5_000);
        assert_eq!(done, Err(Mismatch), "{at}");
        for part in parts {
            if let Verified::Group { offset, data: part } = part {
                assert_eq!(part, data[offset as usize..][..part.len()]);
            }
        }
    }
    for cut in [0, 1, 63, 64, 20_000, stream.len() - 1] {
        let decoder = Decoder::new(built.root, built.tree, 1..5);
        assert_eq!(
            received(decoder, &stream[..cut], 7_000).1,
            Ok(false),
            "{cut}"
        );
    }
    let more = [&stream[..], &[0]].concat();
    let decoder = Decoder::new(built.root, built.tree, 1..5);
    assert_eq!(
        received(decoder, &more, 7_000).1,
        Ok(false),
        "not asked for"
    );
}

#[test]
fn a_sender_whose_file_changed_sends_nothing_wrong() {
    let data = content(8 * GROUP + 1);
    let (built, hashes) = built(&data, 9_999);
    for at in [0, 3 * GROUP as usize + 5, data.len() - 1] {
        let mut changed = data.clone();
        changed[at] ^= 1;
        assert_eq!(sent(&built, &changed, &hashes, 0..9), Err(Changed::File));
    }
    assert_eq!(
        sent(&built, &data[..data.len() - 1], &hashes, 0..9),
        Err(Changed::File)
    );
    assert!(sent(&built, &data[..5 * GROUP as usize], &hashes, 0..4).is_ok());
    let mut damaged = hashes.clone();
    damaged[70] ^= 1;
    assert_eq!(sent(&built, &data, &damaged, 0..9), Err(Changed::Hashes));
    assert_eq!(
        sent(&built, &data, &hashes[..100], 0..9),
        Err(Changed::Hashes)
    );
}

#[test]
fn a_wrong_size_is_noticed_at_the_last_group() {
    for size in [GROUP + 1, 5 * GROUP + 7, 16 * GROUP] {
        let data = content(size);
        let (built, hashes) = built(&data, 9_999);
        let proof = built.tree.proof();
        let stream = sent(&built, &data, &hashes, proof.clone()).unwrap();
        let decoder = Decoder::new(built.root, built.tree, proof);
        assert_eq!(received(decoder, &stream, 999).1, Ok(true));
        for wrong in [0, 1, size - 1, size + 1, size + GROUP, 2 * size, MAX_FILE] {
            let tree = Tree::new(wrong).unwrap();
            let decoder = Decoder::new(built.root, tree, tree.proof());
            assert_ne!(
                received(decoder, &stream, 999).1,
                Ok(true),
                "{size} {wrong}"
            );
        }
    }
}

#[test]
fn large_files_have_their_place() {
    let tree = Tree::new(MAX_FILE).unwrap();
    assert_eq!(Tree::new(MAX_FILE + 1), None);
    let hashes = tree.all().index() + 1;
    assert_eq!(hashes * PAIR as u64, tree.outboard_size());
    let sender = Sender::new([0; 32], tree, tree.proof());
    let offset = tree.outboard_size() - PAIR as u64;
    let length = PAIR;
    assert_eq!(sender.need(), Some(Need::Hashes { offset, length }));
}

#[test]
fn groups_and_pieces_are_found() {
    let tree = Tree::new(40 * GROUP + 1).unwrap();
    assert_eq!((tree.groups(), tree.pieces()), (41, 3));
    assert_eq!(
        (tree.piece(0), tree.piece(2), tree.piece(3)),
        (0..16, 32..41, 41..41)
    );
    assert_eq!(tree.groups_of(0..1), 0..1);
    assert_eq!(tree.groups_of(GROUP - 1..GROUP + 1), 0..2);
    assert_eq!(tree.groups_of(tree.size() - 1..u64::MAX), 40..41);
    assert!(tree.groups_of(u64::MAX - 1..u64::MAX).is_empty());
    assert_eq!(tree.bytes(&(40..41)), 40 * GROUP..40 * GROUP + 1);
    let (none, beyond) = (3..3, 40..42);
    assert!(!tree.holds(&none) && !tree.holds(&beyond) && tree.holds(&tree.proof()));
    assert_eq!(Sender::new([0; 32], tree, beyond).need(), None);
    let empty = Tree::new(0).unwrap();
    assert_eq!(
        (empty.groups(), empty.pieces(), empty.proof()),
        (1, 1, 0..1)
    );
}
