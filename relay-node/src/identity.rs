//! The data directory: who this node is, and that only one process is it.
//!
//! Knows how secrets are created, protected and found again. What they mean (a key, a certificate,
//! a network's name) and how they are made is the caller's.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use warren_shared::error::{Code, Error, Result};

const LOCK_FILE: &str = "lock";
const IDENTITY_FILE: &str = "identity.key";
const SEED_LENGTH: usize = 32;

/// Nothing kept here is longer; a larger file is not ours.
const MAX_FILE: u64 = 64 * 1024;

/// An open data directory. While it lives no other process opens the same one.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Holds the lock; the system releases it when the process dies, however it dies.
    _lock: File,
}

impl DataDir {
    /// Creates the directory (mode 0700) when there is none, and locks it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        create_private_dir(&path)?;
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The seed of the transport key, created from `entropy` at the first start.
    pub fn identity(&self, entropy: impl FnOnce() -> [u8; SEED_LENGTH]) -> Result<[u8; 32]> {
        let bytes = self.load_or_create(IDENTITY_FILE, || Ok(entropy().to_vec()))?;
        let length = bytes.len();
        bytes.try_into().map_err(|_| {
            let path = self.path.join(IDENTITY_FILE);
            Error::new(
                Code::StorageFailed,
                format!(
                    "{} has {length} bytes instead of {SEED_LENGTH}",
                    path.display()
                ),
            )
            .with_remedy(
                "Restore it from a backup; or move it away to start with a new identity, \
                 under which nobody knows this relay.",
            )
        })
    }

    /// The content of a private file, made at the first start. Once this returns the content
    /// survives a crash of the machine; a crash before leaves no file behind, never half of one.
    pub fn load_or_create(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        match self.load(name)? {
            Some(bytes) => Ok(bytes),
            None => {
                let bytes = make()?;
                self.save(name, &bytes)?;
                Ok(bytes)
            }
        }
    }

    /// The content of a private file, if there is one.
    pub fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("cannot open", &path, error)),
        };
        check_private(&file, &path)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE)
            .read_to_end(&mut bytes)
            .map_err(|error| failed("cannot read", &path, error))?;
        Ok(Some(bytes))
    }

    /// Writes a private file (mode 0600), replacing it in one step.
    pub fn save(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let temporary = self.path.join(format!("{name}.new"));
        write_private(&temporary, bytes)
            .map_err(|error| failed("cannot write", &temporary, error))?;
        fs::rename(&temporary, &path)
            .and_then(|()| sync_dir(&self.path))
            .map_err(|error| failed("cannot put in place", &path, error))
    }
}

/// Whether there is an identity in a data directory. Nothing is created.
pub fn is_profile(path: &Path) -> bool {
    path.join(IDENTITY_FILE).is_file()
}

/// Whether some process uses a data directory now.
pub fn is_in_use(path: &Path) -> bool {
    let lock = File::open(path.join(LOCK_FILE));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Makes the names in a directory durable: a rename or a new file is not, before this.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn create_private_dir(path: &Path) -> Result<()> {
    let missing = !path.exists();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| failed("cannot create the data directory", path, error))?;
    if missing && let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        sync_dir(parent).map_err(|error| failed("cannot write to", parent, error))?;
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| failed("cannot open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new(
            Code::StorageFailed,
            format!("another process uses the data directory {}", dir.display()),
        )
        .with_remedy("Stop the other one, or give this one its own --data-dir; what only reads works beside it, such as `warren peers` and `warren ls` without a PEER.")),
        Err(TryLockError::Error(error)) => Err(failed("cannot lock", &path, error)),
    }
}

