//! Proof of work: what makes claiming many names expensive.
//!
//! Knows the puzzle and how hard it is for which name. Does not decide who must solve it: `witness`
//! does. Readers do not check it; the quorum did.

use super::name::Label;
use crate::limits::{HOUR, NAME_WORK_BITS, NAME_WORK_SHORT};
use crate::proto::Millis;
use crate::proto::key::{NetworkId, PublicKey};

const CONTEXT: &str = "warren 2026 name work v1";

/// A puzzle: bound to network, name, owner and hour, so that nothing can be solved in advance, for
/// somebody else, or twice over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Puzzle {
    seed: [u8; 32],
    /// Zero bits wanted at the front of the hash.
    pub bits: u32,
}

impl Puzzle {
    /// The puzzle of a claim issued at that time.
    pub fn new(
        network: &NetworkId,
        name: &Label,
        owner: &PublicKey,
        issued: Millis,
        hardness: Hardness,
    ) -> Puzzle {
        let hour = (issued / HOUR).to_be_bytes();
        let parts: [&[u8]; 4] = [
            network.as_str().as_bytes(),
            name.as_str().as_bytes(),
            owner.as_bytes(),
            &hour,
        ];
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        for part in parts {
            hasher
                .update(&(part.len() as u64).to_be_bytes())
                .update(part);
        }
        Puzzle {
            seed: *hasher.finalize().as_bytes(),
            bits: hardness.bits(name),
        }
    }

    /// What the hash of a solution starts from; a worker needs only this and the number of bits.
    pub fn seed(&self) -> [u8; 32] {
        self.seed
    }

    /// A puzzle that crossed to a worker.
    pub fn from_parts(seed: [u8; 32], bits: u32) -> Puzzle {
        Puzzle { seed, bits }
    }

    /// Whether a number solves it.
    pub fn solved_by(&self, nonce: u64) -> bool {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed).update(&nonce.to_be_bytes());
        let hash = hasher.finalize();
        let mut zeros = 0;
        for byte in hash.as_bytes() {
            zeros += byte.leading_zeros();
            if *byte != 0 {
                break;
            }
        }
        zeros >= self.bits
    }

    /// Tries so many numbers; call again from `from + tries` when it gives nothing. On average
    /// 2^bits are needed.
    pub fn search(&self, from: u64, tries: u64) -> Option<u64> {
        (from..from.saturating_add(tries)).find(|nonce| self.solved_by(*nonce))
    }
}

/// How hard puzzles are. Part of a network's rules: all its witnesses use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardness {
    /// Bits for a name of eight or more characters.
    pub base: u32,
    /// Bits more for each character below eight.
    pub step: u32,
}

impl Hardness {
    /// The hardness of real networks.
    pub const STANDARD: Hardness = Hardness {
        base: NAME_WORK_BITS,
        step: 1,
    };
    /// None at all, for simulations.
    pub const NONE: Hardness = Hardness { base: 0, step: 0 };

    fn bits(self, name: &Label) -> u32 {
        let missing = NAME_WORK_SHORT.saturating_sub(name.characters());
        self.base + self.step * missing as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key::SigningKey;

    fn puzzle(name: &str, owner: u8, at: Millis, network: &str) -> Puzzle {
        let owner = SigningKey::from_seed([owner; 32]).public();
        let hardness = Hardness { base: 6, step: 1 };
        let network: NetworkId = network.parse().unwrap();
        Puzzle::new(&network, &name.parse().unwrap(), &owner, at, hardness)
    }

    #[test]
    fn a_solution_is_found_and_counts_for_its_claim_only() {
        let puzzle_of_alice = puzzle("alice-in-town", 1, 0, "net");
        let nonce = puzzle_of_alice.search(0, 100_000).expect("64 on average");
        assert!(puzzle_of_alice.solved_by(nonce));
        let others = [
            puzzle("alice-in-towm", 1, 0, "net"),
            puzzle("alice-in-town", 2, 0, "net"),
            puzzle("alice-in-town", 1, HOUR, "net"),
            puzzle("alice-in-town", 1, 0, "ten"),
        ];
        for other in others {
            assert_ne!(other.seed(), puzzle_of_alice.seed());
        }
        let same_hour = puzzle("alice-in-town", 1, HOUR - 1, "net");
        assert_eq!(same_hour, puzzle_of_alice);
        let crossed = Puzzle::from_parts(puzzle_of_alice.seed(), puzzle_of_alice.bits);
        assert!(crossed.solved_by(nonce));
    }

    #[test]
    fn short_names_cost_more() {
        let bits = |name: &str| puzzle(name, 1, 0, "net").bits;
        assert_eq!(bits("abcdefgh"), 6);
        assert_eq!(bits("abcdefghijk"), 6);
        assert_eq!(bits("abc"), 11);
        assert_eq!(bits("a"), 13);
    }
}
