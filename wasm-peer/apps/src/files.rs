//! Files that the page keeps over a reload: in the browser's private file system, which a worker has. Where there is none, or
//! where another page has this profile's files, they are in memory.
//!
//! Knows what the worker is asked; see `FileDisk` in the npm package. What is there of a file is known here as well, so that
//! nobody waits who only wants to know that.

mod file;

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use js_sys::{Array, Promise, Reflect, Uint8Array};
use send_wrapper::SendWrapper;
use warren_page::host::{Host, describe, on_page, settled};
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::FILES_IN_MEMORY;
use warren_shared::net::files::{
    FileStore, InPlace, Intake, Kept, KeptFiles, MemoryStore, Room, SharedFileStore, Stored,
};
use warren_shared::platform;
use warren_shared::proto::files::Cid;
use warren_shared::proto::files::kept::KeptMap;
use warren_shared::proto::files::tree::Tree;
use warren_shared::proto::key::{NetworkId, PublicKey};
use wasm_bindgen::prelude::*;

use self::file::DiskFile;

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

    /// What is done: with which file, with which number, with which bytes, which are copied. Questions are answered in their order.
    #[wasm_bindgen(method, catch)]
    fn ask(
        this: &FileDisk,
        what: &str,
        file: f64,
        number: f64,
        bytes: Option<&[u8]>,
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

    async fn begin_in_place(&self, place: u64) -> Result<Box<dyn Intake>> {
        self.store().await.begin_in_place(place).await
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
            let asked = disk.ask(what, file, number, bytes.as_deref());
            drop(bytes);
            let answer = settled(asked).await;
            answer.map(SendWrapper::new).map_err(|cause| failed(&cause))
        })
    }

    /// For what nobody waits for.
    fn tell(&self, what: &'static str, file: f64) {
        platform::spawn(self.ask(what, file, 0.0, None).map(drop));
    }

    /// Begins a file that is not there yet.
    async fn begin(
        &self,
        what: &'static str,
        number: f64,
        in_place: bool,
    ) -> Result<Box<dyn Intake>> {
        let begun = self.ask(what, 0.0, number, None).await?;
        Ok(Box::new(DiskIntake {
            disk: self.clone(),
            number: self::number(&begun),
            in_place,
            under_way: VecDeque::new(),
            taken: false,
        }))
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
        Some("FileChangedError") => said(InPlace::Changed),
        Some("NotAllowedError" | "SecurityError") => {
            said(InPlace::NeedsPermission).caused_by(describe(cause))
        }
        Some("FileChangingError") => {
            Error::new(Code::StorageFailed, "the file changes while it is read")
                .with_remedy("Share it when whoever writes it has finished.")
        }
        _ => Error::new(Code::StorageFailed, "the browser's storage for files failed")
            .with_remedy("Reload the page, then try again.")
            .caused_by(describe(cause)),
    }
}

/// What is said of a file that cannot be read where it is.
fn said(how: InPlace) -> Error {
    let unreadable = || Error::new(Code::StorageFailed, "the file cannot be read");
    how.refused().unwrap_or_else(unreadable)
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
        self.0.begin("begin", size as f64, false).await
    }

    async fn begin_in_place(&self, place: u64) -> Result<Box<dyn Intake>> {
        self.0.begin("place", place as f64, true).await
    }

    async fn open(&self, cid: Cid, tree: Tree) -> Result<Arc<dyn Stored>> {
        let (size, id) = (tree.size() as f64, cid.to_bytes().to_vec());
        let opened = self.0.ask("open", 0.0, size, Some(id)).await?;
        let map = KeptMap::new(cid, tree);
        Ok(DiskFile::fresh(&self.0, number(&opened), map, None))
    }

    async fn kept(&self) -> Result<KeptFiles> {
        let kept = self.0.ask("kept", 0.0, 0.0, None).await?;
        let kept = Array::from(&kept);
        let skipped = kept.get(1).is_truthy();
        let all = Array::from(&kept.get(0));
        let all = all.iter().map(|one| {
            let one = Array::from(&one);
            let (map, note) = (map(&one.get(1))?, bytes(&one.get(2)));
            let in_place = one.get(3).as_string();
            let in_place = in_place.and_then(|how| InPlace::of(&how));
            let stored = DiskFile::kept(&self.0, number(&one.get(0)), map, in_place);
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
    /// It stays where it is, and is read there.
    in_place: bool,
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

    async fn read_on(&mut self) -> Result<u64> {
        let read = self.disk.ask("hash", self.number, 0.0, None).await?;
        Ok(number(&read) as u64)
    }

    async fn finish(mut self: Box<Self>) -> Result<Arc<dyn Stored>> {
        self.wait(0).await?;
        let finished = self.disk.ask("finish", self.number, 0.0, None).await?;
        let in_place = self.in_place.then_some(InPlace::Readable);
        let map = map(&finished)?;
        self.taken = true;
        Ok(DiskFile::fresh(&self.disk, self.number, map, in_place))
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
