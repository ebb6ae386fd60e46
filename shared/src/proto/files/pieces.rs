//! Which pieces of a file somebody has: a map of bits, and how it travels.
//!
//! Knows positions and runs. Does not know what a piece is.

use std::ops::Range;

use unsigned_varint::{decode, encode};

use crate::limits::{MAX_FILE, MAX_RUNS, PIECE};

/// No file has more.
pub const MAX_PIECES: u64 = MAX_FILE / PIECE;

/// A set of pieces of one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pieces {
    length: u64,
    count: u64,
    words: Vec<u64>,
}

impl Pieces {
    /// None of so many.
    pub fn none(length: u64) -> Pieces {
        let length = length.min(MAX_PIECES);
        let words = vec![0; length.div_ceil(64) as usize];
        Pieces {
            length,
            count: 0,
            words,
        }
    }

    /// All of so many.
    pub fn all(length: u64) -> Pieces {
        let mut pieces = Pieces::none(length);
        pieces.insert_range(0..length);
        pieces
    }

    /// Of how many pieces it says something.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many are in it.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether all are.
    pub fn is_full(&self) -> bool {
        self.count == self.length
    }

    /// Whether a piece is.
    pub fn has(&self, piece: u64) -> bool {
        let word = self.words.get((piece / 64) as usize).copied();
        word.is_some_and(|word| word >> (piece % 64) & 1 == 1)
    }

    /// Puts a piece in; false when it was there, or there is no such piece.
    pub fn insert(&mut self, piece: u64) -> bool {
        if piece >= self.length || self.has(piece) {
            return false;
        }
        self.words[(piece / 64) as usize] |= 1 << (piece % 64);
        self.count += 1;
        true
    }

    /// Puts some in.
    pub fn insert_range(&mut self, pieces: Range<u64>) {
        for piece in pieces.start..pieces.end.min(self.length) {
            self.insert(piece);
        }
    }

    /// Takes a piece out; false when it was not there.
    pub fn remove(&mut self, piece: u64) -> bool {
        if !self.has(piece) {
            return false;
        }
        self.words[(piece / 64) as usize] &= !(1 << (piece % 64));
        self.count -= 1;
        true
    }

    /// 64 pieces at once, from a multiple of 64 on, the first one in the lowest bit.
    pub fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or_default()
    }

    /// Those that are in it.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        let words = (0u64..).zip(&self.words);
        words.flat_map(|(at, word)| ones(*word).map(move |bit| at * 64 + bit))
    }

    /// How much is in it, in percent, of stretches of about one length: at most so many. Only a full one has 100.
    pub fn shares(&self, most: u64) -> Vec<u8> {
        let stretches = self.length.min(most);
        let begin = |at: u64| at * self.length / stretches;
        let share = |at: u64| {
            let stretch = begin(at)..begin(at + 1);
            let length = stretch.end - stretch.start;
            let there = stretch.filter(|piece| self.has(*piece)).count() as u64;
            (there * 100 / length) as u8
        };
        (0..stretches).map(share).collect()
    }

    /// What there is from a piece on, as far as it fits one message.
    pub fn runs(&self, from: u64) -> Runs {
        let mut bytes = Vec::new();
        let (mut at, mut present) = (from.min(self.length), false);
        while at < self.length && bytes.len() + 5 <= MAX_RUNS {
            let end = self.run(at, present);
            bytes.extend_from_slice(encode::u64(end - at, &mut encode::u64_buffer()));
            (at, present) = (end, !present);
        }
        let from = from.min(self.length);
        Runs { from, bytes }
    }

    /// The end of the run of pieces that are there, or are not.
    fn run(&self, from: u64, present: bool) -> u64 {
        let mut at = from;
        while at < self.length {
            let word = self.word((at / 64) as usize) >> (at % 64);
            let same = match present {
                true => word.trailing_ones(),
                false => word.trailing_zeros(),
            };
            let left = 64 - at % 64;
            at += u64::from(same).min(left);
            if u64::from(same) < left {
                break;
            }
        }
        at.min(self.length)
    }
}

/// The ones in a word, the lowest first.
pub(super) fn ones(mut word: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| u64::from(word.trailing_zeros()));
        word &= word.wrapping_sub(1);
        bit
    })
}

/// A part of a map as it travels: how many pieces are absent, present, absent, … one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// The first piece of which it says something.
    pub from: u64,
    /// Lengths of the runs, as varints. Only the first one may be 0.
    pub bytes: Vec<u8>,
}

