//! The messages of one author in one network, in a redb file of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;
use redb::{Builder, Database, Durability, ReadableDatabase, TableDefinition};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::direct::{Row, Shelf};
use warren_shared::proto::direct::Change;
use warren_shared::proto::key::{NetworkId, PublicKey};
use warren_shared::store::StoreError;

use super::medium::Medium;
use super::open::create_at;
use super::schema::Fault;

const FOLDER: &str = "messages";
const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("rows");
/// Pages kept in memory: messages are read once.
const CACHE: usize = 4 * 1024 * 1024;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct RedbShelf(Arc<Medium>);

impl RedbShelf {
    /// Opens or creates the file in a data directory, which is locked by whoever calls this. Blocks.
    pub fn open(data: &Path, network: &NetworkId, author: &PublicKey) -> Result<Self> {
        let folder = data.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        let author = author.to_string();
        let path = folder.join(format!("{network}-{}.redb", &author[..16]));
        let medium = Medium::new(Box::new(move || open(&path)))?;
        Ok(RedbShelf(Arc::new(medium)))
    }
}

fn open(path: &PathBuf) -> Result<Database> {
    let builder = || {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE);
        builder
    };
    if !path.exists() {
        let prepare = |database: &Database| {
            let transaction = database.begin_write()?;
            transaction.open_table(ROWS)?;
            Ok(transaction.commit()?)
        };
        create_at(path, &builder(), prepare).map_err(|error| failed(path, error))?;
    }
    builder().open(path).map_err(|error| failed(path, error))
}

impl Shelf for RedbShelf {
    fn last(
        &self,
        beginning: String,
        before: Option<String>,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<Row>>> {
        self.work(move |database| {
            let rows = database.begin_read()?.open_table(ROWS)?;
            // No key has a character behind this one.
            let end = before.unwrap_or_else(|| format!("{beginning}\u{7f}"));
            let mut found = Vec::new();
            for row in rows
                .range(beginning.as_str()..end.as_str())?
                .rev()
                .take(most)
            {
                let (key, value) = row?;
                found.push((key.value().to_owned(), value.value().to_vec()));
            }
            Ok(found)
        })
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<()>> {
        self.work(move |database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_quick_repair(true);
            {
                let mut rows = transaction.open_table(ROWS)?;
                for Change { key, value } in &changes {
                    match value {
                        Some(row) => drop(rows.insert(key.as_str(), row.as_slice())?),
                        None => drop(rows.remove(key.as_str())?),
                    }
                }
            }
            Ok(transaction.commit()?)
        })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let medium = self.0.clone();
        Box::pin(async move {
            let _ = tokio::task::spawn_blocking(move || medium.close()).await;
        })
    }
}

impl RedbShelf {
    fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let medium = self.0.clone();
        let run = move || {
            medium.mend();
            let done = medium.with(work);
            if done.is_ok() {
                medium.succeeded();
            }
            done
        };
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(run).await;
            let done = done.map_err(|error| StoreError::Failed(error.to_string()));
            done.and_then(|done| done).map_err(Error::from)
        })
    }
}

fn failed(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::new(
        Code::StorageFailed,
        format!("cannot use the messages in {}", path.display()),
    )
    .caused_by(error)
    .with_remedy("Check free space and permissions of the data directory.")
}

#[cfg(test)]
mod tests {
    use warren_shared::net::direct::conforms;
    use warren_shared::proto::key::SigningKey;

    use super::*;

    #[tokio::test]
    async fn a_file_conforms_and_stays() {
        let data = tempfile::tempdir().unwrap();
        let network: NetworkId = "test-net".parse().unwrap();
        let author = SigningKey::from_seed([1; 32]).public();
        let shelf = RedbShelf::open(data.path(), &network, &author).unwrap();
        conforms(&shelf).await;
        drop(shelf);
        let again = RedbShelf::open(data.path(), &network, &author).unwrap();
        let rows = again.last("a/".into(), None, 9).await.unwrap();
        assert_eq!(rows, [("a/3".into(), vec![5]), ("a/1".into(), vec![1])]);
        let other = SigningKey::from_seed([2; 32]).public();
        let other = RedbShelf::open(data.path(), &network, &other).unwrap();
        assert!(other.last("a/".into(), None, 9).await.unwrap().is_empty());
    }
}
