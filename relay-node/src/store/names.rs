//! The rows of a witness, in the same file and the same transactions as everything else.

use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};
use warren_shared::limits::MAX_WITNESSED;
use warren_shared::net::names::{Kept, NameLedger, Work};
use warren_shared::platform;
use warren_shared::proto::Millis;
use warren_shared::proto::names::Label;
use warren_shared::proto::names::wire::{NameRefusal, Response};
use warren_shared::proto::names::witness::ZoneWrite;
use warren_shared::proto::names::witness::row::Row;
use warren_shared::store::StoreError;

use super::RedbStore;
use super::news::NewZone;
use super::schema::{Fault, NAMES, NAMES_SINCE, ZONES};

/// Rows looked at for each new one: a flood of attempts leaves no more behind than it makes in the time
/// that an attempt counts.
const LOOKED_AT: usize = 8;

/// What a witness answers, and the zone that it keeps from now on.
type Changed = (Response, Option<Vec<u8>>);

/// The tables of names within a transaction.
pub(super) struct Names<'t> {
    rows: Table<'t, &'static str, &'static [u8]>,
    zones: Table<'t, &'static str, &'static [u8]>,
}

impl<'t> Names<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            rows: transaction.open_table(NAMES)?,
            zones: transaction.open_table(ZONES)?,
        })
    }

    /// Works on a name. The outer error ends the transaction, the inner one leaves it as it was.
    fn change(
        &mut self,
        name: &Label,
        work: Work,
        room: &Room,
    ) -> Result<Result<Changed, StoreError>, Fault> {
        let name = name.as_str();
        let kept = match kept(&self.rows, &self.zones, name)? {
            Ok(kept) => kept,
            Err(error) => return Ok(Err(error)),
        };
        let is_new = kept.row.is_none();
        let outcome = work(kept);
        if let Some(row) = outcome.row {
            if is_new && !self.make_room(room)? {
                return Ok(Ok((NameRefusal::Full.bare(), None)));
            }
            self.rows.insert(name, row.encode().as_slice())?;
        }
        match outcome.zone {
            ZoneWrite::Keep => {}
            ZoneWrite::Put(bytes) => {
                self.zones.insert(name, bytes.as_slice())?;
                return Ok(Ok((outcome.response, Some(bytes))));
            }
            ZoneWrite::Remove => drop(self.zones.remove(name)?),
        }
        Ok(Ok((outcome.response, None)))
    }

    /// Looks at the rows after those that were looked at last, and removes what is no loss. Whether
    /// there is room for one more.
    fn make_room(&mut self, room: &Room) -> Result<bool, Fault> {
        let mut looked_at = room
            .looked_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = platform::now();
        let (mut last, mut gone) = (None, Vec::new());
        let after = (Bound::Excluded(looked_at.as_str()), Bound::Unbounded);
        for entry in self.rows.range::<&str>(after)?.take(LOOKED_AT) {
            let (name, bytes) = entry?;
            // What cannot be read is kept: it may have signed something.
            if Row::decode(bytes.value()).is_ok_and(|row| row.can_go(now)) {
                gone.push(name.value().to_owned());
            }
            last = Some(name.value().to_owned());
        }
        // At the end it begins anew.
        *looked_at = last.unwrap_or_default();
        for name in gone {
            self.rows.remove(name.as_str())?;
            self.zones.remove(name.as_str())?;
        }
        Ok(self.rows.len()? < room.most)
    }
}

/// How many rows there can be, and how far the search for those that can go has come.
#[derive(Debug)]
struct Room {
    most: u64,
    looked_at: Mutex<String>,
}

/// A row that cannot be read is an error: whoever forgets what it has signed signs it twice.
fn kept(
    rows: &impl ReadableTable<&'static str, &'static [u8]>,
    zones: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Result<Kept, StoreError>, Fault> {
    let row = match rows.get(name)? {
        None => None,
        Some(bytes) => match Row::decode(bytes.value()) {
            Ok(row) => Some(row),
            Err(refusal) => return Ok(Err(damaged(name, refusal))),
        },
    };
    let zone = zones.get(name)?.map(|bytes| bytes.value().to_vec());
    Ok(Ok(Kept { row, zone }))
}

fn damaged(name: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("the row of the name {name} is damaged: {why}"))
}

/// The rows of a witness in the store of a relay.
#[derive(Clone)]
pub struct RedbNames {
    store: Arc<RedbStore>,
    room: Arc<Room>,
}

impl RedbNames {
    /// In this store.
    pub fn new(store: Arc<RedbStore>) -> Self {
        Self::with_room(store, MAX_WITNESSED)
    }

    fn with_room(store: Arc<RedbStore>, most: u64) -> Self {
        let room = Room {
            most,
            looked_at: Mutex::default(),
        };
        Self {
            store,
            room: Arc::new(room),
        }
    }

