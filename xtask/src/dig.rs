//! Finds `dig` for the test that asks a relay as ordinary software does, or installs it where that is
//! a matter of one command. A machine without it goes without: the test then says that it was left out.

use std::path::PathBuf;

use crate::machine;
use crate::workspace::Workspace;

/// Names a program to use instead of the one that would be found.
pub const VARIABLE: &str = "WARREN_DIG";

const PACKAGE: &str = "bind9-dnsutils";
const REMEDY: &str = "the test with `dig` is left out; install it, or set WARREN_DIG";

/// The program, if there can be one.
pub fn ensure(workspace: &Workspace) -> Option<PathBuf> {
    let find = || machine::find_program(&["dig"]);
    let chosen = std::env::var_os(VARIABLE).map(PathBuf::from);
    if let Some(found) = chosen.or_else(find) {
        return Some(found);
    }
    if machine::is_debian() && machine::is_root() {
        let installed = machine::install_debian(workspace, PACKAGE, REMEDY);
        if let Some(found) = installed.ok().and_then(|()| find()) {
            return Some(found);
        }
    }
    eprintln!("  {REMEDY}");
    None
}
