//! Node.js: checks its version, installs the npm packages of the three places that have some.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::fingerprint::{Fingerprint, Stamp};
use crate::logged::run_logged;
use crate::machine;
use crate::step::Step;
use crate::workspace::Workspace;

/// Folders with a package.json of their own, in the order in which they need each other.
pub const PACKAGE: &str = "wasm-peer/js";
pub const PAGE: &str = "web";
pub const TESTS: &str = "tests";

const OLDEST: u32 = 20;

#[cfg(windows)]
const NPM: &str = "npm.cmd";
#[cfg(not(windows))]
const NPM: &str = "npm";

/// A usable Node.js.
pub struct Node {
    version: String,
}

impl Node {
    pub fn find() -> Result<Self> {
        let version = machine::output_of(Command::new("node").arg("--version"));
        let version = version.ok_or_else(|| {
            Failure::new(
                "Node.js was not found on PATH",
                "install Node.js 20 or newer (https://nodejs.org)",
            )
        })?;
        let version = version.trim().to_owned();
        match version_numbers(&version) {
            Some((major, _)) if major >= OLDEST => Ok(Self { version }),
            _ => Err(Failure::new(
                format!("Node.js {version} is too old"),
                "install Node.js 20 or newer (https://nodejs.org)",
            )),
        }
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// True when the test runner can be told to run one file at a time.
    pub fn can_limit_test_concurrency(&self) -> bool {
        version_numbers(&self.version).is_some_and(|version| version >= (20, 10))
    }

    /// Installs the locked packages of a folder when they are not there yet. A folder without package.json needs none.
    pub fn install(&self, workspace: &Workspace, folder: &str) -> Result {
        let place = workspace.path(folder);
        if !place.join("package.json").exists() {
            return Ok(());
        }
        let inputs = Fingerprint::new(workspace)
            .text(&self.version)
            .path(&place.join("package.json"))?
            .path(&place.join("package-lock.json"))?;
        let name = format!("npm packages of {folder}");
        let stamp = Stamp::new(
            workspace,
            &format!("npm-{}", folder.replace('/', "-")),
            &inputs,
            vec![place.join("node_modules/.package-lock.json")],
        );
        if stamp.is_current() {
            Step::up_to_date(&name);
            return Ok(());
        }
        run_logged(
            workspace,
            &name,
            &mut clean_install(workspace, &place),
            "check the network connection and the npm registry setting, then run the command again",
        )?;
        stamp.save()
    }

    /// `npm` in a folder of the checkout.
    pub fn npm(&self, workspace: &Workspace, place: &Path) -> Command {
        let mut command = workspace.command(NPM);
        command.current_dir(place);
        command
    }

    /// `node` running a script of the checkout.
    pub fn script(&self, workspace: &Workspace, script: &str) -> Command {
        let mut command = workspace.command("node");
        command.arg(workspace.path(script));
        command
    }

    /// The TypeScript compiler that a folder has installed.
    pub fn typescript(&self, place: &Path) -> Option<PathBuf> {
        let compiler = place.join("node_modules/typescript/bin/tsc");
        compiler.exists().then_some(compiler)
    }
}

fn clean_install(workspace: &Workspace, place: &Path) -> Command {
    let mut command = workspace.command(NPM);
    command
        .current_dir(place)
        .args(["ci", "--no-audit", "--no-fund"]);
    command
}

/// Major and minor number of a version like `v20.11.0`.
fn version_numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_version_numbers() {
        assert_eq!(version_numbers("v20.11.2"), Some((20, 11)));
        assert_eq!(version_numbers("20.11.2"), None);
        assert_eq!(version_numbers("vX"), None);
    }
}
