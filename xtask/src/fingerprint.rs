//! Decides whether a step can be skipped: same inputs, same tools, outputs still as the step left them.
//!
//! It hashes contents, not times, so that switching branches back and forth costs nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{CHECK_DISK, OrFail, Result};
use crate::workspace::Workspace;

/// Folders that hold results or downloads: never an input of anything.
const NOT_INPUTS: [&str; 4] = ["node_modules", "dist", "target", ".git"];

/// What a step depends on, reduced to one hash.
pub struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// Starts with what every step depends on: which checkout this is.
    pub fn new(workspace: &Workspace) -> Self {
        Self(blake3::Hasher::new()).text(&workspace.root().to_string_lossy())
    }

    /// Adds a setting or the version of a tool.
    pub fn text(mut self, text: &str) -> Self {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// Adds a file, or every input file below a folder; what does not exist counts as such.
    pub fn path(self, path: &Path) -> Result<Self> {
        self.paths(path, &NOT_INPUTS)
    }

    /// Adds everything below a folder, generated folders included.
    pub fn outputs(self, path: &Path) -> Result<Self> {
        self.paths(path, &[])
    }

    pub fn hex(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }

    fn paths(mut self, path: &Path, skip: &[&str]) -> Result<Self> {
        let mut files = Vec::new();
        collect(path, skip, &mut files)?;
        files.sort();
        self = self
            .text(&path.to_string_lossy())
            .text(&files.len().to_string());
        for file in files {
            let contents =
                fs::read(&file).or_fail(format!("cannot read {}", file.display()), CHECK_DISK)?;
            self = self.text(&file.to_string_lossy());
            self.0.update(&(contents.len() as u64).to_le_bytes());
            self.0.update(&contents);
        }
        Ok(self)
    }
}

fn collect(path: &Path, skip: &[&str], files: &mut Vec<PathBuf>) -> Result {
    if path.is_file() {
        files.push(path.to_path_buf());
    }
    if !path.is_dir() {
        return Ok(());
    }
    let problem = || format!("cannot list {}", path.display());
    for entry in fs::read_dir(path).or_fail(problem(), CHECK_DISK)? {
        let entry = entry.or_fail(problem(), CHECK_DISK)?;
        if !skip.contains(&entry.file_name().to_string_lossy().as_ref()) {
            collect(&entry.path(), skip, files)?;
        }
    }
    Ok(())
}

/// Remembers the inputs and outputs of one step's last success.
pub struct Stamp<'a> {
    workspace: &'a Workspace,
    file: PathBuf,
    inputs: String,
    outputs: Vec<PathBuf>,
}

impl<'a> Stamp<'a> {
    pub fn new(
        workspace: &'a Workspace,
        name: &str,
        inputs: &Fingerprint,
        outputs: Vec<PathBuf>,
    ) -> Self {
        Self {
            workspace,
            file: workspace.state().join("stamps").join(name),
            inputs: inputs.hex(),
            outputs,
        }
    }

    /// True when the step would only repeat what it did.
    pub fn is_current(&self) -> bool {
        let wanted = self.contents();
        self.outputs.iter().all(|output| output.exists())
            && wanted.is_ok_and(|wanted| {
                fs::read_to_string(&self.file).is_ok_and(|found| found == wanted)
            })
    }

    /// Records a success. Not called after a failure, so a failed step always runs again.
    pub fn save(&self) -> Result {
        let problem = format!("cannot write {}", self.file.display());
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder).or_fail(&problem, CHECK_DISK)?;
        }
        fs::write(&self.file, self.contents()?).or_fail(&problem, CHECK_DISK)
    }

    fn contents(&self) -> Result<String> {
        let mut outputs = Fingerprint::new(self.workspace);
        for output in &self.outputs {
            outputs = outputs.outputs(output)?;
        }
        Ok(format!(
            "inputs {}\noutputs {}\n",
            self.inputs,
            outputs.hex()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn hash(scratch: &Scratch) -> String {
        Fingerprint::new(&scratch.workspace())
            .path(scratch.path())
            .unwrap()
            .hex()
    }

    #[test]
    fn changes_with_content_and_name_but_not_with_generated_folders() {
        let scratch = Scratch::new("fingerprint");
        fs::write(scratch.path().join("a"), "1").unwrap();
        let first = hash(&scratch);
        fs::create_dir_all(scratch.path().join("dist")).unwrap();
        fs::write(scratch.path().join("dist/x"), "built").unwrap();
        assert_eq!(hash(&scratch), first);
        fs::rename(scratch.path().join("a"), scratch.path().join("b")).unwrap();
        assert_ne!(hash(&scratch), first);
    }

    #[test]
    fn text_boundaries_count() {
        let workspace = Workspace::at(Path::new("/nowhere"));
        let joined = Fingerprint::new(&workspace).text("ab").text("c").hex();
        assert_ne!(
            joined,
            Fingerprint::new(&workspace).text("a").text("bc").hex()
        );
    }

    #[test]
    fn a_stamp_notices_changed_inputs_and_damaged_outputs() {
        let scratch = Scratch::new("stamp");
        let workspace = scratch.workspace();
        let output = scratch.path().join("out");
        fs::write(&output, "result").unwrap();
        let stamp = |setting: &str| {
            Stamp::new(
                &workspace,
                "s",
                &Fingerprint::new(&workspace).text(setting),
                vec![output.clone()],
            )
        };
        assert!(!stamp("x").is_current());
        stamp("x").save().unwrap();
        assert!(stamp("x").is_current());
        assert!(!stamp("y").is_current());
        fs::write(&output, "damaged").unwrap();
        assert!(!stamp("x").is_current());
        fs::remove_file(&output).unwrap();
        assert!(!stamp("x").is_current());
    }
}
