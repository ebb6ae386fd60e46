//! What the end-to-end tests share: relays and peers in this process, the real program beside it,
//! bounded waiting, and randomness that can be repeated.
//!
//! Everything stays on the loopback interface, on ports the system picks, in folders that are
//! removed. `WARREN_LONG=1` asks for full counts, `WARREN_SEED` repeats a run.

pub mod dns;
pub mod fuzz;
pub mod guests;
pub mod killed;
pub mod letters;
pub mod links;
pub mod peers;
pub mod program;
pub mod random;
pub mod relays;
pub mod terminal;
pub mod wait;

/// The full count of a scenario when full counts are asked for, the small one otherwise.
pub fn count(small: usize, full: usize) -> usize {
    match std::env::var("WARREN_LONG").as_deref() {
        Ok("1") => full,
        _ => small,
    }
}
