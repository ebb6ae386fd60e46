//! Compiles the native binary `warren` with the page inside.

use std::path::PathBuf;

use crate::failure::Result;
use crate::logged::run_logged;
use crate::workspace::Workspace;

/// Tells tests and benchmarks which binary to start.
pub const VARIABLE: &str = "WARREN_BIN";

/// How much the compiler optimises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Dev,
    Release,
}

/// Brings the binary up to date and says where it is.
pub fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let mut cargo = workspace.command("cargo");
    cargo.args([
        "build",
        "--locked",
        "--package",
        "warren-relay",
        "--bin",
        "warren",
    ]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    run_logged(
        workspace,
        "relay: compile",
        &mut cargo,
        "fix the compiler errors above, then run the command again",
    )?;
    Ok(workspace.warren(profile == Profile::Release))
}
