//! Which pieces are there, under way and missing, and which of the missing ones comes first.
//!
//! Knows how many partial holders have a piece: those of which there are few may soon be nobody's. Does not know
//! how fast anybody is.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::interface::{Holding, RequestId};
use crate::limits::MAX_URGENT;
use crate::proto::files::pieces::{Pieces, ones};
use crate::proto::prng::Prng;

/// Pieces that are chosen at once: looking at all of them takes time.
const CHOSEN: usize = 64;
/// Neighbouring pieces, 4 MiB, stay together: disks and readers like that.
const RUN: u64 = 16;

/// The pieces of a download.
#[derive(Clone, Debug)]
pub(super) struct Map {
    have: Pieces,
    wanted: Pieces,
    /// Wanted and there.
    got: u64,
    /// Asked for.
    flying: Pieces,
    copies: BTreeMap<u64, Vec<RequestId>>,
    /// Bytes that are there of pieces that are not.
    parts: BTreeMap<u64, u64>,
    /// How many partial holders have it.
    holders: Vec<u16>,
    /// Wanted before all others, in this order.
    urgent: Vec<u64>,
    seed: u64,
}

impl Map {
    pub fn new(have: Pieces, seed: u64) -> Map {
        let length = have.length();
        Map {
            got: have.count(),
            wanted: Pieces::all(length),
            flying: Pieces::none(length),
            copies: BTreeMap::new(),
            parts: BTreeMap::new(),
            holders: vec![0; length as usize],
            urgent: Vec::new(),
            have,
            seed,
        }
    }

    pub fn have(&self) -> &Pieces {
        &self.have
    }

    pub fn wanted(&self) -> u64 {
        self.wanted.count()
    }

    pub fn got(&self) -> u64 {
        self.got
    }

    pub fn is_done(&self) -> bool {
        self.got == self.wanted.count()
    }

    /// Whether a piece is still of use.
    pub fn needs(&self, piece: u64) -> bool {
        self.wanted.has(piece) && !self.have.has(piece)
    }

    fn is_missing(&self, piece: u64) -> bool {
        self.needs(piece) && !self.flying.has(piece)
    }

    /// Whether all that is wanted was asked for.
    pub fn all_asked(&self) -> bool {
        self.wanted.count() - self.got == self.flying.count()
    }

    /// What is under way, and by which requests.
    pub fn flying(&self) -> impl Iterator<Item = (u64, &[RequestId])> {
        let copies = self.copies.iter();
        copies.map(|(piece, requests)| (*piece, requests.as_slice()))
    }

    /// Only these are wanted from now on.
    pub fn want(&mut self, wanted: Pieces) {
        self.wanted = wanted;
        self.got = self.wanted.iter().filter(|at| self.have.has(*at)).count() as u64;
        let wanted = &self.wanted;
        self.copies.retain(|piece, _| wanted.has(*piece));
        self.urgent.retain(|piece| wanted.has(*piece));
        let mut flying = Pieces::none(self.have.length());
        self.copies.keys().for_each(|piece| {
            flying.insert(*piece);
        });
        self.flying = flying;
    }

    /// These come first, each once; those before count no more.
    pub fn prefer(&mut self, pieces: impl Iterator<Item = u64>) {
        let mut seen = BTreeSet::new();
        let new = pieces.filter(|piece| self.needs(*piece) && seen.insert(*piece));
        self.urgent = new.take(MAX_URGENT).collect();
    }

    pub fn urgent(&self) -> &[u64] {
        &self.urgent
    }

    /// A piece is asked for; gives all requests for it.
    pub fn asked(&mut self, piece: u64, request: RequestId) -> &[RequestId] {
        self.flying.insert(piece);
        let copies = self.copies.entry(piece).or_default();
        copies.push(request);
        copies
    }

    /// So many bytes of a piece are there.
    pub fn came(&mut self, piece: u64, bytes: u64) {
        if bytes > 0 && !self.have.has(piece) {
            let part = self.parts.entry(piece).or_default();
            *part = bytes.max(*part);
        }
    }

