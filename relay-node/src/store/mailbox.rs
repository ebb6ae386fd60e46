//! Mailboxes, in the same file and the same transactions as everything else.

use async_trait::async_trait;
use redb::{ReadOnlyTable, ReadableTable, Table, WriteTransaction};
use warren_shared::net::direct::MailboxStore;
use warren_shared::proto::Millis;
use warren_shared::proto::direct::mailbox::{self, Leaving, Row, Rows};
use warren_shared::proto::direct::wire::Waiting;
use warren_shared::proto::key::PublicKey;
use warren_shared::proto::record::Refusal;
use warren_shared::store::StoreError;

use super::RedbStore;
use super::batch::SWEEP_PIECE;
use super::schema::{Fault, MAILBOX};

type Bytes = &'static [u8];

/// The table of mailboxes within a transaction.
pub(super) struct Mailbox<'t>(Table<'t, Bytes, Bytes>);

impl<'t> Mailbox<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self(transaction.open_table(MAILBOX)?))
    }
}

impl Rows for Mailbox<'_> {
    type Error = Fault;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        get(&self.0, key)
    }

    fn range(&self, from: &[u8], to: &[u8], most: usize) -> Result<Vec<Row>, Fault> {
        range(&self.0, from, to, most)
    }
}

impl mailbox::Table for Mailbox<'_> {
    fn put(&mut self, key: &[u8], row: &[u8]) -> Result<(), Fault> {
        self.0.insert(key, row)?;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Fault> {
        self.0.remove(key)?;
        Ok(())
    }
}

/// The same in a snapshot.
struct Seen(ReadOnlyTable<Bytes, Bytes>);

impl Rows for Seen {
    type Error = Fault;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        get(&self.0, key)
    }

    fn range(&self, from: &[u8], to: &[u8], most: usize) -> Result<Vec<Row>, Fault> {
        range(&self.0, from, to, most)
    }
}

fn get(table: &impl ReadableTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let row = table.get(key)?;
    Ok(row.map(|row| row.value().to_vec()))
}

fn range(
    table: &impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
    most: usize,
) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    for row in table.range::<&[u8]>(from..=to)?.take(most) {
        let (key, value) = row?;
        rows.push((key.value().to_vec(), value.value().to_vec()));
    }
    Ok(rows)
}

#[async_trait]
impl MailboxStore for RedbStore {
    async fn leave(
        &self,
        all: Vec<Leaving>,
        now: Millis,
    ) -> Result<Result<usize, Refusal>, StoreError> {
        let leave = move |batch: &mut super::batch::Batch<'_>| {
            mailbox::leave_all(&mut batch.mailbox, &all, now)
        };
        self.writer.run(leave).await
    }

    async fn fetch(
        &self,
        to: PublicKey,
        after: u64,
        done: Vec<u64>,
        now: Millis,
    ) -> Result<(Vec<Waiting>, bool), StoreError> {
        if !done.is_empty() {
            let forget = move |batch: &mut super::batch::Batch<'_>| {
                mailbox::done(&mut batch.mailbox, &to, &done)
            };
            self.writer.run(forget).await?;
        }
        self.read(move |snapshot| {
            let seen = Seen(snapshot.open_table(MAILBOX)?);
            mailbox::waiting(&seen, &to, after, now)
        })
        .await
    }
}

impl RedbStore {
    /// Forgets what nobody fetched in its time; how much that was.
    pub async fn sweep_mailboxes(&self, now: Millis) -> Result<usize, StoreError> {
        let mut total = 0;
        loop {
            let sweep = move |batch: &mut super::batch::Batch<'_>| {
                mailbox::sweep(&mut batch.mailbox, now, SWEEP_PIECE)
            };
            let swept = self.writer.run(sweep).await?;
            total += swept;
            if swept < SWEEP_PIECE {
                return Ok(total);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use warren_shared::limits::{MAILBOX_PER_SENDER, MESSAGE_LIFETIME};
    use warren_shared::proto::direct::mailbox::Sender;
    use warren_shared::proto::key::SigningKey;
    use warren_shared::store::StoreLimits;

    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn leaving(name: u16, size: usize) -> Leaving {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&name.to_be_bytes());
        Leaving {
            to: SigningKey::from_seed([1; 32]).public(),
            sender: Sender { peer: 1, source: 2 },
            id,
            sealed: vec![name as u8; size],
        }
    }

    async fn names(store: &RedbStore, now: Millis) -> Vec<u8> {
        let to = leaving(0, 0).to;
        let (mut after, mut names) = (0, Vec::new());
        loop {
            let (page, more) = store.fetch(to, after, Vec::new(), now).await.unwrap();
            names.extend(page.iter().map(|one| one.sealed[0]));
            after = page.last().map_or(after, |one| one.place);
            if !more {
                return names;
            }
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_there_after_a_restart_and_goes_in_time() {
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::open(directory.path(), StoreLimits::default()).unwrap();
        let all: Vec<Leaving> = (0..200).map(|name| leaving(name, 10)).collect();
        assert_eq!(store.leave(all.clone(), NOW).await.unwrap(), Ok(200));
        drop(store);
        let store = RedbStore::open(directory.path(), StoreLimits::default()).unwrap();
        // Again does no harm.
        assert_eq!(store.leave(all, NOW).await.unwrap(), Ok(200));
        assert_eq!(names(&store, NOW).await, (0..200).collect::<Vec<u8>>());
        let (page, _) = store
            .fetch(leaving(0, 0).to, 0, Vec::new(), NOW)
            .await
            .unwrap();
        let done = page.iter().take(50).map(|one| one.place).collect();
        store.fetch(leaving(0, 0).to, 0, done, NOW).await.unwrap();
        assert_eq!(names(&store, NOW).await, (50..200).collect::<Vec<u8>>());
        let later = NOW + MESSAGE_LIFETIME;
        assert_eq!(store.sweep_mailboxes(later - 1).await.unwrap(), 0);
        assert_eq!(store.sweep_mailboxes(later).await.unwrap(), 150);
        assert!(names(&store, NOW).await.is_empty());
    }

    #[tokio::test]
    async fn quotas_hold_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::open(directory.path(), StoreLimits::default()).unwrap();
        let most = MAILBOX_PER_SENDER.0 as u16;
        let all = (0..most + 10).map(|name| leaving(name, 10)).collect();
        let kept = store.leave(all, NOW).await.unwrap();
        assert_eq!(kept, Ok(usize::from(most)));
        let full = store.leave(vec![leaving(most, 10)], NOW).await.unwrap();
        assert_eq!(full, Err(Refusal::Full));
    }
}
