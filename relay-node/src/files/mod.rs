//! Files on this machine's disks: shared where they are, and fetched into partial files that survive a crash.
//!
//! What is right is decided by the trees of `warren-shared`: nothing is sent that does not verify, whatever has become
//! of a file meanwhile, and nothing is called complete that is not.

mod folder;
mod here;
mod library;
mod partial;
mod said;
mod small;

use std::io;
use std::path::Path;

use warren_shared::error::{Code, Error, Result};
use warren_shared::net::files::Portion;
use warren_shared::proto::files::tree::Sender;
use warren_shared::proto::files::wire::FileRefusal;

pub use self::folder::{Scanned, place_in, scan};
pub use self::here::{Block, SharedFile, Stamp};
pub use self::library::Library;
pub use self::partial::PartialFile;
pub use self::said::{Said, said, say};
pub use self::small::{SmallFile, copy};

/// What is not where it was has changed or vanished; everything else is the disk's fault.
pub(crate) fn refusal(error: io::Error) -> FileRefusal {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => FileRefusal::Gone,
        _ => {
            tracing::warn!(%error, "a shared file cannot be read");
            FileRefusal::StorageFailed
        }
    }
}

/// Reads a portion of a disk, where that holds nobody up.
pub(crate) async fn portion(
    sender: Sender,
    read: impl FnOnce(Sender) -> Portion + Send + 'static,
) -> Portion {
    let before = sender.clone();
    let reading = tokio::task::spawn_blocking(move || read(sender)).await;
    // The task was dropped: this program ends.
    reading.unwrap_or_else(|_| Portion {
        sender: before,
        bytes: Vec::new(),
        outcome: Err(FileRefusal::StorageFailed),
    })
}

/// Does something with a disk, where that holds nobody up.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(Code::Internal, "work on a disk was dropped").caused_by(error))?
}

/// What went wrong with a file, and what to do about it.
pub(crate) fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    let (code, remedy) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
            Code::StorageFailed,
            "Make room on this disk, then run the same again: it goes on where it was.",
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            Code::PermissionDenied,
            "Change its permissions, or choose another place.",
        ),
        io::ErrorKind::NotFound => (Code::InvalidArgument, "Check the path."),
        _ => (
            Code::StorageFailed,
            "Check the disk, then run the same again: it goes on where it was.",
        ),
    };
    let message = format!("cannot {what} {}", path.display());
    Error::new(code, message)
        .caused_by(error)
        .with_remedy(remedy)
}
