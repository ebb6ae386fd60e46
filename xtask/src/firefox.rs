//! Finds a Firefox for the tests that want a second browser engine, or installs one where that is a
//! matter of one command. A machine without it goes without: the tests then say that they were left out.

use std::path::PathBuf;

use crate::machine;
use crate::workspace::Workspace;

/// Names a browser to use instead of the one that would be found.
pub const VARIABLE: &str = "WARREN_FIREFOX";

const NAMES: [&str; 2] = ["firefox-esr", "firefox"];
const REMEDY: &str = "the tests in Firefox are left out; install it, or set WARREN_FIREFOX";

/// The browser, if there can be one.
pub fn ensure(workspace: &Workspace) -> Option<PathBuf> {
    let chosen = std::env::var_os(VARIABLE).map(PathBuf::from);
    if let Some(found) = chosen.or_else(|| machine::find_program(&NAMES)) {
        return Some(found);
    }
    if machine::is_debian() && machine::is_root() {
        let installed = machine::install_debian(workspace, "firefox-esr", REMEDY);
        if let Some(found) = installed.ok().and_then(|()| machine::find_program(&NAMES)) {
            return Some(found);
        }
    }
    eprintln!("  {REMEDY}");
    None
}
