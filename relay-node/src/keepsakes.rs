//! A few small files beside the identity: which witnesses are believed, what was seen of names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::future::BoxFuture;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::outside;

use crate::identity::sync_dir;

const FOLDER: &str = "names";

/// One file for each, replaced as a whole.
#[derive(Clone, Debug)]
pub struct Keepsakes(PathBuf);

impl Keepsakes {
    /// In a folder of the data directory.
    pub fn in_dir(data: &Path) -> Result<Self> {
        let folder = data.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        Ok(Self(folder))
    }

    /// All that are kept under names with this beginning, by the rest of their names.
    pub fn all(&self, beginning: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.0).map_err(|error| failed(&self.0, error))? {
            let path = entry.map_err(|error| failed(&self.0, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(rest) = name.and_then(|name| name.strip_prefix(beginning)) {
                let bytes = std::fs::read(&path).map_err(|error| failed(&path, error))?;
                found.insert(rest.to_owned(), bytes);
            }
        }
        Ok(found)
    }

    /// Keeps something durably, in the place of what was there. Blocks.
    pub fn put(&self, what: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(what);
        replace(&self.0, &path, bytes).map_err(|error| failed(&path, error))
    }

    fn path(&self, what: &str) -> PathBuf {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let name: String = what
            .chars()
            .map(|c| if plain(c) { c } else { '_' })
            .collect();
        self.0.join(name)
    }
}

impl outside::Keepsakes for Keepsakes {
    fn load(&self, what: String) -> BoxFuture<'static, Result<Option<Vec<u8>>>> {
        let path = self.path(&what);
        Box::pin(async move {
            match tokio::fs::read(&path).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(&path, error)),
            }
        })
    }

    fn save(&self, what: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<()>> {
        let (folder, path) = (self.0.clone(), self.path(&what));
        Box::pin(async move {
            let write =
                move || replace(&folder, &path, &bytes).map_err(|error| failed(&path, error));
            let written = tokio::task::spawn_blocking(write).await;
            written.map_err(|error| {
                Error::new(Code::Internal, "a write was dropped").caused_by(error)
            })?
        })
    }
}

fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut new = tempfile_in(folder)?;
    new.1.write_all(bytes)?;
    new.1.sync_all()?;
    std::fs::rename(&new.0, path)?;
    sync_dir(folder)
}

/// Two writes of one process never share a file.
fn tempfile_in(folder: &Path) -> std::io::Result<(PathBuf, std::fs::File)> {
    let number = u64::from_le_bytes(warren_shared::platform::entropy());
    let path = folder.join(format!("{number:016x}.new"));
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)?;
    Ok((path, file))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::new(
        Code::StorageFailed,
        format!("cannot use {}", path.display()),
    )
    .caused_by(error)
    .with_remedy("Check free space and permissions of the data directory.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use outside::Keepsakes as _;

    #[tokio::test]
    async fn what_is_kept_is_there_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let keepsakes = Keepsakes::in_dir(data.path()).unwrap();
        assert_eq!(keepsakes.load("floors-net".into()).await.unwrap(), None);
        keepsakes.save("floors-net".into(), vec![1]).await.unwrap();
        keepsakes
            .save("floors-net".into(), vec![2, 3])
            .await
            .unwrap();
        keepsakes.save("../escape".into(), vec![4]).await.unwrap();
        let again = Keepsakes::in_dir(data.path()).unwrap();
        assert_eq!(
            again.load("floors-net".into()).await.unwrap(),
            Some(vec![2, 3])
        );
        let files = std::fs::read_dir(data.path().join(FOLDER)).unwrap().count();
        assert_eq!(files, 2, "nothing unfinished, and nothing outside");
    }
}
