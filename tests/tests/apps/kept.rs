//! Files of a module that borrows an engine, in a store that keeps them: after a restart, and after an end in the middle.

use serde_json::{Value, json};
use tempfile::TempDir;
use warren_shared::limits::PIECE;
use warren_shared::net::files::FileStore;
use warren_shared::proto::files::tree::{Decoder, Sender};
use warren_tests::random::Random;
use warren_tests::relays::TestRelay;
use warren_tests::wait::within;

use super::files::{fetch, share};
use super::folder::Folder;
use super::{Tab, engine};

/// The best of what is found with these words, as soon as they are announced.
async fn find(tab: &mut Tab, words: &str) -> Value {
    let search = json!({"files": "search", "text": words});
    within("its words are announced", async {
        loop {
            let found = tab.asks("files", search.clone()).await;
            let found = found.expect("it searches");
            if found.is_array() {
                return found[0].clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

/// A tab whose files are in a folder.
async fn keeping(relay: &TestRelay, folder: &TempDir) -> Tab {
    let (peer, home) = engine(&relay.url()).await;
    Tab::keeping(peer, home, Folder::new(folder.path()))
}

/// Puts one piece of a file into a folder, as a tab that ended in the middle has left it.
async fn begin(folder: &TempDir, bytes: &[u8], piece: u64) {
    let other = TempDir::new().expect("a folder");
    let mut whole = Folder::new(other.path()).begin(0).await.expect("begun");
    whole.take(bytes.to_vec()).await.expect("taken");
    let whole = whole.finish().await.expect("taken");
    let (cid, tree) = (whole.cid(), whole.tree());
    let groups = tree.piece(piece);
    let sender = Sender::new(cid.root, tree, groups.clone());
    let portion = whole.read(sender, usize::MAX).await;
    let mut decoder = Decoder::new(cid.root, tree, groups);
    let mut input = portion.bytes.as_slice();
    let parts = std::iter::from_fn(|| decoder.take(&mut input).expect("right"));
    let some = Folder::new(folder.path()).open(cid, tree).await;
    let some = some.expect("a place");
    some.keep(Vec::new()).await.expect("kept");
    some.write(parts.collect()).await.expect("written");
    some.complete(piece).await.expect("marked");
    some.close();
}

async fn listed(tab: &mut Tab) -> Vec<Value> {
    let list = tab.asks("files", json!({"files": "list"})).await;
    let list = list.expect("a list");
    list.as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_has_kept_is_given_again_and_goes_on() {
    let relay = TestRelay::first().await;
    let folder = || TempDir::new().expect("a folder");
    let (one, two) = (folder(), folder());
    let bytes = Random::new().bytes(3 * PIECE as usize + 123);
    let mut ada = keeping(&relay, &one).await;
    let about = json!({"name": "Red sea.film", "media": "video/x", "tags": ["holiday"]});
    let shared = share(&mut ada, &bytes, about).await;
    let other = share(&mut ada, b"other", json!({})).await;
    let remove = json!({"files": "remove", "id": other["cid"]});
    assert_eq!(ada.asks("files", remove).await, Ok(json!(true)));
    ada.close().await;

    // Nobody uses the files of the next one: it gives them nevertheless.
    let mut ada = keeping(&relay, &one).await;
    begin(&two, &bytes, 1).await;
    let mut ben = keeping(&relay, &two).await;
    let [begun] = listed(&mut ben).await.try_into().expect("one");
    let there = |file: &Value| (file["bytes"].clone(), file["complete"].clone());
    assert_eq!(there(&begun), (json!(PIECE), json!(false)));
    assert_eq!(find(&mut ben, "holiday").await["cid"], shared["cid"]);
    assert!(
        fetch(&mut ben, &shared["cid"], 4).await == bytes,
        "a wrong byte"
    );
    assert_eq!(listed(&mut ada).await, [shared]);

    // What was fetched is kept as well.
    ben.close().await;
    let mut ben = keeping(&relay, &two).await;
    let [whole] = listed(&mut ben).await.try_into().expect("one");
    assert_eq!(there(&whole), (json!(bytes.len()), json!(true)));
    assert!(
        fetch(&mut ben, &whole["cid"], 4).await == bytes,
        "a wrong byte"
    );
    ada.close().await;
    ben.close().await;
    relay.stop().await;
}
