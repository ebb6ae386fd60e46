//! Many seeds, and proof that the simulation can fail.

use super::*;

fn seeds(short: u64, long: u64) -> u64 {
    match std::env::var_os("WARREN_LONG") {
        Some(_) => long,
        None => short,
    }
}

/// Runs seeds on all processors; every failure is collected with its seed.
fn failures(first: u64, count: u64, body: impl Fn(u64) -> Result<(), String> + Sync) -> Vec<String> {
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
        let results = workers.into_iter().flat_map(|worker| worker.join().expect("no panic"));
        results.collect()
    })
}

#[test]
fn every_promise_is_kept() {
    let first = std::env::var("WARREN_SEED").ok().map(|text| text.parse().expect("a number"));
    let count = if first.is_some() { 1 } else { seeds(200, std::env::var("SIMN").map_or(100_000, |n| n.parse().unwrap())) };
    let failed = failures(first.unwrap_or(0), count, promises_hold);
    let some: Vec<_> = failed.iter().take(5).collect();
    assert!(failed.is_empty(), "{} of {count} seeds failed: {some:#?}", failed.len());
}
