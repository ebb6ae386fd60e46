//! The seam to disks: what a peer has of files, and where what it fetches goes.
//!
//! Knows no paths. A native peer has files in place (`relay-node/src/files`); a tab has a [`FileStore`].

use std::sync::Arc;

use async_trait::async_trait;

use super::in_place::InPlace;
use super::wishes::Wishes;
use crate::error::{Code, Error, Result};
use crate::limits::FILE_READ;
use crate::proto::files::cid::Cid;
use crate::proto::files::pieces::Pieces;
use crate::proto::files::tree::{Need, Sender, Stop, Tree, Verified};
use crate::proto::files::wire::FileRefusal;

/// What was read of a range.
pub struct Portion {
    /// Where the range goes on.
    pub sender: Sender,
    /// What is to be sent: all of it is right.
    pub bytes: Vec<u8>,
    /// Why there will be no more than these, if so.
    pub outcome: std::result::Result<(), FileRefusal>,
}

impl Portion {
    /// Reads on in a range, as far as there is room for so many bytes; `read` knows where they are.
    pub fn fill(
        mut sender: Sender,
        room: usize,
        read: impl FnMut(Need, &mut [u8]) -> std::result::Result<(), FileRefusal>,
    ) -> Portion {
        let mut bytes = Vec::with_capacity(room.min(FILE_READ));
        let outcome = match sender.fill(room, &mut bytes, read) {
            Ok(()) => Ok(()),
            Err(Stop::Changed(_)) => Err(FileRefusal::Gone),
            Err(Stop::Failed(refusal)) => Err(refusal),
        };
        Portion {
            sender,
            bytes,
            outcome,
        }
    }
}

/// A file of which this peer has all or some.
#[async_trait]
pub trait Held: Send + Sync + 'static {
    /// Which.
    fn cid(&self) -> Cid;

    /// Its shape.
    fn tree(&self) -> Tree;

    /// What is there.
    fn pieces(&self) -> Pieces;

    /// Reads on in a range, as far as there is room for so many bytes. A file that is not any more what it was is
    /// [`FileRefusal::Gone`].
    async fn read(&self, sender: Sender, room: usize) -> Portion;
}

/// A file that is being fetched.
#[async_trait]
pub trait Partial: Held {
    /// Writes what was verified, hashes and groups. Returns when it can be read again.
    async fn write(&self, parts: Vec<Verified>) -> Result<()>;

    /// All of a piece is written. It is durable soon, and from then on never fetched again.
    async fn complete(&self, piece: u64) -> Result<()>;

    /// Writes the last parts of a piece: all of it is written.
    async fn write_last(&self, parts: Vec<Verified>, piece: u64) -> Result<()> {
        self.write(parts).await?;
        self.complete(piece).await
    }

    /// What is wanted of it, and what of that soon: all, and nothing before the rest, unless it says something else.
    fn wishes(&self) -> Wishes {
        Wishes::default()
    }

    /// Whether nothing more is to be asked for. What was asked for is taken all the same.
    fn rests(&self) -> bool {
        false
    }
}

/// A file in a store.
#[async_trait]
pub trait Stored: Partial {
    /// The bytes of a piece that is there.
    async fn bytes(&self, piece: u64) -> Result<Vec<u8>>;

    /// Keeps it over a restart from now on, with a few bytes that say what it is, if the store keeps anything.
    async fn keep(&self, _note: Vec<u8>) -> Result<()> {
        Ok(())
    }

    /// Whether a restart leaves it.
    fn is_kept(&self) -> bool {
        false
    }

    /// How it is with a file that stays where its owner has it; nothing for one that is in the store.
    fn in_place(&self) -> Option<InPlace> {
        None
    }

    /// Looks again whether a file can be read where its owner has it, after asking for permission where that is missing.
    async fn allow(&self) -> Result<()> {
        Ok(())
    }

    /// Nothing of it is there from now on, whoever still holds it, and its room is free. Reads are
    /// [`FileRefusal::Gone`], writes fail.
    fn discard(&self);

    /// The same, but what is kept comes back after a restart.
    fn close(&self) {
        self.discard();
    }
}

/// All that a store has kept over a restart.
#[derive(Default)]
pub struct KeptFiles {
    /// Those that can be read.
    pub all: Vec<Kept>,
    /// Whether there is something that cannot be read now: what it is, nobody knows.
    pub skipped: bool,
}

/// What a store has kept over a restart.
pub struct Kept {
    /// The file, or what was there of it.
    pub stored: Arc<dyn Stored>,
    /// What was said of it.
    pub note: Vec<u8>,
}

/// How much fits into a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Whether a restart leaves what is in it.
    pub durable: bool,
    /// Bytes that its files take.
    pub used: u64,
    /// Bytes that files may take in all, as far as that is known.
    pub most: u64,
    /// Why it is not another one, if there is a reason.
    pub reason: String,
}

/// A file on its way into a store, from its beginning to its end. Dropped, it leaves nothing behind.
#[async_trait]
pub trait Intake: Send {
    /// Takes the next bytes.
    async fn take(&mut self, bytes: Vec<u8>) -> Result<()>;

    /// Of a file that stays where it is: reads the next bytes there. How many they were, none when that was all.
    async fn read_on(&mut self) -> Result<u64> {
        Ok(0)
    }

    /// There are no more.
    async fn finish(self: Box<Self>) -> Result<Arc<dyn Stored>>;
}

/// Where files are that have no place of their own. Whoever starts a peer chooses it. A file is there for as long as
/// somebody holds it, or until it is discarded, if it was kept.
#[async_trait]
pub trait FileStore: Send + Sync + 'static {
    /// Begins a file whose id is not known yet, of so many bytes, or more. An error says what to do when there is no room.
    async fn begin(&self, size: u64) -> Result<Box<dyn Intake>>;

    /// Begins a file that stays where it is, and of which only the hashes are kept. Where that is, whoever chose the store
    /// knows by this number.
    async fn begin_in_place(&self, _place: u64) -> Result<Box<dyn Intake>> {
        Err(
            Error::new(Code::Unsupported, "files are not read in their places here")
                .with_remedy("Share the file itself: it is copied."),
        )
    }

    /// A place for a file that is to be fetched.
    async fn open(&self, cid: Cid, tree: Tree) -> Result<Arc<dyn Stored>>;

    /// What it has kept from last time. Asked for once, before everything else.
    async fn kept(&self) -> Result<KeptFiles> {
        Ok(KeptFiles::default())
    }

    /// How much fits.
    async fn room(&self) -> Result<Room>;

    /// Returns when what was discarded does not come back after a restart.
    async fn settle(&self) {}

    /// Returns when nothing is lost that was kept. There is nothing more to be done with it.
    async fn close(&self) {}
}

/// A [`FileStore`] that several tasks use.
pub type SharedFileStore = Arc<dyn FileStore>;
