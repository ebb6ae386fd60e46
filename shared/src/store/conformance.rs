//! One suite for all back ends: each case gets a fresh store and says what is wrong with it.
//!
//! Knows the promises of [`RecordStore`]. What only a durable store promises (surviving a crash)
//! is tested beside that store.

mod providers;
mod records;
mod room;
mod sources;

use std::future::Future;

use super::{
    AnnounceError, Outcome, RecordStore, Share, Source, StoreError, StoreLimits, StoreStats,
};
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
    let share = |total| Share { total, each: total };
    let few = StoreLimits {
        records: share(3),
        ..all
    };
    let small = StoreLimits {
        bytes: share(300),
        ..all
    };
    let shared = StoreLimits {
        records: Share { total: 6, each: 4 },
        bytes: Share {
            total: 1_000,
            each: 700,
        },
        peers: share(2),
        providers: Share { total: 6, each: 4 },
        ..all
    };
    let poor = StoreLimits {
        max_per_owner: 2,
        ..all
    };
    let lonely = StoreLimits {
        providers: share(3),
        ..all
    };
    named("a value is read back", records::read_back(make(all))).await?;
    named("a missing key is missing", records::missing(make(all))).await?;
    named(
        "a value put twice is the same",
        records::put_twice(make(all)),
    )
    .await?;
    named(
        "a put of a value renews its retention",
        records::retention_renewed(make(all)),
    )
    .await?;
    named(
        "a signed record ends with its expiry",
        records::signed_expiry(make(all)),
    )
    .await?;
    named(
        "a signed record ends with its retention",
        records::signed_retention(make(all)),
    )
    .await?;
    named(
        "an expired record is not stored",
        records::expired_put(make(all)),
    )
    .await?;
    named(
        "an expired record gives way to an older one",
        records::expired_gives_way(make(all)),
    )
    .await?;
    named(
        "the higher sequence wins",
        records::higher_sequence(make(all)),
    )
    .await?;
    named(
        "the order of arrival does not matter",
        records::order(&make, all),
    )
    .await?;
    named(
        "labels and owners are apart",
        records::labels_apart(make(all)),
    )
    .await?;
    named(
        "too many records are refused",
        room::record_limit(make(few)),
    )
    .await?;
    named(
        "a full store replaces and refreshes",
        room::full_replaces(make(few)),
    )
    .await?;
    named(
        "a full store makes room by expiry",
        room::full_expires(make(few)),
    )
    .await?;
    named("too many bytes are refused", room::byte_limit(make(small))).await?;
    named(
        "too many records of one owner are refused",
        room::owner_limit(make(poor)),
    )
    .await?;
    named(
        "one source cannot fill the store",
        sources::records(make(shared)),
    )
    .await?;
    named(
        "one source cannot take all bytes",
        sources::bytes(make(shared)),
    )
    .await?;
    named(
        "values do not crowd out peer records",
        sources::peers(make(shared)),
    )
    .await?;
    named(
        "a record put by another stays with the lighter",
        sources::taken_over(make(shared)),
    )
    .await?;
    named(
        "one source cannot take all namespaces",
        sources::providers(make(shared)),
    )
    .await?;
    named("a sweep removes the expired only", room::sweep(make(all))).await?;
    named("statistics follow every change", room::stats(make(all))).await?;
    named("providers come in pages", providers::pages(make(all))).await?;
    named("providers expire", providers::provider_expiry(make(all))).await?;
    named("providers withdraw", providers::withdraw(make(all))).await?;
    named("providers are renewed", providers::renewal(make(all))).await?;
    named(
        "a provider's quota holds",
        providers::prefix_quota(make(all)),
    )
    .await?;
    named("a full list is refused", providers::full_list(make(all))).await?;
    named(
        "impossible entries are refused",
        providers::bad_entries(make(all)),
    )
    .await?;
    named(
        "provider limits of the store hold",
        providers::provider_limits(make(lonely)),
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
