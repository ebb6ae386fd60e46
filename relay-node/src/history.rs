//! Messages of chat rooms that a relay keeps for those who come later (`--history`), in a database of
//! their own: whoever fills it takes nothing from records and names.
//!
//! Knows packets that were checked. In a private room it sees times and sizes only, so that it cannot
//! tell authors apart there, nor carry out deletions.

mod rows;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use futures::FutureExt;
use futures::future::BoxFuture;
use redb::{Database, ReadableDatabase};
use tokio::sync::mpsc;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::chat::History;
use warren_shared::platform;
use warren_shared::proto::Millis;
use warren_shared::proto::chat::Topic;
use warren_shared::proto::chat::history::{Answer, Page, Request};
use warren_shared::proto::chat::packet::Outside;
use warren_shared::proto::record::Refusal;

pub use self::rows::HistoryLimits;
use self::rows::{Fault, PACKETS, Rows, first_of, key_of, packet_id_of};

const FILE: &str = "history.redb";
/// Pages kept in memory.
const CACHE: usize = 16 * 1024 * 1024;
/// Packets waiting for the thread that writes; more are lost to this relay, not to the room.
const QUEUE: usize = 1_024;
/// Packets in one transaction.
const BATCH: usize = 256;

/// A packet to be kept.
struct New {
    topic: Topic,
    seen: Outside,
    packet: Vec<u8>,
}

/// The messages of all rooms of a relay.
pub struct HistoryStore {
    database: Arc<Database>,
    queue: Mutex<Option<mpsc::Sender<New>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl HistoryStore {
    /// Opens or creates it in a data directory.
    pub fn open(directory: &Path, limits: HistoryLimits) -> Result<HistoryStore> {
        let path = directory.join(FILE);
        let failed = |error: Fault| {
            let text = format!("cannot use the history {}", path.display());
            Error::new(Code::StorageFailed, text)
                .caused_by(error)
                .with_remedy(
                    "Move it away to start with an empty history; members still have theirs.",
                )
        };
        let mut builder = redb::Builder::new();
        builder.set_cache_size(CACHE);
        let database = builder
            .create(&path)
            .map_err(|error| failed(error.into()))?;
        let rows = Rows::load(&database, limits).map_err(failed)?;
        let database = Arc::new(database);
        let (queue, receiver) = mpsc::channel(QUEUE);
        let shared = database.clone();
        let thread = std::thread::Builder::new()
            .name("warren-history".into())
            .spawn(move || write_all(&shared, rows, receiver))
            .map_err(|error| Error::new(Code::Internal, "no thread starts").caused_by(error))?;
        Ok(HistoryStore {
            database,
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Writes what has queued up, and ends.
    pub fn close(&self) {
        drop(locked(&self.queue).take());
        if let Some(thread) = locked(&self.thread).take() {
            // A panic there was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for HistoryStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl History for HistoryStore {
    fn keep(&self, topic: Topic, seen: Outside, packet: Vec<u8>) {
        let new = New {
            topic,
            seen,
            packet,
        };
        if let Some(queue) = locked(&self.queue).as_ref()
            && queue.try_send(new).is_err()
        {
            tracing::warn!("a message of a room is not kept, because the disk is too slow");
        }
    }

    fn answer(&self, request: Request) -> BoxFuture<'static, Answer> {
        let database = self.database.clone();
        let read = tokio::task::spawn_blocking(move || answer(&database, &request));
        read.map(|read| match read {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::error!(%error, "the history cannot be read");
                let why = Refusal::StorageFailed;
                Answer::Refused { why }
            }
            Err(_) => Answer::Refused {
                why: Refusal::StorageFailed,
            },
        })
        .boxed()
    }
}

fn answer(database: &Database, request: &Request) -> Result<Answer, Fault> {
    let table = database.begin_read()?.open_table(PACKETS)?;
    let from = first_of(&request.topic, 0);
    let to = first_of(&request.topic, request.before);
    let mut page = Page::default();
    for row in table.range(from.as_slice()..to.as_slice())?.rev() {
        let (key, packet) = row?;
        let id = packet_id_of(key.value());
        if !id.is_some_and(|id| request.has(&id)) && !page.offer(packet.value()) {
            break;
        }
    }
    Ok(page.answer())
}

fn write_all(database: &Database, mut rows: Rows, mut queue: mpsc::Receiver<New>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        if let Err(error) = write(database, &mut rows, &mut batch, platform::now()) {
            tracing::error!(%error, "messages of rooms could not be kept");
            // What was counted did not happen.
            match Rows::load(database, rows.limits()) {
                Ok(counted) => rows = counted,
                Err(error) => return tracing::error!(%error, "no more history is kept"),
            }
        }
    }
}

fn write(
    database: &Database,
    rows: &mut Rows,
    batch: &mut Vec<New>,
    now: Millis,
) -> Result<(), Fault> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(PACKETS)?;
        for new in batch.drain(..) {
            let key = key_of(&new.topic, new.seen.time, &new.packet);
            rows.add(&mut table, &new.topic, &key, &new.packet)?;
        }
        rows.forget_old(&mut table, now)?;
    }
    Ok(transaction.commit()?)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
