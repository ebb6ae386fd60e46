//! What a relay kept before it ended: shared again, and what was on its way is fetched to its end.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use warren_shared::error::Result;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::keeping::Note;

use super::{Inner, wish};

impl Inner {
    /// Goes on with what was kept before.
    pub(super) async fn load(self: &Arc<Self>) -> Result<()> {
        let found = self.disk.load().await?;
        let now = self.files.network_time();
        let mut kept = Vec::new();
        for found in found {
            let parts = found.whole.iter().flatten().map(|held| held.cid());
            let parts: Vec<Cid> = parts.collect();
            let note = found.note.only(|request| !self.denies(request));
            let note = note.filter(|_| self.unwanted(parts.iter()).is_none());
            let Some(note) = note else {
                self.disk.remove(found.cid).await?;
                continue;
            };
            let wishes = note.kept().iter().map(wish).collect();
            let whole = found.whole.is_some();
            self.room().restore(found.cid, found.extent, wishes, whole);
            kept.push((found.cid, note, found.whole));
        }
        let gone = self.room().trim(now);
        for cid in &gone {
            tracing::info!(%cid, "it is kept no longer: there is less room than before");
            self.disk.remove(*cid).await?;
        }
        let mut notes = Vec::new();
        for (cid, note, whole) in kept.into_iter().filter(|(cid, ..)| !gone.contains(cid)) {
            match whole.map(|whole| self.share(cid, whole)) {
                Some(Ok(())) => {
                    self.list(&note);
                    notes.push((cid, note));
                }
                Some(Err(_)) => self.room().remove(&cid),
                None => self.go_on(cid, note),
            }
        }
        let inner = self.clone();
        self.spawn(async move { inner.announce_all(notes).await });
        Ok(())
    }

    /// Fetches what was on its way when the relay ended.
    fn go_on(self: &Arc<Self>, cid: Cid, note: Note) {
        let inner = self.clone();
        self.spawn(async move {
            let outcome = inner
                .bring(cid, &note, Vec::new(), &AtomicU64::new(0))
                .await;
            match outcome {
                Ok(()) => inner.announce_all(vec![(cid, note)]).await,
                Err(why) => tracing::info!(%cid, %why, "what was on its way is given up"),
            }
        });
    }

    async fn announce_all(&self, notes: Vec<(Cid, Note)>) {
        for (cid, note) in &notes {
            let listings = note.kept().iter();
            let listings = listings.filter_map(|kept| kept.request.listing());
            let words: Vec<String> = listings.flat_map(|one| one.listing().tokens()).collect();
            self.announce(cid, &words).await;
        }
        for (cid, _) in &notes {
            self.announce_members(cid).await;
        }
    }
}
