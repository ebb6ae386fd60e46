//! A file that the worker has, as everybody else sees it. One that stays where its owner has it may turn out to be unreadable:
//! then nothing of it is there, until its owner lets it be read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use js_sys::{Array, Uint8Array};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::files::{Held, InPlace, Partial, Portion, Stored, removed};
use warren_shared::proto::files::Cid;
use warren_shared::proto::files::kept::KeptMap;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Sender, Tree, Verified, pack};
use warren_shared::proto::files::wire::FileRefusal;
use wasm_bindgen::prelude::*;

use super::{Answer, Disk, bytes, said};

pub(super) struct DiskFile {
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
    /// It is not in the store, but where its owner has it.
    in_place: Option<InPlace>,
}

impl DiskFile {
    /// One that nobody has kept yet.
    pub(super) fn fresh(
        disk: &Disk,
        number: f64,
        map: KeptMap,
        in_place: Option<InPlace>,
    ) -> Arc<dyn Stored> {
        DiskFile::of(disk, number, map, false, in_place)
    }

    /// One from last time.
    pub(super) fn kept(
        disk: &Disk,
        number: f64,
        map: KeptMap,
        in_place: Option<InPlace>,
    ) -> Arc<dyn Stored> {
        DiskFile::of(disk, number, map, true, in_place)
    }

    fn of(
        disk: &Disk,
        number: f64,
        map: KeptMap,
        kept: bool,
        in_place: Option<InPlace>,
    ) -> Arc<dyn Stored> {
        let (cid, tree) = (map.cid, map.tree);
        let state = State {
            pieces: match in_place {
                None | Some(InPlace::Readable) => map.pieces,
                Some(_) => Pieces::none(tree.pieces()),
            },
            kept,
            gone: false,
            in_place,
        };
        Arc::new(DiskFile {
            disk: disk.clone(),
            number,
            cid,
            tree,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer about this file, unless it was discarded meanwhile.
    async fn ask(&self, what: &'static str, number: f64, bytes: Option<Vec<u8>>) -> Answer {
        if self.state().gone {
            return Err(removed());
        }
        let answer = self.disk.ask(what, self.number, number, bytes).await;
        if self.state().gone {
            return Err(removed());
        }
        answer.inspect_err(|error| match error.code() {
            Code::NotFound => self.lose(InPlace::Changed),
            Code::PermissionDenied => self.lose(InPlace::NeedsPermission),
            _ => {}
        })
    }

    /// It cannot be read any more where its owner has it. What is in the store is not concerned.
    fn lose(&self, how: InPlace) {
        let mut state = self.state();
        if state.in_place.is_some() {
            state.in_place = Some(how);
            state.pieces = Pieces::none(self.tree.pieces());
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
            Err(error) if matches!(error.code(), Code::Cancelled | Code::NotFound) => {
                return none(FileRefusal::Gone);
            }
            Err(_) => return none(FileRefusal::StorageFailed),
        };
        let Some(next) = Sender::unpack(self.tree, &bytes(&answer.get(0))) else {
            return none(FileRefusal::StorageFailed);
        };
        let outcome = match answer.get(2).is_truthy() {
            true => Ok(()),
            false => {
                self.lose(InPlace::Changed);
                Err(FileRefusal::Gone)
            }
        };
        Portion {
            sender: next,
            bytes: bytes(&answer.get(1)),
            outcome,
        }
    }
}

#[async_trait]
impl Partial for DiskFile {
    async fn write(&self, parts: Vec<Verified>) -> Result<()> {
        self.ask("write", 0.0, Some(pack(&parts))).await.map(drop)
    }

    async fn complete(&self, piece: u64) -> Result<()> {
        self.write_last(Vec::new(), piece).await
    }

    /// One question: each is a trip to the worker and back.
    async fn write_last(&self, parts: Vec<Verified>, piece: u64) -> Result<()> {
        let parts = Some(pack(&parts));
        self.ask("complete", piece as f64, parts).await?;
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
            self.lose(InPlace::Changed);
            if let Some(changed) = self.in_place().and_then(InPlace::refused) {
                return changed;
            }
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

    fn in_place(&self) -> Option<InPlace> {
        self.state().in_place
    }

    async fn allow(&self) -> Result<()> {
        if self.in_place().is_none() {
            return Ok(());
        }
        let how = self.ask("allow", 0.0, None).await?;
        match how.as_string().and_then(|how| InPlace::of(&how)) {
            Some(InPlace::Readable) => {
                let mut state = self.state();
                state.in_place = Some(InPlace::Readable);
                state.pieces = Pieces::all(self.tree.pieces());
                Ok(())
            }
            how => {
                let how = how.unwrap_or(InPlace::Changed);
                self.lose(how);
                Err(said(how))
            }
        }
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
