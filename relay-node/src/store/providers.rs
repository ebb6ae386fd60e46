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
    store::{
        AnnounceError, Source,
        shares::{Room, provider_sources, provider_to_remove},
    },
};

use super::{
    batch::{Batch, due_until},
    schema::{
        Due, Fault, Location, PROVIDERS, PROVIDERS_BY_SOURCE, PROVIDERS_DUE, ProviderRow,
        ProviderSourceRow,
    },
};

/// Stands for "nothing in it will ever expire".
const NEVER: Millis = Millis::MAX;

pub(super) struct Providers<'t> {
    rows: Table<'t, Location, ProviderRow>,
    due: Table<'t, Due, ()>,
    by_source: Table<'t, ProviderSourceRow, u64>,
    touched: BTreeMap<[u8; 33], Touched>,
}

#[derive(Default)]
struct Touched {
    set: ProviderSet,
    /// Not later than the first expiry in the set.
    due: Millis,
    sources: BTreeMap<Source, u64>,
    /// As the tables have them.
    stored_due: Option<Millis>,
    stored_sources: BTreeMap<Source, u64>,
}

impl<'t> Providers<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            rows: transaction.open_table(PROVIDERS)?,
            due: transaction.open_table(PROVIDERS_DUE)?,
            by_source: transaction.open_table(PROVIDERS_BY_SOURCE)?,
            touched: BTreeMap::new(),
        })
    }

    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        for (location, touched) in std::mem::take(&mut self.touched) {
            self.flush_sources(&location, &touched)?;
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

    fn flush_sources(&mut self, location: &[u8; 33], touched: &Touched) -> Result<(), Fault> {
        for source in touched.stored_sources.keys() {
            if !touched.sources.contains_key(source) {
                self.by_source.remove((source.to_u64(), location))?;
            }
        }
        for (source, count) in &touched.sources {
            if touched.stored_sources.get(source) != Some(count) {
                self.by_source.insert((source.to_u64(), location), count)?;
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
        let sources = provider_sources(&set);
        Ok(Touched {
            set,
            due,
            sources: sources.clone(),
            stored_due: Some(due),
            stored_sources: sources,
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
        let admitted = self.change(location, |touched| touched.set.admit(&entry, prefix, now))?;
        if let Err(why) = admitted {
            return Ok(Err(why.into()));
        }
        let listed = self.providers.touch(location)?.set.contains(&entry.peer);
        if !listed && !self.make_provider_room(Source::of(prefix, &entry.peer), now)? {
            return Ok(Err(Refusal::Full.into()));
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

    fn make_provider_room(&mut self, source: Source, now: Millis) -> Result<bool, Fault> {
        let share = self.limits.providers;
        if self.ledger.providers.room(source, 1, share) != Room::Free {
            self.sweep_providers(now)?;
        }
        loop {
            match self.ledger.providers.room(source, 1, share) {
                Room::Free => return Ok(true),
                Room::Full => return Ok(false),
                Room::After(heaviest) => {
                    if !self.evict_provider(heaviest)? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Removes an entry of a source; whether there was any.
    fn evict_provider(&mut self, source: Source) -> Result<bool, Fault> {
        // The index knows nothing of sets that are only in memory.
        self.providers.flush()?;
        let number = source.to_u64();
        let all = (number, &[0; 33])..=(number, &[u8::MAX; 33]);
        let first = self.providers.by_source.range(all)?.next().transpose()?;
        let Some((location, count)) = first.map(|(key, count)| (*key.value().1, count.value()))
        else {
            return Ok(false);
        };
        let found = self.change(location, |touched| {
            let peer = provider_to_remove(&touched.set, source);
            peer.is_some_and(|peer| touched.set.remove(&peer))
        })?;
        if !found {
            // The set was damaged, and its entries are gone.
            self.providers.by_source.remove((number, &location))?;
            self.ledger.providers.remove(source, count);
        }
        Ok(true)
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
        let sources = provider_sources(&touched.set);
        for (source, count) in std::mem::replace(&mut touched.sources, sources) {
            self.ledger.providers.remove(source, count);
        }
        for (source, count) in &touched.sources {
            self.ledger.providers.add(*source, *count);
        }
        let counters = &mut self.counters;
        counters.providers = counters.providers.saturating_sub(before) + after;
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
