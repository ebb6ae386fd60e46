use std::collections::BTreeSet;

use super::*;
use crate::limits::{MINUTE, PRESENCE_EVERY};

fn peer(number: usize) -> Vec<u8> {
    vec![number as u8]
}

fn digest(count: u64) -> Digest {
    Digest { count, sum: count }
}

/// What a member does that hears of many others, and how they answer.
struct Crowd {
    sync: Sync,
    now: Millis,
    ours: Digest,
    asked: Vec<Vec<u8>>,
}

impl Crowd {
    fn new() -> Crowd {
        Crowd {
            sync: Sync::new(peer(0), 1),
            now: 0,
            ours: digest(10),
            asked: Vec::new(),
        }
    }

    /// Everybody says what they have, and is asked by the rules until it is said again.
    fn round(
        &mut self,
        members: usize,
        has: impl Fn(usize) -> Digest,
        answer: impl Fn(&[u8]) -> Option<usize>,
    ) {
        for number in 1..=members {
            let theirs = has(number);
            self.sync.member(peer(number), theirs, self.ours, self.now);
        }
        let end = self.now + PRESENCE_EVERY;
        while let Some(at) = self.sync.next().filter(|at| *at < end) {
            self.now = self.now.max(at);
            while let Some((peer, _)) = self.sync.next_to_ask(self.now) {
                match answer(&peer) {
                    Some(new) => self.sync.answered(&peer, new, None, self.ours, self.now),
                    None => self.sync.failed(&peer, self.now),
                }
                self.asked.push(peer);
            }
        }
        self.now = end;
    }

    fn different(&self) -> usize {
        let different: BTreeSet<_> = self.asked.iter().collect();
        different.len()
    }
}

#[test]
fn who_differs_from_everybody_asks_few_and_always_the_same() {
    let mut crowd = Crowd::new();
    for round in 0..24 {
        // Messages are under way all the time.
        crowd.round(49, |number| digest(20 + round + number as u64), |_| Some(1));
    }
    assert!(crowd.asked.len() > 100, "{} requests", crowd.asked.len());
    assert_eq!(crowd.different(), HISTORY_PARTNERS);
}

#[test]
fn whoever_does_not_answer_or_has_less_than_it_says_gives_way() {
    for answer in [None, Some(0)] {
        let mut crowd = Crowd::new();
        let gives = |peer: &[u8]| match peer[0] % 10 {
            3 => Some(1),
            _ => answer,
        };
        for round in 0..24 {
            crowd.round(40, |_| digest(20 + round), gives);
        }
        let last: BTreeSet<u8> = crowd.asked[crowd.asked.len() - 20..]
            .iter()
            .map(|peer| peer[0] % 10)
            .collect();
        assert_eq!(last, BTreeSet::from([3]), "{answer:?}");
    }
}

#[test]
fn one_that_has_what_the_partners_lack_is_asked_all_the_same() {
    let mut crowd = Crowd::new();
    for number in 1..=49 {
        let mut alone = Crowd::new();
        let has = |one| {
            if one == number {
                digest(11)
            } else {
                digest(10)
            }
        };
        for _ in 0..6 {
            alone.round(49, has, |_| Some(1));
        }
        assert!(alone.asked.contains(&peer(number)), "{number}");
        assert_eq!(alone.different(), 1);
        crowd.asked.extend(alone.asked);
    }
    assert_eq!(crowd.different(), 49);
}

#[test]
fn guests_come_seldom() {
    let mut crowd = Crowd::new();
    // All have less, so that nobody is of use.
    let rounds = 5 * MINUTE / PRESENCE_EVERY;
    for _ in 0..rounds {
        crowd.round(200, |number| digest(number as u64 % 9), |_| Some(0));
    }
    let most = HISTORY_PARTNERS as u64 + 5 * MINUTE / HISTORY_GUEST_EVERY;
    assert!(crowd.different() as u64 <= most, "{}", crowd.different());
}

#[test]
fn relays_are_asked_first_and_however_many_members_there_are() {
    let mut crowd = Crowd::new();
    let relay = vec![9, 9];
    for number in 0..2 * MAX_ROOM_MEMBERS {
        let phantom = number.to_be_bytes().to_vec();
        crowd
            .sync
            .member(phantom, digest(20), crowd.ours, crowd.now);
    }
    crowd.sync.relay(relay.clone(), crowd.now);
    let (first, _) = crowd.sync.next_to_ask(crowd.now).expect("it is due");
    assert_eq!(first, relay);
}

#[test]
fn two_peers_are_as_near_to_each_other() {
    let (one, other) = (peer(1), peer(2));
    assert_eq!(distance(&one, &other), distance(&other, &one));
    assert_ne!(distance(&one, &other), distance(&one, &peer(3)));
}
