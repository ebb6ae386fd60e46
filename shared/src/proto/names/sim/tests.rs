//! Many seeds, and proof that the simulation can fail.

use super::*;
use crate::selftest::count;

/// Runs seeds on all processors; every failure is collected with its seed.
fn failures(
    first: u64,
    count: u64,
    body: impl Fn(u64) -> Result<(), String> + Sync,
) -> Vec<String> {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get()) as u64;
    std::thread::scope(|scope| {
        let body = &body;
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let own = (first..first + count).filter(|seed| seed % threads == thread);
                    own.filter_map(|seed| body(seed).err()).collect::<Vec<_>>()
                })
            })
            .collect();
        let results = workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("no panic"));
        results.collect()
    })
}

#[test]
fn every_promise_is_kept() {
    let first = std::env::var("WARREN_SEED")
        .ok()
        .map(|text| text.parse().expect("a number"));
    let count = if first.is_some() {
        1
    } else {
        count(300, 100_000)
    };
    let failed = failures(first.unwrap_or(0), count, promises_hold);
    let some: Vec<_> = failed.iter().take(5).collect();
    assert!(
        failed.is_empty(),
        "{} of {count} seeds failed: {some:#?}",
        failed.len()
    );
}

/// A broken rule of the network must show, sooner or later.
fn noticed(plan: Plan) -> String {
    let found = (0..400).find_map(|seed| run(seed, plan).err());
    found.expect("some seed shows it")
}

#[test]
fn the_simulation_notices_witnesses_that_forget() {
    let why = noticed(Plan {
        witnesses: 3,
        liars: 0,
        late_liars: false,
        owners: 4,
        actions: 12,
        lost: 0,
        temper: Temper {
            forgets: true,
            ..Temper::default()
        },
    });
    println!("{why}");
}

#[test]
fn the_simulation_notices_witnesses_that_sign_on_without_their_rows() {
    let why = noticed(Plan {
        witnesses: 1,
        liars: 0,
        late_liars: false,
        owners: 4,
        actions: 12,
        lost: 1,
        temper: Temper {
            unaware: true,
            ..Temper::default()
        },
    });
    println!("{why}");
}

#[test]
fn the_simulation_notices_one_liar_too_many() {
    let why = noticed(Plan {
        witnesses: 4,
        liars: 2,
        late_liars: false,
        owners: 4,
        actions: 12,
        lost: 0,
        temper: Temper::default(),
    });
    println!("{why}");
}
