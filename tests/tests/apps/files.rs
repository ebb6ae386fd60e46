//! Files of a module that borrows an engine: handed over, found, fetched and given on.

use std::future::ready;
use std::sync::Arc;

use serde_json::{Value, json};
use warren_relay::peer::Peer;
use warren_shared::error::Code;
use warren_shared::limits::{FILES_IN_FLIGHT_TAB, FILES_IN_MEMORY, PIECE};
use warren_shared::net::files::{About, Collection, MemoryStore};
use warren_shared::proto::files::Cid;
use warren_shared::proto::key::SigningKey;
use warren_tests::random::Random;
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

use super::{Tab, engine};

/// Hands a file over as a page does; what the tab says of it when others can find it.
pub async fn share(tab: &mut Tab, bytes: &[u8], about: Value) -> Value {
    let about = about.to_string();
    let share = tab.call("files", json!({"files": "share", "text": about}));
    let number = tab.says(share).await.expect("it takes files")["call"].clone();
    for piece in bytes.chunks(PIECE as usize) {
        let take = json!({"files": "take", "call": number, "value": {"bytes": piece}});
        tab.asks("files", take).await.expect("taken");
    }
    tab.call("files", json!({"files": "end", "call": number}));
    tab.says(share).await.expect("shared")
}

/// Fetches a file, and reads it in order while it comes.
pub async fn fetch(tab: &mut Tab, cid: &Value, pieces: u64) -> Vec<u8> {
    let fetch = tab.call("files", json!({"files": "fetch", "id": cid}));
    let begun = tab.says(fetch).await.expect("its size is proven");
    // Those that a store has kept are there at once, or a moment later; of what is complete nothing is told.
    let told = begun["pieces"].as_array().map(Vec::len);
    let complete = begun["complete"] == json!(true);
    assert_eq!(told, (!complete).then_some(pieces as usize));
    assert_eq!(begun["paused"], json!(false));
    read(tab, cid, pieces).await
}

/// Reads a file that is there, or on its way, in order.
pub async fn read(tab: &mut Tab, cid: &Value, pieces: u64) -> Vec<u8> {
    let mut come = Vec::new();
    for place in 0..pieces {
        let read = json!({"files": "read", "id": cid, "place": place});
        let piece = tab.asks("files", read).await.expect("it comes");
        come.extend(serde_json::from_value::<Vec<u8>>(piece).expect("bytes"));
    }
    come
}

#[tokio::test(flavor = "multi_thread")]
async fn a_borrowed_engine_carries_files() {
    let relay = TestRelay::first().await;
    let mut ada = Tab::open(&relay.url()).await;
    let mut ben = Tab::open(&relay.url()).await;
    let bytes = Random::new().bytes(3 * PIECE as usize + 123);
    let about = json!({"name": "Red sea.film", "tags": ["holiday"]});
    let shared = share(&mut ada, &bytes, about).await;
    let cid = shared["cid"].clone();
    assert_eq!(shared["complete"], json!(true));
    assert_eq!(shared["bytes"], json!(bytes.len()));
    assert!(fetch(&mut ben, &cid, 4).await == bytes, "a wrong byte");

    let search = json!({"files": "search", "text": "RED holiday"});
    let found = within("its words are announced", async {
        loop {
            let found = ben.asks("files", search.clone()).await;
            let found = found.expect("it searches");
            if found.is_array() {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!((&found[0]["cid"], &found[0]["words"]), (&cid, &json!(2)));

    // Whoever has fetched it gives it to others.
    let remove = json!({"files": "remove", "id": cid});
    assert_eq!(ada.asks("files", remove.clone()).await, Ok(json!(true)));
    assert_eq!(ada.asks("files", remove).await, Ok(json!(false)));
    let read = json!({"files": "read", "id": cid});
    assert_eq!(ada.asks("files", read).await, Err(Code::NotFound));
    let pause = json!({"files": "pause", "id": cid});
    assert_eq!(ada.asks("files", pause).await, Err(Code::NotFound));
    assert!(fetch(&mut ada, &cid, 4).await == bytes, "a wrong byte");
    let directory = Cid::directory([7; 32]).to_string();
    for (what, code) in [
        (directory.as_str(), Code::Unsupported),
        ("x", Code::InvalidArgument),
    ] {
        let fetch = json!({"files": "fetch", "id": what});
        assert_eq!(ada.asks("files", fetch).await, Err(code));
    }
    ada.close().await;
    ben.close().await;
    relay.stop().await;
}

/// What a peer shares and fetches, in memory.
pub fn collection(peer: &Peer) -> Collection {
    let store = Arc::new(MemoryStore::new(FILES_IN_MEMORY));
    let files = peer.node.files().expect("it has files");
    Collection::new(files, store, SigningKey::from_seed([7; 32]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_keeps_what_has_come() {
    let relay = TestRelay::first().await;
    let ((ada, _ada), (ben, _ben)) = (engine(&relay.url()).await, engine(&relay.url()).await);
    let (theirs, mine) = (collection(&ada), collection(&ben));
    // More than is asked for at a time.
    let bytes = Random::new().bytes((FILES_IN_FLIGHT_TAB + 8 * PIECE) as usize);
    let size = bytes.len() as u64;
    let begun = theirs.begin(&About::default(), size).await;
    let mut intake = begun.expect("there is room");
    intake.take(bytes.clone()).await.expect("taken");
    let stored = intake.finish().await.expect("hashed");
    let cid = stored.cid();
    let shared = theirs.share(stored, About::default()).await;
    shared.expect("announced");

    theirs.files().limit_rate(Some(8 * 1024 * 1024));
    let following = mine.follow(cid, About::default()).await.expect("found");
    let fetching = tokio::spawn(async move { following.complete().await });
    let entry = mine.find(&cid).expect("on its way");
    let come = || ready((entry.there() > 0).then_some(()));
    until("something comes", come).await;
    mine.pause(&cid, true).expect("it is here");
    let rests = || ready((entry.sources() == 0).then_some(()));
    until("nobody is asked any more", rests).await;
    let there = entry.there();
    assert!(there < size && entry.is_paused(), "{there} of {size}");

    theirs.files().limit_rate(None);
    mine.pause(&cid, false).expect("it is here");
    let whole = within("the rest comes", fetching).await.expect("no panic");
    let whole = whole.expect("all of it");
    assert_eq!((whole.there(), whole.is_paused()), (size, false));
    for (place, piece) in (0..).zip(bytes.chunks(PIECE as usize)) {
        assert!(mine.read_piece(&cid, place).await.expect("there") == piece);
    }
    for peer in [ada, ben] {
        peer.node.close().await;
    }
    relay.stop().await;
}
