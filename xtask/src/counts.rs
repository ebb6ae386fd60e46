//! Reads from what test runners print how many tests passed and failed.
//!
//! Each runner is read in its own dialect only: what a test prints itself must not be counted.

use std::fmt::{self, Display};
use std::ops::AddAssign;

/// How a runner says what it counted.
#[derive(Clone, Copy, Debug)]
pub enum Dialect {
    /// Rust's: `test result: ok. 12 passed; 0 failed; …`.
    Libtest,
    /// Node's: `# pass 3`, `ℹ pass 3`. Our own runner for wasm speaks it too.
    Node,
}

/// How tests ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl Counts {
    /// Learns from one line; most lines say nothing about counts.
    pub fn read_line(&mut self, dialect: Dialect, line: &str) {
        let read = match dialect {
            Dialect::Libtest => libtest(line),
            Dialect::Node => node(line),
        };
        *self += read.unwrap_or_default();
    }

    /// What a runner counted, once it is known how the runner ended: one that broke has failed at least once.
    pub fn settle(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`
fn libtest(line: &str) -> Option<Counts> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |unit: &str| {
        numbers
            .split("; ")
            .find_map(|part| part.strip_suffix(unit)?.trim().parse().ok())
    };
    Some(Counts {
        passed: number("passed")?,
        failed: number("failed")?,
    })
}

/// `# pass 3`, `ℹ fail 1`; what was cancelled has not passed.
fn node(line: &str) -> Option<Counts> {
    let line = line
        .strip_prefix("# ")
        .or_else(|| line.strip_prefix("ℹ "))?;
    let (kind, number) = line.split_once(' ')?;
    let number = number.trim().parse().ok()?;
    match kind {
        "pass" => Some(Counts {
            passed: number,
            failed: 0,
        }),
        "fail" | "cancelled" => Some(Counts {
            passed: 0,
            failed: number,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, text: &str) -> Counts {
        let mut counts = Counts::default();
        text.lines()
            .for_each(|line| counts.read_line(dialect, line));
        counts
    }

    #[test]
    fn libtest_lines_add_up() {
        let text = "running 3 tests\ntest a ... ok\n\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.20s";
        assert_eq!(
            read(Dialect::Libtest, text),
            Counts {
                passed: 15,
                failed: 2
            }
        );
    }

    #[test]
    fn both_reporters_of_node_are_read() {
        let spec = "ℹ tests 4\nℹ suites 1\nℹ pass 3\nℹ fail 1\nℹ cancelled 0\nℹ duration_ms 12.5";
        assert_eq!(
            read(Dialect::Node, spec),
            Counts {
                passed: 3,
                failed: 1
            }
        );
        let tap = "# tests 2\n# pass 1\n# fail 0\n# cancelled 1\n# skipped 7";
        assert_eq!(
            read(Dialect::Node, tap),
            Counts {
                passed: 1,
                failed: 1
            }
        );
    }

    #[test]
    fn other_output_counts_nothing() {
        assert_eq!(
            read(
                Dialect::Node,
                "# pass along\nℹ passed 3\n  # pass 9\n3 passed, 1 failed"
            ),
            Counts::default()
        );
        assert_eq!(
            read(Dialect::Node, "test result: ok. 12 passed; 0 failed;"),
            Counts::default()
        );
        assert_eq!(
            read(Dialect::Libtest, "test result: unknown\n# pass 3\nℹ fail 1"),
            Counts::default()
        );
    }

    #[test]
    fn a_broken_runner_is_a_failure_even_if_it_counted_none() {
        assert_eq!(
            Counts {
                passed: 5,
                failed: 0
            }
            .settle(false),
            Counts {
                passed: 5,
                failed: 1
            }
        );
        assert_eq!(
            Counts {
                passed: 5,
                failed: 2
            }
            .settle(false),
            Counts {
                passed: 5,
                failed: 2
            }
        );
        assert_eq!(
            Counts {
                passed: 5,
                failed: 0
            }
            .settle(true)
            .to_string(),
            "5 passed, 0 failed"
        );
    }
}
