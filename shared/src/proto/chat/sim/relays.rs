//! What lies between many devices: relays that each know some others, and devices at one or two of them.

use std::collections::VecDeque;

use crate::proto::prng::Prng;

/// So many of a hundred pairs of devices do not reach each other.
const APART: u64 = 10;

pub struct Relays {
    /// The relays that a relay gives packets to.
    links: Vec<Vec<usize>>,
    /// The relays of each device.
    homes: Vec<Vec<usize>>,
    seed: u64,
}

impl Relays {
    /// A ring with some chords, so that there is a way between any two.
    pub fn new(seed: u64, relays: usize, devices: usize) -> Relays {
        let mut random = Prng::new(seed);
        let mut any = || random.below(relays as u64) as usize;
        let mut links = vec![Vec::new(); relays];
        for one in 0..relays {
            for other in [(one + 1) % relays, any()] {
                if one != other && !links[one].contains(&other) {
                    links[one].push(other);
                    links[other].push(one);
                }
            }
        }
        let homes = (0..devices).map(|device| {
            let mut homes = vec![device % relays];
            homes.extend(Some(any()).filter(|other| device % 2 == 0 && *other != device % relays));
            homes
        });
        Relays {
            links,
            homes: homes.collect(),
            seed,
        }
    }

    /// The devices that a packet of one of them comes to, once from each of their relays.
    pub fn reached(&self, from: usize, mut lost: impl FnMut() -> bool) -> Vec<usize> {
        let mut has = vec![false; self.links.len()];
        let mut fresh = VecDeque::new();
        let mut told = self.homes[from].as_slice();
        loop {
            for relay in told {
                if !lost() && !std::mem::replace(&mut has[*relay], true) {
                    fresh.push_back(*relay);
                }
            }
            let Some(relay) = fresh.pop_front() else {
                break;
            };
            told = &self.links[relay];
        }
        let ways = self.homes.iter().enumerate();
        let ways = ways.flat_map(|(device, homes)| homes.iter().map(move |home| (device, *home)));
        let reached = ways.filter(|(_, home)| has[*home] && !lost());
        reached.map(|(device, _)| device).collect()
    }

    /// Whether two devices cannot reach each other.
    pub fn are_apart(&self, one: usize, other: usize) -> bool {
        let pair = (one.min(other) as u64) << 32 | one.max(other) as u64;
        Prng::new(self.seed ^ pair).below(100) < APART
    }
}
