//! `build-web`: from Rust and TypeScript sources to the compressed files that the relay serves.
//!
//! Bundling and hashed names are the business of the `build.mjs` scripts.

use std::path::Path;

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};
use crate::fingerprint::{Fingerprint, Stamp};
use crate::logged::run_logged;
use crate::node::{self, Node};
use crate::step::Step;
use crate::toolchain::WasmToolchain;
use crate::wasm::{self, WasmBuild};
use crate::workspace::Workspace;

const COMPRESS: &str = "xtask/scripts/compress.mjs";
const FIX: &str = "fix the errors above, then run the command again";

pub fn run(workspace: &Workspace, mut arguments: Arguments) -> Result {
    let what = what_to_build(&mut arguments);
    arguments.finish()?;
    build(workspace, what)
}

/// The build that the switch `--dev` asks for.
pub fn what_to_build(arguments: &mut Arguments) -> WasmBuild {
    if arguments.flag("--dev") {
        WasmBuild::Dev
    } else {
        WasmBuild::Release
    }
}

/// Brings engine, npm package and page up to date; other commands call this too.
pub fn build(workspace: &Workspace, what: WasmBuild) -> Result {
    let node = Node::find()?;
    let toolchain = WasmToolchain::ensure(workspace)?;
    wasm::build(workspace, toolchain, what)?;
    node.install(workspace, node::PACKAGE)?;
    node.install(workspace, node::PAGE)?;
    package(workspace, &node)?;
    page(workspace, &node, what)
}

fn package(workspace: &Workspace, node: &Node) -> Result {
    let inputs = sources(workspace, node, &[node::PACKAGE])?;
    bundle(
        workspace,
        node,
        "npm package: bundle",
        node::PACKAGE,
        &inputs,
        |_| Ok(()),
    )
}

fn page(workspace: &Workspace, node: &Node, what: WasmBuild) -> Result {
    let effort = if what == WasmBuild::Release {
        None
    } else {
        Some("--quick")
    };
    let inputs = sources(workspace, node, &[node::PACKAGE, node::PAGE])?;
    let inputs = inputs
        .path(&workspace.path(COMPRESS))?
        .text(effort.unwrap_or_default());
    bundle(
        workspace,
        node,
        "page: bundle",
        node::PAGE,
        &inputs,
        |dist| {
            let mut compress = node.script(workspace, COMPRESS);
            compress.arg(dist).args(effort);
            run_logged(workspace, "page: compress", &mut compress, FIX)
        },
    )
}

fn sources(workspace: &Workspace, node: &Node, folders: &[&str]) -> Result<Fingerprint> {
    let start = Fingerprint::new(workspace).text(node.version());
    folders
        .iter()
        .try_fold(start, |inputs, folder| inputs.path(&workspace.path(folder)))
}

/// Runs the `build.mjs` of a folder, which writes the folder's `dist`, and then what finishes that.
fn bundle(
    workspace: &Workspace,
    node: &Node,
    name: &str,
    folder: &str,
    inputs: &Fingerprint,
    finish: impl FnOnce(&Path) -> Result,
) -> Result {
    let script = format!("{folder}/build.mjs");
    if !workspace.path(&script).exists() {
        return Err(Failure::new(
            format!("{script} is missing"),
            format!("restore it with `git checkout -- {folder}`"),
        ));
    }
    let dist = workspace.path(folder).join("dist");
    let stamp_name = format!("bundle-{}", folder.replace('/', "-"));
    let stamp = Stamp::new(workspace, &stamp_name, inputs, vec![dist.clone()]);
    if stamp.is_current() {
        Step::up_to_date(name);
        return Ok(());
    }
    run_logged(workspace, name, &mut node.script(workspace, &script), FIX)?;
    finish(&dist)?;
    stamp.save()
}
