//! Reading of a module that borrows an engine: some bytes of a file alone, and what is read next before the rest.

use futures::future::join;
use serde_json::{Value, json};
use warren_shared::error::Code;
use warren_shared::limits::PIECE;
use warren_shared::net::files::{About, Collection, Held, Partial};
use warren_shared::proto::files::Cid;
use warren_tests::random::Random;
use warren_tests::relays::TestRelay;
use warren_tests::wait::within;

use super::files::{collection, fetch, read, share};
use super::{Tab, engine};

#[tokio::test(flavor = "multi_thread")]
async fn some_bytes_are_fetched_alone_and_the_rest_goes_on_from_there() {
    let relay = TestRelay::first().await;
    let mut ada = Tab::open(&relay.url()).await;
    let mut ben = Tab::open(&relay.url()).await;
    let bytes = Random::new().bytes(4 * PIECE as usize + 123);
    let cid = share(&mut ada, &bytes, json!({})).await["cid"].clone();
    let ranged =
        |start: u64, end: u64| json!({"files": "fetch", "id": cid, "place": start, "limit": end});

    // Of the last but one piece a byte, and the last one, which is shorter.
    let (start, end) = (4 * PIECE - 1, u64::from(u32::MAX));
    let some = ben.call("files", ranged(start, end));
    let mut told = ben.says(some).await.expect("its size is proven");
    assert_eq!(told["size"], json!(bytes.len()));
    let range = told["range"].clone();
    assert_eq!(
        (&range["start"], &range["end"]),
        (&json!(start), &json!(bytes.len()))
    );
    while told["range"]["bytes"] != json!(124) {
        told = ben.says(some).await.expect("it comes");
    }
    assert_eq!(told["range"]["pieces"], Value::Null, "all of it is there");
    for place in [3, 4] {
        let read = json!({"files": "read", "id": cid, "place": place});
        let piece = ben.asks("files", read).await.expect("it is there");
        let piece: Vec<u8> = serde_json::from_value(piece).expect("bytes");
        assert!(bytes[place * PIECE as usize..].starts_with(&piece) && !piece.is_empty());
    }
    let listed = ben.asks("files", json!({"files": "list"})).await;
    let listed = listed.expect("it lists")[0].clone();
    let there = PIECE + 123;
    assert_eq!(
        (&listed["bytes"], &listed["complete"]),
        (&json!(there), &json!(false))
    );

    for (start, end) in [(9, 5), (bytes.len() as u64 + 1, u64::from(u32::MAX))] {
        let refused = ben.asks("files", ranged(start, end)).await;
        assert_eq!(refused, Err(Code::InvalidArgument), "{start} to {end}");
    }
    // Whoever wants nothing learns how large it is.
    let size = ben.asks("files", ranged(0, 0)).await.expect("it is known");
    assert_eq!(
        (&size["size"], &size["bytes"]),
        (&json!(bytes.len()), &json!(there))
    );

    // The rest comes, and what is there is told from the beginning.
    let whole = ben.call("files", json!({"files": "fetch", "id": cid}));
    let begun = ben.says(whole).await.expect("it goes on");
    assert!(begun["bytes"].as_u64() >= Some(there), "{begun}");
    assert!(read(&mut ben, &cid, 5).await == bytes, "a wrong byte");
    ada.close().await;
    ben.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_some_gives_that_to_others() {
    let relay = TestRelay::first().await;
    let mut ada = Tab::open(&relay.url()).await;
    let mut ben = Tab::open(&relay.url()).await;
    let bytes = Random::new().bytes(2 * PIECE as usize);
    let cid = share(&mut ada, &bytes, json!({})).await["cid"].clone();
    // What has come of one range stays, and another one goes on from there: in the end all of it is there.
    let ranged =
        |start: u64, end: u64| json!({"files": "fetch", "id": cid, "place": start, "limit": end});
    for start in [PIECE, 0] {
        let some = ben.call("files", ranged(start, start + 1));
        while ben.says(some).await.expect("it comes")["range"]["bytes"] != json!(1) {}
    }
    let list = ben.asks("files", json!({"files": "list"})).await;
    assert_eq!(list.expect("it lists")[0]["complete"], json!(true));
    assert!(read(&mut ben, &cid, 2).await == bytes, "a wrong byte");
    let remove = json!({"files": "remove", "id": cid});
    assert_eq!(ada.asks("files", remove).await, Ok(json!(true)));
    assert!(fetch(&mut ada, &cid, 2).await == bytes, "a wrong byte");
    ada.close().await;
    ben.close().await;
    relay.stop().await;
}

/// Shares a file that is sent slowly; gives its id.
async fn slow(theirs: &Collection, bytes: &[u8]) -> Cid {
    let begun = theirs.begin(&About::default(), bytes.len() as u64).await;
    let mut intake = begun.expect("there is room");
    intake.take(bytes.to_vec()).await.expect("taken");
    let stored = intake.finish().await.expect("hashed");
    let cid = stored.cid();
    let shared = theirs.share(stored, About::default()).await;
    shared.expect("announced");
    theirs.files().limit_rate(Some(1024 * 1024));
    cid
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_of_a_file_on_its_way_comes_first() {
    let relay = TestRelay::first().await;
    let ((ada, _ada), (ben, _ben)) = (engine(&relay.url()).await, engine(&relay.url()).await);
    let (theirs, mine) = (collection(&ada), collection(&ben));
    let pieces = 64;
    let bytes = Random::new().bytes((pieces * PIECE) as usize);
    let cid = slow(&theirs, &bytes).await;

    let following = mine.follow(cid, About::default()).await.expect("found");
    let entry = mine.find(&cid).expect("on its way");
    // Two that read at two places, before anything is fetched.
    let read = |piece: u64| {
        let (mine, entry) = (mine.clone(), entry.clone());
        tokio::spawn(async move {
            let come = mine.read_piece(&cid, piece).await.expect("it comes");
            (come, entry.pieces().count())
        })
    };
    let (last, middle) = (read(pieces - 1), read(30));
    within("both wait", async {
        while Partial::wishes(entry.as_ref()).readers.len() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    let fetching = tokio::spawn(async move { following.complete().await });
    let (last, middle) = within("they come", join(last, middle)).await;
    for (piece, outcome) in [(pieces - 1, last), (30, middle)] {
        let (come, there) = outcome.expect("no panic");
        let at = (piece * PIECE) as usize;
        assert!(come == bytes[at..at + PIECE as usize], "a wrong byte");
        // They were asked for before all others; some others may have come before somebody looked.
        assert!(
            there <= pieces / 2,
            "{there} of {pieces} came before piece {piece}"
        );
    }

    theirs.files().limit_rate(None);
    let whole = within("the rest comes", fetching).await.expect("no panic");
    assert!(whole.expect("all of it").is_whole());
    for peer in [ada, ben] {
        peer.node.close().await;
    }
    relay.stop().await;
}
