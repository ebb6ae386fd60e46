//! The folder beside a download's place in which it grows, and the place itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::files::Held;
use warren_shared::proto::files::cid::Cid;

use crate::files::{SharedFile, failed};

const LOCK: &str = "lock";
/// How files are called that were not complete.
const NEW: &str = "new";

/// It is locked: of two downloads to one place one is refused.
#[derive(Debug)]
pub(super) struct Work {
    pub folder: PathBuf,
    _lock: File,
}

impl Work {
    /// For a place: its name with `.part` behind it. Goes on with what is there.
    pub fn begin(place: &Path) -> Result<Work> {
        let name = place.file_name().ok_or_else(|| {
            let message = format!("{} is no place for a file", place.display());
            Error::new(Code::InvalidArgument, message).with_remedy("Say a name with --output.")
        })?;
        let mut name = name.to_owned();
        name.push(".part");
        let folder = place.with_file_name(name);
        std::fs::create_dir_all(&folder).map_err(|error| failed("make", &folder, error))?;
        let path = folder.join(LOCK);
        let lock = File::create(&path).map_err(|error| failed("write", &path, error))?;
        if lock.try_lock().is_err() {
            let message = format!("something is being fetched to {} already", place.display());
            return Err(Error::new(Code::InvalidArgument, message)
                .with_remedy("Wait for it, or choose another place with --output."));
        }
        let entries = std::fs::read_dir(&folder).map_err(|error| failed("read", &folder, error))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|end| end == NEW) {
                std::fs::remove_file(&path).map_err(|error| failed("remove", &path, error))?;
            }
        }
        Ok(Work {
            folder,
            _lock: lock,
        })
    }

    /// What was not begun leaves nothing behind.
    pub fn tidy(&self) {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten();
        if entries.count() <= 1 {
            self.end();
        }
    }

    /// Nothing of it is needed any more.
    pub fn end(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(path = %self.folder.display(), %error, "not removed");
        }
    }
}

/// Whether a file is in its place already; something else there is an error, because it would be lost.
pub(super) async fn is_there(place: &Path, cid: Cid) -> Result<bool> {
    if place.symlink_metadata().is_err() {
        return Ok(false);
    }
    let path = place.to_owned();
    let same = blocking(move || {
        let same = path.is_file() && SharedFile::hash(&path)?.cid() == cid;
        Ok(same)
    });
    match same.await? {
        true => Ok(true),
        false => {
            let message = format!(
                "{} is there already, and is something else",
                place.display()
            );
            Err(Error::new(Code::InvalidArgument, message)
                .with_remedy("Move it away, or choose another place with --output."))
        }
    }
}

/// The SHA-256 of a file, as other programs write it.
pub(super) async fn checksum(place: &Path) -> Result<String> {
    let path = place.to_owned();
    blocking(move || {
        let unreadable = |error| failed("read", &path, error);
        let mut file = File::open(&path).map_err(unreadable)?;
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1024 * 1024]);
        loop {
            let read = file.read(&mut buffer).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        let sum = hasher.finalize();
        Ok(sum.iter().map(|byte| format!("{byte:02x}")).collect())
    })
    .await
}

/// The line that `sha256sum` prints about a file, and checks with `-c`.
pub(super) fn sum_line(sum: &str, place: &Path) -> String {
    let path = place.display().to_string();
    match path.contains(['\\', '\n']) {
        true => format!(
            "\\{sum}  {}",
            path.replace('\\', "\\\\").replace('\n', "\\n")
        ),
        false => format!("{sum}  {path}"),
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(Code::Internal, "work on a disk was dropped").caused_by(error))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_told_as_sha256sum_tells_them() {
        assert_eq!(sum_line("00", Path::new("a b")), "00  a b");
        assert_eq!(sum_line("00", Path::new("a\\b\n")), "\\00  a\\\\b\\n");
    }
}
