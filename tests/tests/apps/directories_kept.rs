//! Directories in a store that cannot read all that it has kept: nothing is lost for that.

use serde_json::{Value, json};
use tempfile::TempDir;
use warren_shared::error::Code;
use warren_shared::net::files::SharedFileStore;
use warren_shared::proto::files::Cid;
use warren_tests::relays::TestRelay;
use warren_tests::wait::within;

use super::directories::{check, fetch_folder, keeping, listed, many, share_folder, temporary};
use super::folder::{Folder, Reading};
use super::{Tab, engine};

/// A tab with these files.
async fn with(relay: &TestRelay, files: SharedFileStore) -> Tab {
    let (peer, home) = engine(&relay.url()).await;
    Tab::keeping(peer, home, files)
}

fn cid(shared: &Value) -> Cid {
    let cid = shared["cid"].as_str().expect("an id");
    cid.parse().expect("an id")
}

/// How many files there are with something in them.
fn kept(folder: &TempDir) -> usize {
    let files = std::fs::read_dir(folder.path()).expect("a folder");
    let sizes = files.map(|file| file.and_then(|file| file.metadata()).expect("a file").len());
    sizes.filter(|size| *size > 0).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_whose_list_cannot_be_read_today_is_there_tomorrow() {
    let relay = TestRelay::first().await;
    let (folder, files) = (temporary(), many());
    let mut ada = keeping(&relay, &folder).await;
    let shared = share_folder(&mut ada, &files, "Sea").await.expect("shared");
    ada.close().await;
    let before = kept(&folder);

    let store = Folder::new(folder.path());
    store.hide(cid(&shared));
    let mut ada = with(&relay, store).await;
    assert_eq!(listed(&mut ada).await, Vec::<Value>::new());
    ada.close().await;
    assert_eq!(kept(&folder), before, "files of the directory were erased");

    let mut ada = keeping(&relay, &folder).await;
    assert_eq!(listed(&mut ada).await, std::slice::from_ref(&shared));
    let (entries, _) = fetch_folder(&mut ada, &shared["cid"]).await.expect("here");
    check(&mut ada, &shared["cid"], &entries, &files).await;

    // What really is no directory's goes as before.
    let remove = json!({"files": "remove", "id": shared["cid"]});
    assert_eq!(ada.asks("files", remove).await, Ok(json!(true)));
    ada.close().await;
    assert_eq!(kept(&folder), 0, "nothing of it is left");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_for_a_moment_stays() {
    let relay = TestRelay::first().await;
    let (folder, files) = (temporary(), many());
    let mut ada = keeping(&relay, &folder).await;
    let shared = share_folder(&mut ada, &files, "Sea").await.expect("shared");
    ada.close().await;

    let store = Folder::new(folder.path());
    store.reads(Reading::Fails);
    let mut ada = with(&relay, store.clone()).await;
    let fetch = json!({"files": "fetchFolder", "id": shared["cid"]});
    assert_eq!(ada.asks("files", fetch).await, Err(Code::StorageFailed));
    assert_eq!(listed(&mut ada).await.len(), 1, "it is still there");
    store.reads(Reading::Works);
    let fetch = json!({"files": "fetchFolder", "id": shared["cid"]});
    let fetch = ada.call("files", fetch);
    let begun = ada.says(fetch).await.expect("its list is read");
    assert_eq!(begun["files"], json!(files.len()));
    ada.close().await;

    let mut ada = keeping(&relay, &folder).await;
    let (entries, _) = fetch_folder(&mut ada, &shared["cid"]).await.expect("here");
    check(&mut ada, &shared["cid"], &entries, &files).await;
    ada.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_while_its_list_is_read_stays_shared() {
    let relay = TestRelay::first().await;
    let (folder, files) = (temporary(), many());
    let mut ada = Tab::open(&relay.url()).await;
    let shared = share_folder(&mut ada, &files, "Sea").await.expect("shared");
    let store = Folder::new(folder.path());
    store.reads(Reading::Hangs);
    let mut ben = with(&relay, store.clone()).await;
    let fetch = ben.call(
        "files",
        json!({"files": "fetchFolder", "id": shared["cid"]}),
    );
    within("its list is read", store.read()).await;
    let again = share_folder(&mut ben, &files, "Sea").await.expect("shared");
    assert_eq!(again["cid"], shared["cid"], "the same directory");
    store.reads(Reading::Works);
    let mut told = ben.says(fetch).await.expect("it is here");
    while told["complete"] != json!(true) {
        told = ben.says(fetch).await.expect("all of it is here");
    }
    ada.close().await;

    let mut eve = Tab::open(&relay.url()).await;
    let (entries, _) = fetch_folder(&mut eve, &shared["cid"]).await.expect("ben");
    check(&mut eve, &shared["cid"], &entries, &files).await;
    ben.close().await;
    eve.close().await;
    relay.stop().await;
}
