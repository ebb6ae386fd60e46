//! Files and directories as they are on the disk: what is shared of a path, and where a path of a directory leads.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::MAX_DIRECTORY_FILES;
use warren_shared::net::files::Held;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::directory::{Directory, Entry};
use warren_shared::proto::files::path::FilePath;

use super::failed;
use super::here::{Block, SharedFile};
use super::library::Library;

/// What there is to share at a path.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub cid: Cid,
    /// The last name of its path.
    pub name: String,
    /// Bytes of all its files.
    pub size: u64,
    /// The file, or those of the directory.
    pub files: Vec<SharedFile>,
    /// The list of the directory's files.
    pub block: Option<Block>,
}

impl Scanned {
    /// All that others may ask for.
    pub fn held(&self) -> impl Iterator<Item = Arc<dyn Held>> + '_ {
        let files = self.files.iter().cloned();
        let files = files.map(|file| Arc::new(file) as Arc<dyn Held>);
        let block = self.block.iter().cloned();
        files.chain(block.map(|block| Arc::new(block) as Arc<dyn Held>))
    }

    /// Whether it still looks as it did when it was scanned. Blocks.
    pub fn is_unchanged(&self) -> bool {
        let unchanged = self.files.iter().all(SharedFile::is_unchanged);
        unchanged && (self.block.is_none() || self.lists_the_same())
    }

    /// Whether the directory has the same files.
    fn lists_the_same(&self) -> bool {
        let mut now = Vec::new();
        if walk(&self.path, &mut now, &|_| {}).is_err() {
            return false;
        }
        now.sort();
        let mut known: Vec<&Path> = self.files.iter().map(SharedFile::path).collect();
        known.sort();
        now.iter().map(PathBuf::as_path).eq(known)
    }
}

/// Hashes what is at a path, or only what is not known of it. Blocks for as long as that takes.
pub fn scan(path: &Path, library: Option<&Library>) -> Result<Scanned> {
    let path = path
        .canonicalize()
        .map_err(|error| failed("read", path, error))?;
    let name = text(path.file_name().unwrap_or(OsStr::new("files")), &path)?.to_owned();
    let metadata = path
        .metadata()
        .map_err(|error| failed("read", &path, error))?;
    if metadata.is_dir() {
        return scan_folder(path, name, library);
    }
    if !metadata.is_file() {
        let message = format!("{} is neither a file nor a directory", path.display());
        return Err(Error::new(Code::InvalidArgument, message));
    }
    let file = hashed(&path, library)?;
    Ok(Scanned {
        cid: file.cid(),
        name,
        size: file.tree().size(),
        files: vec![file],
        block: None,
        path,
    })
}

fn hashed(path: &Path, library: Option<&Library>) -> Result<SharedFile> {
    match library {
        Some(library) => library.share(path),
        None => SharedFile::hash(path),
    }
}

fn scan_folder(path: PathBuf, name: String, library: Option<&Library>) -> Result<Scanned> {
    let mut found = Vec::new();
    let left_out = |place: &Path| {
        tracing::warn!(path = %place.display(), "left out: only files and directories are shared, no links");
    };
    walk(&path, &mut found, &left_out)?;
    found.sort();
    let (mut files, mut entries) = (Vec::new(), Vec::new());
    for place in found {
        let file = hashed(&place, library)?;
        entries.push(Entry {
            path: relative(&path, &place)?,
            cid: file.cid(),
            size: file.tree().size(),
            media: String::new(),
        });
        files.push(file);
    }
    let directory = Directory::new(entries)?;
    let (cid, block) = directory.publish();
    let block = Block::new(cid, block).ok_or_else(|| {
        Error::new(
            Code::Internal,
            "a directory is not what it was published as",
        )
    })?;
    Ok(Scanned {
        cid,
        name,
        size: directory.size(),
        files,
        block: Some(block),
        path,
    })
}

/// All files below a folder. Links are left out: they may lead anywhere.
fn walk(folder: &Path, found: &mut Vec<PathBuf>, left_out: &dyn Fn(&Path)) -> Result<()> {
    let unreadable = |error| failed("read", folder, error);
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            walk(&entry.path(), found, left_out)?;
        } else if kind.is_file() {
            found.push(entry.path());
            if found.len() > MAX_DIRECTORY_FILES {
                let message = format!(
                    "{} has more than {MAX_DIRECTORY_FILES} files",
                    folder.display()
                );
                return Err(Error::new(Code::TooLarge, message)
                    .with_remedy("Share its parts, or pack it into one file."));
            }
        } else {
            left_out(&entry.path());
        }
    }
    Ok(())
}

