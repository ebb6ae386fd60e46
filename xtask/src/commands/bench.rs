//! `bench NAME`: runs a benchmark, `tests/bench/NAME.mjs`, against release builds.
//!
//! The script measures and prints: a table, or with `--json` one object a line,
//! `{name, ours, rival, unit, ratio, goal, met}`. Nothing of that is interpreted here.

use std::path::PathBuf;
use std::process::Command;

use crate::arguments::Arguments;
use crate::chromium;
use crate::commands::build_web;
use crate::failure::{Failure, OrFail, Result};
use crate::logged::run_logged;
use crate::node::{self, Node};
use crate::relay::{self, Profile};
use crate::rival;
use crate::step::Step;
use crate::wasm::WasmBuild;
use crate::workspace::Workspace;

/// The scripts of the folder that measure something; the others help them.
const NAMES: [&str; 6] = ["b2b", "chat", "files", "join", "names", "webrtc"];

/// Those that need the native side: a network or a room in one process, native transports against each other,
/// sources of files that are no good, a network to be searched, or a long way between two pages.
const WITH_NATIVE: [&str; 5] = ["b2b", "chat", "files", "names", "webrtc"];

/// The one that also measures the stock WebRTC transports.
const WITH_STOCK: &str = "webrtc";

pub fn run(workspace: &Workspace, mut arguments: Arguments) -> Result {
    let json = arguments.flag("--json");
    let extra = arguments.passed_on();
    let name = arguments.positional().unwrap_or_default();
    if !NAMES.contains(&name.as_str()) {
        return Err(arguments.misuse(&format!(
            "name one of these benchmarks: {}",
            NAMES.join(", ")
        )));
    }
    arguments.finish()?;
    let mut command = prepare(workspace, &name)?;
    command.args(json.then_some("--json")).args(extra);
    Step::run(format!("bench: {name}"), || measure(&mut command, &name))
}

fn prepare(workspace: &Workspace, name: &str) -> Result<Command> {
    let node = Node::find()?;
    let browser = chromium::ensure(workspace)?;
    node.install(workspace, node::TESTS)?;
    build_web::build(workspace, WasmBuild::Release)?;
    let binary = relay::build(workspace, Profile::Release)?;
    let mut command = node.script(workspace, &format!("tests/bench/{name}.mjs"));
    command
        .env(chromium::VARIABLE, browser)
        .env(relay::VARIABLE, binary);
    if WITH_NATIVE.contains(&name) {
        command.env("WARREN_BENCH_NATIVE", native(workspace)?);
    }
    if name == WITH_STOCK {
        let rival = rival::build(workspace)?;
        command
            .env(rival::NODE, rival.node)
            .env(rival::PAGE, rival.page);
    }
    Ok(command)
}

/// The native side of benchmarks.
fn native(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.command("cargo");
    cargo.args(["build", "--locked", "--release"]);
    cargo.args(["--package", "warren-tests", "--bin", "bench-native"]);
    run_logged(
        workspace,
        "native: compile the benchmark (release)",
        &mut cargo,
        "fix the compiler errors above, then run the command again",
    )?;
    Ok(workspace.target().join("release/bench-native"))
}

fn measure(command: &mut Command, name: &str) -> Result {
    const REMEDY: &str = "read what the benchmark printed above";
    let status = command
        .status()
        .or_fail("cannot start the benchmark", REMEDY)?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(
            format!("benchmark {name} failed ({status})"),
            REMEDY,
        ))
    }
}
