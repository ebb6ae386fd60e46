use std::cell::Cell;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;
use futures::executor::block_on;
use futures::future::join;

use super::*;
use crate::limits::{FILE_READ, GROUP};
use crate::net::files::{FileStore, MemoryStore, Stored};
use crate::proto::files::tree::Sender;

const SIZE: usize = 200_001;

thread_local! {
    static NOW: Cell<Millis> = const { Cell::new(1_000) };
}

/// A file, a place for a copy of it, and what was told of that.
struct Scene {
    source: Arc<dyn Stored>,
    copy: Arc<dyn Stored>,
    known: Known,
    told: Mutex<Vec<u64>>,
}

impl Scene {
    fn new() -> Scene {
        let (from, to) = (MemoryStore::new(1 << 20), MemoryStore::new(1 << 20));
        let bytes = (0..SIZE).map(|at| (at % 251) as u8).collect();
        block_on(async {
            let mut intake = from.begin(0).await.expect("room");
            intake.take(bytes).await.expect("taken");
            let source = intake.finish().await.expect("finished");
            let copy = to.open(source.cid(), source.tree()).await.expect("room");
            let told = Mutex::default();
            Scene {
                source,
                copy,
                known: Known::default(),
                told,
            }
        })
    }

    fn fetch(&self, from: u64) -> Fetch {
        let (root, tree) = (self.source.cid().root, self.source.tree());
        let groups = from..tree.groups();
        Fetch { root, tree, groups }
    }

    /// The bytes of an answer.
    fn answer(&self, fetch: &Fetch) -> Vec<u8> {
        let sender = Sender::new(fetch.root, fetch.tree, fetch.groups.clone());
        let portion = block_on(self.source.read(sender, 2 * FILE_READ));
        assert!(portion.sender.need().is_none());
        portion.bytes
    }

    /// Takes what is said after *sending*, each thing so many milliseconds after the one before.
    fn take(&self, fetch: &Fetch, said: Vec<Heard>, every: Millis) -> Result<(), Trouble> {
        let (mut say, heard) = mpsc::channel(0);
        let saying = async move {
            say.send(Heard::Answer(Answer::Sending))
                .await
                .expect("heard");
            for one in said {
                NOW.set(NOW.get() + every);
                if say.send(one).await.is_err() {
                    return;
                }
            }
        };
        let came = |bytes| self.told.lock().unwrap().push(bytes);
        let taking = Taking {
            partial: self.copy.as_ref(),
            known: &self.known,
            piece: 0,
            came: &came,
            now: || NOW.get(),
        };
        block_on(join(taking.take(heard, fetch), saying)).0
    }

    /// That it begins, with 0, and the bytes that were told of after that.
    fn told(&self) -> Vec<u64> {
        self.told.lock().unwrap().clone()
    }

    fn is_whole(&self) -> bool {
        self.copy.pieces().is_full()
            && block_on(self.copy.bytes(0)).expect("there")
                == block_on(self.source.bytes(0)).expect("there")
    }
}

#[test]
fn what_comes_fast_is_written_and_told_at_once() {
    let scene = Scene::new();
    let fetch = scene.fetch(0);
    let mut said: Vec<Heard> = portions(&scene.answer(&fetch));
    said.push(Heard::End(Ok(())));
    assert!(scene.take(&fetch, said, 1).is_ok());
    assert_eq!(scene.told(), [0, SIZE as u64]);
    assert!(scene.is_whole());
}

#[test]
fn what_comes_slowly_is_told_as_it_comes_and_is_not_needed_again() {
    let scene = Scene::new();
    let fetch = scene.fetch(0);
    let mut said = portions(&scene.answer(&fetch));
    said.truncate(said.len() / 2);
    let broken = scene.take(&fetch, said, FILE_WRITE_AFTER);
    assert!(matches!(broken, Err(Trouble::There(Failure::Broken))));
    let told = scene.told();
    assert_eq!(told[0], 0);
    assert!(
        told.len() > 3 && told[1..].iter().all(|bytes| *bytes > 0),
        "{told:?}"
    );
    assert_eq!(scene.copy.pieces().count(), 0);
    let rest = scene.fetch(told.iter().sum::<u64>() / GROUP);
    let mut said = portions(&scene.answer(&rest));
    said.push(Heard::End(Ok(())));
    assert!(scene.take(&rest, said, 1).is_ok());
    assert_eq!(scene.told().iter().sum::<u64>(), SIZE as u64);
    assert!(scene.is_whole());
}

#[test]
fn whoever_begins_and_breaks_off_is_no_news() {
    let scene = Scene::new();
    let fetch = scene.fetch(0);
    for said in [
        Vec::new(),
        vec![Heard::End(Err(FileRefusal::Gone))],
        vec![Heard::End(Ok(()))],
    ] {
        assert!(scene.take(&fetch, said, FILE_WRITE_AFTER).is_err());
    }
    // Hashes, and no group.
    let hashes = Bytes::from(scene.answer(&fetch)).slice(..64);
    assert!(
        scene
            .take(&fetch, vec![Heard::Data(hashes)], FILE_WRITE_AFTER)
            .is_err()
    );
    assert_eq!(scene.told(), [0; 4], "each began, and that was all");
    assert_eq!(scene.copy.pieces().count(), 0);
}

#[test]
fn pairs_are_written_once_unless_that_failed_or_is_long_ago() {
    let (known, pair) = (Known::default(), |index| Verified::Pair {
        index,
        pair: [7; 64],
    });
    let group = || Verified::Group {
        offset: 0,
        data: vec![1],
    };
    let (parts, pairs) = known.new_of(vec![pair(1), group(), pair(2)]);
    assert_eq!((parts.len(), pairs.as_slice()), (3, &[1, 2][..]));
    assert_eq!(known.new_of(parts).1, [1, 2], "nothing was written");
    known.written(pairs);
    let (parts, pairs) = known.new_of(vec![pair(2), group(), pair(3)]);
    assert_eq!((parts.len(), pairs.as_slice()), (2, &[3][..]));
    known.written((10..10 + Known::MOST as u64).collect());
    assert_eq!(known.new_of(vec![pair(1)]).1, [1]);
}

fn portions(bytes: &[u8]) -> Vec<Heard> {
    let portions = bytes.chunks(20_000).map(Bytes::copy_from_slice);
    portions.map(Heard::Data).collect()
}
