//! Files of a module that borrows an engine which stay where their owner has them: given as long as they can be read there, and not
//! after that until their owner lets them be read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_shared::error::{Code, Result};
use warren_shared::limits::{FILES_IN_MEMORY, PIECE};
use warren_shared::net::files::{
    FileStore, Held, InPlace, Intake, Kept, KeptFiles, MemoryStore, Partial, Portion, Room, Stored,
};
use warren_shared::proto::files::Cid;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Sender, Tree, Verified};
use warren_shared::proto::files::wire::FileRefusal;
use warren_tests::random::Random;
use warren_tests::relays::TestRelay;
use warren_tests::wait::within;

use super::files::fetch;
use super::{Tab, engine};

/// The number under which the owner's file is known.
const PLACE: u64 = 7;

/// Somebody's only file, in its place.
struct Owner {
    bytes: Vec<u8>,
    now: Mutex<InPlace>,
    note: Mutex<Option<Vec<u8>>>,
}

impl Owner {
    fn now(&self) -> InPlace {
        *self.now.lock().expect("nobody panics with it")
    }

    fn turn(&self, now: InPlace) {
        *self.now.lock().expect("nobody panics with it") = now;
    }
}

/// A store that reads it there, and remembers it.
struct Yard(Arc<Owner>, MemoryStore);

impl Yard {
    fn of(owner: &Arc<Owner>) -> Arc<Yard> {
        Arc::new(Yard(owner.clone(), MemoryStore::new(FILES_IN_MEMORY)))
    }
}

#[async_trait]
impl FileStore for Yard {
    async fn begin(&self, size: u64) -> Result<Box<dyn Intake>> {
        self.1.begin(size).await
    }

    async fn begin_in_place(&self, place: u64) -> Result<Box<dyn Intake>> {
        assert_eq!(place, PLACE);
        Ok(Box::new(Walk {
            owner: self.0.clone(),
            inner: self.1.begin(0).await?,
            at: 0,
        }))
    }

    async fn open(&self, cid: Cid, tree: Tree) -> Result<Arc<dyn Stored>> {
        self.1.open(cid, tree).await
    }

    async fn kept(&self) -> Result<KeptFiles> {
        let note = self.0.note.lock().expect("nobody panics with it").clone();
        let mut kept = KeptFiles::default();
        if let Some(note) = note {
            let mut inner = self.1.begin(0).await?;
            inner.take(self.0.bytes.clone()).await?;
            let stored = Placed::of(&self.0, inner.finish().await?);
            kept.all.push(Kept { stored, note });
        }
        Ok(kept)
    }

    async fn room(&self) -> Result<Room> {
        self.1.room().await
    }
}

/// Reads one piece after the other.
struct Walk {
    owner: Arc<Owner>,
    inner: Box<dyn Intake>,
    at: usize,
}

#[async_trait]
impl Intake for Walk {
    async fn take(&mut self, _: Vec<u8>) -> Result<()> {
        panic!("nothing is handed over");
    }

    async fn read_on(&mut self) -> Result<u64> {
        let rest = &self.owner.bytes[self.at..];
        let next = &rest[..rest.len().min(PIECE as usize)];
        self.at += next.len();
        self.inner.take(next.to_vec()).await?;
        Ok(next.len() as u64)
    }

    async fn finish(self: Box<Self>) -> Result<Arc<dyn Stored>> {
        Ok(Placed::of(&self.owner, self.inner.finish().await?))
    }
}

struct Placed {
    owner: Arc<Owner>,
    inner: Arc<dyn Stored>,
    /// What was noticed of it.
    seen: Mutex<InPlace>,
}

impl Placed {
    fn of(owner: &Arc<Owner>, inner: Arc<dyn Stored>) -> Arc<dyn Stored> {
        Arc::new(Placed {
            owner: owner.clone(),
            inner,
            seen: Mutex::new(owner.now()),
        })
    }

    /// Looks at it, as before every read.
    fn look(&self) -> InPlace {
        let now = self.owner.now();
        *self.seen.lock().expect("nobody panics with it") = now;
        now
    }
}

#[async_trait]
impl Held for Placed {
    fn cid(&self) -> Cid {
        self.inner.cid()
    }

    fn tree(&self) -> Tree {
        self.inner.tree()
    }

    fn pieces(&self) -> Pieces {
        match self.in_place() {
            Some(InPlace::Readable) => self.inner.pieces(),
            _ => Pieces::none(self.tree().pieces()),
        }
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        if self.look() == InPlace::Readable {
            return self.inner.read(sender, room).await;
        }
        Portion {
            sender,
            bytes: Vec::new(),
            outcome: Err(FileRefusal::Gone),
        }
    }
}

#[async_trait]
impl Partial for Placed {
    async fn write(&self, _: Vec<Verified>) -> Result<()> {
        panic!("nothing is written where the owner has a file");
    }

    async fn complete(&self, _: u64) -> Result<()> {
        panic!("nothing is written where the owner has a file");
    }
}

#[async_trait]
impl Stored for Placed {
    async fn bytes(&self, piece: u64) -> Result<Vec<u8>> {
        match self.look().refused() {
            Some(error) => Err(error),
            None => self.inner.bytes(piece).await,
        }
    }

