//! Records: reading back, conflicts, expiry.

use super::*;

pub(super) async fn read_back(store: impl RecordStore) -> Checked {
    for record in [value(1), signed(1, "", 1, NOW, NOW + DAY)] {
        same(store.put(record.clone(), NOW).await, Ok(Outcome::Stored))?;
        same(store.get(record.key(), NOW).await, Ok(Some(record)))?;
    }
    Ok(())
}

pub(super) async fn missing(store: impl RecordStore) -> Checked {
    store
        .put(value(1), NOW)
        .await
        .map_err(|error| error.to_string())?;
    same(store.get(value(2).key(), NOW).await, Ok(None))?;
    same(store.get(namespace("n"), NOW).await, Ok(None))
}

pub(super) async fn put_twice(store: impl RecordStore) -> Checked {
    for record in [value(1), signed(1, "", 1, NOW, NOW + DAY)] {
        same(store.put(record.clone(), NOW).await, Ok(Outcome::Stored))?;
        same(store.put(record, NOW).await, Ok(Outcome::Same))?;
    }
    same(store.stats().await.map(|stats| stats.records), Ok(2))
}

pub(super) async fn retention_renewed(store: impl RecordStore) -> Checked {
    let record = value(1);
    same(store.put(record.clone(), NOW).await, Ok(Outcome::Stored))?;
    same(
        store.put(record.clone(), NOW + HOUR).await,
        Ok(Outcome::Same),
    )?;
    let end = NOW + HOUR + RECORD_RETENTION;
    same(
        store.get(record.key(), end - 1).await,
        Ok(Some(record.clone())),
    )?;
    same(store.get(record.key(), end).await, Ok(None))?;
    same(store.put(record, end).await, Ok(Outcome::Stored))
}

pub(super) async fn signed_expiry(store: impl RecordStore) -> Checked {
    let record = signed(1, "", 1, NOW, NOW + HOUR);
    same(store.put(record.clone(), NOW).await, Ok(Outcome::Stored))?;
    let end = NOW + HOUR + CLOCK_TOLERANCE;
    same(
        store.get(record.key(), end - 1).await,
        Ok(Some(record.clone())),
    )?;
    same(store.get(record.key(), end).await, Ok(None))
}

pub(super) async fn signed_retention(store: impl RecordStore) -> Checked {
    let record = signed(1, "", 1, NOW, NOW + 300 * DAY);
    same(store.put(record.clone(), NOW).await, Ok(Outcome::Stored))?;
    same(
        store.get(record.key(), NOW + RECORD_RETENTION - 1).await,
        Ok(Some(record.clone())),
    )?;
    same(
        store.get(record.key(), NOW + RECORD_RETENTION).await,
        Ok(None),
    )
}

pub(super) async fn expired_put(store: impl RecordStore) -> Checked {
    let record = signed(1, "", 1, NOW, NOW + HOUR);
    let late = NOW + HOUR + CLOCK_TOLERANCE;
    same(store.put(record, late).await, Err(StoreError::Expired))?;
    same(store.stats().await, Ok(StoreStats::default()))
}

pub(super) async fn expired_gives_way(store: impl RecordStore) -> Checked {
    let brief = signed(1, "", 9, NOW, NOW + HOUR);
    let lasting = signed(1, "", 1, NOW, NOW + DAY);
    same(store.put(brief, NOW).await, Ok(Outcome::Stored))?;
    let late = NOW + HOUR + CLOCK_TOLERANCE;
    same(store.put(lasting.clone(), late).await, Ok(Outcome::Stored))?;
    same(store.get(lasting.key(), late).await, Ok(Some(lasting)))
}

pub(super) async fn higher_sequence(store: impl RecordStore) -> Checked {
    let old = signed(1, "", 1, NOW, NOW + DAY);
    let new = signed(1, "", 2, NOW, NOW + DAY);
    same(store.put(old.clone(), NOW).await, Ok(Outcome::Stored))?;
    same(store.put(new.clone(), NOW).await, Ok(Outcome::Stored))?;
    same(
        store.put(old, NOW).await,
        Ok(Outcome::Older(new.bytes().to_vec())),
    )?;
    same(store.get(new.key(), NOW).await, Ok(Some(new)))
}

pub(super) async fn order<S: RecordStore>(
    make: &impl Fn(StoreLimits) -> S,
    limits: StoreLimits,
) -> Checked {
    let records = ["1", "2", "3"].map(|json| signed_with(1, "", 5, NOW, NOW + DAY, json));
    let mut winners = Vec::new();
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let store = make(limits);
        for index in order {
            store
                .put(records[index].clone(), NOW)
                .await
                .map_err(|error| error.to_string())?;
        }
        winners.push(store.get(records[0].key(), NOW).await);
    }
    winners
        .windows(2)
        .try_for_each(|pair| same(&pair[0], &pair[1]))
}

pub(super) async fn labels_apart(store: impl RecordStore) -> Checked {
    let records = [
        signed(1, "a", 1, NOW, NOW + DAY),
        signed(1, "b", 2, NOW, NOW + DAY),
        signed(2, "a", 3, NOW, NOW + DAY),
    ];
    for record in &records {
        same(store.put(record.clone(), NOW).await, Ok(Outcome::Stored))?;
    }
    for record in records {
        same(store.get(record.key(), NOW).await, Ok(Some(record)))?;
    }
    Ok(())
}