fn check_private(file: &File, path: &Path) -> Result<()> {
    let metadata = file
        .metadata()
        .map_err(|error| failed("cannot examine", path, error))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::new(
            Code::PermissionDenied,
            format!(
                "{} can be read by other users of this machine (mode {mode:03o})",
                path.display()
            ),
        )
        .with_remedy(format!("Run: chmod 600 {}", path.display())));
    }
    if metadata.len() > MAX_FILE {
        return Err(Error::new(
            Code::StorageFailed,
            format!("{} is too large to be a file of Warren", path.display()),
        )
        .with_remedy("Restore it from a backup, or move it away to start anew."));
    }
    Ok(())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    // One left behind by a crash keeps its old mode.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied => Code::PermissionDenied,
        _ => Code::StorageFailed,
    };
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull => "Free some space on that disk.",
        io::ErrorKind::ReadOnlyFilesystem => "Choose a writable place with --data-dir.",
        io::ErrorKind::PermissionDenied => {
            "Run as the owner of the data directory, or choose another with --data-dir."
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "A file is in the way: choose another place with --data-dir."
        }
        _ => "Check the disk, or choose another place with --data-dir.",
    };
    Error::new(code, format!("{what} {}", path.display()))
        .caused_by(error)
        .with_remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn never() -> [u8; 32] {
        panic!("the identity exists already")
    }

    #[test]
    fn an_identity_is_made_once_and_kept_private() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("deep/er");
        let dir = DataDir::open(&path).unwrap();
        assert_eq!(dir.identity(|| [7; 32]).unwrap(), [7; 32]);
        assert_eq!(dir.identity(never).unwrap(), [7; 32]);
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(IDENTITY_FILE)), 0o600);
        drop(dir);
        let dir = DataDir::open(&path).unwrap();
        assert_eq!(dir.identity(never).unwrap(), [7; 32]);
    }

    #[test]
    fn one_process_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let first = DataDir::open(root.path()).unwrap();
        let error = DataDir::open(root.path()).unwrap_err();
        assert!(error.message().contains("another process"), "{error}");
        assert!(error.remedy().contains("--data-dir"));
        drop(first);
        DataDir::open(root.path()).unwrap();
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::open(root.path()).unwrap();
        dir.identity(|| [7; 32]).unwrap();
        let path = root.path().join(IDENTITY_FILE);
        for open in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            let error = dir.identity(never).unwrap_err();
            assert_eq!(error.code(), Code::PermissionDenied);
            assert_eq!(error.remedy(), format!("Run: chmod 600 {}", path.display()));
        }
    }

    #[test]
    fn an_identity_of_the_wrong_size_is_refused_and_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::open(root.path()).unwrap();
        for wrong in [&[][..], &[1; 31], &[1; 33]] {
            dir.save(IDENTITY_FILE, wrong).unwrap();
            let error = dir.identity(never).unwrap_err();
            assert!(error.message().contains("instead of 32"), "{error}");
            assert_eq!(dir.load(IDENTITY_FILE).unwrap().unwrap(), wrong);
        }
        dir.save(IDENTITY_FILE, &vec![1; 100_000]).unwrap();
        let error = dir.identity(never).unwrap_err();
        assert!(error.message().contains("too large"), "{error}");
    }

    #[test]
    fn other_files_are_made_by_their_owner() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::open(root.path()).unwrap();
        assert_eq!(dir.load("network").unwrap(), None);
        let refusal = || Err(Error::new(Code::Internal, "no certificate"));
        dir.load_or_create("webrtc.pem", refusal).unwrap_err();
        assert_eq!(dir.load("webrtc.pem").unwrap(), None);
        let made = dir.load_or_create("network", || Ok(b"n1".to_vec()));
        assert_eq!(made.unwrap(), b"n1");
        dir.save("network", b"n2").unwrap();
        let kept = dir.load_or_create("network", || panic!("exists already"));
        assert_eq!(kept.unwrap(), b"n2");
    }

    #[test]
    fn what_a_crash_left_behind_does_no_harm() {
        let root = tempfile::tempdir().unwrap();
        let dir = DataDir::open(root.path()).unwrap();
        let leftover = root.path().join("identity.key.new");
        fs::write(&leftover, b"half of a se").unwrap();
        fs::set_permissions(&leftover, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(dir.identity(|| [9; 32]).unwrap(), [9; 32]);
        assert_eq!(mode(&root.path().join(IDENTITY_FILE)), 0o600);
        assert!(!leftover.exists());
    }

    #[test]
    fn a_file_in_the_way_is_explained() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::open(file.path()).unwrap_err();
        assert!(error.remedy().contains("in the way"), "{}", error.remedy());
    }
}
