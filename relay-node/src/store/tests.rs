//! A medium that fails for a while.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Builder, StorageBackend, backends::InMemoryBackend};
use warren_shared::error::{Code, Error};
use warren_shared::proto::record::{Value, ValueBlock};

use super::*;

const NOW: Millis = 1_700_000_000_000;

/// Bytes that outlive the database that uses them, on a disk that can fail.
#[derive(Debug, Clone)]
struct Disk {
    bytes: Arc<InMemoryBackend>,
    fails: Arc<AtomicBool>,
}

impl Disk {
    fn check(&self) -> io::Result<()> {
        match self.fails.load(Ordering::SeqCst) {
            true => Err(io::Error::other("the disk failed")),
            false => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.check()?;
        self.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.check()?;
        self.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.bytes.write(offset, data)
    }
}

fn value(number: u8) -> Record {
    Record::Value(ValueBlock::new(&Value::Bytes(vec![number])).unwrap())
}

#[tokio::test]
async fn it_works_again_when_the_disk_does() {
    let disk = Disk {
        bytes: Arc::new(InMemoryBackend::new()),
        fails: Arc::default(),
    };
    let used = disk.clone();
    let open = move || {
        let database = Builder::new().create_with_backend(used.clone());
        let database = database.map_err(|error| {
            Error::new(Code::StorageFailed, "cannot open the test's store").caused_by(error)
        })?;
        open::prepare(&database).expect("tables");
        Ok(database)
    };
    let store = RedbStore::open_with(open, StoreLimits::default()).unwrap();
    assert_eq!(store.put(value(1), NOW).await, Ok(Outcome::Stored));
    assert_eq!(store.failure(), None);

    disk.fails.store(true, Ordering::SeqCst);
    for number in [2, 3] {
        let put = store.put(value(number), NOW).await;
        assert!(matches!(put, Err(StoreError::Failed(_))), "{put:?}");
        assert!(store.failure().is_some());
    }

    disk.fails.store(false, Ordering::SeqCst);
    assert_eq!(store.put(value(4), NOW).await, Ok(Outcome::Stored));
    assert_eq!(store.failure(), None);
    for (number, there) in [(1, true), (2, false), (3, false), (4, true)] {
        let record = store.get(value(number).key(), NOW).await.unwrap();
        assert_eq!(record.is_some(), there, "{number}");
    }
    assert_eq!(store.stats().await.unwrap().records, 2);
}