    pub fn part(&self, piece: u64) -> u64 {
        self.parts.get(&piece).copied().unwrap_or(0)
    }

    /// A request will bring nothing. Whether its piece is missing again.
    pub fn failed(&mut self, piece: u64, request: RequestId) -> bool {
        let Some(copies) = self.copies.get_mut(&piece) else {
            return false;
        };
        copies.retain(|copy| *copy != request);
        if !copies.is_empty() {
            return false;
        }
        self.copies.remove(&piece);
        self.flying.remove(piece);
        true
    }

    /// A piece is there; gives the requests for it.
    pub fn arrived(&mut self, piece: u64) -> Vec<RequestId> {
        if self.have.insert(piece) && self.wanted.has(piece) {
            self.got += 1;
        }
        self.flying.remove(piece);
        self.parts.remove(&piece);
        self.urgent.retain(|urgent| *urgent != piece);
        self.copies.remove(&piece).unwrap_or_default()
    }

    /// A partial holder comes, with what it has, or goes.
    pub fn held(&mut self, holding: &Option<Holding>, comes: bool) {
        let Some(Holding::Some(pieces)) = holding else {
            return;
        };
        for piece in pieces.iter() {
            self.held_one(piece, comes);
        }
    }

    pub fn held_one(&mut self, piece: u64, comes: bool) {
        if let Some(holders) = self.holders.get_mut(piece as usize) {
            *holders = match comes {
                true => holders.saturating_add(1),
                false => holders.saturating_sub(1),
            };
        }
    }

    /// A missing piece that somebody wants before others, of those in a holding.
    pub fn urgent_of(&self, holding: &Holding) -> Option<u64> {
        let urgent = self.urgent.iter().copied();
        urgent.into_iter().find(|piece| {
            let has = match holding {
                Holding::All => true,
                Holding::Some(pieces) => pieces.has(*piece),
            };
            has && self.is_missing(*piece)
        })
    }

    /// The next of the chosen pieces that is still missing.
    pub fn next_of(&self, chosen: &mut Vec<u64>) -> Option<u64> {
        while let Some(piece) = chosen.pop() {
            if self.is_missing(piece) {
                return Some(piece);
            }
        }
        None
    }

    /// The missing pieces of a holding that come first, the very first one last: those that the fewest have, and
    /// of these a run that depends on the seed and on the source.
    pub fn choose(&self, holding: &Holding, source: u64) -> Vec<u64> {
        let mut best = BinaryHeap::with_capacity(CHOSEN + 1);
        let seed = self.seed ^ source.rotate_left(32);
        for index in 0..self.have.length().div_ceil(64) as usize {
            let held = match holding {
                Holding::All => u64::MAX,
                Holding::Some(pieces) => pieces.word(index),
            };
            let known = self.have.word(index) | self.flying.word(index);
            for bit in ones(held & self.wanted.word(index) & !known) {
                let piece = index as u64 * 64 + bit;
                let holders = self.holders[piece as usize];
                let place = Prng::new(seed.wrapping_add(piece / RUN)).next_u64();
                best.push((holders, place, piece));
                if best.len() > CHOSEN {
                    best.pop();
                }
            }
        }
        let sorted = best.into_sorted_vec().into_iter().rev();
        sorted.map(|(.., piece)| piece).collect()
    }

    /// How many wanted pieces nobody of these has.
    pub fn nowhere<'a>(&self, holdings: impl Iterator<Item = &'a Holding> + Clone) -> u64 {
        let words = 0..self.have.length().div_ceil(64) as usize;
        let missing = words.map(|index| {
            let held = holdings.clone().fold(0, |held, holding| match holding {
                Holding::All => u64::MAX,
                Holding::Some(pieces) => held | pieces.word(index),
            });
            let missing = self.wanted.word(index) & !self.have.word(index) & !held;
            u64::from(missing.count_ones())
        });
        missing.sum()
    }
}