impl Runs {
    /// The runs that are present, and where the last run ends, for a file of so many pieces.
    pub fn read(&self, length: u64) -> Option<(Vec<Range<u64>>, u64)> {
        let (mut rest, mut at) = (self.bytes.as_slice(), self.from);
        if rest.len() > MAX_RUNS || at > length {
            return None;
        }
        let (mut present, mut runs) = (false, Vec::new());
        while !rest.is_empty() {
            let (run, after) = decode::u64(rest).ok()?;
            let end = at.checked_add(run).filter(|end| *end <= length)?;
            if run == 0 && (present || rest.len() != self.bytes.len()) {
                return None;
            }
            if present {
                runs.push(at..end);
            }
            (at, rest, present) = (end, after, !present);
        }
        Some((runs, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::prng::Prng;

    /// A map of runs of random lengths.
    fn map(length: u64, longest: u64, seed: u64) -> Pieces {
        let (mut random, mut pieces) = (Prng::new(seed), Pieces::none(length));
        let mut at = 0;
        while at < length {
            let absent = random.below(longest + 1);
            let present = 1 + random.below(longest);
            pieces.insert_range(at + absent..at + absent + present);
            at += absent + present;
        }
        pieces
    }

    #[test]
    fn pieces_go_in_and_out() {
        let mut pieces = Pieces::none(130);
        assert!(pieces.insert(0) && pieces.insert(64) && pieces.insert(129));
        assert!(!pieces.insert(64) && !pieces.insert(130) && !pieces.has(130));
        assert_eq!(pieces.iter().collect::<Vec<_>>(), [0, 64, 129]);
        assert!(pieces.remove(64) && !pieces.remove(64));
        assert_eq!((pieces.count(), pieces.is_full()), (2, false));
        let all = Pieces::all(130);
        assert!(all.is_full() && all.has(129) && !all.has(130));
        assert_eq!(all.iter().count(), 130);
        assert!(Pieces::none(0).is_full());
    }

    #[test]
    fn shares_tell_what_is_there_of_each_stretch() {
        let mut pieces = Pieces::none(7);
        pieces.insert_range(1..4);
        assert_eq!(pieces.shares(10), [0, 100, 100, 100, 0, 0, 0]);
        assert_eq!(pieces.shares(3), [50, 100, 0]);
        assert!(pieces.shares(0).is_empty() && Pieces::none(0).shares(3).is_empty());
        let mut pieces = Pieces::all(MAX_PIECES);
        assert!(pieces.remove(MAX_PIECES - 1));
        let shares = pieces.shares(128);
        assert_eq!((shares.len(), shares[126], shares[127]), (128, 100, 99));
    }

    #[test]
    fn runs_are_read_back_page_by_page() {
        for (length, longest) in [(1, 1), (63, 5), (64, 64), (1_000, 200), (100_000, 2)] {
            for seed in 0..5 {
                let pieces = map(length, longest, seed);
                let (mut copy, mut from, mut pages) = (Pieces::none(length), 0, 0);
                while from < length {
                    let runs = pieces.runs(from);
                    assert!(runs.bytes.len() <= MAX_RUNS);
                    let (present, end) = runs.read(length).expect("what was written");
                    assert!(end > from, "it goes on");
                    present.into_iter().for_each(|run| copy.insert_range(run));
                    (from, pages) = (end, pages + 1);
                }
                assert_eq!(copy, pieces, "{length} {longest} {seed}");
                assert_eq!(pages > 1, length == 100_000, "{pages}");
            }
        }
    }

    #[test]
    fn other_runs_are_refused() {
        let read = |from, bytes: &[u8]| {
            Runs {
                from,
                bytes: bytes.to_vec(),
            }
            .read(10)
        };
        assert_eq!(read(0, &[0, 3, 2, 5]), Some((vec![0..3, 5..10], 10)));
        assert_eq!(read(10, &[]), Some((Vec::new(), 10)));
        for bad in [
            &[0, 3, 0][..],
            &[3, 0],
            &[0, 0],
            &[11],
            &[0x80, 0],
            &[0x80],
            &[5, 6],
        ] {
            assert_eq!(read(0, bad), None, "{bad:?}");
        }
        assert_eq!(read(11, &[]), None);
        assert_eq!(read(0, &vec![1; MAX_RUNS + 1]), None);
        let vast = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(read(1, &vast), None);
    }
}
