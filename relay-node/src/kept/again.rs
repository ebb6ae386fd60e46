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
        let mut notes = Vec::new();
        for found in found {
            let note = found.note.only(|request| !self.denies(request));
            let Some(note) = note else {
                self.disk.remove(found.cid).await?;
                continue;
            };
            let wishes = note.kept().iter().map(wish).collect();
            self.room()
                .restore(found.cid, found.tree, wishes, found.whole);
            notes.push((found.cid, note, found.whole));
        }
        let gone = self.room().trim(now);
        for cid in &gone {
            tracing::info!(%cid, "a file is kept no longer: there is less room than before");
            self.disk.remove(*cid).await?;
        }
        notes.retain(|(cid, _, _)| !gone.contains(cid));
        for (cid, note, whole) in &notes {
            match whole {
                true if self.share(*cid).is_ok() => self.list(note),
                true => self.room().remove(cid),
                false => self.go_on(*cid, note.clone()),
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
                Ok(()) => inner.announce_all(vec![(cid, note, true)]).await,
                Err(why) => tracing::info!(%cid, %why, "a file that was on its way is given up"),
            }
        });
    }

    async fn announce_all(&self, notes: Vec<(Cid, Note, bool)>) {
        for (cid, note, _) in notes.iter().filter(|(_, _, whole)| *whole) {
            let listings = note.kept().iter();
            let listings = listings.filter_map(|kept| kept.request.listing());
            let words: Vec<String> = listings.flat_map(|one| one.listing().tokens()).collect();
            self.announce(cid, &words).await;
        }
    }
}
