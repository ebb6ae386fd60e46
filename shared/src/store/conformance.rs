//! One suite for all back ends: each case gets a fresh store and says what is wrong with it.
//!
//! Knows the promises of [`RecordStore`]. What only a durable store promises (surviving a crash)
//! is tested beside that store.

use std::future::Future;

use super::{AnnounceError, Outcome, RecordStore, StoreError, StoreLimits, StoreStats};
use crate::limits::{CLOCK_TOLERANCE, DAY, HOUR, MINUTE, PROVIDER_LIFETIME, RECORD_RETENTION};
use crate::proto::Millis;
use crate::proto::key::{Key, NetworkId, SigningKey};
use crate::proto::record::{
    MutableValue, Prefix, ProviderEntry, Record, Refusal, Value, ValueBlock,
};

type Checked = Result<(), String>;

const NOW: Millis = 1_700_000_000_000;

/// Runs every case against a store made by `make`; panics with the name of the first that fails.
pub async fn run_all<S: RecordStore>(make: impl Fn(StoreLimits) -> S) {
    if let Err(failure) = check_all(make).await {
        panic!("{failure}");
    }
}

/// Runs every case; the error names the first that fails and what it saw.
pub async fn check_all<S: RecordStore>(make: impl Fn(StoreLimits) -> S) -> Checked {
    let all = StoreLimits::default();
    let few = StoreLimits {
        max_records: 3,
        ..all
    };
    let small = StoreLimits {
        max_bytes: 300,
        ..all
    };
    let poor = StoreLimits {
        max_per_owner: 2,
        ..all
    };
    let lonely = StoreLimits {
        max_provider_keys: 2,
        max_providers: 3,
        ..all
    };
    named("a value is read back", read_back(make(all))).await?;
    named("a missing key is missing", missing(make(all))).await?;
    named("a value put twice is the same", put_twice(make(all))).await?;
    named(
        "a put of a value renews its retention",
        retention_renewed(make(all)),
    )
    .await?;
    named(
        "a signed record ends with its expiry",
        signed_expiry(make(all)),
    )
    .await?;
    named(
        "a signed record ends with its retention",
        signed_retention(make(all)),
    )
    .await?;
    named("an expired record is not stored", expired_put(make(all))).await?;
    named(
        "an expired record gives way to an older one",
        expired_gives_way(make(all)),
    )
    .await?;
    named("the higher sequence wins", higher_sequence(make(all))).await?;
    named("the order of arrival does not matter", order(&make, all)).await?;
    named("labels and owners are apart", labels_apart(make(all))).await?;
    named("too many records are refused", record_limit(make(few))).await?;
    named(
        "a full store replaces and refreshes",
        full_replaces(make(few)),
    )
    .await?;
    named("a full store makes room by expiry", full_expires(make(few))).await?;
    named("too many bytes are refused", byte_limit(make(small))).await?;
    named(
        "too many records of one owner are refused",
        owner_limit(make(poor)),
    )
    .await?;
    named("a sweep removes the expired only", sweep(make(all))).await?;
    named("statistics follow every change", stats(make(all))).await?;
    named("providers come in pages", pages(make(all))).await?;
    named("providers expire", provider_expiry(make(all))).await?;
    named("providers withdraw", withdraw(make(all))).await?;
    named("providers are renewed", renewal(make(all))).await?;
    named("a provider's quota holds", prefix_quota(make(all))).await?;
    named("a full list is refused", full_list(make(all))).await?;
    named("impossible entries are refused", bad_entries(make(all))).await?;
    named(
        "provider limits of the store hold",
        provider_limits(make(lonely)),
    )
    .await
}

async fn named(name: &str, case: impl Future<Output = Checked>) -> Checked {
    case.await.map_err(|seen| format!("store: {name}: {seen}"))
}

fn same<T: PartialEq + std::fmt::Debug>(seen: T, wanted: T) -> Checked {
    if seen == wanted {
        Ok(())
    } else {
        Err(format!("saw {seen:?}, wanted {wanted:?}"))
    }
}

fn network() -> NetworkId {
    NetworkId::from_entropy([7; 10])
}

fn value(number: u64) -> Record {
    let value = Value::Bytes(number.to_be_bytes().to_vec());
    Record::Value(ValueBlock::new(&value).expect("eight bytes fit"))
}

fn signed(owner: u8, label: &str, seq: u64, issued: Millis, expires: Millis) -> Record {
    signed_with(owner, label, seq, issued, expires, "1")
}

fn signed_with(
    owner: u8,
    label: &str,
    seq: u64,
    issued: Millis,
    expires: Millis,
    json: &str,
) -> Record {
    let block = ValueBlock::new(&Value::Json(json.to_owned())).expect("valid JSON");
    let key = SigningKey::from_seed([owner; 32]);
    let envelope = MutableValue::sign(&key, &network(), label, &block, seq, (issued, expires));
    Record::Signed(envelope.expect("valid fields"))
}

fn namespace(name: &str) -> Key {
    Key::namespace(&network(), name).expect("a valid name")
}

