//! Sources share a store: nobody fills it alone, and who holds most gives way when it is full.

use super::*;
use crate::proto::record::peer::PeerRecord;

fn source(number: u8) -> Source {
    Source::of(Some(Prefix::V4([number, 0, 0])), &[])
}

async fn put(store: &impl RecordStore, from: u8, number: u64) -> Result<Outcome, StoreError> {
    store.put_from(source(from), value(number), NOW).await
}

/// How many of the values with these numbers are there.
async fn held(store: &impl RecordStore, numbers: std::ops::Range<u64>) -> Result<u64, String> {
    let mut count = 0;
    for number in numbers {
        let found = store.get(value(number).key(), NOW).await;
        count += u64::from(found.map_err(|error| error.to_string())?.is_some());
    }
    Ok(count)
}

/// Four of six for the greedy one, who gives way until all three have equal shares.
pub(super) async fn records(store: impl RecordStore) -> Checked {
    for number in 0..4 {
        same(put(&store, 1, number).await, Ok(Outcome::Stored))?;
    }
    same(put(&store, 1, 4).await, Err(StoreError::Full))?;
    for number in [10, 11, 20, 21] {
        let from = (number / 10 + 1) as u8;
        same(put(&store, from, number).await, Ok(Outcome::Stored))?;
    }
    same(put(&store, 3, 22).await, Err(StoreError::Full))?;
    same(held(&store, 0..4).await, Ok(2))?;
    same(held(&store, 10..30).await, Ok(4))?;
    same(put(&store, 1, 5).await, Err(StoreError::Full))?;
    same(store.stats().await.map(|stats| stats.records), Ok(6))
}

pub(super) async fn bytes(store: impl RecordStore) -> Checked {
    let big = |byte: u8| {
        let block = ValueBlock::new(&Value::Bytes(vec![byte; 300])).expect("fits");
        Record::Value(block)
    };
    let put = |from, byte| store.put_from(source(from), big(byte), NOW);
    same(put(1, 1).await, Ok(Outcome::Stored))?;
    same(put(1, 2).await, Ok(Outcome::Stored))?;
    same(put(1, 3).await, Err(StoreError::Full))?;
    same(put(2, 4).await, Ok(Outcome::Stored))?;
    same(put(3, 5).await, Ok(Outcome::Stored))?;
    same(store.stats().await.map(|stats| stats.records), Ok(3))?;
    same(store.get(big(4).key(), NOW).await, Ok(Some(big(4))))
}

pub(super) async fn peers(store: impl RecordStore) -> Checked {
    for (from, numbers) in [(1, 0..3), (2, 3..6)] {
        for number in numbers {
            same(put(&store, from, number).await, Ok(Outcome::Stored))?;
        }
    }
    let peer = |seed: u8| {
        let record =
            PeerRecord::default().sign(&SigningKey::from_seed([seed; 32]), &network(), 1, NOW);
        Record::Signed(record.expect("an empty peer record"))
    };
    let announced = store.put_from(source(1), peer(1), NOW).await;
    same(announced, Ok(Outcome::Stored))?;
    let announced = store.put_from(source(3), peer(2), NOW).await;
    same(announced, Ok(Outcome::Stored))?;
    same(held(&store, 0..6).await, Ok(6))
}

/// Whoever puts the records of others again does not draw them into its own fall.
pub(super) async fn taken_over(store: impl RecordStore) -> Checked {
    same(put(&store, 2, 0).await, Ok(Outcome::Stored))?;
    for number in 1..4 {
        same(put(&store, 1, number).await, Ok(Outcome::Stored))?;
    }
    same(put(&store, 1, 0).await, Ok(Outcome::Same))?;
    for number in 4..8 {
        let from = number as u8;
        same(put(&store, from, number).await, Ok(Outcome::Stored))?;
    }
    same(held(&store, 0..1).await, Ok(1))
}

pub(super) async fn providers(store: impl RecordStore) -> Checked {
    let announce = |from: u8, name: &'static str| {
        let prefix = Some(Prefix::V4([from, 0, 0]));
        let entry = entry(u16::from(from), NOW + MINUTE);
        store.announce(namespace(name), entry, prefix, NOW)
    };
    let full = || Err(AnnounceError::Refused(Refusal::Full));
    for name in ["a", "b", "c", "d"] {
        same(announce(1, name).await, Ok(()))?;
    }
    same(announce(1, "e").await, full())?;
    for (from, name) in [(2, "f"), (2, "g"), (3, "h"), (3, "a")] {
        same(announce(from, name).await, Ok(()))?;
    }
    same(announce(3, "i").await, full())?;
    let mut left = 0;
    for name in ["a", "b", "c", "d"] {
        let listed = store.providers(namespace(name), None, NOW).await;
        let (entries, _) = listed.map_err(|error| error.to_string())?;
        left += entries
            .iter()
            .filter(|listed| listed.peer == entry(1, NOW).peer)
            .count();
    }
    same(left, 2)?;
    same(store.stats().await.map(|stats| stats.providers), Ok(6))
}
