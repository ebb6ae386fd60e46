//! `pack`: the npm package as the tarball that would be published.

use std::fs;

use crate::arguments::Arguments;
use crate::commands::build_web;
use crate::failure::{CHECK_DISK, OrFail, Result};
use crate::logged::run_logged;
use crate::node::{self, Node};
use crate::wasm::WasmBuild;
use crate::workspace::Workspace;

pub fn run(workspace: &Workspace, arguments: Arguments) -> Result {
    arguments.finish()?;
    build_web::build(workspace, WasmBuild::Release)?;
    let output = workspace.target().join("pack");
    fs::create_dir_all(&output)
        .or_fail(format!("cannot create {}", output.display()), CHECK_DISK)?;
    let mut npm = Node::find()?.npm(workspace, &workspace.path(node::PACKAGE));
    npm.args(["pack", "--pack-destination"]).arg(&output);
    run_logged(
        workspace,
        "npm package: pack",
        &mut npm,
        "fix the errors above, then run the command again",
    )?;
    println!("{}", output.display());
    Ok(())
}
