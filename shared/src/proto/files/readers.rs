//! Who reads a file while it comes, and where: what they read next is to come first.
//!
//! Knows places and times, no names: a reader is a place that moves. Whoever reads what a reader would read next is that
//! reader; whoever reads elsewhere is a new one. Times are arguments.

use crate::limits::{MAX_READERS, READ_AHEAD, READER_GONE};
use crate::proto::Millis;

/// Where somebody has read of late.
#[derive(Clone, Debug, Default)]
pub struct Readers(Vec<Reader>);

#[derive(Clone, Copy, Debug)]
struct Reader {
    /// The piece that it read last.
    at: u64,
    last: Millis,
}

impl Readers {
    /// Somebody reads a piece, whether it is there or not.
    pub fn read(&mut self, piece: u64, now: Millis) {
        let Readers(readers) = self;
        let near = |reader: &&mut Reader| {
            (reader.at..reader.at.saturating_add(READ_AHEAD)).contains(&piece)
        };
        // Of two that come into question it is the one that is closer.
        let nearest = readers
            .iter_mut()
            .filter(near)
            .max_by_key(|reader| reader.at);
        if let Some(reader) = nearest {
            *reader = Reader {
                at: piece,
                last: now,
            };
            return;
        }
        if readers.len() >= MAX_READERS {
            let oldest = readers
                .iter()
                .enumerate()
                .min_by_key(|(_, reader)| reader.last);
            if let Some((oldest, _)) = oldest {
                readers.remove(oldest);
            }
        }
        readers.push(Reader {
            at: piece,
            last: now,
        });
    }

    /// Whoever waited for this piece has gone.
    pub fn leave(&mut self, piece: u64) {
        self.0.retain(|reader| reader.at != piece);
    }

    /// Where something is wanted soon: first where somebody waits, in the order in which they came, then where somebody has
    /// read last. A bounded number of places, each once.
    pub fn places(&mut self, waiting: impl Iterator<Item = u64>, now: Millis) -> Vec<u64> {
        self.0
            .retain(|reader| now < reader.last.saturating_add(READER_GONE));
        let mut places = Vec::new();
        for piece in waiting {
            if places.len() >= MAX_READERS {
                break;
            }
            if !places.contains(&piece) {
                places.push(piece);
            }
        }
        let read = self.0.iter().rev().map(|reader| reader.at);
        let read: Vec<u64> = read.filter(|at| !places.contains(at)).collect();
        places.extend(read);
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::prng::Prng;

    fn places(readers: &mut Readers, waiting: &[u64], now: Millis) -> Vec<u64> {
        readers.places(waiting.iter().copied(), now)
    }

    #[test]
    fn whoever_reads_on_is_one_reader_and_whoever_reads_elsewhere_another() {
        let mut readers = Readers::default();
        for (now, piece) in [(1, 3), (2, 4), (3, 100), (4, 5), (5, 101)] {
            readers.read(piece, now);
        }
        assert_eq!(places(&mut readers, &[], 6), [101, 5]);
        assert_eq!(places(&mut readers, &[7, 101, 7], 6), [7, 101, 5]);
        // The one that is closer has moved.
        readers.read(12, 7);
        readers.read(14, 8);
        assert_eq!(places(&mut readers, &[], 9), [101, 14]);
    }

    #[test]
    fn one_that_goes_away_or_does_not_read_is_forgotten() {
        let mut readers = Readers::default();
        readers.read(3, 0);
        readers.read(100, 1);
        readers.leave(3);
        assert_eq!(places(&mut readers, &[], READER_GONE), [100]);
        assert_eq!(places(&mut readers, &[], READER_GONE + 1), [0u64; 0]);
        // Whoever waits is there for as long as it waits.
        assert_eq!(places(&mut readers, &[9], 100 * READER_GONE), [9]);
    }

    #[test]
    fn whatever_is_read_the_places_are_few() {
        let mut random = Prng::new(7);
        let mut readers = Readers::default();
        for now in 0..5_000 {
            readers.read(random.next_u64() % 16_384, now);
            let waiting: Vec<u64> = (0..random.next_u64() % 20)
                .map(|_| random.next_u64() % 64)
                .collect();
            let found = places(&mut readers, &waiting, now);
            assert!(found.len() <= 2 * MAX_READERS, "{found:?}");
            let mut each = found.clone();
            each.sort_unstable();
            each.dedup();
            assert_eq!(each.len(), found.len(), "{found:?}");
            if let Some(first) = waiting.first() {
                assert_eq!(found[0], *first);
            }
        }
    }
}
