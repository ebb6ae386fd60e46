//! A file of a collection: what it is called, who follows it, and who waits for a piece of it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, Shared, select};

use super::how::Tally;
use super::in_place::{InPlace, Lost};
use super::note::{Note, Part};
use super::pause::Pause;
use super::store::{Held, Partial, Portion, Stored};
use super::waiting::Waiting;
use super::wishes::{Wants, Wishes, bytes_there, covering};
use crate::error::{Code, Error, Result};
use crate::limits::PIECE;
use crate::proto::files::cid::Cid;
use crate::proto::files::pieces::Pieces;
use crate::proto::files::search::Listing;
use crate::proto::files::tree::{Sender, Tree, Verified};

/// What is said about a file by whoever shares it, or by the link under which it is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What it is called. Without a name it is found by its id only.
    pub name: String,
    /// Its media type, if known.
    pub media: String,
    /// Words by which it is found beside those of its name.
    pub tags: Vec<String>,
}

impl About {
    pub(super) fn listing(&self, cid: Cid, size: u64) -> Option<Listing> {
        let mut tags = self.tags.clone();
        tags.sort_unstable();
        tags.dedup();
        (!self.name.is_empty()).then(|| Listing {
            cid,
            name: self.name.clone(),
            size,
            media: self.media.clone(),
            tags,
        })
    }
}

/// A file that is there, or on its way.
pub struct Entry {
    stored: Arc<dyn Stored>,
    about: About,
    /// Whether it is found by its words.
    listed: AtomicBool,
    pub(super) tally: Arc<Tally>,
    pub(super) pause: Pause,
    /// Of those who want all of it, whose turn it is to fetch.
    pub(super) turn: futures::lock::Mutex<()>,
    /// Who wants all of it. Counted under the lock of the collection.
    pub(super) followers: AtomicUsize,
    /// What these want of it.
    pub(super) wants: Wants,
    /// Whether what somebody wanted of it has come: then it stays, though it may not be whole.
    pub(super) stays: AtomicBool,
    /// Told when it cannot be read any more where its owner has it.
    pub(super) lost: Lost,
    waiting: Waiting,
    close: Mutex<Option<oneshot::Sender<()>>>,
    closed: Shared<oneshot::Receiver<()>>,
}

impl Entry {
    pub(super) fn new(stored: Arc<dyn Stored>, about: About) -> Arc<Entry> {
        let (close, closed) = oneshot::channel();
        Arc::new(Entry {
            stored,
            about,
            listed: AtomicBool::new(false),
            tally: Arc::default(),
            pause: Pause::default(),
            turn: futures::lock::Mutex::default(),
            followers: AtomicUsize::new(0),
            wants: Wants::default(),
            stays: AtomicBool::new(false),
            lost: Lost::default(),
            waiting: Waiting::default(),
            close: Mutex::new(Some(close)),
            closed: closed.shared(),
        })
    }

    /// What is said about it.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Verified bytes that are there.
    pub fn there(&self) -> u64 {
        let (tree, pieces) = (self.stored.tree(), self.stored.pieces());
        let last = tree.pieces() - 1;
        // The last piece may be shorter.
        let missing = match pieces.has(last) {
            true => tree.pieces() * PIECE - tree.size(),
            false => 0,
        };
        pieces.count() * PIECE - missing
    }

    /// Whether all of it is.
    pub fn is_whole(&self) -> bool {
        self.stored.pieces().is_full()
    }

    /// Of a range of its bytes, which ends with the file at the latest: the range, verified bytes of it that are there, and its
    /// pieces as a map of their own.
    pub fn there_of(&self, bytes: &Range<u64>) -> Result<(Range<u64>, u64, Pieces)> {
        let tree = self.stored.tree();
        let range = covering(tree, bytes)?;
        let (pieces, bytes) = (
            self.stored.pieces(),
            bytes.start..bytes.end.min(tree.size()),
        );
        let mut own = Pieces::none(range.end - range.start);
        for piece in range.clone().filter(|piece| pieces.has(*piece)) {
            own.insert(piece - range.start);
        }
        let there = bytes_there(&pieces, &bytes);
        Ok((bytes, there, own))
    }

    /// Whether nothing more of it is asked for, though some is missing.
    pub fn is_paused(&self) -> bool {
        self.pause.is_on() && !self.is_whole()
    }

    /// Peers that send it, or could.
    pub fn sources(&self) -> usize {
        self.tally.sources.count()
    }

