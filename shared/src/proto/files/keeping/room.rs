//! Who gets how much of what a relay has for files and directories of others, and what goes when there is no more.
//!
//! Knows sizes and times. A file or directory is *pinned* while one of those who asked for it has time left; what is pinned
//! stays. Of the others those go first whose time ended first. How much a directory takes is known when its list is there:
//! it is admitted before that, and then [`Room::extend`] decides.

use std::collections::{BTreeMap, BTreeSet};

use super::{Extent, KeepRefusal, NotKept};
use crate::limits::{KEEP_SHARES, MAX_KEEPERS, MAX_KEPT, MAX_KEPT_MEMBERS};
use crate::proto::Millis;
use crate::proto::files::cid::{Cid, Kind};
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
    /// Until when it is pinned.
    pub until: Millis,
}

/// A wish that is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// All of it is there, and need not be fetched.
    pub whole: bool,
    /// What has to go for it.
    pub gone: Vec<Cid>,
}

#[derive(Clone, Debug)]
struct Entry {
    extent: Extent,
    whole: bool,
    wishes: Vec<Wish>,
}

/// What is kept, and for whom.
#[derive(Clone, Debug)]
pub struct Room {
    quota: u64,
    entries: BTreeMap<Cid, Entry>,
}

/// What there is only so much of.
#[derive(Clone, Copy)]
struct Measure {
    of: fn(&Extent) -> u64,
    /// All together.
    limit: u64,
    /// Whether it is what sizes are told in.
    is_bytes: bool,
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
        self.entries.values().map(|entry| entry.extent.bytes).sum()
    }

    /// Files of directories that there are.
    fn files(&self) -> u64 {
        self.entries.values().map(|entry| entry.extent.files).sum()
    }

    /// How many files and directories were asked for.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// What was kept before a restart.
    pub fn restore(&mut self, cid: Cid, extent: Extent, wishes: Vec<Wish>, whole: bool) {
        let entry = Entry {
            extent,
            whole,
            wishes,
        };
        self.entries.insert(cid, entry);
    }

    /// Decides about a wish for something with so many bytes. When it is met, what has to go is forgotten here; otherwise
    /// nothing has changed.
    pub fn admit(
        &mut self,
        cid: Cid,
        size: u64,
        wish: Wish,
        now: Millis,
    ) -> Result<Admitted, NotKept> {
        let mut extent = Extent::asked(&cid, size);
        if let Some(entry) = self.entries.get(&cid) {
            let known = entry.wishes.iter().find(|one| one.author == wish.author);
            let refused = match known {
                _ if !entry.whole => Some(KeepRefusal::Busy),
                _ if entry.extent.size != size => Some(KeepRefusal::Malformed),
                None if entry.wishes.len() >= MAX_KEEPERS => Some(KeepRefusal::Full),
                Some(known) if known.seq > wish.seq => Some(KeepRefusal::NotNow),
                _ => None,
            };
            if let Some(refused) = refused {
                return Err(refused.into());
            }
            extent = entry.extent;
        }
        let gone = self.room_for(cid, extent, &[wish], now)?;
        let entry = self.entries.entry(cid).or_insert(Entry {
            extent,
            whole: false,
            wishes: Vec::new(),
        });
        entry.wishes.retain(|one| one.author != wish.author);
        entry.wishes.push(wish);
        Ok(Admitted {
            whole: entry.whole,
            gone,
        })
    }

    /// Decides about something on its way of which it is known only now how much it takes. When it fits, what has to go for
    /// it is forgotten here, and told; otherwise nothing has changed.
    pub fn extend(&mut self, cid: &Cid, extent: Extent, now: Millis) -> Result<Vec<Cid>, NotKept> {
        let entry = self.entries.get(cid).ok_or(KeepRefusal::Busy)?;
        let wishes = entry.wishes.clone();
        let gone = self.room_for(*cid, extent, &wishes, now)?;
        if let Some(entry) = self.entries.get_mut(cid) {
            entry.extent = extent;
        }
        Ok(gone)
    }

    /// Forgets what has to go so that something fits that these wish for, and tells it.
    fn room_for(
        &mut self,
        cid: Cid,
        extent: Extent,
        wishes: &[Wish],
        now: Millis,
    ) -> Result<Vec<Cid>, NotKept> {
        let measures = [
            Measure {
                of: |extent| extent.bytes,
                limit: self.quota,
                is_bytes: true,
            },
            Measure {
                of: |extent| extent.files,
                limit: MAX_KEPT_MEMBERS,
                is_bytes: false,
            },
        ];
        let mut gone = BTreeSet::from([cid]);
        for measure in measures {
            let (need, share) = ((measure.of)(&extent), measure.limit / KEEP_SHARES);
            let refused = |(why, most)| match cid.kind {
                Kind::Directory if measure.is_bytes => NotKept::NoRoom { why, need, most },
                _ => NotKept::Why(why),
            };
            if need > share {
                return Err(refused((KeepRefusal::TooLarge, share)));
            }
            for wish in wishes {
                let author = |entry: &Entry| entry.of(|one| one.author == wish.author);
                let source = |entry: &Entry| entry.of(|one| one.source == wish.source);
                self.make_room(share, need, now, &mut gone, |entry| {
                    author(entry).then(|| (measure.of)(&entry.extent))
                })
                .map_err(refused)?;
                self.make_room(share, need, now, &mut gone, |entry| {
                    source(entry).then(|| (measure.of)(&entry.extent))
                })
                .map_err(refused)?;
            }
            self.make_room(measure.limit, need, now, &mut gone, |entry| {
                Some((measure.of)(&entry.extent))
            })
            .map_err(refused)?;
        }
        self.make_room(MAX_KEPT as u64, 1, now, &mut gone, |_| Some(1))
            .map_err(|(why, _)| NotKept::Why(why))?;
        gone.remove(&cid);
        gone.iter().for_each(|cid| self.remove(cid));
        Ok(gone.into_iter().collect())
    }

    /// Adds to what goes until so much fits beside the rest of what `counts`; or else why not, and how much would.
    fn make_room(
        &self,
        limit: u64,
        need: u64,
        now: Millis,
        gone: &mut BTreeSet<Cid>,
        counts: impl Fn(&Entry) -> Option<u64>,
    ) -> Result<(), (KeepRefusal, u64)> {
        let stays = self.entries.iter().filter(|(cid, _)| !gone.contains(cid));
        let counted = stays.filter_map(|(cid, entry)| Some((cid, entry, counts(entry)?)));
        let counted: Vec<_> = counted.collect();
        let mut taken: u64 = counted.iter().map(|(_, _, count)| count).sum();
        let old = counted
            .into_iter()
            // What takes nothing makes no room.
            .filter(|(_, entry, count)| entry.may_go(now) && *count > 0);
        let mut old: Vec<_> = old.collect();
        old.sort_by_key(|(cid, entry, _)| (entry.until(), **cid));
        let mut old = old.into_iter();
        while taken.saturating_add(need) > limit {
            let full = (KeepRefusal::Full, limit.saturating_sub(taken));
            let (cid, _, count) = old.next().ok_or(full)?;
            gone.insert(*cid);
            taken -= count;
        }
        Ok(())
    }

    /// All of it is there.
    pub fn complete(&mut self, cid: &Cid) {
        if let Some(entry) = self.entries.get_mut(cid) {
            entry.whole = true;
        }
    }

    /// Those of which all is there.
    pub fn whole(&self) -> Vec<(Cid, Extent)> {
        let whole = self.entries.iter().filter(|(_, entry)| entry.whole);
        whole.map(|(cid, entry)| (*cid, entry.extent)).collect()
    }

    /// It is not kept any more.
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
            let fits = self.used() <= self.quota && self.files() <= MAX_KEPT_MEMBERS;
            if fits && self.count() <= MAX_KEPT {
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
