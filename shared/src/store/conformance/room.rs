//! Limits of a store, sweeping and statistics.

use super::providers::announce;
use super::*;

pub(super) async fn record_limit(store: impl RecordStore) -> Checked {
    for number in 0..3 {
        same(store.put(value(number), NOW).await, Ok(Outcome::Stored))?;
    }
    same(store.put(value(3), NOW).await, Err(StoreError::Full))?;
    same(store.get(value(3).key(), NOW).await, Ok(None))?;
    same(store.get(value(0).key(), NOW).await, Ok(Some(value(0))))
}

pub(super) async fn full_replaces(store: impl RecordStore) -> Checked {
    let signed = |seq| signed(1, "", seq, NOW, NOW + DAY);
    for record in [value(0), value(1), signed(1)] {
        same(store.put(record, NOW).await, Ok(Outcome::Stored))?;
    }
    same(store.put(value(0), NOW).await, Ok(Outcome::Same))?;
    same(store.put(signed(2), NOW).await, Ok(Outcome::Stored))?;
    same(
        store.put(signed(1), NOW).await,
        Ok(Outcome::Older(signed(2).bytes().to_vec())),
    )
}

pub(super) async fn full_expires(store: impl RecordStore) -> Checked {
    for number in 0..3 {
        same(store.put(value(number), NOW).await, Ok(Outcome::Stored))?;
    }
    same(
        store.put(value(3), NOW + RECORD_RETENTION).await,
        Ok(Outcome::Stored),
    )
}

pub(super) async fn byte_limit(store: impl RecordStore) -> Checked {
    let big = |byte: u8| {
        let block = ValueBlock::new(&Value::Bytes(vec![byte; 200])).expect("fits");
        Record::Value(block)
    };
    same(store.put(big(1), NOW).await, Ok(Outcome::Stored))?;
    same(store.put(big(2), NOW).await, Err(StoreError::Full))?;
    same(store.put(value(1), NOW).await, Ok(Outcome::Stored))
}

pub(super) async fn owner_limit(store: impl RecordStore) -> Checked {
    for label in ["a", "b"] {
        same(
            store.put(signed(1, label, 1, NOW, NOW + HOUR), NOW).await,
            Ok(Outcome::Stored),
        )?;
    }
    let third = |now| signed(1, "c", 1, now, now + HOUR);
    same(store.put(third(NOW), NOW).await, Err(StoreError::Full))?;
    same(
        store.put(signed(1, "a", 2, NOW, NOW + HOUR), NOW).await,
        Ok(Outcome::Stored),
    )?;
    same(
        store.put(signed(2, "c", 1, NOW, NOW + HOUR), NOW).await,
        Ok(Outcome::Stored),
    )?;
    same(store.put(value(1), NOW).await, Ok(Outcome::Stored))?;
    let later = NOW + HOUR + CLOCK_TOLERANCE;
    same(store.put(third(later), later).await, Ok(Outcome::Stored))
}

pub(super) async fn sweep(store: impl RecordStore) -> Checked {
    let brief = signed(1, "", 1, NOW, NOW + HOUR);
    for record in [value(1), brief] {
        same(store.put(record, NOW).await, Ok(Outcome::Stored))?;
    }
    same(announce(&store, "n", entry(1, NOW + MINUTE)).await, Ok(()))?;
    let later = NOW + HOUR + CLOCK_TOLERANCE;
    let swept = store
        .sweep(later)
        .await
        .map(|swept| (swept.records, swept.providers));
    same(swept, Ok((1, 1)))?;
    let again = store
        .sweep(later)
        .await
        .map(|swept| (swept.records, swept.providers));
    same(again, Ok((0, 0)))?;
    same(store.get(value(1).key(), later).await, Ok(Some(value(1))))
}

pub(super) async fn stats(store: impl RecordStore) -> Checked {
    same(store.stats().await, Ok(StoreStats::default()))?;
    let (old, new) = (
        signed(1, "", 1, NOW, NOW + HOUR),
        signed(1, "", 300, NOW, NOW + HOUR),
    );
    for record in [value(1), old, new.clone()] {
        same(store.put(record, NOW).await, Ok(Outcome::Stored))?;
    }
    for number in 0..3 {
        same(
            announce(&store, "n", entry(number, NOW + MINUTE)).await,
            Ok(()),
        )?;
    }
    let bytes = (value(1).bytes().len() + new.bytes().len()) as u64;
    same(
        store.stats().await,
        Ok(StoreStats {
            records: 2,
            bytes,
            providers: 3,
        }),
    )?;
    store
        .sweep(NOW + RECORD_RETENTION)
        .await
        .map_err(|error| error.to_string())?;
    same(store.stats().await, Ok(StoreStats::default()))
}
