//! What xtask asks of the machine it runs on: programs, distribution, permissions.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::failure::Result;
use crate::logged::run_logged;
use crate::workspace::Workspace;

/// The standard output of a command that succeeds, if it does.
pub fn output_of(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first of these programs that PATH has.
pub fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        folders
            .iter()
            .map(|folder| folder.join(&file))
            .find(|candidate| candidate.is_file())
    })
}

/// True on Debian and on what is built on it, where `apt-get` installs things.
pub fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| names_debian(&text))
}

fn names_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| {
            line.strip_prefix("ID=")
                .or_else(|| line.strip_prefix("ID_LIKE="))
        })
        .any(|ids| ids.trim_matches('"').split(' ').any(|id| id == "debian"))
}

pub fn is_root() -> bool {
    output_of(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

/// Installs one of Debian's packages; needs root.
pub fn install_debian(workspace: &Workspace, package: &str, remedy: &str) -> Result {
    run_logged(
        workspace,
        "apt-get: refresh the package lists",
        workspace.command("apt-get").arg("update"),
        remedy,
    )?;
    let mut install = workspace.command("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "--yes",
        "--no-install-recommends",
        package,
    ]);
    let what = format!("apt-get: install {package}");
    run_logged(workspace, &what, &mut install, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_debian_and_its_children() {
        assert!(names_debian("NAME=x\nID=debian\n"));
        assert!(names_debian("ID=ubuntu\nID_LIKE=\"debian\"\n"));
        assert!(!names_debian("ID=fedora\nHOME_URL=debian\n"));
    }
}
