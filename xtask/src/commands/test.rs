//! `test`: prepares the machine, runs every suite, and ends with one line of counts.
//!
//! Suites: Rust on the native target, Rust compiled to wasm (in Node), the npm package (in Node), and
//! the page in Chromium against the real relay.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::arguments::Arguments;
use crate::chromium;
use crate::commands::build_web;
use crate::counts::{Counts, Dialect};
use crate::failure::Result;
use crate::logged::run_logged;
use crate::node::{self, Node};
use crate::optional::{DIG, FIREFOX, NFT, Optional};
use crate::python;
use crate::relay;
use crate::suite;
use crate::toolchain::WasmToolchain;
use crate::wasm::{self, WasmBuild};
use crate::workspace::Workspace;

const SUITES: [&str; 4] = ["native", "wasm", "package", "browser"];

/// What is left out of the native suite: five do not compile natively; xtask is tested with the very
/// dependencies it was compiled with, so that nothing is compiled twice.
const NATIVE: [&str; 13] = [
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
    "--exclude",
    "xtask",
];

/// What a long run repeats so often that it needs an optimised build.
const OPTIMISED: [&str; 9] = [
    "--release",
    "--package",
    "warren-shared",
    "--package",
    "warren-relay",
    "--lib",
    "--",
    "proto::names::sim",
    "selftest",
];

pub fn run(workspace: &Workspace, arguments: Arguments) -> Result<ExitCode> {
    let session = Session {
        workspace,
        node: Node::find()?,
        options: Options::read(arguments)?,
    };
    let counts = session.run()?;
    println!("{counts}");
    Ok(if counts.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What the user asked for.
struct Options {
    long: bool,
    only: Option<String>,
    filter: Option<String>,
}

impl Options {
    fn read(mut arguments: Arguments) -> Result<Self> {
        let long = arguments.flag("--long");
        let only = arguments.value("--only")?;
        let filter = arguments.positional();
        if only.as_deref().is_some_and(|only| !SUITES.contains(&only)) {
            return Err(arguments.misuse(&format!("--only takes one of {}", SUITES.join(", "))));
        }
        arguments.finish()?;
        Ok(Self { long, only, filter })
    }

    fn wants(&self, suite: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == suite)
    }
}

struct Session<'a> {
    workspace: &'a Workspace,
    node: Node,
    options: Options,
}

impl Session<'_> {
    fn run(&self) -> Result<Counts> {
        let browser = self.prepare()?;
        let python = (self.options.long && self.options.wants("browser"))
            .then(|| python::ensure(self.workspace))
            .flatten();
        let beside = |program: &Optional| {
            let wanted = self.options.wants("browser");
            wanted.then(|| program.ensure(self.workspace)).flatten()
        };
        let (firefox, nft) = (beside(&FIREFOX), beside(&NFT));
        let mut counts = Counts::default();
        if self.options.wants("native") {
            if self.options.long && self.options.filter.is_none() {
                counts += self.cargo_test("tests: simulations and mutations", &OPTIMISED, None)?;
            }
            let dig = DIG.ensure(self.workspace);
            counts += self.cargo_test("tests: native", &NATIVE, dig)?;
            counts +=
                self.cargo_test("tests: developer commands", &["--package", "xtask"], None)?;
        }
        if self.options.wants("wasm") {
            counts += self.wasm()?;
        }
        if self.options.wants("package") {
            counts += self.node_test("tests: npm package", "wasm-peer/js/test", &[])?;
        }
        if self.options.wants("browser") {
            let programs = [
                (chromium::VARIABLE, browser),
                (FIREFOX.variable, firefox),
                (NFT.variable, nft),
                (python::VARIABLE, python),
            ];
            counts += self.node_test("tests: browser", "tests/e2e", &programs)?;
        }
        Ok(counts)
    }

    /// Everything that can be missing is found out, and compiled, before the first test runs.
    fn prepare(&self) -> Result<Option<PathBuf>> {
        let browser = if self.options.wants("browser") {
            self.node.install(self.workspace, node::TESTS)?;
            Some(chromium::ensure(self.workspace)?)
        } else {
            None
        };
        // The page is part of the native binary.
        if ["native", "package", "browser"]
            .into_iter()
            .any(|suite| self.options.wants(suite))
        {
            build_web::build(self.workspace, WasmBuild::Release)?;
        }
        if self.options.wants("wasm") {
            let toolchain = WasmToolchain::ensure(self.workspace)?;
            wasm::build(self.workspace, toolchain, WasmBuild::SelfTest)?;
        }
        if self.options.wants("native") || self.options.wants("browser") {
            self.compile_native()?;
        }
        Ok(browser)
    }

    /// Compiles the tests and the binary with one set of features, which `cargo test` then finds again.
    fn compile_native(&self) -> Result {
        let mut cargo = self.workspace.command("cargo");
        cargo
            .args(["build", "--locked", "--bins", "--tests"])
            .args(NATIVE);
        run_logged(
            self.workspace,
            "native: compile the relay and the tests",
            &mut cargo,
            "fix the compiler errors above, then run the command again",
        )
    }

    fn cargo_test(&self, name: &str, packages: &[&str], dig: Option<PathBuf>) -> Result<Counts> {
        let mut cargo = self.workspace.command("cargo");
        cargo.envs(dig.map(|program| (DIG.variable, program)));
        cargo
            .args(["test", "--locked", "--no-fail-fast"])
            .args(packages);
        cargo.args(self.options.filter.as_deref());
        suite::run(name, Dialect::Libtest, self.configure(&mut cargo))
    }

    fn wasm(&self) -> Result<Counts> {
        let mut runner = self.node.script(self.workspace, "tests/wasm/run.mjs");
        runner
            .arg(WasmBuild::SelfTest.output(self.workspace))
            .args(self.options.filter.as_deref());
        suite::run("tests: wasm", Dialect::Node, self.configure(&mut runner))
    }

    /// Runs the `*.test.mjs` of a folder, one file after the other: two browsers at once disturb each other's timing.
    fn node_test(
        &self,
        name: &str,
        folder: &str,
        programs: &[(&str, Option<PathBuf>)],
    ) -> Result<Counts> {
        let files = test_files(&self.workspace.path(folder));
        if files.is_empty() {
            return Ok(Counts::default());
        }
        let mut runner = self.workspace.command("node");
        runner.args(["--test", "--test-reporter=spec"]);
        if self.node.can_limit_test_concurrency() {
            runner.arg("--test-concurrency=1");
        }
        if let Some(filter) = &self.options.filter {
            runner.arg(format!("--test-name-pattern={filter}"));
        }
        for (variable, program) in programs {
            runner.envs(program.iter().map(|program| (variable, program)));
        }
        suite::run(name, Dialect::Node, self.configure(runner.args(files)))
    }

    fn configure<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env(relay::VARIABLE, self.workspace.warren(false));
        if self.options.long {
            command.env("WARREN_LONG", "1");
        }
        command
    }
}

fn test_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Result<Options> {
        Options::read(Arguments::new(
            "test",
            text.split_whitespace().map(str::to_owned).collect(),
        ))
    }

    #[test]
    fn options_choose_suites() {
        let all = options("--long name").unwrap();
        assert!(all.long && SUITES.iter().all(|suite| all.wants(suite)));
        assert_eq!(all.filter.as_deref(), Some("name"));
        let one = options("--only browser").unwrap();
        assert!(one.wants("browser") && !one.wants("native"));
        assert!(options("--only nothing").is_err());
        assert!(options("one two").is_err());
    }
}
