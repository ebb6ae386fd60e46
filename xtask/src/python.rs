//! Sets up a Python with py-libp2p, for interop tests. A machine where that is not possible goes
//! without: the tests then say that they were left out.

use std::path::PathBuf;
use std::process::Command;

use crate::logged::run_logged;
use crate::machine;
use crate::workspace::Workspace;

/// Names a Python that has py-libp2p.
pub const VARIABLE: &str = "WARREN_PYTHON";

/// Pinned, so that a new release does not fail a test that passed yesterday.
const PACKAGES: [&str; 2] = ["libp2p==0.8.1", "aiortc==1.16.0"];
const REMEDY: &str =
    "the tests with py-libp2p are left out; they need Python 3.10 with venv and PyPI";

/// The interpreter of an environment with the packages, made when there is none.
pub fn ensure(workspace: &Workspace) -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os(VARIABLE) {
        return Some(chosen.into());
    }
    let folder = workspace.target().join("python");
    let python = folder.join("bin/python");
    let mark = folder.join(PACKAGES.join("+"));
    if mark.is_file() {
        return Some(python);
    }
    match install(workspace, &folder, &python).and_then(|()| std::fs::write(&mark, "").ok()) {
        Some(()) => Some(python),
        None => {
            eprintln!("  {REMEDY}");
            None
        }
    }
}

fn install(workspace: &Workspace, folder: &PathBuf, python: &PathBuf) -> Option<()> {
    let system = machine::find_program(&["python3"])?;
    let mut venv = Command::new(system);
    venv.args(["-m", "venv", "--clear"]).arg(folder);
    run_logged(workspace, "python: environment", &mut venv, REMEDY).ok()?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet"]).args(PACKAGES);
    run_logged(workspace, "python: py-libp2p", &mut pip, REMEDY).ok()
}
