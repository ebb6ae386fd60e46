//! Files that the page keeps over a reload: in the browser's private file system, which a worker has. Where there is none, or
//! where another page has this profile's files, they are in memory.
//!
//! Knows what the worker is asked; see `FileDisk` in the npm package. What is there of a file is known here as well, so that
//! nobody waits who only wants to know that.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use js_sys::{Array, Promise, Reflect, Uint8Array};
use send_wrapper::SendWrapper;
use warren_page::host::{Host, describe, on_page, settled};
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::FILES_IN_MEMORY;
use warren_shared::net::files::{
    FileStore, Held, Intake, Kept, KeptFiles, MemoryStore, Partial, Portion, Room, SharedFileStore,
    Stored, removed,
};
use warren_shared::platform;
use warren_shared::proto::files::Cid;
use warren_shared::proto::files::kept::KeptMap;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Sender, Tree, Verified, pack};
use warren_shared::proto::files::wire::FileRefusal;
use warren_shared::proto::key::{NetworkId, PublicKey};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The part of the page's `Host` that is about files.
    #[derive(Clone)]
    type FilePlaces;

    /// Rejects with the reason when there is no place of this name.
    #[wasm_bindgen(method, catch, js_name = openFiles)]
    fn open_files(this: &FilePlaces, place: &str) -> Result<Promise, JsValue>;

    /// The worker, as the page sees it.
    #[derive(Clone)]
    type FileDisk;

    /// What is done: with which file, with which number, with which bytes. Questions are answered in their order.
    #[wasm_bindgen(method, catch)]
    fn ask(
        this: &FileDisk,
        what: &str,
        file: f64,
        number: f64,
        bytes: Option<Uint8Array>,
    ) -> Result<Promise, JsValue>;
}

/// The files of one author in one network, wherever they turn out to be.
pub struct PageStore(Shared<BoxFuture<'static, Opened>>);

/// A store, and why it is not one on disk.
type Opened = (SharedFileStore, String);

impl PageStore {
    pub fn open(host: &SendWrapper<Host>, network: &NetworkId, author: &PublicKey) -> PageStore {
        let host = SendWrapper::new(host.unchecked_ref::<FilePlaces>().clone());
        let place = [network.as_str(), "-", &author.to_string()].concat();
        let opening = on_page(async move {
            let opened = settled(host.open_files(&place)).await;
            Ok(match opened {
                Ok(disk) => {
                    let disk = Disk(SendWrapper::new(disk.unchecked_into()));
                    let store: SharedFileStore = Arc::new(DiskStore(disk));
                    (store, String::new())
                }
                Err(reason) => in_memory(describe(&reason)),
            })
        });
        let opening = opening.map(|opened| match opened {
            Ok(opened) => opened,
            Err(error) => in_memory(error.message().to_owned()),
        });
        PageStore(opening.boxed().shared())
    }

    async fn store(&self) -> SharedFileStore {
        self.0.clone().await.0
    }
}

fn in_memory(reason: String) -> Opened {
    (Arc::new(MemoryStore::new(FILES_IN_MEMORY)), reason)
}

#[async_trait]
impl FileStore for PageStore {
    async fn begin(&self, size: u64) -> Result<Box<dyn Intake>> {
        self.store().await.begin(size).await
    }

    async fn open(&self, cid: Cid, tree: Tree) -> Result<Arc<dyn Stored>> {
        self.store().await.open(cid, tree).await
    }

    async fn kept(&self) -> Result<KeptFiles> {
        self.store().await.kept().await
    }

    async fn room(&self) -> Result<Room> {
        let (store, reason) = self.0.clone().await;
        let room = store.room().await?;
        Ok(Room { reason, ..room })
    }

    async fn settle(&self) {
        self.store().await.settle().await;
    }

    async fn close(&self) {
        self.store().await.close().await;
    }
}

#[derive(Clone)]
struct Disk(SendWrapper<FileDisk>);

type Answer = Result<SendWrapper<JsValue>>;

impl Disk {
    fn ask(
        &self,
        what: &'static str,
        file: f64,
        number: f64,
        bytes: Option<Vec<u8>>,
    ) -> BoxFuture<'static, Answer> {
        let disk = self.0.clone();
        on_page(async move {
            let bytes = bytes.map(|bytes| Uint8Array::from(bytes.as_slice()));
            let answer = settled(disk.ask(what, file, number, bytes)).await;
            answer.map(SendWrapper::new).map_err(|cause| failed(&cause))
        })
    }

    /// For what nobody waits for.
    fn tell(&self, what: &'static str, file: f64) {
        platform::spawn(self.ask(what, file, 0.0, None).map(drop));
    }

    fn file(&self, number: f64, map: KeptMap, kept: bool) -> Arc<dyn Stored> {
        let state = State {
            pieces: map.pieces,
            kept,
            gone: false,
        };
        Arc::new(DiskFile {
            disk: self.clone(),
            number,
            cid: map.cid,
            tree: map.tree,
            state: Mutex::new(state),
        })
    }
}

