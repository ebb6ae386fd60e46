//! How much one source may send: a bucket for each, bounded in number.

use crate::proto::Millis;
use crate::sorted::SortedMap;

/// What one source may send.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// And then in a second.
    pub per_second: u32,
}

/// What one source has left, in thousandths.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u64,
    since: Millis,
}

/// The buckets of many sources.
pub struct Rates<K> {
    rate: Rate,
    most: usize,
    buckets: SortedMap<K, Bucket>,
}

impl<K: Ord> Rates<K> {
    /// At most so many sources are told apart.
    pub fn new(rate: Rate, most: usize) -> Self {
        Rates {
            rate,
            most,
            buckets: SortedMap::default(),
        }
    }

    /// Counts one more for a source, unless that is too much.
    pub fn allow(&mut self, source: K, now: Millis) -> bool {
        let Rate { burst, per_second } = self.rate;
        let full = u64::from(burst) * 1_000;
        let refilled = |bucket: &Bucket| {
            let since = now.saturating_sub(bucket.since);
            full.min(bucket.left + since.saturating_mul(u64::from(per_second)))
        };
        if self.buckets.len() >= self.most && !self.buckets.contains_key(&source) {
            self.buckets.retain(|_, bucket| refilled(bucket) < full);
            if self.buckets.len() >= self.most {
                return false;
            }
        }
        let fresh = Bucket {
            left: full,
            since: now,
        };
        let left = refilled(self.buckets.get(&source).unwrap_or(&fresh));
        let allowed = left >= 1_000;
        let left = left - if allowed { 1_000 } else { 0 };
        self.buckets.insert(source, Bucket { left, since: now });
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let rate = Rate {
            burst: 5,
            per_second: 2,
        };
        let mut rates = Rates::new(rate, 2);
        let mut passed = |source, now| (0..10).filter(|_| rates.allow(source, now)).count();
        assert_eq!(passed('a', 0), 5);
        assert_eq!(passed('a', 1_000), 2);
        assert_eq!(passed('b', 1_000), 5);
        assert_eq!(passed('c', 1_000), 0, "no place");
        assert_eq!(
            passed('c', 60_000),
            5,
            "those that are full again make place"
        );
    }
}
