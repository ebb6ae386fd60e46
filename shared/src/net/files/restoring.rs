//! Gives again what was kept over a restart.

use std::sync::Arc;

use futures::channel::oneshot;

use super::collection::Collection;
use super::entry::Entry;
use super::folders::Loose;
use super::note::Note;
use super::store::{Held, Kept, KeptFiles};
use crate::error::Result;
use crate::proto::files::cid::Kind;

/// Puts what the store has kept into a collection that is new. `done` when it is there; others hear of it as soon as
/// there is somebody to tell.
pub(super) async fn run(collection: Collection, done: oneshot::Sender<()>) {
    match collection.store.kept().await {
        Ok(KeptFiles { mut all, skipped }) => {
            // Of two with one id the one with less is what a crash has left.
            all.sort_by_key(|kept| std::cmp::Reverse(kept.stored.pieces().count()));
            let mut loose = Loose::default();
            for kept in all {
                if let Err(error) = restore(&collection, kept, &mut loose) {
                    tracing::warn!(%error, "a file that was kept is not shared again");
                }
            }
            loose.restore(&collection, !skipped).await;
        }
        Err(error) => tracing::warn!(%error, "files that were kept are not there"),
    }
    let _ = done.send(());
}

fn restore(collection: &Collection, Kept { stored, note }: Kept, loose: &mut Loose) -> Result<()> {
    let Note {
        about,
        listed,
        part,
    } = Note::decode(&note);
    let Some(stored) = loose.take(part, stored) else {
        return Ok(());
    };
    let cid = stored.cid();
    let entry = Entry::new(stored, about);
    if collection.all().contains_key(&cid) {
        entry.discard();
        return Ok(());
    }
    collection.all().insert(cid, entry.clone());
    entry.set_listed(listed);
    match entry.refused() {
        // Others hear of it when its owner lets it be read.
        Some(_) => Ok(()),
        None => give(collection, &entry),
    }
}

/// Gives to others what is there of a file, and says so soon.
pub(super) fn give(collection: &Collection, entry: &Arc<Entry>) -> Result<()> {
    let (files, cid) = (&collection.files, entry.cid());
    files.share(entry.clone())?;
    collection.watch(entry);
    if cid.kind == Kind::Directory {
        // Others hear of it when its files are there.
        return Ok(());
    }
    if entry.pieces().count() > 0 {
        files.announce_soon(&cid);
    }
    let listing = entry.about().listing(cid, entry.tree().size());
    if let Some(listing) = listing.filter(|_| entry.is_listed() && entry.is_whole()) {
        let signed = collection.sign(&listing)?;
        files.list(signed);
        files.announce_words(&listing.tokens());
    }
    Ok(())
}
