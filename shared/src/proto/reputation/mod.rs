//! Reputation: what this peer has seen of others, and how far it trusts them for it.
//!
//! Pure: time is an argument. Knows kinds of evidence, not where they come from. Nothing of it is ever told to
//! other peers, so nobody can speak well of itself or ill of others.

mod kept;

#[cfg(test)]
mod tests;

use super::Millis;
use crate::limits::{HOUR, MAX_STANDINGS};
use crate::sorted::SortedMap;

/// Something that was seen of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It answered, after so long.
    Answered(Millis),
    /// It gave so many bytes that were verified.
    Verified(u64),
    /// It did not answer, or not in time.
    Failed,
    /// It gave what was not valid.
    Invalid,
    /// It broke a protocol.
    Violated,
}

/// Thousandths of a point: what an answer is worth, which is one.
const POINT: u64 = 1_000;
/// Bytes that are worth as much as an answer.
const BYTES: u64 = 64 * 1024;
/// What one piece of evidence counts at most, however many bytes it is about.
const MOST_AT_ONCE: u64 = 4 * POINT;
/// What is kept of either kind: enough to tell the good from the bad, little enough to change one's mind.
const MOST: u64 = 100 * POINT;
/// As if this had been seen of everybody, good and bad: few answers prove little.
const PRIOR: u64 = 2 * POINT;
/// Half of what is good is forgotten after this.
const GOOD_HALF_LIFE: Millis = 24 * HOUR;
/// Half of what is bad: whoever was broken gets another chance the same day.
const BAD_HALF_LIFE: Millis = 6 * HOUR;
/// Nobody is trusted less, in thousandths: the worst is tried now and then, too.
const FLOOR: u64 = 50;

impl Evidence {
    /// Points for good and for bad.
    fn points(self) -> (u64, u64) {
        match self {
            Evidence::Answered(_) => (POINT, 0),
            Evidence::Verified(bytes) => {
                let points = bytes.saturating_mul(POINT) / BYTES;
                (points.min(MOST_AT_ONCE), 0)
            }
            Evidence::Failed => (0, 2 * POINT),
            Evidence::Invalid => (0, 5 * POINT),
            Evidence::Violated => (0, 10 * POINT),
        }
    }
}

/// What is known of one peer. The counts only rise; what they are worth fades.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How often it answered.
    pub answers: u64,
    /// How often it did not, or not in time.
    pub failures: u64,
    /// How often it gave what was not valid.
    pub invalid: u64,
    /// How often it broke a protocol.
    pub violations: u64,
    /// Bytes that were verified.
    pub verified: u64,
    /// How long it takes to answer, the last answers counting most; nothing before the first.
    pub latency: Option<Millis>,
    /// When something was seen of it last.
    pub seen: Millis,
    good: u64,
    bad: u64,
}

impl Standing {
    fn note(&mut self, evidence: Evidence, now: Millis) {
        self.fade(now);
        let (good, bad) = evidence.points();
        self.good = (self.good + good).min(MOST);
        self.bad = (self.bad + bad).min(MOST);
        match evidence {
            Evidence::Answered(took) => {
                self.answers += 1;
                let known = self.latency.unwrap_or(took);
                self.latency = Some(known - known / 4 + took / 4);
            }
            Evidence::Verified(bytes) => self.verified = self.verified.saturating_add(bytes),
            Evidence::Failed => self.failures += 1,
            Evidence::Invalid => self.invalid += 1,
            Evidence::Violated => self.violations += 1,
        }
    }

    /// Forgets what time has made old.
    fn fade(&mut self, now: Millis) {
        let passed = now.saturating_sub(self.seen);
        self.good = faded(self.good, passed, GOOD_HALF_LIFE);
        self.bad = faded(self.bad, passed, BAD_HALF_LIFE);
        self.seen = self.seen.max(now);
    }

    /// How far it is trusted, from 50 to 1,000; 500 when nothing is known.
    pub fn trust(&self) -> u64 {
        let all = self.good + self.bad + 2 * PRIOR;
        ((self.good + PRIOR) * 1_000 / all).max(FLOOR)
    }

    /// How much is known: who has least goes first when there is no room.
    fn weight(&self) -> u64 {
        self.good + self.bad
    }
}

/// Halved for each half-life, and in a straight line between.
fn faded(points: u64, passed: Millis, half_life: Millis) -> u64 {
    let halved = points.checked_shr((passed / half_life).min(63) as u32);
    let halved = halved.unwrap_or(0);
    halved - halved * (passed % half_life) / (2 * half_life)
}

/// What is known of everybody, by peer ids in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(SortedMap<Vec<u8>, Standing>);

impl Ledger {
    /// Something was seen of a peer.
    pub fn note(&mut self, peer: &[u8], evidence: Evidence, now: Millis) {
        let peer = peer.to_vec();
        if self.0.get(&peer).is_none() {
            self.make_room(now);
            let new = Standing {
                seen: now,
                ..Standing::default()
            };
            self.0.insert(peer.clone(), new);
        }
        if let Some(standing) = self.0.get_mut(&peer) {
            standing.note(evidence, now);
        }
    }

    /// What is known of a peer, as much as it is worth now.
    pub fn standing(&self, peer: &[u8], now: Millis) -> Standing {
        let mut standing = self.0.get(&peer.to_vec()).cloned().unwrap_or_default();
        let seen = standing.seen;
        standing.fade(now);
        standing.seen = seen;
        standing
    }

    /// Everybody of whom something is known.
    pub fn peers(&self) -> impl Iterator<Item = &[u8]> {
        self.0.keys().map(Vec::as_slice)
    }

    /// Strangers come with little, so they drive out each other and nobody who is known well.
    fn make_room(&mut self, now: Millis) {
        if self.0.len() < MAX_STANDINGS {
            return;
        }
        let weight = |peer: &&Vec<u8>| self.standing(peer, now).weight();
        if let Some(least) = self.0.keys().min_by_key(weight).cloned() {
            self.0.remove(&least);
        }
    }
}
