//! Test bodies that run unchanged on every platform: one `#[test]` here, one call in a browser.
//!
//! Knows what must hold everywhere. Long versions of the same bodies are run by the tests below
//! when `WARREN_LONG` is set and the build is optimised.

pub mod direct;
pub mod mutations;
pub mod names;
pub mod properties;
pub mod samples;
pub mod vectors;

use crate::proto::homes::sim;
use crate::store::{MemoryStore, conformance};

/// What a body says: nothing, or what it saw.
pub type Checked = Result<(), String>;

/// A test body and its name.
pub type Case = (&'static str, fn() -> Checked);

/// Every body, with counts small enough for a browser.
pub const CASES: &[Case] = &[
    ("wire vectors", vectors::check),
    ("text vectors", vectors::check_texts),
    ("mutated records are refused", || mutations::records(1, 300)),
    ("mutated join documents are refused", || {
        mutations::join_documents(2, 200)
    }),
    ("mutated messages are refused or canonical", || {
        mutations::messages(3, 2_000)
    }),
    ("random bytes do no harm", || {
        mutations::random_bytes(4, 2_000)
    }),
    (
        "a second signature encoding is refused",
        mutations::malleated_signature,
    ),
    ("values round-trip", || properties::values(5, 200)),
    ("envelopes round-trip", || properties::envelopes(6, 50)),
    ("messages round-trip", || properties::messages(7, 200)),
    ("the same record wins in any order", || {
        properties::winners(8, 20)
    }),
    ("mutated zones, claims and certificates are refused", || {
        names::hostile::signed(9, 300)
    }),
    (
        "mutated messages about names are refused or canonical",
        || names::hostile::messages(10, 500),
    ),
    ("any text is a name in one spelling, or none", || {
        names::hostile::names(11, 2_000)
    }),
    ("two owners race for a name", || {
        (0..5).try_for_each(crate::proto::names::sim::promises_hold)
    }),
    ("mutated direct messages are refused", || {
        direct::signed(12, 300)
    }),
    (
        "mutated messages to peers and mailboxes are refused or canonical",
        || direct::messages(13, 500),
    ),
    ("messages survive everything that can go wrong", || {
        (0..3).try_for_each(crate::proto::direct::sim::all_faults)
    }),
    ("the memory store conforms", memory_store),
    ("back within five seconds", || {
        (0..50).try_for_each(sim::back_within_five_seconds)
    }),
];

fn memory_store() -> Checked {
    futures::executor::block_on(conformance::check_all(MemoryStore::new))
}

/// The first number usually, the second in a long run that is compiled with optimisations: without
/// them the second takes hours.
#[cfg(test)]
pub(crate) fn count(short: u64, long: u64) -> u64 {
    let long_run = std::env::var_os("WARREN_LONG").is_some();
    if long_run && !cfg!(debug_assertions) {
        long
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case() {
        let failed = |(name, body): &Case| body().err().map(|seen| format!("{name}: {seen}"));
        let failures: Vec<String> = CASES.iter().filter_map(failed).collect();
        assert!(failures.is_empty(), "{failures:#?}");
    }

    #[test]
    fn no_mutation_is_accepted() {
        let cases = count(5_000, 100_000);
        println!("seed 101, {cases} cases");
        mutations::records(101, cases * 4 / 5).unwrap();
        mutations::join_documents(101, cases / 5).unwrap();
        mutations::messages(101, cases).unwrap();
        mutations::random_bytes(101, cases).unwrap();
    }

    #[test]
    fn no_mutation_about_names_is_accepted() {
        let cases = count(5_000, 1_000_000);
        println!("seed 103, {cases} cases");
        names::hostile::signed(103, cases).unwrap();
        names::hostile::messages(103, cases / 10).unwrap();
        names::hostile::names(103, cases * 4).unwrap();
    }

    #[test]
    fn no_mutation_about_direct_messages_is_accepted() {
        let cases = count(5_000, 1_000_000);
        println!("seed 104, {cases} cases");
        direct::signed(104, cases).unwrap();
        direct::messages(104, cases).unwrap();
    }

    #[test]
    fn properties_hold() {
        let cases = count(500, 10_000);
        println!("seed 102, {cases} cases");
        properties::values(102, cases).unwrap();
        properties::envelopes(102, cases).unwrap();
        properties::messages(102, cases).unwrap();
        properties::winners(102, cases / 10).unwrap();
    }
}
