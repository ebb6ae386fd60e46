//! Builds the stock WebRTC transports, which benchmarks compare ours with.
//!
//! They are a workspace of their own, with its own lock file and its own generator of JavaScript bindings: they pin
//! an old wasm-bindgen, and one lock file cannot hold two.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{CHECK_DISK, OrFail, Result};
use crate::imports;
use crate::logged::run_logged;
use crate::toolchain::{TARGET, WasmToolchain};
use crate::workspace::Workspace;

/// Tells benchmarks where the node is.
pub const NODE: &str = "WARREN_STOCK_NODE";

/// Tells benchmarks which folder holds the page's JavaScript and WebAssembly.
pub const PAGE: &str = "WARREN_STOCK_PAGE";

/// The workspace of the rival.
pub const MANIFEST: &str = "tests/stock/Cargo.toml";
const COMPILE_REMEDY: &str = "fix the compiler errors above, then run the command again";
const BIND_REMEDY: &str =
    "give wasm-bindgen and wasm-bindgen-cli-support one version in tests/stock, then build again";

/// What was built.
pub struct Rival {
    pub node: PathBuf,
    pub page: PathBuf,
}

/// Brings node and page up to date.
pub fn build(workspace: &Workspace) -> Result<Rival> {
    let toolchain = WasmToolchain::ensure(workspace)?;
    Ok(Rival {
        node: node(workspace)?,
        page: page(workspace, toolchain)?,
    })
}

fn node(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = cargo(workspace.command("cargo"), workspace, "build");
    cargo.args(["--release", "--bin", "stock-node"]);
    run_logged(
        workspace,
        "rival: compile the stock node",
        &mut cargo,
        COMPILE_REMEDY,
    )?;
    let name = format!("stock-node{}", env::consts::EXE_SUFFIX);
    Ok(target(workspace).join("release").join(name))
}

fn page(workspace: &Workspace, toolchain: WasmToolchain) -> Result<PathBuf> {
    let mut compile = cargo(toolchain.command(workspace, "cargo"), workspace, "rustc");
    // Only the crate type given here can be optimised as a whole; the node needs another one.
    compile.args(["--package", "stock", "--lib", "--crate-type", "cdylib"]);
    compile.args(["--target", TARGET, "--profile", "wasm"]);
    run_logged(
        workspace,
        "rival: compile the stock page",
        &mut compile,
        COMPILE_REMEDY,
    )?;
    let page = target(workspace).join("page");
    let mut bind = cargo(workspace.command("cargo"), workspace, "run");
    bind.args(["--package", "stock-bind", "--"])
        .arg(target(workspace).join(TARGET).join("wasm/stock.wasm"))
        .arg(&page);
    run_logged(
        workspace,
        "rival: generate the JavaScript bindings",
        &mut bind,
        BIND_REMEDY,
    )?;
    let file = page.join("stock_bg.wasm");
    let wasm = fs::read(&file).or_fail(format!("cannot read {}", file.display()), CHECK_DISK)?;
    imports::check(&wasm, &file.display().to_string())?;
    Ok(page)
}

fn cargo(mut command: Command, workspace: &Workspace, what: &str) -> Command {
    command
        .args([
            what,
            "--locked",
            "--manifest-path",
            MANIFEST,
            "--target-dir",
        ])
        .arg(target(workspace));
    command
}

fn target(workspace: &Workspace) -> PathBuf {
    workspace.target().join("stock")
}
