//! The one thread that writes. Knows transactions and their durability, not what is written.

use std::{sync::Arc, thread::JoinHandle};

use redb::{Database, Durability};
use tokio::sync::{mpsc, oneshot};
use warren_shared::{
    error::{Code, Error, Result},
    store::{StoreError, StoreLimits},
};

use super::{batch::Batch, ledger::Ledger, medium::Medium, schema::Fault};

/// Jobs waiting for the thread: about a second's worth on a slow disk. Whoever comes later is told
/// so at once instead of running into a deadline.
const QUEUE: usize = 1024;

/// Jobs in one transaction: enough to share the cost of an fsync, few enough to keep each short.
const BATCH: usize = 256;

/// The way to the thread. Dropped, it finishes what has queued up, and waits for that.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(medium: Arc<Medium>, limits: StoreLimits) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("warren-store".into())
            .spawn(move || write_all(&medium, limits, receiver))
            .map_err(|error| {
                Error::new(Code::StorageFailed, "cannot start the store's thread")
                    .caused_by(error)
                    .with_remedy("Raise the limit of threads for this user.")
            })?;
        Ok(Self {
            queue: Some(sender),
            thread: Some(thread),
        })
    }

    /// Runs `work` in a transaction together with others; returns once it is on disk. A caller that
    /// goes away does not undo it.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Batch<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Task {
            work: Some(work),
            result: None,
            reply,
        };
        let gone = || StoreError::Failed("the store was closed".into());
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.try_send(Box::new(job)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => gone(),
        })?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// Something to do in a transaction, and someone to tell afterwards.
trait Job: Send {
    fn run(&mut self, batch: &mut Batch<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, committed: Result<(), &StoreError>);
}

struct Task<T, F> {
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Batch<'_>) -> Result<T, Fault> + Send,
{
    fn run(&mut self, batch: &mut Batch<'_>) -> Result<(), Fault> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(batch)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), &StoreError>) {
        let answer = match (committed, self.result) {
            (Ok(()), Some(result)) => Ok(result),
            (Ok(()), None) => Err(StoreError::Failed("the job was not run".into())),
            (Err(error), _) => Err(error.clone()),
        };
        // Nobody waits any more: the deadline of the request has passed.
        let _ = self.reply.send(answer);
    }
}

fn write_all(medium: &Medium, limits: StoreLimits, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut jobs = Vec::with_capacity(BATCH);
    let mut ledger = None;
    while queue.blocking_recv_many(&mut jobs, BATCH) > 0 {
        medium.mend();
        let committed = medium.with(|database| commit(database, limits, &mut ledger, &mut jobs));
        match &committed {
            Ok(()) => medium.succeeded(),
            Err(error) => tracing::error!(%error, "the store could not commit"),
        }
        for job in jobs.drain(..) {
            job.answer(committed.as_ref().copied());
        }
    }
}

fn commit(
    database: &Database,
    limits: StoreLimits,
    ledger: &mut Option<Ledger>,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), Fault> {
    // What a failed transaction counted did not happen: then it is counted anew.
    let mut counted = match ledger.take() {
        Some(counted) => counted,
        None => Ledger::load(database)?,
    };
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    // Opens at once after a crash, however large the file; and commits in two phases, because
    // strangers choose the bytes and redb's checksum is not made against them.
    transaction.set_quick_repair(true);
    let mut batch = Batch::new(&transaction, limits, &mut counted)?;
    for job in jobs {
        job.run(&mut batch)?;
    }
    batch.finish()?;
    transaction.commit()?;
    *ledger = Some(counted);
    Ok(())
}
