//! Whom to ask for history, and when: relays that keep it, and members who have something else than we.
//!
//! Knows holders by their peer ids, and whether asking them was of use. Does not know messages.

use super::log::Digest;
use crate::limits::{
    HISTORY_ASKED, HISTORY_DEADLINE, HISTORY_RETRY, HISTORY_RETRY_LONGEST, HISTORY_RETRY_UNREACHED,
    MAX_ROOM_MEMBERS, MAX_SAFE_INTEGER,
};
use crate::proto::Millis;
use crate::proto::prng::Prng;
use crate::sorted::SortedMap;

/// An answer that does not come counts as none after this: the request itself has failed before.
const GIVEN_UP: Millis = 3 * HISTORY_DEADLINE.as_millis() as Millis;

/// Somebody who has messages.
#[derive(Clone, Debug)]
struct Holder {
    /// Relays are asked now and then, members only when they differ from us.
    relay: bool,
    differs: bool,
    /// What a member said last that it has, and what both had when it was asked last.
    has: Digest,
    compared: Option<(Digest, Digest)>,
    due: Millis,
    wait: Millis,
    /// What comes next of a history in pages.
    before: Millis,
    asked: Option<Millis>,
    /// Whether this history brought anything.
    fruitful: bool,
}

pub(super) struct Sync {
    holders: SortedMap<Vec<u8>, Holder>,
    random: Prng,
}

impl Sync {
    pub fn new(seed: u64) -> Self {
        Sync {
            holders: SortedMap::default(),
            random: Prng::new(seed),
        }
    }

    /// A relay may have messages: it is asked at once.
    pub fn relay(&mut self, peer: Vec<u8>, now: Millis) {
        self.add(peer, true, now);
    }

    /// A member has something else than we. While messages are under way that is so all the time; one
    /// that was asked in vain is asked again soon only when it says the same twice, and both sides have
    /// something else than then.
    pub fn member(&mut self, peer: Vec<u8>, theirs: Digest, ours: Digest, now: Millis) {
        // Not everybody asks the same one at the same moment.
        let due = now + self.random.below(HISTORY_RETRY / 4);
        self.add(peer.clone(), false, due);
        if let Some(holder) = self.holders.get_mut(&peer) {
            let stable = holder.has == theirs;
            holder.has = theirs;
            if stable && holder.compared != Some((theirs, ours)) {
                holder.compared = Some((theirs, ours));
                holder.wait = HISTORY_RETRY;
                holder.due = holder.due.min(due);
            }
        }
    }

    fn add(&mut self, peer: Vec<u8>, relay: bool, due: Millis) {
        if let Some(known) = self.holders.get_mut(&peer) {
            if relay || !known.differs {
                (known.due, known.wait) = (due, HISTORY_RETRY);
            }
            known.relay |= relay;
            known.differs = true;
        } else if self.holders.len() < MAX_ROOM_MEMBERS {
            let holder = Holder {
                relay,
                differs: true,
                has: Digest::default(),
                compared: None,
                due,
                wait: HISTORY_RETRY,
                before: MAX_SAFE_INTEGER,
                asked: None,
                fruitful: false,
            };
            self.holders.insert(peer, holder);
        }
    }

    /// A member has the same as we.
    pub fn agrees(&mut self, peer: &Vec<u8>) {
        if let Some(holder) = self.holders.get_mut(peer).filter(|holder| !holder.relay) {
            holder.differs = false;
        }
    }

    /// Somebody is not there any more, or does not keep messages.
    pub fn remove(&mut self, peer: &Vec<u8>) {
        self.holders.remove(peer);
    }

    /// The last member of a peer has left.
    pub fn no_member(&mut self, peer: &Vec<u8>) {
        if self.holders.get(peer).is_some_and(|holder| !holder.relay) {
            self.holders.remove(peer);
        }
    }

    /// Something is missing that anybody may have.
    pub fn wanted(&mut self, now: Millis) {
        for holder in self.holders.values_mut() {
            holder.differs = true;
            holder.due = holder.due.min(now + holder.wait);
        }
    }

    /// Whom to ask now, and before which time.
    pub fn next_to_ask(&mut self, now: Millis) -> Option<(Vec<u8>, Millis)> {
        for holder in self.holders.values_mut() {
            if holder.asked.is_some_and(|asked| asked + GIVEN_UP <= now) {
                holder.ended(now);
            }
        }
        let under_way = self.holders.values().filter(|one| one.asked.is_some());
        if under_way.count() >= HISTORY_ASKED {
            return None;
        }
        let idle = self.holders.iter_mut().filter(|(_, one)| one.is_wanted());
        let (peer, first) = idle.min_by_key(|(_, one)| one.due)?;
        if first.due > now {
            return None;
        }
        first.asked = Some(now);
        Some((peer.clone(), first.before))
    }

    /// When there is something to do.
    pub fn next(&self) -> Option<Millis> {
        let holders = self.holders.values();
        let under_way = holders.filter_map(|one| one.asked).map(|at| at + GIVEN_UP);
        let under_way: Vec<Millis> = under_way.collect();
        let first = under_way.iter().min().copied();
        if under_way.len() >= HISTORY_ASKED {
            return first;
        }
        let idle = self.holders.values().filter(|one| one.is_wanted());
        idle.map(|one| one.due).chain(first).min()
    }

    /// Somebody has answered with so many new messages, and goes on before a time or not at all.
    pub fn answered(&mut self, peer: &Vec<u8>, new: usize, more: Option<Millis>, now: Millis) {
        let Some(holder) = self.holders.get_mut(peer) else {
            return;
        };
        holder.fruitful |= new > 0;
        // A page of nothing new is followed by an older one: what was deleted here may stand before what is missing.
        match more.filter(|before| new > 0 || *before < holder.before) {
            Some(before) => {
                holder.before = before;
                (holder.asked, holder.due) = (None, now);
            }
            None => holder.ended(now),
        }
    }

    /// Somebody has not answered.
    pub fn failed(&mut self, peer: &Vec<u8>, now: Millis) {
        if let Some(holder) = self.holders.get_mut(peer) {
            holder.ended(now);
            // It may be the only one that has something, and be reached the next time.
            holder.wait = holder.wait.min(HISTORY_RETRY_UNREACHED);
            holder.due = now + holder.wait;
        }
    }
}

impl Holder {
    fn is_wanted(&self) -> bool {
        self.asked.is_none() && (self.relay || self.differs)
    }

    fn ended(&mut self, now: Millis) {
        self.wait = match self.fruitful {
            true => HISTORY_RETRY,
            false => (self.wait * 2).min(HISTORY_RETRY_LONGEST),
        };
        self.asked = None;
        self.before = MAX_SAFE_INTEGER;
        self.fruitful = false;
        self.due = now + self.wait;
    }
}
