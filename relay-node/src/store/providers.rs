//! Changes to providers within one transaction.
//!
//! A key's providers are one row. Members of a popular namespace announce themselves in bursts, so
//! a set that is touched is kept in memory until the end of the transaction and written once.

use std::collections::BTreeMap;

use redb::{ReadableTable, Table, WriteTransaction};
use warren_shared::{
    proto::{
        Millis,
        key::Key,
        record::{Prefix, ProviderEntry, ProviderSet, Refusal},
    },
    store::AnnounceError,
};

use super::{
    batch::{Batch, due_until},
    schema::{Due, Fault, Location, PROVIDERS, PROVIDERS_DUE, ProviderRow},
};

/// Stands for "nothing in it will ever expire".
const NEVER: Millis = Millis::MAX;

pub(super) struct Providers<'t> {
    rows: Table<'t, Location, ProviderRow>,
    due: Table<'t, Due, ()>,
    touched: BTreeMap<[u8; 33], Touched>,
}

#[derive(Default)]
struct Touched {
    set: ProviderSet,
    /// Not later than the first expiry in the set.
    due: Millis,
    /// As the table has it.
    stored_due: Option<Millis>,
}

impl<'t> Providers<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            rows: transaction.open_table(PROVIDERS)?,
            due: transaction.open_table(PROVIDERS_DUE)?,
            touched: BTreeMap::new(),
        })
    }

    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        for (location, touched) in std::mem::take(&mut self.touched) {
            if let Some(due) = touched.stored_due {
                self.due.remove((due, &location))?;
            }
            if touched.set.is_empty() {
                self.rows.remove(&location)?;
            } else {
                let bytes = touched.set.encode();
                self.rows
                    .insert(&location, (touched.due, bytes.as_slice()))?;
                self.due.insert((touched.due, &location), ())?;
            }
        }
        Ok(())
    }

    fn touch(&mut self, location: [u8; 33]) -> Result<&mut Touched, Fault> {
        if !self.touched.contains_key(&location) {
            let loaded = self.load(&location)?;
            self.touched.insert(location, loaded);
        }
        Ok(self.touched.entry(location).or_default())
    }

    fn load(&self, location: &[u8; 33]) -> Result<Touched, Fault> {
        let Some(row) = self.rows.get(location)? else {
            return Ok(Touched {
                due: NEVER,
                ..Touched::default()
            });
        };
        let (due, bytes) = row.value();
        // Providers announce themselves again: a damaged set is as good as none.
        let set = ProviderSet::decode(bytes).unwrap_or_else(|refusal| {
            tracing::error!(%refusal, "the store holds a damaged provider set");
            ProviderSet::new()
        });
        Ok(Touched {
            set,
            due,
            stored_due: Some(due),
        })
    }
}

impl Batch<'_> {
    pub(super) fn announce(
        &mut self,
        key: Key,
        entry: ProviderEntry,
        prefix: Option<Prefix>,
        now: Millis,
    ) -> Result<Result<(), AnnounceError>, Fault> {
        let location = key.to_bytes();
        if !self.has_room_for(location, &entry.peer)? {
            self.sweep_providers(now)?;
            if !self.has_room_for(location, &entry.peer)? {
                return Ok(Err(Refusal::Full.into()));
            }
        }
        let expires = entry.expires;
        let inserted = self.change(location, |touched| {
            let inserted = touched.set.insert(entry, prefix, now);
            if inserted.is_ok() {
                touched.due = touched.due.min(expires);
            }
            inserted
        })?;
        Ok(inserted.map_err(AnnounceError::from))
    }

    pub(super) fn withdraw(&mut self, key: Key, peer: &[u8]) -> Result<(), Fault> {
        self.change(key.to_bytes(), |touched| touched.set.remove(peer))?;
        Ok(())
    }

    /// Removes a piece of what has expired: how many entries, from how many sets.
    pub(super) fn sweep_providers(&mut self, now: Millis) -> Result<(u64, u64), Fault> {
        // The index knows nothing of sets that are only in memory.
        self.providers.flush()?;
        let due = due_until(&self.providers.due, now)?;
        let mut removed = 0;
        for location in &due {
            removed += self.change(*location, |touched| {
                let removed = touched.set.sweep(now);
                touched.due = first_expiry(&touched.set, now);
                removed as u64
            })?;
        }
        self.providers.flush()?;
        Ok((removed, due.len() as u64))
    }

    fn has_room_for(&mut self, location: [u8; 33], peer: &[u8]) -> Result<bool, Fault> {
        let (limits, counters) = (self.limits, self.counters);
        let set = &self.providers.touch(location)?.set;
        let key_fits = !set.is_empty() || counters.provider_keys < limits.max_provider_keys;
        Ok(set.contains(peer) || (key_fits && counters.providers < limits.max_providers))
    }

    /// Changes a set and the totals with it.
    fn change<R>(
        &mut self,
        location: [u8; 33],
        change: impl FnOnce(&mut Touched) -> R,
    ) -> Result<R, Fault> {
        let touched = self.providers.touch(location)?;
        let before = touched.set.len() as u64;
        let result = change(touched);
        let after = touched.set.len() as u64;
        let counters = &mut self.counters;
        counters.providers = counters.providers.saturating_sub(before) + after;
        counters.provider_keys =
            counters.provider_keys.saturating_sub(u64::from(before > 0)) + u64::from(after > 0);
        Ok(result)
    }
}

fn first_expiry(set: &ProviderSet, now: Millis) -> Millis {
    let (mut first, mut after) = (NEVER, None);
    loop {
        let (page, more) = set.page(after.as_deref(), now);
        let page_first = page.iter().map(|entry| entry.expires).min();
        first = first.min(page_first.unwrap_or(NEVER));
        after = page.into_iter().next_back().map(|entry| entry.peer);
        if !more {
            return first;
        }
    }
}
