//! Whom to ask for history, and when: relays that keep it, and a few members who have something else than we.
//!
//! While messages are under way everybody differs from everybody, and whoever asked them all would soon be connected to
//! all. So each member has few partners, the same ones as long as they answer. Knows holders by their peer ids, and
//! whether asking them was of use. Does not know messages.

use super::log::Digest;
use crate::limits::{
    HISTORY_ASKED, HISTORY_DEADLINE, HISTORY_GUEST_EVERY, HISTORY_PARTNERS, HISTORY_RETRY,
    HISTORY_RETRY_LONGEST, HISTORY_RETRY_UNREACHED, HISTORY_UNDER_WAY, MAX_ROOM_MEMBERS,
    MAX_SAFE_INTEGER,
};
use crate::proto::Millis;
use crate::proto::prng::Prng;
use crate::sorted::SortedMap;

/// An answer that does not come counts as none after this: the request itself has failed before.
const GIVEN_UP: Millis = 3 * HISTORY_DEADLINE.as_millis() as Millis;

/// Members that may ask one of them within a quarter of [`HISTORY_RETRY`]; in larger rooms they take longer.
const CROWD: u64 = 8;

/// How often somebody was asked in vain, and how near it is: the lowest are asked first.
type Place = (u32, u64);

/// Somebody who has messages.
#[derive(Clone, Debug)]
struct Holder {
    /// Relays are asked now and then, members only when they differ from us.
    relay: bool,
    /// A member that is asked whenever it differs.
    partner: bool,
    place: Place,
    differs: bool,
    /// What a member said last that it has, whether twice, and what both had when it was asked last.
    has: Digest,
    stable: bool,
    /// Whether it had more than we when it said so last.
    ahead: bool,
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
    me: Vec<u8>,
    holders: SortedMap<Vec<u8>, Holder>,
    /// Whether anybody has given all that there is.
    met: bool,
    /// When a member that is no partner may be asked.
    guest_at: Millis,
    random: Prng,
}

impl Sync {
    pub fn new(me: Vec<u8>, seed: u64) -> Self {
        Sync {
            me,
            holders: SortedMap::default(),
            met: false,
            guest_at: 0,
            random: Prng::new(seed),
        }
    }

    /// A relay may have messages: it is asked at once.
    pub fn relay(&mut self, peer: Vec<u8>, now: Millis) {
        let holder = self.holder(peer, true);
        if let Some(holder) = holder {
            (holder.relay, holder.differs) = (true, true);
            (holder.due, holder.wait) = (now, HISTORY_RETRY);
        }
    }

    /// A member says what it has. While messages are under way that is something else than we have all the time: once
    /// somebody has given us all, one that has not much more than we is asked only when it has more, or says the same,
    /// twice. One that was asked in vain is asked again soon only when it says the same twice, and both sides have
    /// something else than then.
    pub fn member(&mut self, peer: Vec<u8>, theirs: Digest, ours: Digest, now: Millis) {
        let due = now + self.moment();
        let most = ours.count + if self.met { HISTORY_UNDER_WAY } else { 0 };
        let Some(holder) = self.holder(peer, false) else {
            return;
        };
        holder.stable = holder.has == theirs;
        holder.has = theirs;
        let ahead = theirs.count > ours.count;
        let lead = std::mem::replace(&mut holder.ahead, ahead) && ahead;
        if theirs == ours {
            holder.differs = false;
            return;
        }
        if !holder.differs && (holder.stable || lead || theirs.count > most) {
            holder.differs = true;
            (holder.due, holder.wait) = (due, HISTORY_RETRY);
        }
        if holder.stable && holder.compared != Some((theirs, ours)) {
            holder.compared = Some((theirs, ours));
            holder.wait = HISTORY_RETRY;
            holder.due = holder.due.min(due);
        }
    }

