//! The store on disk: the common suite, and what only a durable store promises.
//!
//! A killed process is real here: the test runs itself as a child that stores, and kills it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use futures::future::join_all;
use tempfile::TempDir;
use warren_relay::store::RedbStore;
use warren_shared::{
    error::Code,
    limits::{DAY, HOUR, MINUTE, RECORD_RETENTION},
    proto::{
        Millis,
        key::{Key, NetworkId, SigningKey},
        record::{MutableValue, ProviderEntry, Record, Value, ValueBlock},
    },
    store::{Outcome, RecordStore, StoreError, StoreLimits, StoreStats, conformance},
};

const NOW: Millis = 1_700_000_000_000;
const CHILD_DIRECTORY: &str = "WARREN_TEST_STORE";
const CHILD_FIRST: &str = "WARREN_TEST_FIRST";
/// `cargo xtask test --long` raises it.
const CRASHES: &str = "WARREN_TEST_CRASHES";

fn open(directory: &Path) -> RedbStore {
    RedbStore::open(directory, StoreLimits::default()).unwrap()
}

fn network() -> NetworkId {
    "test".parse().unwrap()
}

fn value(number: u64) -> Record {
    let block = ValueBlock::new(&Value::Bytes(number.to_be_bytes().to_vec()));
    Record::Value(block.unwrap())
}

fn signed(seq: u64) -> Record {
    let block = ValueBlock::new(&Value::Json("1".to_owned())).unwrap();
    let key = SigningKey::from_seed([1; 32]);
    let times = (NOW, NOW + DAY);
    Record::Signed(MutableValue::sign(&key, &network(), "l", &block, seq, times).unwrap())
}

fn provider(number: u16) -> ProviderEntry {
    ProviderEntry {
        peer: [vec![0; 36], number.to_be_bytes().to_vec()].concat(),
        addresses: vec![],
        expires: NOW + MINUTE,
    }
}

fn namespace(name: &str) -> Key {
    Key::namespace(&network(), name).unwrap()
}

#[tokio::test]
async fn it_conforms() {
    let directories = Mutex::new(Vec::new());
    conformance::run_all(|limits| {
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::open(directory.path(), limits).unwrap();
        directories.lock().unwrap().push(directory);
        store
    })
    .await;
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for record in [value(1), signed(7)] {
        assert_eq!(store.put(record, NOW).await, Ok(Outcome::Stored));
    }
    for number in 0..3 {
        let announced = store.announce(namespace("n"), provider(number), None, NOW);
        announced.await.unwrap();
    }
    let before = store.stats().await.unwrap();
    drop(store);

    let store = open(directory.path());
    assert_eq!(store.stats().await, Ok(before));
    assert_eq!(store.get(value(1).key(), NOW).await, Ok(Some(value(1))));
    assert_eq!(
        store.put(signed(6), NOW).await,
        Ok(Outcome::Older(signed(7).bytes().to_vec()))
    );
    let listed = store.providers(namespace("n"), None, NOW).await;
    assert_eq!(listed, Ok(((0..3).map(provider).collect(), false)));

    store.sweep(NOW + RECORD_RETENTION).await.unwrap();
    assert_eq!(store.stats().await, Ok(StoreStats::default()));
}

#[tokio::test]
async fn concurrent_puts_of_one_key_agree_on_the_winner() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let puts = (1..=100).map(|seq| store.put(signed(seq * 37 % 101), NOW));
    for outcome in join_all(puts).await {
        outcome.unwrap();
    }
    assert_eq!(store.get(signed(1).key(), NOW).await, Ok(Some(signed(100))));
    assert_eq!(store.stats().await.unwrap().records, 1);
}

#[tokio::test]
async fn a_flood_is_turned_away_and_what_was_taken_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let outcomes = join_all((0..5000).map(|number| store.put(value(number), NOW))).await;
    let mut taken = 0;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let stored = store.get(value(number as u64).key(), NOW).await.unwrap();
        match outcome {
            Ok(Outcome::Stored) => {
                taken += 1;
                assert!(stored.is_some());
            }
            Err(StoreError::Overloaded) => assert!(stored.is_none()),
            other => panic!("{other:?}"),
        }
    }
    assert!((1000..5000).contains(&taken), "{taken}");
    assert_eq!(store.stats().await.unwrap().records, taken);
}

#[tokio::test]
async fn a_long_sweep_removes_everything_in_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for start in (0..2500).step_by(500) {
        for outcome in join_all((start..start + 500).map(|n| store.put(value(n), NOW))).await {
            outcome.unwrap();
        }
    }
    store.put(value(9999), NOW + HOUR).await.unwrap();
    let swept = store.sweep(NOW + RECORD_RETENTION).await.unwrap();
    assert_eq!(swept.records, 2500);
    assert_eq!(store.stats().await.unwrap().records, 1);
}

#[tokio::test]
async fn a_second_process_and_foreign_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let limits = StoreLimits::default();
    let error = RedbStore::open(directory.path(), limits).unwrap_err();
    assert_eq!(error.code(), Code::StorageFailed);
    assert!(error.remedy().contains("--data-dir"), "{}", error.remedy());
    drop(store);

    std::fs::write(directory.path().join("warren.redb"), "something else").unwrap();
    let error = RedbStore::open(directory.path(), limits).unwrap_err();
    assert!(error.message().contains("warren.redb"), "{error}");
    assert!(
        error.remedy().contains("move it away"),
        "{}",
        error.remedy()
    );
}

#[tokio::test]
async fn a_creation_that_was_cut_off_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("warren.redb.new"), [0; 5000]).unwrap();
    let store = open(directory.path());
    assert_eq!(store.stats().await, Ok(StoreStats::default()));
    assert!(!directory.path().join("warren.redb.new").exists());
}

/// The process that gets killed. Prints a number once the value of that number is stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn child() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY) else {
        return;
    };
    let store = Arc::new(open(Path::new(&directory)));
    let first: u64 = std::env::var(CHILD_FIRST).unwrap().parse().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            for number in (first + lane..).step_by(8) {
                store.put(value(number), NOW).await.unwrap();
                println!("stored {number}");
            }
        });
    }
    tasks.join_next().await;
}

/// Lets a child store values from `first` up, kills it after `count` acknowledgements, and returns
/// all that it gave.
fn store_and_kill(directory: &TempDir, first: u64, count: usize) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD_DIRECTORY, directory.path())
        .env(CHILD_FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    let number = |line: String| line.strip_prefix("stored ")?.parse::<u64>().ok();
    while acknowledged.len() < count {
        let line = lines.next().expect("the child goes on until killed");
        acknowledged.extend(number(line.unwrap()));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it wrote before it died counts too, but for a line that was cut off.
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    let whole = rest.len().saturating_sub(1);
    acknowledged.extend(rest.into_iter().take(whole).filter_map(number));
    acknowledged
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let crashes = std::env::var(CRASHES).map_or(5, |count| count.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for crash in 0..crashes {
        let first = 1_000_000 * crash as u64;
        let new = store_and_kill(&directory, first, 1 + crash * 13 % 50);
        let store = open(directory.path());
        assert_stored(&store, &new).await;
        acknowledged.extend(new);
        let records = store.stats().await.unwrap().records;
        assert!(records >= acknowledged.len() as u64, "the totals are wrong");
    }
    assert_stored(&open(directory.path()), &acknowledged).await;
}

async fn assert_stored(store: &RedbStore, numbers: &[u64]) {
    for &number in numbers {
        let stored = store.get(value(number).key(), NOW).await.unwrap();
        assert!(stored.is_some(), "value {number} is lost");
    }
}
