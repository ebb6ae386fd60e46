//! Puzzles on threads of their own.

use std::sync::Arc;

use warren_shared::net::names::{Solver, cooperative};
use warren_shared::platform;

/// Numbers tried before a look at whether anybody still waits.
const PIECE: u64 = 1 << 16;

/// Solves beside the runtime. Whoever stops waiting stops the work.
pub fn solver() -> Solver {
    Arc::new(|puzzle| {
        Box::pin(async move {
            let (answer, solved) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                let mut from = u64::from_le_bytes(platform::entropy()) >> 1;
                while !answer.is_closed() {
                    if let Some(nonce) = puzzle.search(from, PIECE) {
                        let _ = answer.send(nonce);
                        return;
                    }
                    from = from.wrapping_add(PIECE);
                }
            });
            match solved.await {
                Ok(nonce) => nonce,
                // The runtime is ending, or the thread was lost: here it works as well, if slower.
                Err(_) => cooperative()(puzzle).await,
            }
        })
    })
}