    fn holder(&mut self, peer: Vec<u8>, relay: bool) -> Option<&mut Holder> {
        // Members must not leave relays without a place.
        let room = relay || self.holders.len() < MAX_ROOM_MEMBERS;
        if !self.holders.contains_key(&peer) && room {
            let holder = Holder {
                relay,
                partner: false,
                place: (0, distance(&self.me, &peer)),
                differs: false,
                has: Digest::default(),
                stable: false,
                ahead: false,
                compared: None,
                due: 0,
                wait: HISTORY_RETRY,
                before: MAX_SAFE_INTEGER,
                asked: None,
                fruitful: false,
            };
            self.holders.insert(peer.clone(), holder);
        }
        self.holders.get_mut(&peer)
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

    /// Something is missing that anybody may have who does not have just what we have. Everybody misses it, and not all
    /// ask at the same moment.
    pub fn wanted(&mut self, ours: Digest, now: Millis) {
        let later = now + self.moment();
        for holder in self.holders.values_mut() {
            let may_have = holder.relay || holder.has != ours;
            if may_have && !std::mem::replace(&mut holder.differs, true) {
                holder.due = later + holder.wait;
            }
        }
    }

    /// So that not everybody asks the same ones at the same time.
    fn moment(&mut self) -> Millis {
        let crowds = 1 + self.holders.len() as u64 / CROWD;
        self.random.below(HISTORY_RETRY / 4 * crowds)
    }

    /// Whom to ask now, and before which time.
    pub fn next_to_ask(&mut self, now: Millis) -> Option<(Vec<u8>, Millis)> {
        let mut under_way = 0;
        for holder in self.holders.values_mut() {
            if holder.asked.is_some_and(|asked| asked + GIVEN_UP <= now) {
                holder.failed(now);
            }
            under_way += usize::from(holder.asked.is_some());
        }
        if under_way >= HISTORY_ASKED {
            return None;
        }
        let (_, peer) = self.turn().filter(|(due, _)| *due <= now)?;
        let free = self.free();
        let holder = self.holders.get_mut(&peer)?;
        match holder.may_be_partner(free) {
            true => holder.partner = !holder.relay,
            false => self.guest_at = now + HISTORY_GUEST_EVERY,
        }
        holder.asked = Some(now);
        Some((peer, holder.before))
    }

    /// When there is something to do.
    pub fn next(&self) -> Option<Millis> {
        let (mut under_way, mut first) = (0, None);
        for asked in self.holders.values().filter_map(|one| one.asked) {
            under_way += 1;
            first = first.into_iter().chain([asked + GIVEN_UP]).min();
        }
        if under_way >= HISTORY_ASKED {
            return first;
        }
        let turn = self.turn().map(|(due, _)| due);
        turn.into_iter().chain(first).min()
    }

    /// Up to which place members may become partners, if there are too few.
    fn free(&self) -> Option<Place> {
        let (mut partners, mut nearest) = (0, Vec::with_capacity(HISTORY_PARTNERS + 1));
        for one in self.holders.values().filter(|one| !one.relay) {
            if one.partner {
                partners += 1;
            } else if nearest.len() < HISTORY_PARTNERS || nearest.last() > Some(&one.place) {
                let at = nearest.partition_point(|nearer| *nearer < one.place);
                nearest.insert(at, one.place);
                nearest.truncate(HISTORY_PARTNERS);
            }
        }
        nearest.truncate(HISTORY_PARTNERS.saturating_sub(partners));
        nearest.pop()
    }

    /// Who is asked next, and when: relays and partners, and now and then another member who goes on to have something
    /// else, so that partners who keep something to themselves do not keep it for ever.
    fn turn(&self) -> Option<(Millis, Vec<u8>)> {
        // Nobody, most of the time.
        if !self.holders.values().any(Holder::is_wanted) {
            return None;
        }
        let free = self.free();
        let wanted = self.holders.iter().filter(|(_, one)| one.is_wanted());
        let turns = wanted.filter_map(|(peer, one)| {
            let due = match one.may_be_partner(free) {
                true => one.due,
                false if one.stable => one.due.max(self.guest_at),
                false => return None,
            };
            Some((due, !one.relay, one.place, peer))
        });
        let (due, _, _, peer) = turns.min()?;
        Some((due, peer.clone()))
    }

    /// Somebody has answered with so many new messages, and goes on before a time or not at all. Now we have this.
    pub fn answered(
        &mut self,
        peer: &Vec<u8>,
        new: usize,
        more: Option<Millis>,
        ours: Digest,
        now: Millis,
    ) {
        let Some(holder) = self.holders.get_mut(peer) else {
            return;
        };
        if new > 0 {
            (holder.fruitful, holder.place.0) = (true, 0);
            let partner = std::mem::replace(&mut holder.partner, !holder.relay);
            if !partner && !holder.relay {
                self.too_many_partners(peer);
            }
        }
        let Some(holder) = self.holders.get_mut(peer) else {
            return;
        };
        // A page of nothing new is followed by an older one: what was deleted here may stand before what is missing.
        if let Some(before) = more.filter(|before| new > 0 || *before < holder.before) {
            holder.before = before;
            (holder.asked, holder.due) = (None, now);
            return;
        }
        let fruitful = holder.fruitful;
        holder.ended(now);
        self.met = true;
        let Some(holder) = self.holders.get_mut(peer) else {
            return;
        };
        if !fruitful && holder.has.count > ours.count {
            // It said that it has more.
            holder.partner = false;
        }
    }

    /// A guest was of use and is a partner now: the least useful other one gives way, if there are too many.
    fn too_many_partners(&mut self, guest: &Vec<u8>) {
        let partners = self.holders.values();
        let partners = partners.filter(|one| one.partner && !one.relay);
        if partners.count() > HISTORY_PARTNERS {
            let others = self.holders.iter_mut();
            let others = others.filter(|(peer, one)| one.partner && *peer != guest);
            if let Some((_, worst)) = others.max_by_key(|(_, one)| one.place) {
                worst.partner = false;
            }
        }
    }

    /// How many may be asked.
    #[cfg(test)]
    pub fn holders(&self) -> usize {
        self.holders.len()
    }

    /// Somebody has not answered.
    pub fn failed(&mut self, peer: &Vec<u8>, now: Millis) {
        if let Some(holder) = self.holders.get_mut(peer) {
            holder.failed(now);
        }
    }
}

impl Holder {
    fn is_wanted(&self) -> bool {
        self.asked.is_none() && (self.relay || self.differs)
    }

    /// Whether it is asked as a partner; relays always are.
    fn may_be_partner(&self, free: Option<Place>) -> bool {
        self.relay || self.partner || free.is_some_and(|last| self.place <= last)
    }

    fn ended(&mut self, now: Millis) {
        (self.wait, self.place.0) = match self.fruitful {
            true => (HISTORY_RETRY, 0),
            false => (
                (self.wait * 2).min(HISTORY_RETRY_LONGEST),
                self.place.0.saturating_add(1),
            ),
        };
        self.asked = None;
        self.before = MAX_SAFE_INTEGER;
        self.fruitful = false;
        self.due = now + self.wait;
    }

    fn failed(&mut self, now: Millis) {
        self.ended(now);
        self.partner = false;
        // It may be the only one that has something, and be reached the next time.
        self.wait = self.wait.min(HISTORY_RETRY_UNREACHED);
        self.due = now + self.wait;
    }
}

/// How near two peers are: the same both ways, so that partners are partners of each other, and for every pair
/// something else, so that nobody is everybody's.
fn distance(one: &[u8], other: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(one.min(other)).update(one.max(other));
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests;