    /// The bytes of a piece, as soon as they are there.
    pub async fn read_piece(&self, piece: u64) -> Result<Vec<u8>> {
        if piece >= self.stored.tree().pieces() {
            let beyond = Error::new(Code::InvalidArgument, "the file has no such piece");
            return Err(beyond);
        }
        if let Some(error) = self.refused() {
            return Err(error);
        }
        self.waiting.read(piece);
        if let Some(arrival) = self.arrival(piece) {
            if !self.is_followed() {
                return Err(removed());
            }
            match select(arrival, self.closed.clone()).await {
                Either::Left((Ok(()), _)) => {}
                _ => return Err(removed()),
            }
        }
        let bytes = self.stored.bytes(piece).await;
        self.look();
        bytes
    }

    /// How it is with a file that stays where its owner has it.
    pub fn in_place(&self) -> Option<InPlace> {
        self.stored.in_place()
    }

    /// Why nothing of it is there, though it is shared.
    pub(super) fn refused(&self) -> Option<Error> {
        self.in_place().and_then(InPlace::refused)
    }

    pub(super) async fn allow(&self) -> Result<()> {
        let allowed = self.stored.allow().await;
        self.look();
        allowed
    }

    /// After it was read, or looked at: whether that will go on.
    fn look(&self) {
        if self.refused().is_some() {
            self.lost.tell();
        }
    }

    /// When a piece that is missing has come.
    pub(super) fn arrival(&self, piece: u64) -> Option<oneshot::Receiver<()>> {
        let there = || self.stored.pieces().has(piece);
        self.waiting.arrival(piece, there)
    }

    /// It is not in the collection any more: nobody waits for it from now on, and its bytes go.
    pub(super) fn discard(&self) {
        self.end();
        self.stored.discard();
    }

    /// Nobody waits for it from now on. What is kept of it stays.
    pub(super) fn close(&self) {
        self.end();
        self.stored.close();
    }

    /// Nobody fetches it any more: nobody waits for what is not there.
    pub(super) fn give_up(&self) {
        self.waiting.clear();
    }

    /// Whether somebody wants it now.
    pub(super) fn is_followed(&self) -> bool {
        self.followers.load(Ordering::Relaxed) > 0
    }

    /// Keeps it over a restart, if there is a store for that, and what is said about it.
    pub(super) async fn keep(&self, listed: bool) -> Result<()> {
        self.set_listed(listed);
        let note = Note {
            about: self.about.clone(),
            listed,
            part: Part::Own,
        };
        self.stored.keep(note.encode()).await
    }

    /// Keeps it for those that it is a part of.
    pub(super) async fn keep_as(&self, part: Part) -> Result<()> {
        self.stored.keep(Note::of(part).encode()).await
    }

    /// Whether it was shared, and is found by its words.
    pub(super) fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Relaxed)
    }

    pub(super) fn set_listed(&self, listed: bool) {
        self.listed.store(listed, Ordering::Relaxed);
    }

    /// Whether what is there of it stays.
    pub(super) fn is_kept(&self) -> bool {
        self.stored.is_kept()
    }

    fn end(&self) {
        let mut close = self.close.lock().unwrap_or_else(PoisonError::into_inner);
        drop(close.take());
    }

    /// Resolves when it was closed.
    pub(super) fn closed(&self) -> Shared<oneshot::Receiver<()>> {
        self.closed.clone()
    }
}

/// Why there is nothing of a file any more.
pub fn removed() -> Error {
    Error::new(
        Code::Cancelled,
        "the file was removed, or is not fetched any more",
    )
    .with_remedy("Fetch it again.")
}

#[async_trait]
impl Held for Entry {
    fn cid(&self) -> Cid {
        self.stored.cid()
    }

    fn tree(&self) -> Tree {
        self.stored.tree()
    }

    fn pieces(&self) -> Pieces {
        self.stored.pieces()
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        let portion = self.stored.read(sender, room).await;
        self.look();
        portion
    }
}

#[async_trait]
impl Partial for Entry {
    async fn write(&self, parts: Vec<Verified>) -> Result<()> {
        self.stored.write(parts).await
    }

    async fn complete(&self, piece: u64) -> Result<()> {
        self.stored.complete(piece).await?;
        self.waiting.arrived(piece);
        Ok(())
    }

    async fn write_last(&self, parts: Vec<Verified>, piece: u64) -> Result<()> {
        self.stored.write_last(parts, piece).await?;
        self.waiting.arrived(piece);
        Ok(())
    }

    fn wishes(&self) -> Wishes {
        Wishes {
            only: self.wants.only(),
            readers: self.waiting.places(),
        }
    }

    fn rests(&self) -> bool {
        self.is_paused()
    }
}
