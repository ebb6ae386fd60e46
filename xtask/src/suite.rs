//! Runs one test runner, shows what it prints as it comes, and counts.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdout, Command, Stdio};

use crate::counts::Counts;
use crate::failure::{CHECK_DISK, OrFail, Result};
use crate::step::Step;

/// Runs a suite to its end; failed tests are counted, not errors.
pub fn run(name: &str, command: &mut Command) -> Result<Counts> {
    let step = Step::start(name);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .or_fail(format!("cannot start {name}"), "run `cargo xtask help`")?;
    let counted = child.stdout.take().map(read).unwrap_or_default();
    let status = child
        .wait()
        .or_fail(format!("cannot wait for {name}"), CHECK_DISK)?;
    let counts = counted.settle(status.success());
    if counts.failed > counted.failed {
        eprintln!("  {name} broke off: {status}");
    }
    if counts.failed == 0 {
        step.done()
    } else {
        step.failed()
    }
    Ok(counts)
}

/// Reads until the runner closes its output. Bytes that are no UTF-8 are shown as well as possible.
fn read(output: ChildStdout) -> Counts {
    let mut counts = Counts::default();
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        let text = String::from_utf8_lossy(&line);
        counts.read_line(text.trim_end());
        // Nobody reading our output is no reason to stop the tests.
        let _ = std::io::stdout().write_all(text.as_bytes());
        line.clear();
    }
    counts
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Counts {
        run(
            "suite of this test",
            Command::new("sh").args(["-c", script]),
        )
        .unwrap()
    }

    #[test]
    fn counts_what_the_runner_says() {
        assert_eq!(
            shell("echo '# pass 2'; echo '# fail 1'; exit 1"),
            Counts {
                passed: 2,
                failed: 1
            }
        );
    }

    #[test]
    fn a_runner_that_crashes_has_failed() {
        assert_eq!(
            shell("echo '# pass 2'; kill -9 $$"),
            Counts {
                passed: 2,
                failed: 1
            }
        );
        assert_eq!(
            shell("exit 101"),
            Counts {
                passed: 0,
                failed: 1
            }
        );
    }
}
