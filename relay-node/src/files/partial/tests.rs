use super::*;
use warren_shared::proto::files::tree::{Decoder, TreeBuilder};

struct Whole {
    data: Vec<u8>,
    hashes: Vec<u8>,
    cid: Cid,
    tree: Tree,
}

fn whole(size: u64) -> Whole {
    let data: Vec<u8> = (0..size).map(|at| (at * 31 % 253) as u8).collect();
    let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
    assert!(builder.take(&data, &mut hashes));
    let built = builder.finish(&mut hashes);
    Whole {
        data,
        hashes,
        cid: Cid::file(built.root),
        tree: built.tree,
    }
}

impl Whole {
    /// A piece, as it comes from a source.
    fn parts(&self, piece: u64) -> Vec<Verified> {
        let groups = self.tree.piece(piece);
        let sender = Sender::new(self.cid.root, self.tree, groups.clone());
        let sent = Portion::fill(sender, usize::MAX, |need, out| {
            let (all, offset) = match need {
                Need::Hashes { offset, .. } => (&self.hashes, offset as usize),
                Need::Data { offset, .. } => (&self.data, offset as usize),
            };
            out.copy_from_slice(&all[offset..offset + out.len()]);
            Ok(())
        });
        let mut decoder = Decoder::new(self.cid.root, self.tree, groups);
        let (mut input, mut parts) = (sent.bytes.as_slice(), Vec::new());
        while let Some(part) = decoder.take(&mut input).expect("right") {
            parts.push(part);
        }
        parts
    }

    fn open(&self, folder: &Path) -> PartialFile {
        PartialFile::open(folder, self.cid, self.tree).expect("opened")
    }

    async fn give(&self, partial: &PartialFile, piece: u64) {
        partial.write(self.parts(piece)).await.unwrap();
        partial.complete(piece).await.unwrap();
    }
}

fn there(partial: &PartialFile) -> Vec<u64> {
    partial.pieces().iter().collect()
}

#[tokio::test]
async fn what_was_written_is_there_again_with_its_map_or_without() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(5 * PIECE - 7);
    let partial = whole.open(folder.path());
    assert_eq!((there(&partial).len(), partial.bytes()), (0, 0));
    for piece in [0, 4] {
        whole.give(&partial, piece).await;
    }
    assert_eq!(partial.bytes(), 2 * PIECE - 7);
    partial.settle().await.unwrap();
    assert_eq!(partial.kept(), 2);
    whole.give(&partial, 1).await;
    drop(partial);
    let begun = PartialFile::begun(folder.path(), &whole.cid);
    assert_eq!(begun, Some(whole.tree));
    let map = Paths::new(folder.path(), &whole.cid).map;
    let bytes = std::fs::read(&map).unwrap();
    for at in [None, Some(0), Some(100), Some(BLOCK), Some(bytes.len() - 1)] {
        let mut damaged = bytes.clone();
        if let Some(at) = at {
            damaged[at] ^= 1;
        }
        std::fs::write(&map, &damaged).unwrap();
        let partial = whole.open(folder.path());
        assert_eq!(there(&partial), [0, 1, 4], "{at:?}");
        assert_eq!(partial.kept(), 3, "{at:?}");
    }
    std::fs::remove_file(&map).unwrap();
    assert_eq!(there(&whole.open(folder.path())), [0, 1, 4]);
}

#[tokio::test]
async fn what_stands_apart_is_written_where_it_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(4 * PIECE - 7);
    let partial = whole.open(folder.path());
    let parts: Vec<Verified> = [3, 0, 1].iter().flat_map(|p| whole.parts(*p)).collect();
    partial.write(parts).await.unwrap();
    // Nothing of an earlier turn is written once more.
    partial.write(Vec::new()).await.unwrap();
    let bytes = std::fs::read(Paths::new(folder.path(), &whole.cid).data).unwrap();
    let (two, three) = (2 * PIECE as usize, 3 * PIECE as usize);
    assert!(bytes[..two] == whole.data[..two] && bytes[three..] == whole.data[three..]);
    assert!(bytes[two..three].iter().all(|byte| *byte == 0));
}

#[tokio::test]
async fn what_a_disk_made_of_it_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(3 * PIECE);
    let partial = whole.open(folder.path());
    for piece in 0..3 {
        whole.give(&partial, piece).await;
    }
    drop(partial);
    let paths = Paths::new(folder.path(), &whole.cid);
    std::fs::remove_file(&paths.map).unwrap();
    let mut bytes = std::fs::read(&paths.data).unwrap();
    bytes[PIECE as usize + 5] ^= 1;
    std::fs::write(&paths.data, &bytes).unwrap();
    assert_eq!(there(&whole.open(folder.path())), [0, 2]);
}

#[tokio::test]
async fn a_file_is_in_its_place_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(2 * PIECE + 1);
    let partial = whole.open(folder.path());
    let place = folder.path().join("place");
    for piece in 0..3 {
        let error = partial.finish(place.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::Internal, "not before it is complete");
        assert!(!place.exists());
        whole.give(&partial, piece).await;
    }
    std::fs::write(&place, "mine").unwrap();
    let error = partial.finish(place.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(std::fs::read(&place).unwrap(), b"mine");
    std::fs::remove_file(&place).unwrap();
    partial.finish(place.clone()).await.unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), whole.data);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing beside it");
}

#[tokio::test]
async fn an_empty_file_has_one_piece() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(0);
    let partial = whole.open(folder.path());
    whole.give(&partial, 0).await;
    assert_eq!(partial.bytes(), 0);
    let place = folder.path().join("place");
    partial.finish(place.clone()).await.unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), b"");
}
