//! Changes to records within one transaction.

use redb::{ReadableTable, Table, WriteTransaction};
use warren_shared::{
    proto::{
        Millis,
        key::Key,
        record::{Decision, Record, supersedes},
    },
    store::{
        Outcome, Source, StoreError, StoreLimits, Stored, Swept,
        shares::{Holding, Pool, Room},
    },
};

use super::{
    ledger::Ledger,
    mailbox::Mailbox,
    names::Names,
    providers::Providers,
    schema::{
        Counters, Due, Fault, Location, META, OWNERS, RECORDS, RECORDS_BY_SOURCE, RECORDS_DUE,
        RecordRow, SourceRow, decode,
    },
};

/// Removed at one go, so that a large sweep does not hold up puts.
pub(super) const SWEEP_PIECE: usize = 1000;

/// A transaction's tables. Either all of its changes come to be, or none.
pub(super) struct Batch<'t> {
    records: Table<'t, Location, RecordRow>,
    due: Table<'t, Due, ()>,
    by_source: Table<'t, SourceRow, u64>,
    owners: Table<'t, &'static [u8; 32], u64>,
    pub(super) meta: Table<'t, &'static str, u64>,
    pub(super) names: Names<'t>,
    pub(super) mailbox: Mailbox<'t>,
    pub(super) providers: Providers<'t>,
    pub(super) counters: Counters,
    pub(super) ledger: &'t mut Ledger,
    pub(super) limits: StoreLimits,
}

/// What a row says without decoding its record.
struct Header {
    received: Millis,
    expires: Millis,
    owner: Option<[u8; 32]>,
    holding: Holding,
}

