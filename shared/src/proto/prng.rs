//! A tiny deterministic generator (SplitMix64) for jitter and simulations. Never for secrets.

/// Pseudo-random numbers from a seed.
#[derive(Clone, Debug)]
pub struct Prng(u64);

impl Prng {
    /// Equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        Prng(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    /// A duration within 20 % of `around`.
    pub fn jitter(&mut self, around: u64) -> u64 {
        around.saturating_mul(80 + self.below(41)) / 100
    }
}
