//! Files in a folder, as tabs keep them in the browser's private file system: each in two files with a number. Some of them
//! may be out of reach for a while, as they are in a browser.

use std::fs::{File, OpenOptions, read_dir, remove_file};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::files::{
    FileStore, Held, Intake, Kept, KeptFiles, Partial, Portion, Room, Stored, removed,
};
use warren_shared::proto::files::Cid;
use warren_shared::proto::files::kept::{Disk, Found, Part, Slot, Taking};
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Sender, Tree, Verified, pack};
use warren_shared::proto::files::wire::FileRefusal;

/// See the module.
pub struct Folder {
    path: PathBuf,
    /// What cannot be read when everything that was kept is asked for.
    hidden: Mutex<Option<Cid>>,
    reads: Reads,
}

/// What becomes of whoever reads bytes of files that are there.
type Reads = Arc<watch::Sender<Reading>>;

/// See [`Reads`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Works,
    Fails,
    /// They wait until it is something else.
    Hangs,
}

struct Pair {
    data: File,
    beside: File,
    paths: [PathBuf; 2],
}

impl Pair {
    fn open(folder: &Path, number: usize) -> io::Result<Pair> {
        let paths = ["data", "beside"].map(|end| folder.join(format!("{number}.{end}")));
        let open = |path| {
            let mut how = OpenOptions::new();
            how.read(true).write(true).create(true).truncate(false);
            how.open(path)
        };
        Ok(Pair {
            data: open(&paths[0])?,
            beside: open(&paths[1])?,
            paths,
        })
    }

    fn file(&self, part: Part) -> &File {
        match part {
            Part::Data => &self.data,
            Part::Beside => &self.beside,
        }
    }
}

impl Disk for Pair {
    type Error = io::Error;

    fn read(&self, part: Part, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.file(part).read_exact_at(into, at)
    }

    fn write(&self, part: Part, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(part).write_all_at(bytes, at)
    }

    fn resize(&self, part: Part, size: u64) -> io::Result<()> {
        self.file(part).set_len(size)
    }

    fn flush(&self, part: Part) -> io::Result<()> {
        self.file(part).sync_all()
    }

    fn size(&self, part: Part) -> io::Result<u64> {
        Ok(self.file(part).metadata()?.len())
    }
}

fn failed(error: io::Error) -> Error {
    Error::new(Code::StorageFailed, "the folder failed").caused_by(error)
}

impl Folder {
    /// What is in this folder, if there is something.
    pub fn new(path: &Path) -> Arc<Folder> {
        Arc::new(Folder {
            path: path.to_owned(),
            hidden: Mutex::default(),
            reads: Arc::new(watch::Sender::new(Reading::Works)),
        })
    }

    /// This file cannot be read when everything that was kept is asked for.
    pub fn hide(&self, cid: Cid) {
        *self.hidden.lock().expect("nobody panics with it") = Some(cid);
    }

    /// What becomes of whoever reads from now on, or waits already.
    pub fn reads(&self, reading: Reading) {
        self.reads.send_replace(reading);
    }

    /// Returns when somebody waits to read.
    pub async fn read(&self) {
        while self.reads.receiver_count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn pair(&self, number: usize) -> Result<Pair> {
        Pair::open(&self.path, number).map_err(failed)
    }

    fn next(&self) -> Result<Pair> {
        self.pair(self.files()? / 2)
    }

    fn files(&self) -> Result<usize> {
        Ok(read_dir(&self.path).map_err(failed)?.count())
    }
}

#[async_trait]
impl FileStore for Folder {
    async fn begin(&self, size: u64) -> Result<Box<dyn Intake>> {
        let pair = self.next()?;
        let taking = Taking::new(pair, size).map_err(failed)?;
        Ok(Box::new(TakenIn(taking, self.reads.clone())))
    }

    async fn open(&self, cid: Cid, tree: Tree) -> Result<Arc<dyn Stored>> {
        let slot = Slot::create(self.next()?, cid, tree).map_err(failed)?;
        Ok(stored(slot, false, self.reads.clone()))
    }