fn failed(cause: &JsValue) -> Error {
    let name = Reflect::get(cause, &"name".into()).ok();
    match name.and_then(|name| name.as_string()).as_deref() {
        Some("QuotaExceededError") => {
            Error::new(Code::StorageFailed, "the browser has no more room for files of this page")
                .with_remedy("Remove files that are not needed any more, or make space on this device, then try again: what has come is kept.")
        }
        Some("TooLargeError") => {
            Error::new(Code::TooLarge, "this file is larger than what the browser gives this page")
                .with_remedy("Use `warren share` and `warren get` for it, or make space on this device.")
        }
        _ => Error::new(Code::StorageFailed, "the browser's storage for files failed")
            .with_remedy("Reload the page, then try again.")
            .caused_by(describe(cause)),
    }
}

fn bytes(value: &JsValue) -> Vec<u8> {
    let bytes = value.dyn_ref::<Uint8Array>();
    bytes.map(Uint8Array::to_vec).unwrap_or_default()
}

fn number(value: &JsValue) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn map(value: &JsValue) -> Result<KeptMap> {
    KeptMap::decode(&bytes(value)).map_err(Error::from)
}

struct DiskStore(Disk);

#[async_trait]
impl FileStore for DiskStore {
    async fn begin(&self, size: u64) -> Result<Box<dyn Intake>> {
        let begun = self.0.ask("begin", 0.0, size as f64, None).await?;
        Ok(Box::new(DiskIntake {
            disk: self.0.clone(),
            number: number(&begun),
            under_way: VecDeque::new(),
            taken: false,
        }))
    }

    async fn open(&self, cid: Cid, tree: Tree) -> Result<Arc<dyn Stored>> {
        let (size, id) = (tree.size() as f64, cid.to_bytes().to_vec());
        let opened = self.0.ask("open", 0.0, size, Some(id)).await?;
        let map = KeptMap::new(cid, tree);
        Ok(self.0.file(number(&opened), map, false))
    }

    async fn kept(&self) -> Result<KeptFiles> {
        let kept = self.0.ask("kept", 0.0, 0.0, None).await?;
        let kept = Array::from(&kept);
        let skipped = kept.get(1).is_truthy();
        let all = Array::from(&kept.get(0));
        let all = all.iter().map(|one| {
            let one = Array::from(&one);
            let stored = self.0.file(number(&one.get(0)), map(&one.get(1))?, true);
            let note = bytes(&one.get(2));
            Ok(Kept { stored, note })
        });
        Ok(KeptFiles {
            all: all.collect::<Result<_>>()?,
            skipped,
        })
    }

    async fn room(&self) -> Result<Room> {
        let room = self.0.ask("room", 0.0, 0.0, None).await?;
        let room = Array::from(&room);
        Ok(Room {
            durable: true,
            used: number(&room.get(0)) as u64,
            most: number(&room.get(1)) as u64,
            reason: String::new(),
        })
    }

    async fn settle(&self) {
        // Questions are answered in their order.
        let _ = self.0.ask("settle", 0.0, 0.0, None).await;
    }

    async fn close(&self) {
        if let Err(error) = self.0.ask("close", 0.0, 0.0, None).await {
            tracing::error!(%error, "files were not closed");
        }
    }
}

/// Portions that the worker may be given before it has written the first of them: it works while the next one is read.
const UNDER_WAY: usize = 4;

struct DiskIntake {
    disk: Disk,
    number: f64,
    under_way: VecDeque<BoxFuture<'static, Answer>>,
    /// All of it, and somebody else has it.
    taken: bool,
}

#[async_trait]
impl Intake for DiskIntake {
    async fn take(&mut self, bytes: Vec<u8>) -> Result<()> {
        let taken = self.disk.ask("take", self.number, 0.0, Some(bytes));
        self.under_way.push_back(taken);
        self.wait(UNDER_WAY).await
    }

