//! One step of a command: says what runs, how it ended and how long it took.
//!
//! Output of a noisy child goes to the terminal when a person watches, otherwise to a log file with a
//! sign of life every half minute. Steps know nothing about what they run.

use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{CHECK_DISK, Failure, OrFail, Result};
use crate::workspace::Workspace;

const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
const TAIL_LINES: usize = 60;

/// A running step. Progress goes to stderr: stdout belongs to results.
pub struct Step {
    name: String,
    started: Instant,
}

impl Step {
    pub fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        eprintln!("▸ {name}");
        Self {
            name,
            started: Instant::now(),
        }
    }

    pub fn done(self) {
        eprintln!("✓ {} ({})", self.name, human(self.started.elapsed()));
    }

    pub fn failed(self) {
        eprintln!("✗ {} ({})", self.name, human(self.started.elapsed()));
    }

    /// Says that a step had nothing to do.
    pub fn up_to_date(name: &str) {
        eprintln!("· {name}: up to date");
    }

    /// Runs `work` as a step.
    pub fn run<T>(name: impl Into<String>, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let step = Self::start(name);
        let result = work();
        match &result {
            Ok(_) => step.done(),
            Err(_) => step.failed(),
        }
        result
    }
}

/// Runs a noisy command as a step; its failure becomes the given cause and remedy.
pub fn run_logged(
    workspace: &Workspace,
    name: &str,
    command: &mut Command,
    remedy: &str,
) -> Result {
    Step::run(name, || {
        let status = if std::io::stderr().is_terminal() {
            command
                .stdout(Stdio::from(std::io::stderr()))
                .status()
                .or_fail(start_of(command), INSTALL)?
        } else {
            run_into_log(&workspace.state().join("logs"), name, command)?
        };
        check(status, name, remedy)
    })
}

/// What to do when a program that should exist does not.
const INSTALL: &str = "install the program and make sure that it is on PATH";

fn start_of(command: &Command) -> String {
    format!("cannot start {}", command.get_program().to_string_lossy())
}

fn check(status: ExitStatus, name: &str, remedy: &str) -> Result {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(
            format!("step \"{name}\" failed ({status})"),
            remedy,
        ))
    }
}

fn run_into_log(logs: &Path, name: &str, command: &mut Command) -> Result<ExitStatus> {
    fs::create_dir_all(logs).or_fail(format!("cannot create {}", logs.display()), CHECK_DISK)?;
    let path = logs.join(format!("{}.log", file_name(name)));
    let log =
        File::create(&path).or_fail(format!("cannot write {}", path.display()), CHECK_DISK)?;
    let copy = log
        .try_clone()
        .or_fail("cannot open the log twice", CHECK_DISK)?;
    let child = command
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(copy)
        .spawn()
        .or_fail(start_of(command), INSTALL)?;
    let status = wait_with_signs_of_life(child, &path)?;
    if !status.success() {
        eprintln!(
            "{}\n(all of it: {})",
            tail(&path, TAIL_LINES),
            path.display()
        );
    }
    Ok(status)
}

fn wait_with_signs_of_life(mut child: Child, log: &Path) -> Result<ExitStatus> {
    let started = Instant::now();
    let (ended, end) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let status = child.wait();
        let _ = ended.send(());
        status
    });
    while end.recv_timeout(SIGN_OF_LIFE) == Err(RecvTimeoutError::Timeout) {
        eprintln!("  … {}: {}", human(started.elapsed()), tail(log, 1).trim());
    }
    let status = waiter
        .join()
        .unwrap_or_else(|_| Err(std::io::Error::other("the waiting thread panicked")));
    status.or_fail("cannot wait for a child process", CHECK_DISK)
}

fn tail(path: &Path, lines: usize) -> String {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn file_name(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}

/// A duration as a person reads it: `0.4 s`, `2 min 05 s`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(human(Duration::from_millis(420)), "0.4 s");
        assert_eq!(human(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn log_names_are_plain() {
        assert_eq!(file_name("wasm: build (dev)"), "wasm--build--dev-");
    }
}