fn entry(number: u16, expires: Millis) -> ProviderEntry {
    let peer = [vec![0, 36], number.to_be_bytes().to_vec()].concat();
    ProviderEntry {
        peer,
        addresses: vec![vec![4, 127, 0, 0, 1]],
        expires,
    }
}

async fn read_back(store: impl RecordStore) -> Checked {
    for record in [value(1), signed(1, "", 1, NOW, NOW + DAY)] {
        same(store.put(record.clone(), NOW).await, Ok(Outcome::Stored))?;
        same(store.get(record.key(), NOW).await, Ok(Some(record)))?;
    }
    Ok(())
}

async fn missing(store: impl RecordStore) -> Checked {
    store
        .put(value(1), NOW)
        .await
        .map_err(|error| error.to_string())?;
    same(store.get(value(2).key(), NOW).await, Ok(None))?;
    same(store.get(namespace("n"), NOW).await, Ok(None))
}

async fn put_twice(store: impl RecordStore) -> Checked {
    for record in [value(1), signed(1, "", 1, NOW, NOW + DAY)] {
        same(store.put(record.clone(), NOW).await, Ok(Outcome::Stored))?;
        same(store.put(record, NOW).await, Ok(Outcome::Same))?;
    }
    same(store.stats().await.map(|stats| stats.records), Ok(2))
}

