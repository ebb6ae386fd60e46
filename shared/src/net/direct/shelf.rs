//! Where messages are kept: rows of text keys and bytes, written all or none at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use crate::error::Result;
use crate::proto::direct::Change;

/// A key and what is under it.
pub type Row = (String, Vec<u8>);

/// Keeps rows. What it keeps for whom is decided by whoever opened it: one author in one network.
pub trait Shelf: Send + Sync + 'static {
    /// The last rows, the last first, at most so many, whose keys begin with this, and come before
    /// another one if that is given.
    fn last(
        &self,
        beginning: String,
        before: Option<String>,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<Row>>>;
    /// Makes all changes durable, or none.
    fn write(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<()>>;
    /// Gives free what it holds, even if others still hold this shelf: it only fails from then on.
    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// A [`Shelf`] that several tasks use.
pub type SharedShelf = Arc<dyn Shelf>;

/// Forgets everything when the program ends.
#[derive(Clone, Default)]
pub struct MemoryShelf(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Shelf for MemoryShelf {
    fn last(
        &self,
        beginning: String,
        before: Option<String>,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<Row>>> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = rows.range(beginning.clone()..).rev();
        let found = all
            .skip_while(|(key, _)| !key.starts_with(&beginning))
            .take_while(|(key, _)| key.starts_with(&beginning))
            .filter(|(key, _)| before.as_ref().is_none_or(|before| *key < before))
            .take(most);
        let found = found.map(|(key, row)| (key.clone(), row.clone())).collect();
        Box::pin(async move { Ok(found) })
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<()>> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Change { key, value } in changes {
            match value {
                Some(row) => drop(rows.insert(key, row)),
                None => drop(rows.remove(&key)),
            }
        }
        Box::pin(async { Ok(()) })
    }
}

/// What every shelf must do; for the tests of each.
#[cfg(any(test, feature = "server"))]
pub async fn conforms(shelf: &dyn Shelf) {
    let put = |key: &str, value: Option<u8>| Change {
        key: key.to_owned(),
        value: value.map(|byte| vec![byte]),
    };
    let changes = vec![
        put("a/1", Some(1)),
        put("a/2", Some(2)),
        put("a/3", Some(3)),
        put("ab", Some(9)),
        put("b/1", Some(4)),
    ];
    shelf.write(changes).await.expect("written");
    let changes = vec![put("a/2", None), put("a/3", Some(5)), put("none", None)];
    shelf.write(changes).await.expect("written");
    let rows = async |beginning: &str, before: Option<&str>, most| {
        let found = shelf.last(beginning.to_owned(), before.map(str::to_owned), most);
        let found = found.await.expect("read");
        let shown = found.into_iter().map(|(key, row)| format!("{key}={row:?}"));
        shown.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(rows("a/", None, 9).await, "a/3=[5] a/1=[1]");
    assert_eq!(rows("a/", None, 1).await, "a/3=[5]");
    assert_eq!(rows("a/", Some("a/3"), 9).await, "a/1=[1]");
    assert_eq!(rows("b/", None, 9).await, "b/1=[4]");
    assert_eq!(rows("c", None, 9).await, "");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_conforms() {
        futures::executor::block_on(conforms(&MemoryShelf::default()));
    }
}
