//! `lint`: everything that can be wrong without running anything. All checks run, also after one failed.

use std::process::Command;

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};
use crate::logged::run_logged;
use crate::node::{self, Node};
use crate::rival;
use crate::toolchain::{TARGET, WasmToolchain};
use crate::workspace::Workspace;

/// The part of the workspace that compiles natively.
const NATIVE: [&str; 11] = [
    "--workspace",
    "--exclude",
    "warren-wasm",
    "--exclude",
    "warren-apps",
    "--exclude",
    "warren-names",
    "--exclude",
    "warren-page",
    "--exclude",
    "warren-store",
];

struct Check {
    name: &'static str,
    command: Command,
    remedy: &'static str,
}

pub fn run(workspace: &Workspace, arguments: Arguments) -> Result {
    arguments.finish()?;
    let node = Node::find()?;
    let toolchain = WasmToolchain::ensure(workspace)?;
    toolchain.ensure_clippy(workspace)?;
    let mut checks = rust(workspace, toolchain);
    for (name, folder) in [
        ("lint: types of the npm package", node::PACKAGE),
        ("lint: types of the page", node::PAGE),
    ] {
        node.install(workspace, folder)?;
        checks.extend(types(workspace, &node, name, folder));
    }
    let failed: Vec<&str> = checks
        .into_iter()
        .filter_map(|check| check.run(workspace).err())
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(
            format!("failed: {}", failed.join(", ")),
            "fix what the checks printed above, then run the command again",
        ))
    }
}

impl Check {
    /// Runs the check; the error is its name.
    fn run(mut self, workspace: &Workspace) -> std::result::Result<(), &'static str> {
        run_logged(workspace, self.name, &mut self.command, self.remedy).map_err(|failure| {
            eprintln!("{failure}");
            self.name
        })
    }
}

fn rust(workspace: &Workspace, toolchain: WasmToolchain) -> Vec<Check> {
    const WARNINGS: &str = "fix the warnings above; `cargo clippy --fix` can do some of it";
    let mut format = workspace.command("cargo");
    format.args(["fmt", "--all", "--check"]);
    let mut format_rival = workspace.command("cargo");
    format_rival
        .args(["fmt", "--all", "--check", "--manifest-path"])
        .arg(rival::MANIFEST);
    let mut native = workspace.command("cargo");
    native
        .args(["clippy", "--locked", "--all-targets"])
        .args(NATIVE)
        .args(["--", "-D", "warnings"]);
    let mut wasm = toolchain.command(workspace, "cargo");
    wasm.args([
        "clippy",
        "--locked",
        "--package",
        "warren-wasm",
        "--package",
        "warren-page",
        "--package",
        "warren-shared",
        "--target",
        TARGET,
    ]);
    wasm.args(["--features", "warren-wasm/selftest", "--", "-D", "warnings"]);
    let mut names = toolchain.command(workspace, "cargo");
    names.args(["clippy", "--locked", "--package", "warren-names"]);
    names.args(["--target", TARGET, "--", "-D", "warnings"]);
    let mut apps = toolchain.command(workspace, "cargo");
    apps.args(["clippy", "--locked", "--package", "warren-apps"]);
    apps.args(["--package", "warren-store", "--package", "warren-shared"]);
    apps.args(["--target", TARGET]);
    apps.args(["--", "-D", "warnings"]);
    let mut documentation = workspace.command("cargo");
    documentation
        .args(["doc", "--locked", "--no-deps"])
        .args(NATIVE)
        .env("RUSTDOCFLAGS", "-D warnings");
    vec![
        Check {
            name: "lint: format",
            command: format,
            remedy: "run `cargo fmt --all`",
        },
        Check {
            name: "lint: format, rival of the benchmarks",
            command: format_rival,
            remedy: "run `cargo fmt --all --manifest-path tests/stock/Cargo.toml`",
        },
        Check {
            name: "lint: clippy, native",
            command: native,
            remedy: WARNINGS,
        },
        Check {
            name: "lint: clippy, wasm",
            command: wasm,
            remedy: WARNINGS,
        },
        Check {
            name: "lint: clippy, wasm of names",
            command: names,
            remedy: WARNINGS,
        },
        Check {
            name: "lint: clippy, wasm of apps",
            command: apps,
            remedy: WARNINGS,
        },
        Check {
            name: "lint: documentation",
            command: documentation,
            remedy: "fix the documentation comments named above",
        },
    ]
}

fn types(workspace: &Workspace, node: &Node, name: &'static str, folder: &str) -> Option<Check> {
    let place = workspace.path(folder);
    let project = place.join("tsconfig.json");
    let compiler = node.typescript(&place)?;
    let mut command = workspace.command("node");
    command
        .arg(compiler)
        .args(["--noEmit", "--project"])
        .arg(&project);
    project.exists().then_some(Check {
        name,
        command,
        remedy: "fix the type errors above",
    })
}
