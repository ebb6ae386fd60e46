//! What the last `warren share` of a profile gives: a file that is replaced whenever that changes, so that `warren ls` can
//! read it while the other runs.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::MAX_FILE;
use warren_shared::platform;
use warren_shared::proto::cbor;
use warren_shared::proto::envelope::Envelope;
use warren_shared::proto::files::kept::{Index, Place, Row, Shared};
use warren_shared::proto::files::search::{Listing, Signed};

use super::failed;
use crate::identity::sync_dir;

const FOLDER: &str = "files";
const SAID: &str = "said";

/// Something that is shared, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// A file or a directory.
    pub path: PathBuf,
    /// What others are told about it.
    pub listing: Listing,
}

/// Writes what is shared from now on, in place of what was. Blocks.
pub fn say<'a>(data: &Path, all: impl IntoIterator<Item = (&'a Path, &'a Signed)>) -> Result<()> {
    let folder = data.join(FOLDER);
    let mut index = Index::default();
    for (path, signed) in all {
        let shared = Shared {
            cid: signed.listing().cid,
            size: signed.listing().size.min(MAX_FILE),
            place: Place::There {
                path: path.as_os_str().as_bytes().to_vec(),
                modified: 0,
            },
            pinned: false,
            used: platform::now(),
            listing: signed.bytes().to_vec(),
        };
        index.change(Row::Put { shared });
    }
    let (new, path) = (folder.join("said.new"), folder.join(SAID));
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| write(&new, &index.rewrite()))
        .and_then(|()| std::fs::rename(&new, &path))
        .and_then(|()| sync_dir(&folder));
    written.map_err(|error| failed("write", &path, error))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// What was written last, in the order of ids. Blocks.
pub fn said(data: &Path) -> Result<Vec<Said>> {
    let path = data.join(FOLDER).join(SAID);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("nothing was shared yet with --data-dir {}", data.display());
            return Err(Error::new(Code::NotFound, message).with_remedy(
                "Run `warren share PATH --data-dir DIR` with this directory, or ask a peer: `warren ls PEER`.",
            ));
        }
        Err(error) => return Err(failed("read", &path, error)),
    };
    let index = Index::decode(&bytes)?;
    let all = index.shared().filter_map(|shared| {
        let envelope = Envelope::open(&shared.listing).ok()?;
        let listing = cbor::decode(&envelope.body().payload).ok()?;
        let Place::There { path, .. } = &shared.place else {
            return None;
        };
        let path = PathBuf::from(OsString::from_vec(path.clone()));
        Some(Said { path, listing })
    });
    Ok(all.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use warren_shared::proto::files::cid::Cid;
    use warren_shared::proto::key::SigningKey;

    fn signed(number: u8, name: &str) -> Signed {
        let listing = Listing {
            cid: Cid::file([number; 32]),
            name: name.to_owned(),
            size: 5,
            media: String::new(),
            tags: vec!["holiday".to_owned()],
        };
        let key = SigningKey::from_seed([1; 32]);
        let network = "test".parse().unwrap();
        listing.sign(&key, &network, 1, (1, 2)).unwrap()
    }

    #[test]
    fn what_was_said_last_is_read_back() {
        let data = tempfile::tempdir().unwrap();
        let nothing = said(data.path()).unwrap_err();
        assert_eq!(nothing.code(), Code::NotFound);
        let (one, two) = (signed(1, "one"), signed(2, "two"));
        let (here, there) = (Path::new("/here/one"), Path::new("/there/two"));
        say(data.path(), [(here, &one), (there, &two)]).unwrap();
        let all = said(data.path()).unwrap();
        let paths: Vec<&Path> = all.iter().map(|said| said.path.as_path()).collect();
        assert_eq!(paths, [here, there]);
        assert_eq!(all[0].listing, *one.listing(), "also when its time is over");
        say(data.path(), [(there, &two)]).unwrap();
        assert_eq!(said(data.path()).unwrap(), all[1..]);
        say(data.path(), []).unwrap();
        assert!(said(data.path()).unwrap().is_empty());
    }
}
