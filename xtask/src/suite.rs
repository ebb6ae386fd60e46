//! Runs one test runner, shows what it prints as it comes, and counts.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use crate::counts::{Counts, Dialect};
use crate::failure::{CHECK_DISK, OrFail, Result};
use crate::step::Step;

/// Runs a suite to its end; failed tests are counted, not errors.
pub fn run(name: &str, dialect: Dialect, command: &mut Command) -> Result<Counts> {
    let step = Step::start(name);
    let counts = run_to(&mut io::stdout(), name, dialect, command)?;
    if counts.failed == 0 {
        step.done()
    } else {
        step.failed()
    }
    Ok(counts)
}

fn run_to(
    shown: &mut impl Write,
    name: &str,
    dialect: Dialect,
    command: &mut Command,
) -> Result<Counts> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.or_fail(
        format!("cannot start {name}"),
        "make sure that the program is on PATH",
    )?;
    let counted = child
        .stdout
        .take()
        .map(|output| read(output, dialect, shown))
        .unwrap_or_default();
    let status = child
        .wait()
        .or_fail(format!("cannot wait for {name}"), CHECK_DISK)?;
    let counts = counted.settle(status.success());
    if counts.failed > counted.failed {
        eprintln!("  {name} broke off: {status}");
    }
    Ok(counts)
}

/// Reads until the runner closes its output. Bytes that are no UTF-8 are shown as well as possible.
fn read(output: impl Read, dialect: Dialect, shown: &mut impl Write) -> Counts {
    let mut counts = Counts::default();
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        let text = String::from_utf8_lossy(&line);
        counts.read_line(dialect, text.trim_end());
        // Nobody reading our output is no reason to stop the tests.
        let _ = shown.write_all(text.as_bytes());
        line.clear();
    }
    counts
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> (Counts, String) {
        let mut shown = Vec::new();
        let counts = run_to(
            &mut shown,
            "suite of this test",
            Dialect::Node,
            Command::new("sh").args(["-c", script]),
        )
        .unwrap();
        (counts, String::from_utf8(shown).unwrap())
    }

    #[test]
    fn counts_and_shows_what_the_runner_says() {
        let (counts, shown) = shell("echo '# pass 2'; echo '# fail 1'; exit 1");
        assert_eq!(
            counts,
            Counts {
                passed: 2,
                failed: 1
            }
        );
        assert_eq!(shown, "# pass 2\n# fail 1\n");
    }

    #[test]
    fn a_runner_that_crashes_has_failed() {
        assert_eq!(
            shell("echo '# pass 2'; kill -9 $$").0,
            Counts {
                passed: 2,
                failed: 1
            }
        );
        assert_eq!(
            shell("exit 101").0,
            Counts {
                passed: 0,
                failed: 1
            }
        );
    }
}
