//! A mailbox: what a relay keeps for authors that are away.
//!
//! Knows quotas, order and expiry; not what it keeps, which is sealed. Written over a [`Table`], so
//! that memory and disk follow one set of rules.

use minicbor::{Decode, Encode};

use super::message::Id;
use super::wire::Waiting;
use crate::limits::{
    MAILBOX_EACH, MAILBOX_PAGE, MAILBOX_PAGE_BYTES, MAILBOX_PER_SENDER, MAILBOX_PER_SOURCE,
    MAILBOX_TOTAL, MAX_SEALED, MESSAGE_LIFETIME,
};
use crate::proto::key::PublicKey;
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// Rows in the order of their keys, as one transaction sees them.
pub trait Rows {
    /// How the medium fails.
    type Error;
    /// One row.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;
    /// The first rows of a range, both ends included, at most so many.
    fn range(&self, from: &[u8], to: &[u8], most: usize) -> Result<Vec<Row>, Self::Error>;
}

/// Rows that can be changed, all or none in a transaction.
pub trait Table: Rows {
    /// Writes a row.
    fn put(&mut self, key: &[u8], row: &[u8]) -> Result<(), Self::Error>;
    /// Removes a row.
    fn remove(&mut self, key: &[u8]) -> Result<(), Self::Error>;
}

/// A key and what is under it.
pub type Row = (Vec<u8>, Vec<u8>);

/// Who leaves something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The peer, which its connection proves.
    pub peer: u64,
    /// Whom it counts for: where the peer is seen, or itself.
    pub source: u64,
}

/// Something to be kept.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// For whom.
    pub to: PublicKey,
    /// From whom.
    pub sender: Sender,
    /// What the sender calls it.
    pub id: Id,
    /// Sealed.
    pub sealed: Vec<u8>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Kept {
    #[n(0)]
    expires: Millis,
    #[n(1)]
    peer: u64,
    #[n(2)]
    source: u64,
    #[cbor(n(3), with = "minicbor::bytes")]
    id: Id,
    #[cbor(n(4), with = "minicbor::bytes")]
    sealed: Vec<u8>,
}

/// Entries and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Used {
    #[n(0)]
    entries: u64,
    #[n(1)]
    bytes: u64,
}

/// Keeps things in their order until one has no room; how many are kept.
pub fn leave_all<T: Table>(
    table: &mut T,
    all: &[Leaving],
    now: Millis,
) -> Result<Result<usize, Refusal>, T::Error> {
    for (count, leaving) in all.iter().enumerate() {
        match leave(table, leaving, now)? {
            Err(why) if count == 0 => return Ok(Err(why)),
            Err(_) => return Ok(Ok(count)),
            Ok(()) => {}
        }
    }
    Ok(Ok(all.len()))
}

/// Keeps something durably; an error inside is a refusal.
pub fn leave<T: Table>(
    table: &mut T,
    leaving: &Leaving,
    now: Millis,
) -> Result<Result<(), Refusal>, T::Error> {
    let Leaving {
        to,
        sender,
        id,
        sealed,
    } = leaving;
    let name = keys::name(to, sender.peer, id);
    if table.get(&name)?.is_some() {
        return Ok(Ok(()));
    }
    let accounts = accounts(to, *sender);
    for (account, (entries, bytes)) in &accounts {
        let used = used(table, account)?;
        if used.entries >= *entries || used.bytes + sealed.len() as u64 > *bytes {
            return Ok(Err(Refusal::Full));
        }
    }
    let size = sealed.len() as u64;
    let all = used(table, &keys::recipient(to))?;
    let own = used(table, &keys::between(to, sender.source))?;
    let (entries, bytes) = share(all.entries + 1, all.bytes + size);
    if own.entries + 1 > entries || own.bytes + size > bytes {
        return Ok(Err(Refusal::Full));
    }
    let place = table.get(keys::NEXT)?.map_or(1, |bytes| number(&bytes));
    table.put(keys::NEXT, &(place + 1).to_be_bytes())?;
    let kept = Kept {
        expires: now.saturating_add(MESSAGE_LIFETIME),
        peer: sender.peer,
        source: sender.source,
        id: *id,
        sealed: sealed.clone(),
    };
    table.put(&keys::entry(to, place), &cbor::encode(&kept))?;
    table.put(&keys::due(kept.expires, to, place), &[])?;
    table.put(&name, &place.to_be_bytes())?;
    for (account, _) in &accounts {
        count(table, account, |used| Used {
            entries: used.entries + 1,
            bytes: used.bytes + sealed.len() as u64,
        })?;
    }
    Ok(Ok(()))
}

