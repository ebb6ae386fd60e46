//! Directories in a store that cannot read all that it has kept: nothing is lost for that.

use serde_json::{Value, json};
use tempfile::TempDir;
use warren_shared::net::files::SharedFileStore;
use warren_shared::proto::files::Cid;
use warren_tests::relays::TestRelay;

use super::directories::{check, fetch_folder, keeping, listed, many, share_folder, temporary};
use super::folder::Folder;
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