async fn retention_renewed(store: impl RecordStore) -> Checked {
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

async fn signed_expiry(store: impl RecordStore) -> Checked {
    let record = signed(1, "", 1, NOW, NOW + HOUR);
    same(store.put(record.clone(), NOW).await, Ok(Outcome::Stored))?;
    let end = NOW + HOUR + CLOCK_TOLERANCE;
    same(
        store.get(record.key(), end - 1).await,
        Ok(Some(record.clone())),
    )?;
    same(store.get(record.key(), end).await, Ok(None))
}

async fn signed_retention(store: impl RecordStore) -> Checked {
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

async fn expired_put(store: impl RecordStore) -> Checked {
    let record = signed(1, "", 1, NOW, NOW + HOUR);
    let late = NOW + HOUR + CLOCK_TOLERANCE;
    same(store.put(record, late).await, Err(StoreError::Expired))?;
    same(store.stats().await, Ok(StoreStats::default()))
}

async fn expired_gives_way(store: impl RecordStore) -> Checked {
    let brief = signed(1, "", 9, NOW, NOW + HOUR);
    let lasting = signed(1, "", 1, NOW, NOW + DAY);
    same(store.put(brief, NOW).await, Ok(Outcome::Stored))?;
    let late = NOW + HOUR + CLOCK_TOLERANCE;
    same(store.put(lasting.clone(), late).await, Ok(Outcome::Stored))?;
    same(store.get(lasting.key(), late).await, Ok(Some(lasting)))
}

async fn higher_sequence(store: impl RecordStore) -> Checked {
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

async fn order<S: RecordStore>(make: &impl Fn(StoreLimits) -> S, limits: StoreLimits) -> Checked {
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

async fn labels_apart(store: impl RecordStore) -> Checked {
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

async fn record_limit(store: impl RecordStore) -> Checked {
    for number in 0..3 {
        same(store.put(value(number), NOW).await, Ok(Outcome::Stored))?;
    }
    same(store.put(value(3), NOW).await, Err(StoreError::Full))?;
    same(store.get(value(3).key(), NOW).await, Ok(None))?;
    same(store.get(value(0).key(), NOW).await, Ok(Some(value(0))))
}

async fn full_replaces(store: impl RecordStore) -> Checked {
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

async fn full_expires(store: impl RecordStore) -> Checked {
    for number in 0..3 {
        same(store.put(value(number), NOW).await, Ok(Outcome::Stored))?;
    }
    same(
        store.put(value(3), NOW + RECORD_RETENTION).await,
        Ok(Outcome::Stored),
    )
}

async fn byte_limit(store: impl RecordStore) -> Checked {
    let big = |byte: u8| {
        let block = ValueBlock::new(&Value::Bytes(vec![byte; 200])).expect("fits");
        Record::Value(block)
    };
    same(store.put(big(1), NOW).await, Ok(Outcome::Stored))?;
    same(store.put(big(2), NOW).await, Err(StoreError::Full))?;
    same(store.put(value(1), NOW).await, Ok(Outcome::Stored))
}

async fn owner_limit(store: impl RecordStore) -> Checked {
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

async fn sweep(store: impl RecordStore) -> Checked {
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

async fn stats(store: impl RecordStore) -> Checked {
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

async fn announce(
    store: &impl RecordStore,
    name: &str,
    entry: ProviderEntry,
) -> Result<(), AnnounceError> {
    store.announce(namespace(name), entry, None, NOW).await
}

async fn pages(store: impl RecordStore) -> Checked {
    for number in 0..200 {
        same(
            announce(&store, "n", entry(number, NOW + MINUTE)).await,
            Ok(()),
        )?;
    }
    same(
        announce(&store, "other", entry(999, NOW + MINUTE)).await,
        Ok(()),
    )?;
    let (mut seen, mut after, mut more) = (Vec::new(), None, true);
    while more {
        let page = store.providers(namespace("n"), after, NOW).await;
        let (entries, rest) = page.map_err(|error| error.to_string())?;
        after = entries.last().map(|entry| entry.peer.clone());
        seen.extend(entries);
        more = rest;
    }
    let wanted: Vec<_> = (0..200).map(|number| entry(number, NOW + MINUTE)).collect();
    same(seen, wanted)
}

async fn provider_expiry(store: impl RecordStore) -> Checked {
    same(announce(&store, "n", entry(1, NOW + MINUTE)).await, Ok(()))?;
    same(announce(&store, "n", entry(2, NOW + DAY)).await, Ok(()))?;
    let listed = |now| store.providers(namespace("n"), None, now);
    let cut = entry(2, NOW + PROVIDER_LIFETIME);
    same(listed(NOW + MINUTE).await, Ok((vec![cut], false)))?;
    same(listed(NOW + PROVIDER_LIFETIME).await, Ok((vec![], false)))
}

async fn withdraw(store: impl RecordStore) -> Checked {
    for number in [1, 2] {
        same(
            announce(&store, "n", entry(number, NOW + MINUTE)).await,
            Ok(()),
        )?;
    }
    for _ in 0..2 {
        same(
            store.withdraw(namespace("n"), &entry(1, 0).peer).await,
            Ok(()),
        )?;
    }
    same(
        store.withdraw(namespace("empty"), &entry(1, 0).peer).await,
        Ok(()),
    )?;
    let left = store.providers(namespace("n"), None, NOW).await;
    same(left, Ok((vec![entry(2, NOW + MINUTE)], false)))?;
    same(store.stats().await.map(|stats| stats.providers), Ok(1))
}

async fn renewal(store: impl RecordStore) -> Checked {
    same(announce(&store, "n", entry(1, NOW + MINUTE)).await, Ok(()))?;
    let moved = ProviderEntry {
        addresses: vec![vec![9]],
        ..entry(1, NOW + 5 * MINUTE)
    };
    same(announce(&store, "n", moved.clone()).await, Ok(()))?;
    same(
        store.providers(namespace("n"), None, NOW).await,
        Ok((vec![moved], false)),
    )
}

async fn prefix_quota(store: impl RecordStore) -> Checked {
    let prefix = Some(Prefix::V4([203, 0, 113]));
    let announce =
        |number| store.announce(namespace("n"), entry(number, NOW + MINUTE), prefix, NOW);
    for number in 0..64 {
        same(announce(number).await, Ok(()))?;
    }
    same(
        announce(64).await,
        Err(AnnounceError::Refused(Refusal::Full)),
    )?;
    same(announce(0).await, Ok(()))?;
    let elsewhere = store.announce(namespace("m"), entry(64, NOW + MINUTE), prefix, NOW);
    same(elsewhere.await, Ok(()))
}

async fn full_list(store: impl RecordStore) -> Checked {
    for number in 0..256 {
        same(
            announce(&store, "n", entry(number, NOW + MINUTE)).await,
            Ok(()),
        )?;
    }
    let refused = announce(&store, "n", entry(256, NOW + MINUTE)).await;
    same(refused, Err(AnnounceError::Refused(Refusal::Full)))?;
    same(store.stats().await.map(|stats| stats.providers), Ok(256))
}

async fn bad_entries(store: impl RecordStore) -> Checked {
    for (bad, why) in [
        (entry(1, NOW), Refusal::Expired),
        (
            ProviderEntry {
                peer: vec![],
                ..entry(1, NOW + MINUTE)
            },
            Refusal::Malformed,
        ),
        (
            ProviderEntry {
                addresses: vec![vec![1]; 3],
                ..entry(1, NOW + 1)
            },
            Refusal::Oversized,
        ),
    ] {
        same(
            announce(&store, "n", bad).await,
            Err(AnnounceError::Refused(why)),
        )?;
    }
    same(store.stats().await, Ok(StoreStats::default()))
}

async fn provider_limits(store: impl RecordStore) -> Checked {
    let full = || Err(AnnounceError::Refused(Refusal::Full));
    for name in ["a", "b"] {
        same(announce(&store, name, entry(1, NOW + MINUTE)).await, Ok(()))?;
    }
    same(announce(&store, "c", entry(1, NOW + MINUTE)).await, full())?;
    same(announce(&store, "a", entry(2, NOW + MINUTE)).await, Ok(()))?;
    same(announce(&store, "a", entry(3, NOW + MINUTE)).await, full())?;
    same(
        announce(&store, "a", entry(2, NOW + 2 * MINUTE)).await,
        Ok(()),
    )?;
    let later = NOW + 2 * MINUTE;
    let fresh = entry(1, later + MINUTE);
    same(
        store.announce(namespace("c"), fresh, None, later).await,
        Ok(()),
    )
}
