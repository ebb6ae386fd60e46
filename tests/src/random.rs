//! Randomness that a failed test can be repeated with. Not for secrets.

use warren_shared::platform;

/// A generator (SplitMix64) that tells its seed when the test using it fails.
pub struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// Seeded by `WARREN_SEED`, or anew.
    pub fn new() -> Self {
        let seed = std::env::var("WARREN_SEED")
            .ok()
            .map(|text| text.parse().expect("WARREN_SEED is a number"))
            .unwrap_or_else(|| u64::from_be_bytes(platform::entropy()));
        Random { seed, state: seed }
    }

    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.number() as u8).collect()
    }

    /// Puts the items into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

impl Default for Random {
    fn default() -> Self {
        Random::new()
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat this run: WARREN_SEED={}", self.seed);
        }
    }
}
