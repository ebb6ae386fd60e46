//! Where a download goes: where cp would put a file, except that nothing that is there is replaced.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use warren_shared::error::{Code, Error, Result};
use warren_shared::proto::files::Kind;

use super::wanted::Wanted;
use super::work::blocking;
use crate::cli::lines::outcome;
use crate::files::failed;

/// What --output says for standard output.
const STDOUT: &str = "-";

/// Whether it says so.
pub(super) fn is_stdout(output: &Path) -> bool {
    output == Path::new(STDOUT)
}

/// Where it goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A path at which there may be something already.
    At(PathBuf),
    /// Standard output, when all of it is there.
    Stdout,
}

impl Place {
    /// What --output means for what is wanted. A file goes into a folder that is there; a directory becomes that folder,
    /// so that the same command goes on.
    pub fn of(output: Option<&Path>, wanted: &Wanted) -> Result<Place> {
        let Some(path) = output else {
            return Ok(Place::At(wanted.name()?));
        };
        if is_stdout(path) {
            return stdout(wanted.cid.kind);
        }
        let place = match wanted.cid.kind {
            Kind::File if path.is_dir() => path.join(wanted.name()?),
            Kind::File if ends_in_slash(path) => return Err(no_folder(path)),
            _ => path.to_owned(),
        };
        let parent = place.parent();
        let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
        match parent.is_none_or(Path::is_dir) {
            true => Ok(Place::At(place)),
            false => Err(no_folder(parent.unwrap_or(path))),
        }
    }
}

fn stdout(kind: Kind) -> Result<Place> {
    if kind == Kind::Directory {
        let message = "a directory cannot be written to standard output";
        return Err(Error::new(Code::InvalidArgument, message).with_remedy(
            "Fetch it into a folder with --output FOLDER, or one of its files by the link that `warren search` prints.",
        ));
    }
    // Nobody else gives orders to a terminal.
    match io::stdout().is_terminal() {
        true => Err(Error::new(
            Code::InvalidArgument,
            "a file is not written to a terminal, which may obey it",
        )
        .with_remedy("Pipe it into a program, such as `| less`, or name a file with --output.")),
        false => Ok(Place::Stdout),
    }
}

fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn no_folder(path: &Path) -> Error {
    let path = path.display();
    Error::new(Code::InvalidArgument, format!("there is no folder {path}"))
        .with_remedy(format!("Make it with: mkdir -p '{path}'"))
}

/// Writes a whole file to standard output. That nobody wants to read it all is no failure.
pub(super) async fn pour(file: PathBuf) -> Result<()> {
    blocking(move || {
        let unreadable = |error| failed("read", &file, error);
        let mut from = std::fs::File::open(&file).map_err(unreadable)?;
        let mut to = io::stdout().lock();
        outcome(io::copy(&mut from, &mut to).and_then(|_| to.flush()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use warren_shared::proto::files::cid::Cid;

    fn wanted(link: &str) -> Wanted {
        Wanted::read(link).unwrap()
    }

    #[test]
    fn a_file_goes_where_cp_puts_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = wanted(&format!("warren:{}?name=a.txt", Cid::file([7; 32])));
        let place = |path: &Path| Place::of(Some(path), &file);
        let at = |path: PathBuf| -> Result<Place> { Ok(Place::At(path)) };
        assert_eq!(Place::of(None, &file), at("a.txt".into()));
        assert_eq!(place(folder.path()), at(folder.path().join("a.txt")));
        assert_eq!(place(Path::new(".")), at("./a.txt".into()));
        assert_eq!(place(Path::new("new")), at("new".into()));
        let new = folder.path().join("new");
        assert_eq!(place(&new), at(new.clone()));
        for bad in [new.join(""), new.join("deep/name")] {
            let error = place(&bad).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.remedy().contains("mkdir"), "{}", error.remedy());
        }
    }

    #[test]
    fn a_directory_becomes_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let directory = wanted(&format!("warren:{}?name=films", Cid::directory([7; 32])));
        let place = |path: &Path| Place::of(Some(path), &directory);
        let at = |path: PathBuf| -> Result<Place> { Ok(Place::At(path)) };
        assert_eq!(Place::of(None, &directory), at("films".into()));
        assert_eq!(place(folder.path()), at(folder.path().to_owned()));
        assert!(place(&folder.path().join("new/deep")).is_err());
        let error = place(Path::new(STDOUT)).unwrap_err();
        assert!(error.remedy().contains("--output"), "{}", error.remedy());
    }
}