    async fn finish(mut self: Box<Self>) -> Result<Arc<dyn Stored>> {
        self.wait(0).await?;
        let finished = self.disk.ask("finish", self.number, 0.0, None).await?;
        let file = self.disk.file(self.number, map(&finished)?, false);
        self.taken = true;
        Ok(file)
    }
}

impl DiskIntake {
    /// Until no more than these are under way.
    async fn wait(&mut self, most: usize) -> Result<()> {
        while self.under_way.len() > most
            && let Some(oldest) = self.under_way.pop_front()
        {
            oldest.await?;
        }
        Ok(())
    }
}

impl Drop for DiskIntake {
    fn drop(&mut self) {
        if !self.taken {
            self.disk.tell("discard", self.number);
        }
    }
}

struct DiskFile {
    disk: Disk,
    number: f64,
    cid: Cid,
    tree: Tree,
    state: Mutex<State>,
}

struct State {
    pieces: Pieces,
    kept: bool,
    /// It was discarded, or the peer is closed.
    gone: bool,
}

impl DiskFile {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer about this file, unless it was discarded meanwhile.
    async fn ask(&self, what: &'static str, number: f64, bytes: Option<Vec<u8>>) -> Answer {
        if self.state().gone {
            return Err(removed());
        }
        let answer = self.disk.ask(what, self.number, number, bytes).await;
        match self.state().gone {
            true => Err(removed()),
            false => answer,
        }
    }

    /// Nothing is there for anybody from now on; whether the worker is to forget it, too.
    fn end(&self, discard: bool) {
        let mut state = self.state();
        if state.gone {
            return;
        }
        state.gone = true;
        state.pieces = Pieces::none(self.tree.pieces());
        if discard || !state.kept {
            self.disk.tell("discard", self.number);
        }
    }
}

#[async_trait]
impl Held for DiskFile {
    fn cid(&self) -> Cid {
        self.cid
    }

    fn tree(&self) -> Tree {
        self.tree
    }

    fn pieces(&self) -> Pieces {
        self.state().pieces.clone()
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        let none = |outcome| Portion {
            sender: sender.clone(),
            bytes: Vec::new(),
            outcome: Err(outcome),
        };
        let answer = match self.ask("read", room as f64, Some(sender.pack())).await {
            Ok(answer) => Array::from(&answer),
            Err(error) if error.code() == Code::Cancelled => return none(FileRefusal::Gone),
            Err(_) => return none(FileRefusal::StorageFailed),
        };
        let Some(next) = Sender::unpack(self.tree, &bytes(&answer.get(0))) else {
            return none(FileRefusal::StorageFailed);
        };
        Portion {
            sender: next,
            bytes: bytes(&answer.get(1)),
            outcome: match answer.get(2).is_truthy() {
                true => Ok(()),
                false => Err(FileRefusal::Gone),
            },
        }
    }
}

#[async_trait]
impl Partial for DiskFile {
    async fn write(&self, parts: Vec<Verified>) -> Result<()> {
        self.ask("write", 0.0, Some(pack(&parts))).await.map(drop)
    }

    async fn complete(&self, piece: u64) -> Result<()> {
        self.ask("complete", piece as f64, None).await?;
        self.state().pieces.insert(piece);
        Ok(())
    }
}

#[async_trait]
impl Stored for DiskFile {
    async fn bytes(&self, piece: u64) -> Result<Vec<u8>> {
        let (gone, there) = {
            let state = self.state();
            (state.gone, state.pieces.has(piece))
        };
        if !gone && !there {
            let missing = "this piece of the file is not there";
            return Err(Error::new(Code::NotFound, missing));
        }
        let found = self.ask("bytes", piece as f64, None).await?;
        let found = found.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec);
        found.ok_or_else(|| {
            Error::new(Code::StorageFailed, "the browser has damaged this file")
                .with_remedy("Remove it, then fetch or share it again.")
        })
    }

    async fn keep(&self, note: Vec<u8>) -> Result<()> {
        self.ask("keep", 0.0, Some(note)).await?;
        self.state().kept = true;
        Ok(())
    }

    fn is_kept(&self) -> bool {
        self.state().kept
    }

    fn discard(&self) {
        self.end(true);
    }

    fn close(&self) {
        self.end(false);
    }
}

impl Drop for DiskFile {
    fn drop(&mut self) {
        self.end(false);
    }
}
