//! Puzzles, a little at a time: for machines without a thread to spare.

use std::sync::Arc;
use std::time::Duration;

use super::Solver;
use crate::platform;

/// Numbers tried before others get their turn: a few milliseconds of a phone.
const PIECE: u64 = 4_096;

/// Solves where it is called, and lets others have their turn often.
pub fn cooperative() -> Solver {
    Arc::new(|puzzle| {
        Box::pin(async move {
            let mut from = u64::from_le_bytes(platform::entropy()) >> 1;
            loop {
                if let Some(nonce) = puzzle.search(from, PIECE) {
                    return nonce;
                }
                from = from.wrapping_add(PIECE);
                platform::sleep(Duration::ZERO).await;
            }
        })
    })
}
