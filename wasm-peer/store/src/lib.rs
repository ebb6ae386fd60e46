//! What the worker for files needs to keep them: it hashes what is taken in, verifies what is given out, and knows what is
//! there after a crash.
//!
//! Every rule is in `warren-shared`. Where the bytes are is said by JavaScript: two files at a time that are open, as the
//! browser's private file system has them for workers. Ids, maps and the places of senders cross as bytes.
#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Uint8Array};
use warren_shared::proto::files::Cid;
use warren_shared::proto::files::kept::{self, Disk, Found, Part};
use warren_shared::proto::files::tree::{Sender, Stop, Tree};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Two files: the bytes of one that is kept (`false`), and what is beside them (`true`). They are open whenever something
    /// is called that takes them.
    pub type Pair;

    /// Fails when there are fewer bytes.
    #[wasm_bindgen(method, catch)]
    fn read(this: &Pair, beside: bool, at: f64, into: &mut [u8]) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn write(this: &Pair, beside: bool, at: f64, bytes: &[u8]) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn resize(this: &Pair, beside: bool, size: f64) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn flush(this: &Pair, beside: bool) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn size(this: &Pair, beside: bool) -> Result<f64, JsValue>;
}

struct Files(Pair);

impl Disk for Files {
    type Error = JsValue;

    fn read(&self, part: Part, at: u64, into: &mut [u8]) -> Result<(), JsValue> {
        self.0.read(part == Part::Beside, at as f64, into)
    }

    fn write(&self, part: Part, at: u64, bytes: &[u8]) -> Result<(), JsValue> {
        self.0.write(part == Part::Beside, at as f64, bytes)
    }

    fn resize(&self, part: Part, size: u64) -> Result<(), JsValue> {
        self.0.resize(part == Part::Beside, size as f64)
    }

    fn flush(&self, part: Part) -> Result<(), JsValue> {
        self.0.flush(part == Part::Beside)
    }

    fn size(&self, part: Part) -> Result<u64, JsValue> {
        Ok(self.0.size(part == Part::Beside)? as u64)
    }
}

/// A file that is being taken in.
#[wasm_bindgen]
pub struct Taking(kept::Taking<Files>);

#[wasm_bindgen]
impl Taking {
    /// Of so many bytes, or more.
    pub fn begin(pair: Pair, size: f64) -> Result<Taking, JsValue> {
        kept::Taking::new(Files(pair), size as u64).map(Taking)
    }

    /// False when it is larger than files can be.
    pub fn take(&mut self, bytes: &[u8]) -> Result<bool, JsValue> {
        self.0.take(bytes)
    }

    /// There is no more.
    pub fn finish(self) -> Result<Slot, JsValue> {
        self.0.finish().map(Slot)
    }
}

/// A file of which all or some is there.
#[wasm_bindgen]
pub struct Slot(kept::Slot<Files>);

#[wasm_bindgen]
impl Slot {
    /// A place for a file that is to be fetched.
    pub fn create(pair: Pair, cid: &[u8], size: f64) -> Result<Slot, JsValue> {
        let what = Cid::from_bytes(cid).zip(Tree::new(size as u64));
        let (cid, tree) = what.ok_or("this is no file")?;
        kept::Slot::create(Files(pair), cid, tree).map(Slot)
    }

    /// What is kept: `[slot, note]`, empty when nothing is, nothing when a later version has written it.
    pub fn restore(pair: Pair) -> Result<Option<Array>, JsValue> {
        Ok(match kept::Slot::restore(Files(pair))? {
            Found::Kept(slot, note) => {
                let note = Uint8Array::from(note.as_slice());
                Some(Array::of2(&Slot(slot).into(), &note))
            }
            Found::Nothing => Some(Array::new()),
            Found::Later => None,
        })
    }

    /// What it is, how large, and which pieces are there.
    pub fn map(&self) -> Vec<u8> {
        self.0.map().encode()
    }

    /// In bytes.
    pub fn size(&self) -> f64 {
        self.0.map().tree.size() as f64
    }

    /// Whether all of it is there.
    pub fn whole(&self) -> bool {
        self.0.map().pieces.is_full()
    }

    /// Keeps it from now on.
    pub fn keep(&mut self, note: &[u8]) -> Result<(), JsValue> {
        self.0.keep(note)
    }

    /// Writes verified parts.
    pub fn write(&mut self, packed: &[u8]) -> Result<(), JsValue> {
        self.0.write(packed)
    }

    /// All of a piece is written: how many a crash would cost by now.
    pub fn complete(&mut self, piece: f64) -> usize {
        self.0.complete(piece as u64);
        self.0.waiting()
    }

    /// Makes durable what is there.
    pub fn settle(&mut self) -> Result<(), JsValue> {
        self.0.settle()
    }

    /// Reads on in a range: where it goes on, the bytes, and whether the rest can follow.
    pub fn read(&self, sender: &[u8], room: usize) -> Result<Array, JsValue> {
        let tree = self.0.map().tree;
        let mut sender = Sender::unpack(tree, sender).ok_or("this is no place in the file")?;
        let mut bytes = Vec::new();
        let filled = self.0.fill(&mut sender, room, &mut bytes);
        let (sender, bytes) = (sender.pack(), Uint8Array::from(bytes.as_slice()));
        let sender = Uint8Array::from(sender.as_slice());
        Ok(Array::of3(&sender, &bytes, &filled.is_ok().into()))
    }

    /// The bytes of a piece, verified; nothing when they are not any more what they were.
    pub fn piece(&self, piece: f64) -> Result<Option<Vec<u8>>, JsValue> {
        match self.0.piece(piece as u64) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Stop::Changed(_)) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}