    async fn keep(&self, note: Vec<u8>) -> Result<()> {
        *self.owner.note.lock().expect("nobody panics with it") = Some(note);
        Ok(())
    }

    fn is_kept(&self) -> bool {
        true
    }

    fn in_place(&self) -> Option<InPlace> {
        Some(*self.seen.lock().expect("nobody panics with it"))
    }

    async fn allow(&self) -> Result<()> {
        self.look().refused().map_or(Ok(()), Err)
    }

    fn discard(&self) {
        *self.owner.note.lock().expect("nobody panics with it") = None;
        self.inner.discard();
    }

    fn close(&self) {
        self.inner.discard();
    }
}

async fn beside(relay: &TestRelay, owner: &Arc<Owner>) -> Tab {
    let (peer, home) = engine(&relay.url()).await;
    Tab::keeping(peer, home, Yard::of(owner))
}

/// What a tab says of its only file: how it is with it, how much is there, and whether that is all.
async fn state(tab: &mut Tab) -> (Value, Value, Value) {
    let list = tab.asks("files", json!({"files": "list"})).await;
    let one = list.expect("a list")[0].clone();
    (
        one["inPlace"].clone(),
        one["bytes"].clone(),
        one["complete"].clone(),
    )
}

/// What comes of everything that needs its bytes.
async fn refuses(tab: &mut Tab, cid: &Value, code: Code) {
    for what in ["read", "fetch", "allow"] {
        let refused = tab.asks("files", json!({"files": what, "id": cid})).await;
        assert_eq!(refused, Err(code), "{what}");
    }
}

/// Fetches it, and has it no longer than that.
async fn fetched(tab: &mut Tab, cid: &Value) -> Vec<u8> {
    let bytes = fetch(tab, cid, 4).await;
    let remove = json!({"files": "remove", "id": cid});
    assert_eq!(tab.asks("files", remove).await, Ok(json!(true)));
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_its_place_is_given_while_it_can_be_read_there() {
    let relay = TestRelay::first().await;
    let owner = Arc::new(Owner {
        bytes: Random::new().bytes(3 * PIECE as usize + 123),
        now: Mutex::new(InPlace::Readable),
        note: Mutex::default(),
    });
    let size = json!(owner.bytes.len());
    let mut ada = beside(&relay, &owner).await;
    let mut ben = Tab::open(&relay.url()).await;
    let text = json!({"name": "Red sea.film"}).to_string();
    let share = ada.call(
        "files",
        json!({"files": "shareInPlace", "call": PLACE, "text": text}),
    );
    let mut read = Vec::new();
    let shared = loop {
        let told = ada.says(share).await.expect("it is shared");
        match told["cid"].is_string() {
            true => break told,
            false => read.push(told["bytes"].as_u64().expect("how far it is")),
        }
    };
    let all = owner.bytes.len() as u64;
    assert_eq!(read, [PIECE, 2 * PIECE, 3 * PIECE, all]);
    let cid = shared["cid"].clone();
    let readable = (json!("readable"), size.clone(), json!(true));
    assert_eq!(state(&mut ada).await, readable);
    assert!(fetched(&mut ben, &cid).await == owner.bytes, "a wrong byte");

    // Whoever asks first finds it out; nobody is told of it from then on.
    owner.turn(InPlace::Changed);
    ben.call("files", json!({"files": "fetch", "id": cid}));
    let changed = (json!("changed"), json!(0), json!(false));
    within("it is noticed", async {
        while state(&mut ada).await != changed {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    refuses(&mut ada, &cid, Code::NotFound).await;
    let search = json!({"files": "search", "text": "red sea"});
    within("nobody lists it", async {
        while ben
            .asks("files", search.clone())
            .await
            .expect("it searches")
            .is_array()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    ben.close().await;

    owner.turn(InPlace::Readable);
    let allow = json!({"files": "allow", "id": cid});
    let allowed = ada.asks("files", allow.clone()).await.expect("it is there");
    assert_eq!(allowed["inPlace"], json!("readable"));
    let mut cy = Tab::open(&relay.url()).await;
    assert!(fetched(&mut cy, &cid).await == owner.bytes, "a wrong byte");
    ada.close().await;

    // After a restart its owner is asked first.
    owner.turn(InPlace::NeedsPermission);
    let mut ada = beside(&relay, &owner).await;
    let asks = (json!("needs-permission"), json!(0), json!(false));
    assert_eq!(state(&mut ada).await, asks);
    refuses(&mut ada, &cid, Code::PermissionDenied).await;
    owner.turn(InPlace::Readable);
    ada.asks("files", allow).await.expect("it is there");
    assert_eq!(state(&mut ada).await, readable);
    assert!(fetched(&mut cy, &cid).await == owner.bytes, "a wrong byte");
    let remove = json!({"files": "remove", "id": cid});
    assert_eq!(ada.asks("files", remove).await, Ok(json!(true)));
    assert_eq!(*owner.note.lock().expect("nobody panics with it"), None);
    ada.close().await;
    cy.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_places_says_so() {
    let relay = TestRelay::first().await;
    let mut ada = Tab::open(&relay.url()).await;
    let share = json!({"files": "shareInPlace", "call": PLACE});
    assert_eq!(ada.asks("files", share).await, Err(Code::Unsupported));
    ada.close().await;
    relay.stop().await;
}
