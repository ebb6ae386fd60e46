//! The only place in the tree that asks which machine it was compiled for.
//!
//! Knows how to spawn a task, to sleep, to read the wall clock and to draw entropy, natively and in
//! a browser. Deliberately knows nothing about networks or protocols: whatever needs a new `cfg`
//! elsewhere is a function missing here.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use native::{can_spawn, executor, fast_ciphers, now, sleep, spawn};
#[cfg(target_arch = "wasm32")]
pub use web::{can_spawn, executor, fast_ciphers, now, sleep, spawn};

/// Fresh random bytes from the operating system or the browser.
///
/// # Panics
/// When the platform has no source of randomness: nothing that follows could be safe.
pub fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).expect("the platform offers a source of randomness");
    bytes
}