    async fn kept(&self) -> Result<KeptFiles> {
        let hidden = *self.hidden.lock().expect("nobody panics with it");
        let mut kept = KeptFiles::default();
        for number in 0..self.files()? / 2 {
            let found = Slot::restore(self.pair(number)?).map_err(failed)?;
            if let Found::Kept(slot, note) = found {
                if hidden == Some(slot.map().cid) {
                    kept.skipped = true;
                    continue;
                }
                let stored = stored(slot, true, self.reads.clone());
                kept.all.push(Kept { stored, note });
            }
        }
        Ok(kept)
    }

    async fn room(&self) -> Result<Room> {
        Ok(Room {
            durable: true,
            used: 0,
            most: u64::MAX,
            reason: String::new(),
        })
    }
}

struct TakenIn(Taking<Pair>, Reads);

#[async_trait]
impl Intake for TakenIn {
    async fn take(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.0.take(&bytes).map(drop).map_err(failed)
    }

    async fn finish(self: Box<Self>) -> Result<Arc<dyn Stored>> {
        Ok(stored(self.0.finish().map_err(failed)?, false, self.1))
    }
}

/// A file, and whether it is kept; nothing when it is gone.
struct InFolder {
    cid: Cid,
    tree: Tree,
    state: Mutex<Option<(Slot<Pair>, bool)>>,
    reads: Reads,
}

fn stored(slot: Slot<Pair>, kept: bool, reads: Reads) -> Arc<dyn Stored> {
    Arc::new(InFolder {
        cid: slot.map().cid,
        tree: slot.map().tree,
        state: Mutex::new(Some((slot, kept))),
        reads,
    })
}

impl InFolder {
    fn with<T>(&self, work: impl FnOnce(&mut Slot<Pair>) -> io::Result<T>) -> Result<T> {
        let mut state = self.state.lock().expect("nobody panics with it");
        let (slot, _) = state.as_mut().ok_or_else(removed)?;
        work(slot).map_err(failed)
    }
}

#[async_trait]
impl Held for InFolder {
    fn cid(&self) -> Cid {
        self.cid
    }

    fn tree(&self) -> Tree {
        self.tree
    }

    fn pieces(&self) -> Pieces {
        let pieces = self.with(|slot| Ok(slot.map().pieces.clone()));
        pieces.unwrap_or_else(|_| Pieces::none(self.tree.pieces()))
    }

    async fn read(&self, mut sender: Sender, room: usize) -> Portion {
        let mut bytes = Vec::new();
        let filled = self.with(|slot| Ok(slot.fill(&mut sender, room, &mut bytes).is_ok()));
        Portion {
            sender,
            bytes,
            outcome: match filled {
                Ok(true) => Ok(()),
                _ => Err(FileRefusal::Gone),
            },
        }
    }
}

#[async_trait]
impl Partial for InFolder {
    async fn write(&self, parts: Vec<Verified>) -> Result<()> {
        self.with(|slot| slot.write(&pack(&parts)))
    }

    async fn complete(&self, piece: u64) -> Result<()> {
        self.with(|slot| {
            slot.complete(piece);
            slot.settle()
        })
    }
}

#[async_trait]
impl Stored for InFolder {
    async fn bytes(&self, piece: u64) -> Result<Vec<u8>> {
        let mut reads = self.reads.subscribe();
        let reading = reads.wait_for(|now| *now != Reading::Hangs).await;
        if reading.is_ok_and(|now| *now == Reading::Fails) {
            return Err(failed(io::ErrorKind::Interrupted.into()));
        }
        self.with(|slot| {
            slot.piece(piece)
                .map_err(|_| io::ErrorKind::InvalidData.into())
        })
    }

    async fn keep(&self, note: Vec<u8>) -> Result<()> {
        self.with(|slot| slot.keep(&note))?;
        if let Some((_, kept)) = &mut *self.state.lock().expect("nobody panics with it") {
            *kept = true;
        }
        Ok(())
    }

    fn is_kept(&self) -> bool {
        let state = self.state.lock().expect("nobody panics with it");
        state.as_ref().is_some_and(|(_, kept)| *kept)
    }

    fn discard(&self) {
        let gone = self.state.lock().expect("nobody panics with it").take();
        if let Some((slot, _)) = gone {
            for path in &slot.disk().paths {
                // An empty one stays: numbers are counted.
                let _ = remove_file(path).and_then(|()| File::create(path));
            }
        }
    }

    fn close(&self) {
        self.state.lock().expect("nobody panics with it").take();
    }
}