/// What waits for an author after a place, and whether there is more.
pub fn waiting<T: Rows>(
    table: &T,
    to: &PublicKey,
    after: u64,
    now: Millis,
) -> Result<(Vec<Waiting>, bool), T::Error> {
    let (from, end) = (
        keys::entry(to, after.saturating_add(1)),
        keys::entry(to, u64::MAX),
    );
    let (mut found, mut bytes) = (Vec::new(), 0);
    for (key, row) in table.range(&from, &end, MAILBOX_PAGE + 1)? {
        let Some(kept) = kept(&row).filter(|kept| kept.expires > now) else {
            continue;
        };
        bytes += kept.sealed.len();
        if found.len() == MAILBOX_PAGE || bytes > MAILBOX_PAGE_BYTES {
            return Ok((found, true));
        }
        found.push(Waiting {
            place: number(&key[key.len() - 8..]),
            sealed: kept.sealed,
        });
    }
    Ok((found, false))
}

/// Forgets what the recipient is done with.
pub fn done<T: Table>(table: &mut T, to: &PublicKey, places: &[u64]) -> Result<(), T::Error> {
    places
        .iter()
        .try_for_each(|place| forget(table, to, *place))
}

/// Forgets what has expired, at most so many; how many that were.
pub fn sweep<T: Table>(table: &mut T, now: Millis, most: usize) -> Result<usize, T::Error> {
    let due = table.range(
        &keys::due_from(0),
        &keys::due_from(now.saturating_add(1)),
        most,
    )?;
    for (key, _) in &due {
        if let Some((to, place)) = keys::of_due(key) {
            forget(table, &to, place)?;
        }
        table.remove(key)?;
    }
    Ok(due.len())
}

/// How many entries there are, and of how many bytes.
pub fn total<T: Rows>(table: &T) -> Result<(u64, u64), T::Error> {
    let used = used(table, keys::TOTAL)?;
    Ok((used.entries, used.bytes))
}

fn forget<T: Table>(table: &mut T, to: &PublicKey, place: u64) -> Result<(), T::Error> {
    let key = keys::entry(to, place);
    let Some(row) = table.get(&key)? else {
        return Ok(());
    };
    table.remove(&key)?;
    let Some(kept) = kept(&row) else {
        return Ok(());
    };
    table.remove(&keys::due(kept.expires, to, place))?;
    table.remove(&keys::name(to, kept.peer, &kept.id))?;
    let sender = Sender {
        peer: kept.peer,
        source: kept.source,
    };
    for (account, _) in accounts(to, sender) {
        count(table, &account, |used| Used {
            entries: used.entries.saturating_sub(1),
            bytes: used.bytes.saturating_sub(kept.sealed.len() as u64),
        })?;
    }
    Ok(())
}

/// What one source may have of a mailbox that would hold so much: with the square of what is free, so that the first
/// one gets a quarter, and nobody of many takes the room of the next. One entry while there is any room.
fn share(entries: u64, bytes: u64) -> (u64, u64) {
    let of = |(most, used): (u64, u64), least: u64| {
        let free = most.saturating_sub(used);
        (free * free / most * 4 / 9).max(least)
    };
    (
        of((MAILBOX_EACH.0, entries), 1),
        of((MAILBOX_EACH.1, bytes), MAX_SEALED as u64),
    )
}

