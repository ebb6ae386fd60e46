//! Who wants all of a file of a collection, or some: whoever came first fetches it, the others wait.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{Either, select};

use super::collection::Collection;
use super::entry::{Entry, removed};
use super::store::{Held, Partial};
use super::wishes::{Want, covering};
use super::{How, Sources};
use crate::error::{Code, Error, Result};
use crate::limits::{FETCH_PATIENCE, FETCH_WORTH_TELLING, FILES_IN_FLIGHT_TAB};
use crate::platform;
use crate::proto::files::cid::{Cid, Kind};

impl Collection {
    /// Called under the lock of all, so that nobody removes it for want of followers.
    pub(super) fn following(
        &self,
        entry: &Arc<Entry>,
        sources: Option<Sources>,
        bytes: Option<&Range<u64>>,
    ) -> Result<Following> {
        let pieces = bytes.map(|bytes| covering(entry.tree(), bytes));
        let want = entry.wants.add(pieces.transpose()?);
        let others = entry.followers.fetch_add(1, Ordering::Relaxed);
        // Somebody wants it now. Whoever wants a part of it waits with those who let it rest.
        if bytes.is_none() || others == 0 {
            entry.pause.end();
        }
        Ok(Following {
            collection: self.clone(),
            entry: entry.clone(),
            want,
            sources: Mutex::new(sources),
        })
    }
}

/// Somebody wants all of a file, or some. When nobody does any more, what has come of it is forgotten, unless that was all that
/// somebody wanted, or the store keeps it.
pub struct Following {
    collection: Collection,
    entry: Arc<Entry>,
    want: Want,
    /// Those that have proven its size: fetched from until the first pause.
    sources: Mutex<Option<Sources>>,
}

impl Following {
    /// What is there of it.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Returns it when all that is wanted of it is there. Then it is shared until it is removed.
    pub async fn complete(&self) -> Result<Arc<Entry>> {
        match select(self.entry.closed(), self.fetch().boxed()).await {
            Either::Right((outcome, _)) => {
                outcome?;
                // What is whole stays in any case, unless it is the list of a directory that is not.
                let some = self.want.pieces.as_ref();
                if some.is_some_and(|pieces| !pieces.is_empty()) {
                    self.entry.stays.store(true, Ordering::Relaxed);
                }
                Ok(self.entry.clone())
            }
            Either::Left(_) => {
                // The application may have shared it meanwhile.
                let found = self.collection.find(&self.entry.cid()).ok();
                let met = |now: &Arc<Entry>| self.want.is_met(&now.pieces());
                found.filter(met).ok_or_else(removed)
            }
        }
    }

    /// Whether it was neither removed nor replaced.
    fn is_known(&self, all: &BTreeMap<Cid, Arc<Entry>>) -> bool {
        let known = all.get(&self.entry.cid());
        known.is_some_and(|known| Arc::ptr_eq(known, &self.entry))
    }

    fn announce_soon(&self) {
        if self.entry.cid().kind == Kind::Directory {
            // Whoever has one has its files; these come after it.
            return;
        }
        // Under the lock: what is withdrawn meanwhile stays withdrawn.
        let all = self.collection.all();
        if self.is_known(&all) {
            self.collection.files.announce_soon(&self.entry.cid());
        }
    }

    /// Whoever wants some of it need not fetch that itself, though it may have to.
    async fn fetch(&self) -> Result<()> {
        let pieces = match &self.want.pieces {
            _ if self.want.is_met(&self.entry.pieces()) => return Ok(()),
            None => return self.take_turn().await,
            Some(pieces) => pieces.clone(),
        };
        match select(self.come(pieces).boxed(), self.take_turn().boxed()).await {
            Either::Left(((), _)) => {
                self.announce_soon();
                Ok(())
            }
            Either::Right((outcome, _)) => outcome,
        }
    }

    /// Returns when these have come, whoever fetches them. They come before what nobody waits for.
    async fn come(&self, pieces: Range<u64>) {
        for piece in pieces {
            while let Some(arrival) = self.entry.arrival(piece) {
                let _ = arrival.await;
            }
        }
    }

    /// Whoever came first fetches; the others wait for it, and go on when it gives up.
    async fn take_turn(&self) -> Result<()> {
        let _turn = self.entry.turn.lock().await;
        while !self.want.is_met(&self.entry.pieces()) {
            self.entry.pause.over().await;
            self.ask().await?;
        }
        Ok(())
    }

    /// Returns when all that is wanted of it is there, or there is a pause.
    async fn ask(&self) -> Result<()> {
        let (files, cid) = (&self.collection.files, self.entry.cid());
        let sources = self
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let sources = sources.unwrap_or_else(|| files.sources(cid, Vec::new()));
        let how = How {
            patience: FETCH_PATIENCE,
            whole: false,
            in_flight: FILES_IN_FLIGHT_TAB,
            tally: self.entry.tally.clone(),
        };
        let target: Arc<dyn Partial> = self.entry.clone();
        let fetching = files.fetch(&sources, target, how).boxed();
        match select(fetching, platform::sleep(FETCH_WORTH_TELLING)).await {
            Either::Left((outcome, _)) => outcome.map_err(again)?,
            Either::Right(((), fetching)) => {
                self.announce_soon();
                fetching.await.map_err(again)?;
            }
        }
        self.announce_soon();
        Ok(())
    }
}

/// Where nothing is kept, what has come is forgotten when nobody follows it any more.
pub(super) fn again(error: Error) -> Error {
    match error.code() {
        Code::NotFound => {
            error.with_remedy("Check that somebody shares it in this network, then fetch it again.")
        }
        _ => error,
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut all = self.collection.all();
        let last = self.entry.followers.fetch_sub(1, Ordering::Relaxed) == 1;
        let cid = self.entry.cid();
        if !last {
            return;
        }
        let whole = match cid.kind {
            Kind::File => self.entry.is_whole(),
            Kind::Directory => {
                let folder = self.collection.folders.get(&cid);
                let folder = folder.filter(|folder| folder.is_of(&self.entry));
                // Nobody fetches its files any more.
                folder.is_some_and(|folder| {
                    folder.give_up();
                    folder.is_complete()
                })
            }
        };
        if whole {
            return;
        }
        // What is not known by itself is replaced, or a directory's.
        let stays = self.entry.is_kept() || self.entry.stays.load(Ordering::Relaxed);
        if stays || !self.is_known(&all) {
            self.entry.give_up();
        } else {
            all.remove(&cid);
            drop(all);
            self.collection.let_go(&self.entry);
        }
    }
}
