//! Whom to ask when several could do it: candidates are scored, and each score says why.
//!
//! Pure, in whole numbers: the same candidates, weights and seed give the same choice everywhere. What a candidate says
//! of itself counts only as far as it is trusted; how fast it answers and how it behaved was measured here.

mod resources;

#[cfg(test)]
mod tests;

pub use resources::Resources;

use super::Millis;
use super::prng::Prng;

/// What a score is made of, and how it is called.
pub const TERMS: [&str; 5] = ["cpu", "memory", "disk", "latency", "reputation"];

/// How much each of [`TERMS`] counts, in thousandths. Only their proportions matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights(pub [u32; 5]);

impl Default for Weights {
    fn default() -> Self {
        Weights([2_000, 1_000, 1_000, 3_000, 3_000])
    }
}

/// One that could be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// What it says of itself.
    pub resources: Resources,
    /// How long it takes to answer; nothing if that is not known.
    pub latency: Option<Millis>,
    /// How far it is trusted, in thousandths.
    pub trust: u64,
}

/// A part of a score, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Term {
    /// How good it is in this respect, from 0 to 1,000.
    pub value: u64,
    /// What that adds to the score.
    pub points: u64,
}

/// A candidate that was scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// Its place among the candidates as they were given.
    pub index: usize,
    /// From 0 to 1,000: the sum of the points.
    pub score: u64,
    /// As in [`TERMS`].
    pub terms: [Term; 5],
}

/// Scores closer together than this are the same: measurements are not that exact.
const EQUAL: u64 = 30;
/// Claims count in full from this trust on: that of a stranger.
const STRANGER: u64 = 500;
/// What nobody needs more of: 64 cores, 1 TiB of memory and 16 TiB of disk (in MiB).
const MOST: [u64; 3] = [64, 1 << 20, 1 << 24];
/// An answer that takes so long is half as good as one that takes no time.
const MIDDLING: Millis = 50;

/// All candidates, the best first. Those that are as good as the best of them come in an order that the seed decides,
/// and so on down: so many who choose do not all choose the same.
pub fn rank(candidates: &[Candidate], weights: Weights, seed: u64) -> Vec<Scored> {
    let mut left: Vec<Scored> = (0..candidates.len())
        .map(|index| scored(index, &candidates[index], weights))
        .collect();
    let mut chance = Prng::new(seed);
    let mut ranked = Vec::with_capacity(left.len());
    while let Some(best) = left.iter().map(|one| one.score).max() {
        let equals: Vec<usize> = (0..left.len())
            .filter(|place| left[*place].score + EQUAL >= best)
            .collect();
        let chosen = equals[chance.below(equals.len() as u64) as usize];
        ranked.push(left.swap_remove(chosen));
    }
    ranked
}

fn scored(index: usize, candidate: &Candidate, Weights(weights): Weights) -> Scored {
    let all = weights
        .iter()
        .map(|weight| u64::from(*weight))
        .sum::<u64>()
        .max(1);
    let mut terms = [Term::default(); 5];
    for ((term, value), weight) in terms.iter_mut().zip(values(candidate)).zip(weights) {
        term.value = value;
        term.points = value * u64::from(weight) / all;
    }
    Scored {
        index,
        score: terms.iter().map(|term| term.points).sum(),
        terms,
    }
}

fn values(candidate: &Candidate) -> [u64; 5] {
    let said = &candidate.resources;
    let idle = 1_000u64.saturating_sub(said.load);
    let believed = candidate.trust.min(STRANGER);
    let claim = |number: u64, most: u64| {
        let of_most = doublings(number.min(most)) * 1_000 / doublings(most);
        of_most * believed / STRANGER
    };
    let latency = candidate.latency.map_or(0, |latency| {
        MIDDLING * 1_000 / MIDDLING.saturating_add(latency)
    });
    [
        claim(said.cores, MOST[0]) * idle / 1_000,
        claim(said.memory, MOST[1]),
        claim(said.disk, MOST[2]),
        latency,
        candidate.trust.min(1_000),
    ]
}

/// How often 1 has to be doubled to get there, in thousandths: twice as much is one step better, wherever one starts.
fn doublings(number: u64) -> u64 {
    let number = number.saturating_add(1);
    let whole = u64::from(number.ilog2());
    let rest = number - (1 << whole);
    whole * 1_000 + ((u128::from(rest) * 1_000) >> whole) as u64
}