/// What is counted for something that is kept, and how much of it there may be.
fn accounts(to: &PublicKey, sender: Sender) -> [(Vec<u8>, (u64, u64)); 5] {
    let of = |kind: &[u8], who: u64| [kind, &who.to_be_bytes()].concat();
    [
        (keys::TOTAL.to_vec(), MAILBOX_TOTAL),
        (keys::recipient(to), MAILBOX_EACH),
        (keys::between(to, sender.source), MAILBOX_PER_SENDER),
        (of(b"us", sender.source), MAILBOX_PER_SOURCE),
        (of(b"up", sender.peer), MAILBOX_EACH),
    ]
}

fn used<T: Rows>(table: &T, account: &[u8]) -> Result<Used, T::Error> {
    let row = table.get(account)?;
    Ok(row
        .and_then(|row| cbor::decode(&row).ok())
        .unwrap_or_default())
}

fn count<T: Table>(
    table: &mut T,
    account: &[u8],
    change: impl FnOnce(Used) -> Used,
) -> Result<(), T::Error> {
    match change(used(table, account)?) {
        Used { entries: 0, .. } => table.remove(account),
        used => table.put(account, &cbor::encode(&used)),
    }
}

fn kept(row: &[u8]) -> Option<Kept> {
    cbor::decode(row).ok()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

mod keys {
    use super::{Id, Millis, PublicKey};

    pub const NEXT: &[u8] = b"n";
    pub const TOTAL: &[u8] = b"ut";

    /// What is counted for a recipient.
    pub fn recipient(to: &PublicKey) -> Vec<u8> {
        [b"ur".as_slice(), to.as_bytes()].concat()
    }

    /// What is counted for a source and a recipient.
    pub fn between(to: &PublicKey, source: u64) -> Vec<u8> {
        [b"ub".as_slice(), to.as_bytes(), &source.to_be_bytes()].concat()
    }

    pub fn entry(to: &PublicKey, place: u64) -> Vec<u8> {
        [b"e".as_slice(), to.as_bytes(), &place.to_be_bytes()].concat()
    }

    pub fn name(to: &PublicKey, peer: u64, id: &Id) -> Vec<u8> {
        [b"i".as_slice(), to.as_bytes(), &peer.to_be_bytes(), id].concat()
    }

    pub fn due(expires: Millis, to: &PublicKey, place: u64) -> Vec<u8> {
        [
            &due_from(expires),
            to.as_bytes().as_slice(),
            &place.to_be_bytes(),
        ]
        .concat()
    }

    pub fn due_from(expires: Millis) -> Vec<u8> {
        [b"d".as_slice(), &expires.to_be_bytes()].concat()
    }

    pub fn of_due(key: &[u8]) -> Option<(PublicKey, u64)> {
        let rest = key.get(9..)?;
        let (to, place) = rest.split_first_chunk::<32>()?;
        let to = PublicKey::from_bytes(*to).ok()?;
        Some((to, u64::from_be_bytes(place.try_into().ok()?)))
    }
}

/// A table in memory.
#[cfg(any(test, feature = "server", feature = "selftest"))]
#[derive(Clone, Debug, Default)]
pub struct MemoryTable(std::collections::BTreeMap<Vec<u8>, Vec<u8>>);

#[cfg(any(test, feature = "server", feature = "selftest"))]
impl Rows for MemoryTable {
    type Error = std::convert::Infallible;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.0.get(key).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8], most: usize) -> Result<Vec<Row>, Self::Error> {
        let range = self.0.range(from.to_vec()..=to.to_vec()).take(most);
        Ok(range.map(|(key, row)| (key.clone(), row.clone())).collect())
    }
}

#[cfg(any(test, feature = "server", feature = "selftest"))]
impl Table for MemoryTable {
    fn put(&mut self, key: &[u8], row: &[u8]) -> Result<(), Self::Error> {
        self.0.insert(key.to_vec(), row.to_vec());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Self::Error> {
        self.0.remove(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
