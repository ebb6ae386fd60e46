//! Directories that a store has kept over a restart, and what is there of their files.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::collection::Collection;
use super::super::entry::{About, Entry};
use super::super::note::Part;
use super::super::store::{Held, Stored};
use super::Member;
use super::packs::{Pack, Packed};
use crate::error::{Error, Result};
use crate::proto::files::cid::Kind;

/// What was kept of files of directories: whose they are is known when the directories are there.
#[derive(Default)]
pub(in super::super) struct Loose {
    members: Vec<Arc<dyn Stored>>,
    packs: Vec<Arc<dyn Stored>>,
}

impl Loose {
    /// Takes what is not there for itself; gives back what is.
    pub fn take(&mut self, part: Part, stored: Arc<dyn Stored>) -> Option<Arc<dyn Stored>> {
        match part {
            Part::Own => return Some(stored),
            Part::Member => self.members.push(stored),
            Part::Pack => self.packs.push(stored),
        }
        None
    }

    /// Gives the directories of a collection their files again. Those that no directory has are what a crash has left,
    /// and go, unless there may be a directory that cannot be read now: `sure` when all that was kept is in the collection.
    pub async fn restore(self, collection: &Collection, mut sure: bool) {
        let mut wanted = HashSet::new();
        for list in collection.list() {
            if list.cid().kind == Kind::File {
                continue;
            }
            if !list.is_whole() {
                sure = false;
                continue;
            }
            match collection.open_folder(&list).await {
                Ok(folder) => wanted.extend(folder.members.iter().map(|member| member.cid.root)),
                Err(why) => {
                    let error = Error::from(why);
                    tracing::warn!(%error, "a directory that was kept is not there");
                    sure = false;
                }
            }
        }
        let folders = &collection.folders;
        for stored in self.members {
            let root = stored.cid().root;
            let entry = Entry::new(stored, About::default());
            let ours = wanted.contains(&root) && folders.put(root, Member::Own(entry.clone()));
            if sure && !ours {
                entry.discard();
            }
        }
        for stored in self.packs {
            match Pack::open(stored, folders.recent.clone()).await {
                Ok(all) => {
                    let ours = |packed: &Arc<Packed>| wanted.contains(&packed.root());
                    let (ours, others): (Vec<_>, Vec<_>) = all.into_iter().partition(ours);
                    folders.put_packed(ours);
                    if sure {
                        others.iter().for_each(|packed| packed.let_go());
                    }
                }
                Err(error) => tracing::warn!(%error, "small files of directories are not there"),
            }
        }
        if let Err(error) = share_again(collection) {
            tracing::warn!(%error, "directories that were kept are not shared again");
        }
    }
}

fn share_again(collection: &Collection) -> Result<()> {
    let (files, folders) = (&collection.files, &collection.folders);
    let members: Vec<Member> = folders.state().members.values().cloned().collect();
    for member in members {
        // What is shared by itself is shared already, and is the same.
        files.share(member.held())?;
    }
    let all: Vec<_> = folders.state().all.values().cloned().collect();
    for folder in all {
        if !folder.look(folders).is_empty() {
            continue;
        }
        let entry = &folder.entry;
        collection.announce_folder(&folder);
        let listing = entry.about().listing(entry.cid(), folder.directory.size());
        if let Some(listing) = listing.filter(|_| entry.is_listed()) {
            let signed = collection.sign(&listing)?;
            files.list(signed);
            files.announce_words(&listing.tokens());
        }
    }
    Ok(())
}
