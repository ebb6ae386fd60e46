//! Changes to records within one transaction.

use redb::{ReadableTable, Table, WriteTransaction};
use warren_shared::{
    proto::{
        Millis,
        key::Key,
        record::{Decision, Record, supersedes},
    },
    store::{Outcome, StoreError, StoreLimits, Stored, Swept},
};

use super::{
    providers::Providers,
    schema::{
        Counters, Due, Fault, Location, META, OWNERS, RECORDS, RECORDS_DUE, RecordRow, decode,
    },
};

/// Removed at one go, so that a large sweep does not hold up puts.
pub(super) const SWEEP_PIECE: usize = 1000;

/// A transaction's tables. Either all of its changes come to be, or none.
pub(super) struct Batch<'t> {
    records: Table<'t, Location, RecordRow>,
    due: Table<'t, Due, ()>,
    owners: Table<'t, &'static [u8; 32], u64>,
    meta: Table<'t, &'static str, u64>,
    pub(super) providers: Providers<'t>,
    pub(super) counters: Counters,
    pub(super) limits: StoreLimits,
}

/// What a row says without decoding its record.
struct Header {
    expires: Millis,
    owner: Option<[u8; 32]>,
    bytes: u64,
}

impl<'t> Batch<'t> {
    pub(super) fn new(
        transaction: &'t WriteTransaction,
        limits: StoreLimits,
    ) -> Result<Self, Fault> {
        let meta = transaction.open_table(META)?;
        let counters = Counters::load(&meta)?;
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            due: transaction.open_table(RECORDS_DUE)?,
            owners: transaction.open_table(OWNERS)?,
            meta,
            providers: Providers::new(transaction)?,
            counters,
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
        record: Record,
        now: Millis,
    ) -> Result<Result<Outcome, StoreError>, Fault> {
        let new = match Stored::new(record, now) {
            Ok(new) => new,
            Err(error) => return Ok(Err(error)),
        };
        let key = new.record.key();
        let outcome = match self.live(key, now)? {
            None => Outcome::Stored,
            Some(old) => match supersedes(&old, &new.record) {
                Decision::Store => Outcome::Stored,
                Decision::Same => Outcome::Same,
                Decision::Older => return Ok(Ok(Outcome::Older(old.bytes().to_vec()))),
            },
        };
        if !self.has_room(key, &new.record)? {
            self.sweep_records(now)?;
            if !self.has_room(key, &new.record)? {
                return Ok(Err(StoreError::Full));
            }
        }
        self.remove(&key.to_bytes())?;
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
            let (_, expires, _, bytes) = row.value();
            (expires > now).then(|| decode(key, bytes)).flatten()
        }))
    }

    fn has_room(&self, key: Key, new: &Record) -> Result<bool, Fault> {
        let old = self.header(&key.to_bytes())?;
        let old_bytes = old.as_ref().map_or(0, |old| old.bytes);
        let bytes = self.counters.bytes.saturating_sub(old_bytes) + new.bytes().len() as u64;
        if bytes > self.limits.max_bytes {
            return Ok(false);
        }
        if old.is_some() {
            return Ok(true);
        }
        Ok(self.counters.records < self.limits.max_records
            && self.owned(owner(new))? < self.limits.max_per_owner)
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
            let (_, expires, owner, bytes) = row.value();
            Header {
                expires,
                owner: owner.try_into().ok(),
                bytes: bytes.len() as u64,
            }
        }))
    }

    fn insert(&mut self, key: Key, new: &Stored) -> Result<(), Fault> {
        let location = key.to_bytes();
        let owner = owner(&new.record);
        let owner_bytes = owner.map_or(&[][..], |owner| owner.as_slice());
        let bytes = new.record.bytes();
        let row = (new.received, new.expires, owner_bytes, bytes);
        self.records.insert(&location, row)?;
        self.due.insert((new.expires, &location), ())?;
        if let Some(owner) = owner {
            let count = self.owned(Some(owner))?;
            self.owners.insert(owner, count + 1)?;
        }
        self.counters.records += 1;
        self.counters.bytes += bytes.len() as u64;
        Ok(())
    }

    fn remove(&mut self, location: &[u8; 33]) -> Result<(), Fault> {
        let Some(old) = self.header(location)? else {
            return Ok(());
        };
        self.records.remove(location)?;
        self.due.remove((old.expires, location))?;
        if let Some(owner) = &old.owner {
            match self.owned(Some(owner))? {
                0 | 1 => drop(self.owners.remove(owner)?),
                count => drop(self.owners.insert(owner, count - 1)?),
            }
        }
        self.counters.records = self.counters.records.saturating_sub(1);
        self.counters.bytes = self.counters.bytes.saturating_sub(old.bytes);
        Ok(())
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
