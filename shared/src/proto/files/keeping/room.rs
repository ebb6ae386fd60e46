//! Who gets how much of what a relay has for files of others, and what goes when there is no more.
//!
//! Knows sizes and times. A file is *pinned* while one of those who asked for it has time left; pinned files stay.
//! Of the others those go first whose time ended first.

use std::collections::{BTreeMap, BTreeSet};

use super::KeepRefusal;
use crate::limits::{KEEP_SHARES, KEPT_FILE, MAX_KEEPERS, MAX_KEPT};
use crate::proto::Millis;
use crate::proto::files::cid::Cid;
use crate::proto::files::tree::Tree;
use crate::proto::key::PublicKey;

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Who signed it.
    pub author: PublicKey,
    /// Where it came from.
    pub source: u64,
    /// Which of the author's requests it is.
    pub seq: u64,
    /// Until when the file is pinned.
    pub until: Millis,
}

/// A wish that is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The file is there, and need not be fetched.
    pub whole: bool,
    /// What has to go for it.
    pub gone: Vec<Cid>,
}

#[derive(Clone, Debug)]
struct Entry {
    tree: Tree,
    whole: bool,
    wishes: Vec<Wish>,
}

/// What is kept, and for whom.
#[derive(Clone, Debug)]
pub struct Room {
    quota: u64,
    entries: BTreeMap<Cid, Entry>,
}

/// Bytes of a disk that a file takes with its hashes and all that is beside it.
fn bytes_of(tree: Tree) -> u64 {
    tree.size() + tree.outboard_size() + KEPT_FILE
}

impl Entry {
    fn until(&self) -> Millis {
        let times = self.wishes.iter().map(|wish| wish.until);
        times.max().unwrap_or(0)
    }

    /// One that is being fetched stays, too: whoever fetches it looks after it.
    fn may_go(&self, now: Millis) -> bool {
        self.whole && self.until() <= now
    }

    fn of(&self, fits: impl Fn(&Wish) -> bool) -> bool {
        self.wishes.iter().any(fits)
    }
}

impl Room {
    /// So many bytes, and nothing in them.
    pub fn new(quota: u64) -> Room {
        Room {
            quota,
            entries: BTreeMap::new(),
        }
    }

    /// Bytes that are taken.
    pub fn used(&self) -> u64 {
        self.entries
            .values()
            .map(|entry| bytes_of(entry.tree))
            .sum()
    }

    /// How many files there are.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// What was kept before a restart.
    pub fn restore(&mut self, cid: Cid, tree: Tree, wishes: Vec<Wish>, whole: bool) {
        let entry = Entry {
            tree,
            whole,
            wishes,
        };
        self.entries.insert(cid, entry);
    }

    /// Decides about a wish. When it is met, what has to go is forgotten here; otherwise nothing has changed.
    pub fn admit(
        &mut self,
        cid: Cid,
        tree: Tree,
        wish: Wish,
        now: Millis,
    ) -> Result<Admitted, KeepRefusal> {
        let (need, share) = (bytes_of(tree), self.quota / KEEP_SHARES);
        if need > share {
            return Err(KeepRefusal::TooLarge);
        }
        if let Some(entry) = self.entries.get(&cid) {
            let known = entry.wishes.iter().find(|one| one.author == wish.author);
            match known {
                _ if !entry.whole => return Err(KeepRefusal::Busy),
                _ if entry.tree != tree => return Err(KeepRefusal::Malformed),
                None if entry.wishes.len() >= MAX_KEEPERS => return Err(KeepRefusal::Full),
                Some(known) if known.seq > wish.seq => return Err(KeepRefusal::NotNow),
                _ => {}
            }
        }
        let mut gone = BTreeSet::from([cid]);
        let author = |entry: &Entry| entry.of(|one| one.author == wish.author);
        let source = |entry: &Entry| entry.of(|one| one.source == wish.source);
        let size = |entry: &Entry| bytes_of(entry.tree);
        self.make_room(share, need, now, &mut gone, |entry| {
            author(entry).then(|| size(entry))
        })?;
        self.make_room(share, need, now, &mut gone, |entry| {
            source(entry).then(|| size(entry))
        })?;
        self.make_room(self.quota, need, now, &mut gone, |entry| Some(size(entry)))?;
        self.make_room(MAX_KEPT as u64, 1, now, &mut gone, |_| Some(1))?;
        gone.remove(&cid);
        gone.iter().for_each(|cid| self.remove(cid));
        let entry = self.entries.entry(cid).or_insert(Entry {
            tree,
            whole: false,
            wishes: Vec::new(),
        });
        entry.wishes.retain(|one| one.author != wish.author);
        entry.wishes.push(wish);
        Ok(Admitted {
            whole: entry.whole,
            gone: gone.into_iter().collect(),
        })
    }

    /// Adds to what goes until so much fits beside the rest of what `counts`.
    fn make_room(
        &self,
        limit: u64,
        need: u64,
        now: Millis,
        gone: &mut BTreeSet<Cid>,
        counts: impl Fn(&Entry) -> Option<u64>,
    ) -> Result<(), KeepRefusal> {
        let stays = self.entries.iter().filter(|(cid, _)| !gone.contains(cid));
        let counted = stays.filter_map(|(cid, entry)| Some((cid, entry, counts(entry)?)));
        let counted: Vec<_> = counted.collect();
        let mut taken: u64 = counted.iter().map(|(_, _, bytes)| bytes).sum();
        let old = counted
            .into_iter()
            .filter(|(_, entry, _)| entry.may_go(now));
        let mut old: Vec<_> = old.collect();
        old.sort_by_key(|(cid, entry, _)| (entry.until(), **cid));
        let mut old = old.into_iter();
        while taken.saturating_add(need) > limit {
            let (cid, _, bytes) = old.next().ok_or(KeepRefusal::Full)?;
            gone.insert(*cid);
            taken -= bytes;
        }
        Ok(())
    }

    /// All of a file is there.
    pub fn complete(&mut self, cid: &Cid) {
        if let Some(entry) = self.entries.get_mut(cid) {
            entry.whole = true;
        }
    }

    /// Files of which all is there.
    pub fn whole(&self) -> Vec<(Cid, Tree)> {
        let whole = self.entries.iter().filter(|(_, entry)| entry.whole);
        whole.map(|(cid, entry)| (*cid, entry.tree)).collect()
    }

    /// A file is not kept any more.
    pub fn remove(&mut self, cid: &Cid) {
        self.entries.remove(cid);
    }

    /// What has to go because there is less room than there was: first what is not pinned, then what would be soonest.
    pub fn trim(&mut self, now: Millis) -> Vec<Cid> {
        let order = |(cid, entry): (&Cid, &Entry)| (!entry.may_go(now), entry.until(), *cid);
        let mut all: Vec<_> = self.entries.iter().map(order).collect();
        all.sort();
        let mut gone = Vec::new();
        for (_, _, cid) in all {
            if self.used() <= self.quota && self.count() <= MAX_KEPT {
                break;
            }
            self.remove(&cid);
            gone.push(cid);
        }
        gone
    }
}

#[cfg(test)]
mod tests;
