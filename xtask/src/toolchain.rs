//! Provides a Rust toolchain that can compile for the browser.
//!
//! Ordinary machines get the target from rustup. Machines that reach only package registries build it
//! from Debian's sources. It knows nothing about what is compiled.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};
use crate::logged::run_logged;
use crate::machine;
use crate::workspace::Workspace;

pub const TARGET: &str = "wasm32-unknown-unknown";

/// The name that the Debian way gives its toolchain.
const LINKED: &str = "rust-web";

/// Set to `debian` to leave rustup's servers alone.
const CHOICE: &str = "WARREN_WASM_TOOLCHAIN";

/// A toolchain that has the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WasmToolchain {
    /// The one that xtask itself runs under.
    Active,
    /// The one linked by the Debian way.
    Linked,
}

impl WasmToolchain {
    /// Finds such a toolchain, or installs one.
    pub fn ensure(workspace: &Workspace) -> Result<Self> {
        if let Some(found) = Self::find(workspace) {
            return Ok(found);
        }
        if env::var(CHOICE).is_ok_and(|choice| choice == "debian") || !add_target(workspace) {
            debian_way(workspace)?;
        }
        Self::find(workspace).ok_or_else(|| {
            Failure::new(
                format!("no Rust toolchain has the target {TARGET}"),
                ADD_BY_HAND,
            )
        })
    }

    fn find(workspace: &Workspace) -> Option<Self> {
        [Self::Active, Self::Linked]
            .into_iter()
            .find(|toolchain| toolchain.has_target(workspace))
    }

    /// Makes sure that this toolchain can lint, too.
    pub fn ensure_clippy(self, workspace: &Workspace) -> Result {
        if machine::output_of(
            self.command(workspace, "cargo")
                .args(["clippy", "--version"]),
        )
        .is_some()
        {
            return Ok(());
        }
        if self == Self::Linked {
            return debian_way(workspace);
        }
        let mut command = workspace.command("rustup");
        command.args(["component", "add", "clippy"]);
        run_logged(
            workspace,
            "rustup: add clippy",
            &mut command,
            "check the network connection, then run `rustup component add clippy`",
        )
    }

    /// A command that uses this toolchain, whatever the surrounding `cargo run` chose.
    pub fn command(self, workspace: &Workspace, program: &str) -> Command {
        let mut command = workspace.command(program);
        if self == Self::Linked {
            command.env("RUSTUP_TOOLCHAIN", LINKED);
        }
        command
    }

    /// What `rustc` says about itself: part of every fingerprint of a compilation.
    pub fn version(self, workspace: &Workspace) -> String {
        machine::output_of(self.command(workspace, "rustc").arg("-vV")).unwrap_or_default()
    }

    fn has_target(self, workspace: &Workspace) -> bool {
        let libraries = machine::output_of(self.command(workspace, "rustc").args([
            "--print",
            "target-libdir",
            "--target",
            TARGET,
        ]));
        libraries.is_some_and(|folder| has_standard_library(&PathBuf::from(folder.trim())))
    }
}

const ADD_BY_HAND: &str = "run `rustup target add wasm32-unknown-unknown`, or set WARREN_WASM_TOOLCHAIN=debian on Debian as root";

fn has_standard_library(folder: &PathBuf) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        (name == "libstd.rlib" || name.starts_with("libstd-")) && name.ends_with(".rlib")
    })
}

fn add_target(workspace: &Workspace) -> bool {
    let mut command = workspace.command("rustup");
    command.args(["target", "add", TARGET]).stdin(Stdio::null());
    run_logged(
        workspace,
        "rustup: add the browser target",
        &mut command,
        ADD_BY_HAND,
    )
    .is_ok()
}

fn debian_way(workspace: &Workspace) -> Result {
    if !machine::is_debian() {
        return Err(Failure::new(
            format!("rustup could not add the target {TARGET}"),
            "check the network connection, then run `rustup target add wasm32-unknown-unknown`",
        ));
    }
    if !machine::is_root() {
        return Err(Failure::new(
            format!(
                "the target {TARGET} is missing, and installing Debian's compiler for it needs root"
            ),
            "run `rustup target add wasm32-unknown-unknown`, or run this command as root once",
        ));
    }
    let mut script = workspace.command("bash");
    script.arg(workspace.path("xtask/scripts/wasm-std-debian.sh"));
    run_logged(
        workspace,
        "wasm toolchain from Debian's packages",
        &mut script,
        "check that apt-get and crates.io can be reached, then run the command again",
    )
}