    /// When the rows were begun: whatever was signed before that is not in them.
    pub async fn since(&self, now: Millis) -> Result<Millis, StoreError> {
        let since = self.store.writer.run(move |batch| {
            let known = batch.meta.get(NAMES_SINCE)?.map(|since| since.value());
            match known {
                Some(since) => Ok(since),
                None => {
                    batch.meta.insert(NAMES_SINCE, now)?;
                    Ok(now)
                }
            }
        });
        since.await
    }
}

#[async_trait]
impl NameLedger for RedbNames {
    async fn read(&self, name: Label) -> Result<Kept, StoreError> {
        let read = self.store.read(move |snapshot| {
            let (rows, zones) = (snapshot.open_table(NAMES)?, snapshot.open_table(ZONES)?);
            kept(&rows, &zones, name.as_str())
        });
        read.await?
    }

    async fn change(&self, name: Label, work: Work) -> Result<Response, StoreError> {
        let room = self.room.clone();
        let changed = self
            .store
            .writer
            .run(move |batch| batch.names.change(&name, work, &room));
        let (response, zone) = changed.await??;
        if let Some(bytes) = zone {
            let witnessed = true;
            self.store.news.tell(NewZone { bytes, witnessed });
        }
        Ok(response)
    }

    async fn page(
        &self,
        after: Option<Label>,
        most: usize,
    ) -> Result<Vec<(Label, Row)>, StoreError> {
        let read = self.store.read(move |snapshot| {
            let rows = snapshot.open_table(NAMES)?;
            let mut page = Vec::new();
            let first = after.as_ref().map_or("", Label::as_str);
            for entry in rows.range(first..)? {
                let (name, bytes) = entry?;
                let Some(name) = Label::exact(name.value()) else {
                    continue;
                };
                if after.as_ref() == Some(&name) {
                    continue;
                }
                match Row::decode(bytes.value()) {
                    Ok(row) => page.push((name, row)),
                    Err(refusal) => return Ok(Err(damaged(name.as_str(), refusal))),
                }
                if page.len() >= most {
                    break;
                }
            }
            Ok(Ok(page))
        });
        read.await?
    }
}

#[cfg(test)]
mod tests {
    use warren_shared::limits::{DAY, MINUTE};
    use warren_shared::proto::key::SigningKey;
    use warren_shared::proto::names::witness::Outcome;
    use warren_shared::proto::names::witness::row::Denial;
    use warren_shared::store::StoreLimits;

    use super::*;

    /// Writes a row, as somebody's attempt of then leaves it.
    async fn attempt(names: &RedbNames, number: u64, when: Millis, denied: bool) -> Response {
        attempt_with(names, number, when, denied, ZoneWrite::Keep).await
    }

    async fn attempt_with(
        names: &RedbNames,
        number: u64,
        when: Millis,
        denied: bool,
        zone: ZoneWrite,
    ) -> Response {
        let name: Label = format!("name{number}").parse().unwrap();
        let work = move |kept: Kept| {
            let mut row = kept.row.unwrap_or_default();
            row.bar(SigningKey::from_seed([1; 32]).public()).issued = when;
            row.denied = denied.then(|| Denial {
                reason: "because".to_owned(),
                since: when,
            });
            Outcome {
                row: Some(row),
                zone,
                response: Response::Abandoned,
            }
        };
        names.change(name, Box::new(work)).await.unwrap()
    }

    #[tokio::test]
    async fn attempts_that_came_to_nothing_take_no_room_for_ever() {
        const MOST: u64 = 100;
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::open(directory.path(), StoreLimits::default()).unwrap();
        let names = RedbNames::with_room(Arc::new(store), MOST);
        let full = NameRefusal::Full.bare();
        let now = platform::now();
        for number in 0..MOST {
            assert_eq!(
                attempt(&names, number, now, number % 2 == 0).await,
                Response::Abandoned
            );
        }
        for _ in 0..MOST {
            assert_eq!(attempt(&names, MOST, now, false).await, full);
        }
        for number in 0..MOST {
            attempt(&names, number, now - DAY, number % 2 == 0).await;
        }
        let mut accepted = 0;
        for number in MOST..2 * MOST {
            accepted += u64::from(attempt(&names, number, now - MINUTE, false).await != full);
        }
        assert_eq!(
            accepted,
            MOST / 2,
            "what is denied stays, and so do new attempts"
        );
    }

    #[tokio::test]
    async fn a_zone_for_which_there_is_no_room_is_no_news() {
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::open(directory.path(), StoreLimits::default()).unwrap();
        let mut news = store.new_zones();
        let names = RedbNames::with_room(Arc::new(store), 1);
        let now = platform::now();
        let put = || ZoneWrite::Put(vec![1]);
        attempt_with(&names, 0, now, false, put()).await;
        assert!(news.try_recv().is_ok());
        let full = attempt_with(&names, 1, now, false, put()).await;
        assert_eq!(full, NameRefusal::Full.bare());
        assert!(news.try_recv().is_err());
    }
}
