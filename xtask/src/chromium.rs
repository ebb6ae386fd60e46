//! Finds a Chromium for the browser tests, or installs one. It never starts it.

use std::env;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::machine;
use crate::workspace::Workspace;

/// Names a browser to use instead of the one that would be found.
pub const VARIABLE: &str = "WARREN_CHROMIUM";

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Where browsers are that do not put themselves on PATH.
const PLACES: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const INSTALL: &str =
    "install Chromium or Chrome, or name one with WARREN_CHROMIUM=/path/to/chromium";

/// The browser to test with.
pub fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(chosen) = env::var_os(VARIABLE).map(PathBuf::from) {
        return if chosen.is_file() {
            Ok(chosen)
        } else {
            Err(not_a_file(&chosen))
        };
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    if !machine::is_debian() {
        return Err(Failure::new("no Chromium was found", INSTALL));
    }
    if !machine::is_root() {
        return Err(Failure::new(
            "no Chromium was found, and installing it needs root",
            "run `apt-get install chromium` as root, or set WARREN_CHROMIUM",
        ));
    }
    install(workspace)?;
    find().ok_or_else(|| {
        Failure::new(
            "Debian's package chromium brought no program `chromium`",
            INSTALL,
        )
    })
}

fn find() -> Option<PathBuf> {
    machine::find_program(&NAMES).or_else(|| {
        PLACES
            .iter()
            .map(PathBuf::from)
            .find(|place| place.is_file())
    })
}

fn not_a_file(chosen: &Path) -> Failure {
    Failure::new(
        format!("{VARIABLE} names {}, which is not a file", chosen.display()),
        "correct the variable, or unset it",
    )
}

fn install(workspace: &Workspace) -> Result {
    const OFFLINE: &str = "check that apt-get reaches a package mirror, or set WARREN_CHROMIUM";
    machine::install_debian(workspace, "chromium", OFFLINE)
}
