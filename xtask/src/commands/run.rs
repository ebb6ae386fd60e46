//! `run`: builds everything and starts a relay that serves the page.
//!
//! On Unix the relay takes over this process, so that signals reach it directly and its exit status is
//! the command's. What the relay prints (the page's URL, its addresses) is the relay's own business.

use std::net::TcpListener;
use std::process::{Command, ExitCode};

use crate::arguments::Arguments;
use crate::commands::build_web;
use crate::failure::{Failure, OrFail, Result};
use crate::relay::{self, Profile};
use crate::workspace::Workspace;

const DEFAULT_HTTP: &str = "0.0.0.0:8080";

pub fn run(workspace: &Workspace, mut arguments: Arguments) -> Result<ExitCode> {
    let what = build_web::what_to_build(&mut arguments);
    let profile = if arguments.flag("--release") {
        Profile::Release
    } else {
        Profile::Dev
    };
    let http = arguments.value("--http")?;
    let passed_on = arguments.passed_on();
    arguments.finish()?;
    if !names(&passed_on, "--http") {
        check_port(
            &http
                .clone()
                .or_else(|| std::env::var("WARREN_HTTP").ok())
                .unwrap_or_else(|| DEFAULT_HTTP.to_owned()),
        )?;
    }
    build_web::build(workspace, what)?;
    let binary = relay::build(workspace, profile)?;
    let mut relay = workspace.command(&binary.to_string_lossy());
    relay.arg("relay");
    if !names(&passed_on, "--data-dir") {
        let data = workspace.target().join("warren-run");
        relay.arg("--data-dir").arg(data);
    }
    if let Some(http) = http {
        relay.args(["--http", &http]);
    }
    start(relay.args(passed_on))
}

/// Whether an option is among the arguments, with its value in either form.
fn names(arguments: &[String], option: &str) -> bool {
    let joined = format!("{option}=");
    let named = |argument: &String| argument == option || argument.starts_with(&joined);
    arguments.iter().any(named)
}

/// Finds out before minutes of compiling that the port is taken. Other problems are the relay's to explain.
fn check_port(address: &str) -> Result {
    match TcpListener::bind(address) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(Failure::new(
            format!("{address} is in use by another program"),
            "stop that program, or choose another port: `cargo xtask run --http 127.0.0.1:8090`",
        )),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn start(relay: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(relay.exec()).or_fail(
        "cannot start the relay",
        "run `cargo clean -p warren-relay`, then the command again",
    )
}

#[cfg(not(unix))]
fn start(relay: &mut Command) -> Result<ExitCode> {
    let status = relay.status().or_fail(
        "cannot start the relay",
        "run `cargo clean -p warren-relay`, then the command again",
    )?;
    Ok(ExitCode::from(
        u8::try_from(status.code().unwrap_or(1)).unwrap_or(1),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_either_form() {
        let given = ["--data-dir", "x", "--http=1:2", "--https"].map(str::to_owned);
        assert!(names(&given, "--data-dir") && names(&given, "--http"));
        assert!(!names(&given, "--data") && !names(&given[3..], "--http"));
    }

    #[test]
    fn a_taken_port_is_explained_and_a_free_one_is_not() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let message = check_port(&address).unwrap_err().to_string();
        assert!(
            message.contains(&address) && message.contains("--http"),
            "{message}"
        );
        drop(taken);
        assert_eq!(check_port("127.0.0.1:0"), Ok(()));
        assert_eq!(check_port("off"), Ok(()));
    }
}
