//! What must hold in every world, whatever goes wrong in it.

use std::collections::BTreeMap;

use super::{Faults, World};

/// All of it arrived, in order within each session, and nothing twice unless a program crashed.
pub fn promises_hold(seed: u64, wanted: u64, faults: Faults) -> Result<(), String> {
    let mut world = World::new(seed, wanted, faults);
    let told = |what: String| format!("seed {seed}, {faults:?}: {what}");
    let seen = world.run().map_err(told)?;
    for mut seen in seen {
        if world.crashes == 0 {
            let texts: Vec<u64> = seen.iter().map(|(_, text)| *text).collect();
            if texts != (1..=wanted).collect::<Vec<u64>>() {
                return Err(told(format!("out of order, or twice: {texts:?}")));
            }
        }
        // After a crash the one that was being read comes again, under its id.
        seen.dedup();
        let mut texts: Vec<u64> = seen.iter().map(|(_, text)| *text).collect();
        texts.sort_unstable();
        if texts != (1..=wanted).collect::<Vec<u64>>() {
            return Err(told(format!("not each once: {texts:?}")));
        }
        let mut last = BTreeMap::new();
        for ((author, session, number), _) in seen {
            let before = last.insert((author, session), number).unwrap_or(0);
            if before + 1 != number {
                return Err(told(format!("{number} after {before} in a session")));
            }
        }
    }
    Ok(())
}

/// Everything that can go wrong, at once.
pub fn all_faults(seed: u64) -> Result<(), String> {
    let faults = Faults {
        loss: 20,
        twice: 10,
        cuts: 5,
        crashes: 2,
        crash_at: None,
    };
    promises_hold(seed, 40, faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::direct::mailbox;
    use crate::selftest::count;

    #[test]
    fn everything_arrives_in_order_and_once_over_cuts_losses_and_repeats() {
        for seed in 0..count(40, 20_000) {
            let faults = Faults {
                loss: seed % 40,
                twice: 10,
                cuts: 10,
                ..Faults::default()
            };
            promises_hold(seed, 60, faults).unwrap();
        }
    }

    #[test]
    fn a_crash_at_any_step_loses_nothing() {
        for turn in 1..count(120, 2_000) {
            for durable in [false, true] {
                let faults = Faults {
                    loss: turn % 3 * 10,
                    crash_at: Some((turn, durable)),
                    ..Faults::default()
                };
                promises_hold(turn, 10, faults).unwrap();
            }
        }
    }

    #[test]
    fn many_crashes_lose_nothing() {
        for seed in 0..count(40, 20_000) {
            all_faults(seed).unwrap();
        }
    }

    #[test]
    fn without_faults_nothing_goes_through_the_mailbox() {
        let mut world = World::new(1, 20, Faults::default());
        world.run().unwrap();
        let Ok(total) = mailbox::total(&world.mailbox);
        assert_eq!(total, (0, 0));
    }
}
