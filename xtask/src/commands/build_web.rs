//! `build-web`: from Rust and TypeScript sources to the compressed files that the relay serves.
//!
//! Bundling, hashed names and compression are the page's own business (`web/build.mjs`).

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};
use crate::fingerprint::{Fingerprint, Stamp};
use crate::node::{self, Node};
use crate::step::{Step, run_logged};
use crate::toolchain::WasmToolchain;
use crate::wasm::{self, WasmBuild};
use crate::workspace::Workspace;

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
    bundle(
        workspace,
        &node,
        "npm package: bundle",
        node::PACKAGE,
        &[node::PACKAGE],
    )?;
    bundle(
        workspace,
        &node,
        "page: bundle and compress",
        node::PAGE,
        &[node::PACKAGE, node::PAGE],
    )
}

/// Runs the `build.mjs` of a folder, which writes the folder's `dist`.
fn bundle(
    workspace: &Workspace,
    node: &Node,
    name: &str,
    folder: &str,
    sources: &[&str],
) -> Result {
    let script = format!("{folder}/build.mjs");
    if !workspace.path(&script).exists() {
        return Err(Failure::new(
            format!("{script} is missing"),
            format!("restore it with `git checkout -- {folder}`"),
        ));
    }
    let mut inputs = Fingerprint::new(workspace).text(node.version());
    for source in sources {
        inputs = inputs.path(&workspace.path(source))?;
    }
    let stamp_name = format!("bundle-{}", folder.replace('/', "-"));
    let stamp = Stamp::new(
        workspace,
        &stamp_name,
        &inputs,
        vec![workspace.path(folder).join("dist")],
    );
    if stamp.is_current() {
        Step::up_to_date(name);
        return Ok(());
    }
    run_logged(workspace, name, &mut node.script(workspace, &script), FIX)?;
    stamp.save()
}
