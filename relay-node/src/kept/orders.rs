//! What the operator of a relay says, while it runs: the denylist is read again when it changes, and on SIGHUP.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{Denied, Inner, wish};

/// How often it is looked whether the denylist has changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often listings are forgotten whose time is over.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

impl Inner {
    /// Removes what the operator does not want any more.
    async fn obey(&self, denied: Denied) {
        let _turn = self.turn.lock().await;
        self.files.deny(denied.roots());
        *self.denied.write().unwrap_or_else(PoisonError::into_inner) = denied;
        let all = self.room().whole();
        for (cid, extent) in all {
            let Some(before) = self.disk.note(&cid) else {
                continue;
            };
            let note = before.clone().only(|request| !self.denies(request));
            // Without one of its files a directory is not what its author wants kept.
            let unwanted = self.unwanted(self.given().members(&cid).iter());
            let Some(note) = note.filter(|_| unwanted.is_none()) else {
                tracing::info!(%cid, "it is kept no longer: it, or a file in it, is on the denylist");
                self.drop_kept(&cid).await;
                self.room().remove(&cid);
                continue;
            };
            if note != before && self.write(&cid, &note).await.is_ok() {
                let wishes = note.kept().iter().map(wish).collect();
                self.room().restore(cid, extent, wishes, true);
                self.files.unlist(&cid, &[]);
                self.list(&note);
            }
        }
    }
}

/// Looks after lists and times for as long as the relay runs.
pub(super) async fn look_after(inner: Arc<Inner>) {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let mut look = tokio::time::interval(LOOK_EVERY);
    // Whoever has no denylist is ended by this signal, as ever.
    let hung_up = inner.denylist.as_ref();
    let mut hung_up = hung_up.and_then(|_| signal(SignalKind::hangup()).ok());
    loop {
        let asked = async {
            match &mut hung_up {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        let at_once = tokio::select! {
            _ = sweep.tick() => {
                inner.files.expire_listings();
                continue;
            }
            _ = look.tick() => false,
            () = asked => true,
        };
        let Some(path) = &inner.denylist else {
            continue;
        };
        let same = {
            let denied = inner.denied.read().unwrap_or_else(PoisonError::into_inner);
            denied.is_of(path)
        };
        if same && !at_once {
            continue;
        }
        match Denied::read(path) {
            Ok(denied) => {
                tracing::info!(path = %path.display(), "the denylist was read again");
                inner.obey(denied).await;
            }
            Err(error) => {
                tracing::error!(%error, cause = error.cause(), "the denylist cannot be read; the one before stays in force")
            }
        }
    }
}