fn relative(folder: &Path, place: &Path) -> Result<FilePath> {
    let rest = place.strip_prefix(folder).unwrap_or(place);
    let names = rest.iter().map(|name| text(name, place));
    let names: Vec<&str> = names.collect::<Result<_>>()?;
    FilePath::new(&names.join("/")).map_err(|flaw| {
        Error::new(
            Code::InvalidArgument,
            format!("{} cannot be shared: {flaw}", place.display()),
        )
        .with_remedy("Rename the file, or leave it out.")
    })
}

fn text<'a>(name: &'a OsStr, path: &Path) -> Result<&'a str> {
    name.to_str().ok_or_else(|| {
        let message = format!("the name of {} is not text in UTF-8", path.display());
        Error::new(Code::InvalidArgument, message).with_remedy("Rename it.")
    })
}

/// Where a file of a directory goes, below a folder; the folders above it are made. Nothing outside is touched: a link
/// on the way is refused.
pub fn place_in(folder: &Path, path: &FilePath) -> Result<PathBuf> {
    let mut place = folder.to_owned();
    let mut names = path.names().peekable();
    while let Some(name) = names.next() {
        place.push(name);
        if names.peek().is_none() {
            break;
        }
        match place.symlink_metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let message = format!("{} is in the way", place.display());
                return Err(Error::new(Code::InvalidArgument, message)
                    .with_remedy("Move it away, or choose another place with --output."));
            }
            Err(_) => std::fs::create_dir(&place).map_err(|error| failed("make", &place, error))?,
        }
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_scanned_and_a_change_is_noticed() {
        let data = tempfile::tempdir().unwrap();
        let root = data.path().join("stuff");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/b/c"), "see").unwrap();
        std::fs::write(root.join("z"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
        let scanned = scan(&root, None).unwrap();
        assert_eq!((scanned.name.as_str(), scanned.size), ("stuff", 3));
        assert_eq!(scanned.files.len(), 2, "no links");
        assert_eq!(scan(&root, None).unwrap().cid, scanned.cid);
        assert!(scanned.is_unchanged());
        std::fs::write(root.join("new"), "more").unwrap();
        assert!(!scanned.is_unchanged(), "a file more");
        std::fs::remove_file(root.join("new")).unwrap();
        assert!(scanned.is_unchanged());
        std::fs::write(root.join("z"), "text").unwrap();
        assert!(!scanned.is_unchanged(), "another file");
        assert_ne!(scan(&root, None).unwrap().cid, scanned.cid);
        assert!(scan(&root.join("none"), None).is_err());
    }

    #[test]
    fn names_that_cannot_be_everywhere_are_refused() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("aux.c"), "").unwrap();
        let error = scan(data.path(), None).unwrap_err();
        assert!(error.to_string().contains("aux.c"), "{error}");
        std::fs::remove_file(data.path().join("aux.c")).unwrap();
        for name in ["readme", "README"] {
            std::fs::write(data.path().join(name), "").unwrap();
        }
        assert!(scan(data.path(), None).is_err(), "one file on some systems");
    }

    #[test]
    fn nothing_is_put_outside() {
        let data = tempfile::tempdir().unwrap();
        let (inside, outside) = (data.path().join("in"), data.path().join("out"));
        std::fs::create_dir(&inside).unwrap();
        std::fs::create_dir(&outside).unwrap();
        let path = |text: &str| FilePath::new(text).unwrap();
        let place = place_in(&inside, &path("a/b/c")).unwrap();
        assert_eq!(place, inside.join("a/b/c"));
        assert!(inside.join("a/b").is_dir());
        std::os::unix::fs::symlink(&outside, inside.join("trap")).unwrap();
        assert!(place_in(&inside, &path("trap/x")).is_err());
        std::fs::write(inside.join("file"), "").unwrap();
        assert!(place_in(&inside, &path("file/x")).is_err());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }
}