impl<'t> Batch<'t> {
    pub(super) fn new(
        transaction: &'t WriteTransaction,
        limits: StoreLimits,
        ledger: &'t mut Ledger,
    ) -> Result<Self, Fault> {
        let meta = transaction.open_table(META)?;
        let counters = Counters::load(&meta)?;
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            due: transaction.open_table(RECORDS_DUE)?,
            by_source: transaction.open_table(RECORDS_BY_SOURCE)?,
            owners: transaction.open_table(OWNERS)?,
            meta,
            names: Names::new(transaction)?,
            mailbox: Mailbox::new(transaction)?,
            providers: Providers::new(transaction)?,
            counters,
            ledger,
            limits,
        })
    }

    /// Writes what was gathered in memory; the transaction can be committed then.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        self.providers.flush()?;
        Ok(self.counters.save(&mut self.meta)?)
    }

    pub(super) fn put(
        &mut self,
        source: Source,
        record: Record,
        now: Millis,
    ) -> Result<Result<Outcome, StoreError>, Fault> {
        let mut new = match Stored::new(record, source, now) {
            Ok(new) => new,
            Err(error) => return Ok(Err(error)),
        };
        let key = new.record.key();
        let live = self.live(key, now)?;
        let outcome = match &live {
            None => Outcome::Stored,
            Some(old) => match supersedes(old, &new.record) {
                Decision::Store => Outcome::Stored,
                Decision::Same => Outcome::Same,
                Decision::Older => return Ok(Ok(Outcome::Older(old.bytes().to_vec()))),
            },
        };
        let old = live.zip(self.remove(&key.to_bytes())?);
        let old = old.map(|(record, header)| Stored {
            record,
            received: header.received,
            expires: header.expires,
            source: header.holding.source,
        });
        if let Some(old) = &old {
            let (pool, records) = (Pool::of(&new.record), &self.ledger.records);
            new.source = records.lighter(pool, old.source, new.source);
        }
        if !self.make_room(&new, now)? {
            if let Some(old) = &old {
                self.insert(key, old)?;
            }
            return Ok(Err(StoreError::Full));
        }
        self.insert(key, &new)?;
        Ok(Ok(outcome))
    }

    /// Removes a piece of what has expired; whether there may be more.
    pub(super) fn sweep(&mut self, now: Millis) -> Result<(Swept, bool), Fault> {
        let records = self.sweep_records(now)?;
        let (providers, sets) = self.sweep_providers(now)?;
        let more = records.max(sets) >= SWEEP_PIECE as u64;
        Ok((Swept { records, providers }, more))
    }

    fn live(&self, key: Key, now: Millis) -> Result<Option<Record>, Fault> {
        let row = self.records.get(&key.to_bytes())?;
        Ok(row.and_then(|row| {
            let (_, expires, .., bytes) = row.value();
            (expires > now).then(|| decode(key, bytes)).flatten()
        }))
    }

    /// Removes what has expired, and then lets the heaviest sources give way, until the record fits;
    /// whether it does.
    fn make_room(&mut self, new: &Stored, now: Millis) -> Result<bool, Fault> {
        let holding = new.holding();
        if self.room(new)? != Room::Free {
            self.sweep_records(now)?;
        }
        loop {
            match self.room(new)? {
                Room::Free => return Ok(true),
                Room::Full => return Ok(false),
                Room::After(heaviest) => {
                    if !self.evict(heaviest, holding.pool)? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn room(&self, new: &Stored) -> Result<Room, Fault> {
        if self.owned(owner(&new.record))? >= self.limits.max_per_owner {
            return Ok(Room::Full);
        }
        Ok(self.ledger.records.room(new.holding(), &self.limits))
    }

    /// Removes what would expire first of a source; whether there was anything.
    fn evict(&mut self, source: Source, pool: Pool) -> Result<bool, Fault> {
        let (source, pool) = (source.to_u64(), pool.to_u8());
        let all = (source, pool, 0, &[0; 33])..=(source, pool, u64::MAX, &[u8::MAX; 33]);
        let first = self.by_source.range(all)?.next().transpose()?;
        let Some(location) = first.map(|(key, _)| *key.value().3) else {
            return Ok(false);
        };
        Ok(self.remove(&location)?.is_some())
    }

    fn owned(&self, owner: Option<&[u8; 32]>) -> Result<u64, Fault> {
        match owner {
            None => Ok(0),
            Some(owner) => Ok(self.owners.get(owner)?.map_or(0, |count| count.value())),
        }
    }

    fn header(&self, location: &[u8; 33]) -> Result<Option<Header>, Fault> {
        let row = self.records.get(location)?;
        Ok(row.map(|row| {
            let (received, expires, source, pool, owner, bytes) = row.value();
            Header {
                received,
                expires,
                owner: owner.try_into().ok(),
                holding: Holding {
                    source: Source::from_u64(source),
                    pool: Pool::from_u8(pool),
                    bytes: bytes.len() as u64,
                },
            }
        }))
    }

    fn insert(&mut self, key: Key, new: &Stored) -> Result<(), Fault> {
        let location = key.to_bytes();
        let owner = owner(&new.record);
        let owner_bytes = owner.map_or(&[][..], |owner| owner.as_slice());
        let bytes = new.record.bytes();
        let holding = new.holding();
        let (source, pool) = (holding.source.to_u64(), holding.pool.to_u8());
        let row = (new.received, new.expires, source, pool, owner_bytes, bytes);
        self.records.insert(&location, row)?;
        self.due.insert((new.expires, &location), ())?;
        let index = (source, pool, new.expires, &location);
        self.by_source.insert(index, holding.bytes)?;
        self.ledger.records.add(holding);
        if let Some(owner) = owner {
            let count = self.owned(Some(owner))?;
            self.owners.insert(owner, count + 1)?;
        }
        self.counters.records += 1;
        self.counters.bytes += bytes.len() as u64;
        Ok(())
    }

    fn remove(&mut self, location: &[u8; 33]) -> Result<Option<Header>, Fault> {
        let Some(old) = self.header(location)? else {
            return Ok(None);
        };
        self.records.remove(location)?;
        self.due.remove((old.expires, location))?;
        let (source, pool) = (old.holding.source.to_u64(), old.holding.pool.to_u8());
        self.by_source
            .remove((source, pool, old.expires, location))?;
        self.ledger.records.remove(old.holding);
        if let Some(owner) = &old.owner {
            match self.owned(Some(owner))? {
                0 | 1 => drop(self.owners.remove(owner)?),
                count => drop(self.owners.insert(owner, count - 1)?),
            }
        }
        self.counters.records = self.counters.records.saturating_sub(1);
        self.counters.bytes = self.counters.bytes.saturating_sub(old.holding.bytes);
        Ok(Some(old))
    }

    fn sweep_records(&mut self, now: Millis) -> Result<u64, Fault> {
        let expired = due_until(&self.due, now)?;
        for location in &expired {
            self.remove(location)?;
        }
        Ok(expired.len() as u64)
    }
}

/// A piece of what is due at `now`.
pub(super) fn due_until(due: &Table<'_, Due, ()>, now: Millis) -> Result<Vec<[u8; 33]>, Fault> {
    let mut locations = Vec::new();
    for row in due.range(..=(now, &[u8::MAX; 33]))?.take(SWEEP_PIECE) {
        let (key, _) = row?;
        locations.push(*key.value().1);
    }
    Ok(locations)
}

fn owner(record: &Record) -> Option<&[u8; 32]> {
    match record {
        Record::Value(_) => None,
        Record::Signed(envelope) => Some(envelope.body().key.as_bytes()),
    }
}
