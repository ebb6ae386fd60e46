//! Files and directories of a module that borrows an engine which a relay keeps.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use warren_shared::error::Code;
use warren_shared::limits::{DAY, PIECE};
use warren_shared::proto::files::Cid;
use warren_tests::random::Random;
use warren_tests::relays::TestRelay;

use super::Tab;
use super::directories::{check, fetch_folder, share_folder, temporary};
use super::files::share;

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_keeps_what_a_tab_has_that_leaves() {
    let home = temporary();
    let started = TestRelay::start(|args| {
        args.data_dir = Some(home.path().join("relay"));
        args.pin_quota = Some((64 * PIECE).to_string());
    });
    let relay = started.await.expect("the relay starts");
    let mut ada = Tab::open(&relay.url()).await;
    let bytes = Random::new().bytes(PIECE as usize + 7);
    let shared = share(&mut ada, &bytes, json!({})).await;
    let pin = |cid: &Value, days: Value| json!({"files": "pin", "id": cid, "place": days});
    let kept = ada
        .asks("files", pin(&shared["cid"], json!(2)))
        .await
        .expect("kept");
    assert_eq!(kept[0]["relay"], json!(relay.id().to_string()));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    let now = now.as_millis() as u64;
    let until = kept[0]["until"].as_u64().expect("a time");
    assert!(
        until > now + DAY && until <= now + 2 * DAY,
        "{until} at {now}"
    );
    for (cid, days, code) in [
        (shared["cid"].clone(), json!(91), Code::InvalidArgument),
        (
            json!(Cid::file([7; 32]).to_string()),
            json!(2),
            Code::NotFound,
        ),
    ] {
        assert_eq!(ada.asks("files", pin(&cid, days)).await, Err(code));
    }
    // A directory, with files of it in packs and one beside them.
    let files = vec![
        ("a/small".to_owned(), b"x".to_vec()),
        ("empty".to_owned(), Vec::new()),
        ("film".to_owned(), Random::new().bytes(PIECE as usize + 1)),
    ];
    let folder = share_folder(&mut ada, &files, "x").await.expect("shared");
    let kept = ada.asks("files", pin(&folder["cid"], json!(2))).await;
    let kept = kept.expect("kept");
    assert_eq!(kept[0]["relay"], json!(relay.id().to_string()));
    ada.close().await;

    let mut ben = Tab::open(&relay.url()).await;
    let come = super::files::fetch(&mut ben, &shared["cid"], 2).await;
    assert!(come == bytes, "a wrong byte");
    let come = fetch_folder(&mut ben, &folder["cid"]).await;
    let (entries, _) = come.expect("all of it");
    check(&mut ben, &folder["cid"], &entries, &files).await;
    ben.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_keeps_nothing_says_so() {
    let relay = TestRelay::first().await;
    let mut ada = Tab::open(&relay.url()).await;
    let shared = share(&mut ada, b"x", json!({"name": "x"})).await;
    let pin = json!({"files": "pin", "id": shared["cid"]});
    assert_eq!(ada.asks("files", pin).await, Err(Code::Unsupported));
    ada.close().await;
    relay.stop().await;
}
