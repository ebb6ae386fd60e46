//! Runs a noisy program as a step, with its output in a log file.
//!
//! A person at a terminal sees the last line live, other readers get a sign of life every half minute,
//! and everybody gets the end of the log when the program fails.

use std::fs::{self, File};
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{CHECK_DISK, Failure, OrFail, Result};
use crate::step::{Step, human};
use crate::workspace::Workspace;

const LIVE: Duration = Duration::from_millis(200);
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
const TAIL_LINES: usize = 60;

/// The live line must not wrap, or it could not be overwritten.
const LIVE_WIDTH: usize = 60;

/// What programs say when they cannot reach a server.
const OFFLINE: [&str; 9] = [
    "Could not resolve host",
    "Temporary failure resolving",
    "spurious network error",
    "failed to download from",
    "could not download file",
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ETIMEDOUT",
];

/// What programs say when they may not write.
const FORBIDDEN: [&str; 2] = ["Permission denied (os error 13)", "npm error code EACCES"];

/// Runs a command as a step. Its failure has the given remedy, unless the log shows a better one.
pub fn run_logged(
    workspace: &Workspace,
    name: &str,
    command: &mut Command,
    remedy: &str,
) -> Result {
    Step::run(name, || {
        let logs = workspace.state().join("logs");
        fs::create_dir_all(&logs)
            .or_fail(format!("cannot create {}", logs.display()), CHECK_DISK)?;
        let path = logs.join(format!("{}.log", file_name(name)));
        let status = run_into(&path, command)?;
        if status.success() {
            return Ok(());
        }
        let tail = end_of(&path, TAIL_LINES);
        eprintln!("{tail}\n(all of it: {})", path.display());
        Err(explain(name, status, &tail, remedy))
    })
}

fn run_into(path: &Path, command: &mut Command) -> Result<ExitStatus> {
    const INSTALL: &str = "install the program and make sure that it is on PATH";
    let log = File::create(path).or_fail(format!("cannot write {}", path.display()), CHECK_DISK)?;
    let copy = log
        .try_clone()
        .or_fail("cannot open the log twice", CHECK_DISK)?;
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(copy)
        .spawn();
    watch(
        child.or_fail(format!("cannot start {program}"), INSTALL)?,
        path,
    )
}

fn watch(mut child: Child, log: &Path) -> Result<ExitStatus> {
    let started = Instant::now();
    let live = std::io::stderr().is_terminal();
    let interval = if live { LIVE } else { SIGN_OF_LIFE };
    let (ended, end) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let status = child.wait();
        let _ = ended.send(());
        status
    });
    while end.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let elapsed = human(started.elapsed());
        let line: String = end_of(log, 1).trim().chars().take(LIVE_WIDTH).collect();
        if live {
            eprint!("\r\x1b[2K  … {elapsed}: {line}")
        } else {
            eprintln!("  … {elapsed}: {line}")
        }
    }
    if live {
        eprint!("\r\x1b[2K");
    }
    let status = waiter
        .join()
        .unwrap_or_else(|_| Err(std::io::Error::other("the waiting thread panicked")));
    status.or_fail("cannot wait for a child process", CHECK_DISK)
}

fn explain(name: &str, status: ExitStatus, log: &str, remedy: &str) -> Failure {
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| log.contains(phrase));
    if says(&OFFLINE) {
        let remedy = "check the network connection and proxy settings, then run the command again";
        return Failure::new(format!("{name}: a server cannot be reached"), remedy);
    }
    if says(&FORBIDDEN) {
        let remedy = "make the checkout and the caches of cargo and npm writable for this user, then run the command again";
        return Failure::new(format!("{name}: no permission to write a file"), remedy);
    }
    Failure::new(format!("{name} failed ({status})"), remedy)
}

/// The last lines of a file, read from its end: logs can be long, and this happens often.
fn end_of(path: &Path, lines: usize) -> String {
    let text = read_end(path, (lines * 400) as u64).unwrap_or_default();
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn read_end(path: &Path, bytes: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
}

fn file_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join("-")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn run(script: &str) -> Result {
        let scratch = Scratch::new("logged");
        run_logged(
            &scratch.workspace(),
            "a step",
            Command::new("sh").args(["-c", script]),
            "the usual",
        )
    }

    #[test]
    fn failures_are_explained_by_what_the_program_said() {
        assert_eq!(run("echo fine"), Ok(()));
        assert!(
            run("echo broken; exit 3")
                .unwrap_err()
                .to_string()
                .ends_with("fix: the usual")
        );
        assert!(
            run("echo 'npm error code ENOTFOUND' >&2; exit 1")
                .unwrap_err()
                .to_string()
                .contains("network")
        );
        assert!(
            run("echo 'npm error code EACCES'; exit 1")
                .unwrap_err()
                .to_string()
                .contains("permission")
        );
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let scratch = Scratch::new("missing");
        let error = run_logged(
            &scratch.workspace(),
            "x",
            &mut Command::new("no-such-program"),
            "the usual",
        );
        assert!(error.unwrap_err().to_string().contains("no-such-program"));
    }

    #[test]
    fn the_end_of_a_log_leaves_out_empty_lines() {
        let scratch = Scratch::new("end");
        let path = scratch.path().join("log");
        fs::write(&path, "one\ntwo\n\nthree\n\n").unwrap();
        assert_eq!(end_of(&path, 2), "two\nthree");
        assert_eq!(end_of(&scratch.path().join("none"), 2), "");
    }

    #[test]
    fn log_names_are_plain() {
        assert_eq!(file_name("wasm: build (dev)"), "wasm-build-dev");
    }
}
