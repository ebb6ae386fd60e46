//! `build-web`: from Rust and TypeScript sources to the compressed files that the relay serves.

use crate::arguments::Arguments;
use crate::compress::{self, Effort};
use crate::failure::{Failure, Result};
use crate::fingerprint::{Fingerprint, Stamp};
use crate::node::{self, Node};
use crate::step::{Step, run_logged};
use crate::toolchain::WasmToolchain;
use crate::wasm::{self, WasmBuild};
use crate::workspace::Workspace;

const SCRIPT: &str = "web/build.mjs";

pub fn run(workspace: &Workspace, mut arguments: Arguments) -> Result {
    let what = if arguments.flag("--dev") {
        WasmBuild::Dev
    } else {
        WasmBuild::Release
    };
    arguments.finish()?;
    build(workspace, what)
}

/// Brings the page up to date; other commands call this too.
pub fn build(workspace: &Workspace, what: WasmBuild) -> Result {
    let node = Node::find()?;
    let toolchain = WasmToolchain::ensure(workspace)?;
    wasm::build(workspace, toolchain, what)?;
    node.install(workspace, node::PACKAGE)?;
    node.install(workspace, node::PAGE)?;
    page(workspace, &node, what)
}

fn page(workspace: &Workspace, node: &Node, what: WasmBuild) -> Result {
    if !workspace.path(SCRIPT).exists() {
        return Err(Failure::new(
            format!("{SCRIPT} is missing"),
            "restore it with `git checkout -- web`",
        ));
    }
    let effort = if what == WasmBuild::Release {
        Effort::Best
    } else {
        Effort::Quick
    };
    let inputs = Fingerprint::new(workspace)
        .text(node.version())
        .text(&format!("{what:?}"))
        .path(&workspace.path(node::PACKAGE))?
        .path(&workspace.path(node::PAGE))?;
    let output = workspace.path("web/dist");
    let stamp = Stamp::new(workspace, "page", &inputs, vec![output.clone()]);
    if stamp.is_current() {
        Step::up_to_date("page: bundle and compress");
        return Ok(());
    }
    run_logged(
        workspace,
        "page: bundle",
        &mut node.script(workspace, SCRIPT),
        "fix the errors above, then run the command again",
    )?;
    Step::run("page: compress", || compress::siblings(&output, effort))?;
    stamp.save()
}
