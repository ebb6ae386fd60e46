//! The ledger as it is kept over a restart. Not a message: nobody else reads it.
//!
//! A version, then for each peer the length of its id, the id, and nine numbers of eight bytes.

use super::{Ledger, MOST, Standing};
use crate::limits::{MAX_PEER_ID, MAX_STANDINGS};

const VERSION: u8 = 1;
const NUMBERS: usize = 9;
/// For a latency that is not known.
const UNKNOWN: u64 = u64::MAX;

impl Ledger {
    /// All of it in bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for (peer, standing) in self.0.iter() {
            bytes.push(peer.len() as u8);
            bytes.extend_from_slice(peer);
            for number in numbers(standing) {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        bytes
    }

    /// Reads what was kept; what is damaged ends it, and nothing more is believed.
    pub fn from_bytes(bytes: &[u8]) -> Ledger {
        let mut ledger = Ledger::default();
        let Some((&VERSION, mut rest)) = bytes.split_first() else {
            return ledger;
        };
        while let Some((peer, standing, left)) = row(rest) {
            if ledger.0.len() >= MAX_STANDINGS {
                break;
            }
            ledger.0.insert(peer.to_vec(), standing);
            rest = left;
        }
        ledger
    }

    /// Takes over what was kept, unless something newer is known.
    pub fn adopt(&mut self, kept: Ledger) {
        for (peer, standing) in kept.0.iter() {
            if self.0.get(peer).is_none() && self.0.len() < MAX_STANDINGS {
                self.0.insert(peer.clone(), standing.clone());
            }
        }
    }
}

fn numbers(standing: &Standing) -> [u64; NUMBERS] {
    [
        standing.answers,
        standing.failures,
        standing.invalid,
        standing.violations,
        standing.verified,
        standing.latency.unwrap_or(UNKNOWN),
        standing.seen,
        standing.good,
        standing.bad,
    ]
}

fn row(bytes: &[u8]) -> Option<(&[u8], Standing, &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    let (peer, rest) = rest.split_at_checked(length.into())?;
    if peer.is_empty() || peer.len() > MAX_PEER_ID {
        return None;
    }
    let mut next = rest;
    let mut all = [0; NUMBERS];
    for number in &mut all {
        let (bytes, left) = next.split_first_chunk()?;
        *number = u64::from_le_bytes(*bytes);
        next = left;
    }
    let [
        answers,
        failures,
        invalid,
        violations,
        verified,
        latency,
        seen,
        good,
        bad,
    ] = all;
    let standing = Standing {
        answers,
        failures,
        invalid,
        violations,
        verified,
        latency: (latency != UNKNOWN).then_some(latency),
        seen,
        good: good.min(MOST),
        bad: bad.min(MOST),
    };
    Some((peer, standing, next))
}
