//! Where things are in the checkout. Knows paths only; it creates nothing but its own state folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout that xtask works on, and the folder that cargo builds into.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the checkout through the variable that `cargo run` sets, so that a copied binary still works.
    pub fn locate() -> Self {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .map_or_else(|| manifest.clone(), Path::to_path_buf);
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        Self { root, target }
    }

    /// A checkout at a given path, with its own target folder.
    #[cfg(test)]
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
            target: root.join("target"),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where xtask keeps fingerprints, logs and intermediate files. Checkouts that share a target folder
    /// do not share these.
    pub fn state(&self) -> PathBuf {
        let state = self.target.join("xtask");
        if self.target.starts_with(&self.root) {
            return state;
        }
        let checkout = blake3::hash(self.root.as_os_str().as_encoded_bytes()).to_hex();
        state.join(&checkout[..12])
    }

    /// The native binary `warren` of a profile's output folder.
    pub fn warren(&self, release: bool) -> PathBuf {
        let folder = if release { "release" } else { "debug" };
        self.target
            .join(folder)
            .join(format!("warren{}", env::consts::EXE_SUFFIX))
    }

    /// A command that runs in the checkout, free of what `cargo run` told xtask about itself.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            if is_cargo_run_variable(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command
    }
}

/// Variables that cargo sets for the program it runs, and that would mislead another cargo.
fn is_cargo_run_variable(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_BIN_")
        || name.starts_with("CARGO_MANIFEST_")
        || matches!(
            name,
            "CARGO" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "RUSTC"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkouts_with_a_common_target_folder_keep_apart() {
        let state = |root: &str| {
            Workspace {
                root: root.into(),
                target: "/a/target".into(),
            }
            .state()
        };
        assert_eq!(state("/a"), Path::new("/a/target/xtask"));
        assert_ne!(state("/b"), state("/c"));
        assert!(state("/b").starts_with("/a/target/xtask"));
    }

    #[test]
    fn clears_what_cargo_set_and_keeps_what_a_person_sets() {
        assert!(is_cargo_run_variable("CARGO_PKG_NAME"));
        assert!(is_cargo_run_variable("CARGO"));
        assert!(!is_cargo_run_variable("CARGO_BUILD_JOBS"));
        assert!(!is_cargo_run_variable("CARGO_TARGET_DIR"));
        assert!(!is_cargo_run_variable("CARGO_HOME"));
    }
}
