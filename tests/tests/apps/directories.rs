//! Directories in the files of a module that borrows an engine: shared, fetched, kept over a restart, removed.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use warren_relay::peer::Peer;
use warren_shared::error::Code;
use warren_shared::limits::{FILES_IN_MEMORY, PACK, PIECE};
use warren_shared::net::files::{FileStore, MemoryStore};
use warren_shared::proto::files::Cid;
use warren_shared::proto::files::directory::{Directory, Entry};
use warren_shared::proto::files::path::FilePath;
use warren_shared::proto::files::tree::{Decoder, Sender, TreeBuilder};
use warren_tests::program::run;
use warren_tests::random::Random;
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::within;

use super::files::share;
use super::folder::Folder;
use super::{Tab, engine};

/// Files of a folder: their paths, and what is in them.
pub type Files = Vec<(String, Vec<u8>)>;

/// Many small files, more than one pack takes; two with one content, an empty one, and two that have a place of their own.
pub fn many() -> Files {
    let small = (PACK / 40) as usize;
    let mut files: Files = (0..50)
        .map(|number| {
            let path = format!("photos/{}/{number}.jpg", number % 7);
            (path, Random::new().bytes(small + number))
        })
        .collect();
    files.push(("again.jpg".to_owned(), files[3].1.clone()));
    files.push(("empty".to_owned(), Vec::new()));
    files.push((
        "film".to_owned(),
        Random::new().bytes(3 * PIECE as usize + 5),
    ));
    files.push(("piece".to_owned(), Random::new().bytes(PIECE as usize)));
    files.push((
        "a/long.film".to_owned(),
        Random::new().bytes(PIECE as usize + 1),
    ));
    files
}

/// Hands a folder over as a page does; what the tab says of it when others can find it.
pub async fn share_folder(tab: &mut Tab, files: &Files, name: &str) -> Result<Value, Code> {
    let listed: Vec<_> = files
        .iter()
        .map(|(path, bytes)| (path, bytes.len()))
        .collect();
    let about = json!({"name": name, "tags": ["trip"], "files": listed}).to_string();
    let share = tab.call("files", json!({"files": "shareFolder", "text": about}));
    let number = tab.says(share).await?["call"].clone();
    let bytes: Vec<u8> = files.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    for piece in bytes.chunks(PIECE as usize) {
        let take = json!({"files": "take", "call": number, "value": {"bytes": piece}});
        tab.asks("files", take).await?;
    }
    tab.call("files", json!({"files": "end", "call": number}));
    tab.says(share).await
}

/// Fetches a directory; its list, and what the tab says when all of it is there.
pub async fn fetch_folder(tab: &mut Tab, cid: &Value) -> Result<(Vec<Value>, Value), Code> {
    let fetch = tab.call("files", json!({"files": "fetchFolder", "id": cid}));
    let begun = tab.says(fetch).await?;
    let entries = begun["entries"].as_str().expect("a list");
    let entries = serde_json::from_str(entries).expect("JSON");
    loop {
        let told = tab.says(fetch).await?;
        if told["complete"] == json!(true) && told["sources"] == json!(0) {
            return Ok((entries, told));
        }
    }
}

/// Reads a file as the page does with one of a directory.
async fn read(tab: &mut Tab, directory: &Value, cid: &Value, size: u64) -> Result<Vec<u8>, Code> {
    let member = json!({"files": "fetchMember", "id": cid, "text": directory});
    let member = tab.call("files", member);
    tab.says(member).await?;
    let mut come = Vec::new();
    for place in 0..size.div_ceil(PIECE) {
        let read = json!({"files": "read", "id": cid, "place": place});
        let piece = tab.asks("files", read).await?;
        come.extend(serde_json::from_value::<Vec<u8>>(piece).expect("bytes"));
    }
    Ok(come)
}

/// Whether all files of a directory are what they should be.
pub async fn check(tab: &mut Tab, directory: &Value, entries: &[Value], files: &Files) {
    assert_eq!(entries.len(), files.len());
    for entry in entries {
        let path = entry[0].as_str().expect("a path");
        let known = files.iter().find(|(known, _)| known == path);
        let (_, bytes) = known.expect("a path that was shared");
        assert_eq!(entry[2], json!(bytes.len()), "{path}");
        let found = read(tab, directory, &entry[1], bytes.len() as u64).await;
        assert!(found.as_ref() == Ok(bytes), "{path}");
    }
}

pub async fn listed(tab: &mut Tab) -> Vec<Value> {
    let list = tab.asks("files", json!({"files": "list"})).await;
    list.expect("a list")
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// A tab whose files are in a folder.
pub async fn keeping(relay: &TestRelay, folder: &TempDir) -> Tab {
    let (peer, home) = engine(&relay.url()).await;
    Tab::keeping(peer, home, Folder::new(folder.path()))
}

pub fn temporary() -> TempDir {
    TempDir::new().expect("a folder")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_goes_from_tab_to_tab_and_comes_back_after_a_restart() {
    let relay = TestRelay::first().await;
    let (one, two) = (temporary(), temporary());
    let files = many();
    let size: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut ada = keeping(&relay, &one).await;
    let shared = share_folder(&mut ada, &files, "Sea").await.expect("shared");
    let cid = shared["cid"].clone();
    assert_eq!(
        (&shared["complete"], &shared["size"]),
        (&json!(true), &json!(size))
    );
    assert_eq!(
        listed(&mut ada).await,
        std::slice::from_ref(&shared),
        "one directory, no files"
    );
    let kept = std::fs::read_dir(one.path()).expect("a folder").count();
    assert!(kept < 2 * 10, "small files are together: {kept}");

    let mut ben = keeping(&relay, &two).await;
    let (entries, _) = fetch_folder(&mut ben, &cid).await.expect("fetched");
    check(&mut ben, &cid, &entries, &files).await;
    ada.close().await;
    ben.close().await;

    // What was fetched is given again, and what was shared is listed again.
    let mut ben = keeping(&relay, &two).await;
    let [whole] = listed(&mut ben).await.try_into().expect("one");
    assert_eq!((&whole["cid"], &whole["complete"]), (&cid, &json!(true)));
    let mut eve = Tab::open(&relay.url()).await;
    let (entries, _) = fetch_folder(&mut eve, &cid).await.expect("fetched");
    check(&mut eve, &cid, &entries, &files).await;
    let mut ada = keeping(&relay, &one).await;
    assert_eq!(listed(&mut ada).await, [shared]);
    let search = json!({"files": "search", "text": "sea trip"});
    let found = within("it is listed", async {
        loop {
            let found = eve
                .asks("files", search.clone())
                .await
                .expect("it searches");
            if found.is_array() {
                return found[0].clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let found = found.await;
    assert_eq!((&found["cid"], &found["size"]), (&cid, &json!(size)));
    for tab in [ada, ben, eve] {
        tab.close().await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_takes_the_directory_of_a_tab() {
    let relay = TestRelay::first().await;
    let files = many();
    let mut ada = Tab::open(&relay.url()).await;
    let shared = share_folder(&mut ada, &files, "Sea").await.expect("shared");
    let (cid, copies) = (
        shared["cid"].as_str().expect("an id").to_owned(),
        temporary(),
    );
    let place = copies.path().join("copy");
    let to = place.to_str().expect("a path in text");
    let url = relay.url();
    let output = run(&["get", &cid, "-o", to, "--join", &url, "--listen", ANY_PORT]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (path, bytes) in &files {
        let found = std::fs::read(place.join(path)).expect("a file");
        assert!(found == *bytes, "{path}");
    }
    ada.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_two_directories_have_stay_with_the_second_one() {
    let relay = TestRelay::first().await;
    let mut ada = Tab::open(&relay.url()).await;
    let both = many();
    let first = share_folder(&mut ada, &both, "first")
        .await
        .expect("shared");
    let mut more = both.clone();
    more.push(("more".to_owned(), b"more".to_vec()));
    let second = share_folder(&mut ada, &more, "second")
        .await
        .expect("shared");
    // One of them is shared by itself, too.
    let alone = share(&mut ada, &both[0].1, json!({"name": "alone"})).await;
    let remove = |what: &Value| json!({"files": "remove", "id": what["cid"]});
    assert_eq!(ada.asks("files", remove(&first)).await, Ok(json!(true)));
    assert_eq!(ada.asks("files", remove(&alone)).await, Ok(json!(true)));
    let mut ben = Tab::open(&relay.url()).await;
    let (entries, _) = fetch_folder(&mut ben, &second["cid"])
        .await
        .expect("fetched");
    check(&mut ben, &second["cid"], &entries, &more).await;

    assert_eq!(ada.asks("files", remove(&second)).await, Ok(json!(true)));
    let room = ada.asks("files", json!({"files": "storage"})).await;
    assert_eq!(
        room.expect("known")["used"],
        json!(0),
        "nothing of them is left"
    );
    let gone = json!({"files": "read", "id": entries[0][1], "place": 0});
    assert_eq!(ada.asks("files", gone).await, Err(Code::NotFound));
    ada.close().await;
    ben.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_directory_is_refused_and_leaves_nothing() {
    let relay = TestRelay::first().await;
    let mut ada = Tab::open(&relay.url()).await;
    let file = |path: &str| (path.to_owned(), b"x".to_vec());
    for bad in [
        vec![file("../x")],
        vec![file("/x")],
        vec![file("a\\b")],
        vec![file("README"), file("readme")],
        vec![file("a"), file("a/b")],
        vec![file("a"), file("a")],
    ] {
        let refused = share_folder(&mut ada, &bad, "bad").await;
        assert_eq!(refused, Err(Code::InvalidArgument), "{:?}", bad[0].0);
    }
    // A file that has become shorter meanwhile.
    let about = json!({"files": [["a", 2 * PIECE], ["b", 1]]}).to_string();
    let share = tab_begins(&mut ada, about).await;
    assert_eq!(share, Err(Code::InvalidArgument));
    let large = json!({"files": [["a", FILES_IN_MEMORY + 1]]}).to_string();
    let call = json!({"files": "shareFolder", "text": large});
    assert_eq!(ada.asks("files", call).await, Err(Code::TooLarge));
    let room = ada.asks("files", json!({"files": "storage"})).await;
    assert_eq!(room.expect("known")["used"], json!(0));
    assert_eq!(listed(&mut ada).await, Vec::<Value>::new());
    // What is no list of files is not taken for one.
    let (nonsense, peer, _home) = share_as_directory(&relay, b"no list at all").await;
    let fetch = json!({"files": "fetchFolder", "id": nonsense});
    assert_eq!(ada.asks("files", fetch).await, Err(Code::ProtocolViolation));
    assert_eq!(listed(&mut ada).await, Vec::<Value>::new());
    peer.node.close().await;
    ada.close().await;
    relay.stop().await;
}

/// Begins a directory, gives one piece of it, and says that this is all.
async fn tab_begins(tab: &mut Tab, about: String) -> Result<Value, Code> {
    let share = tab.call("files", json!({"files": "shareFolder", "text": about}));
    let number = tab.says(share).await?["call"].clone();
    let take =
        json!({"files": "take", "call": number, "value": {"bytes": vec![7; PIECE as usize]}});
    tab.asks("files", take).await?;
    tab.call("files", json!({"files": "end", "call": number}));
    tab.says(share).await
}

/// Gives bytes as if they were the list of a directory.
async fn share_as_directory(relay: &TestRelay, bytes: &[u8]) -> (String, Peer, TempDir) {
    let (peer, home) = engine(&relay.url()).await;
    let store = Arc::new(MemoryStore::new(FILES_IN_MEMORY));
    let mut intake = store.begin(0).await.expect("begun");
    intake.take(bytes.to_vec()).await.expect("taken");
    let whole = intake.finish().await.expect("taken");
    let files = peer.node.files().expect("it has files");
    let cid = Cid::directory(whole.cid().root);
    files.share(whole).expect("shared");
    files.announce(&cid).await.expect("announced");
    (cid.to_string(), peer, home)
}

/// Of a file.
pub fn id(bytes: &[u8]) -> Cid {
    let mut builder = TreeBuilder::new();
    assert!(builder.take(bytes, &mut Vec::new()));
    Cid::file(builder.finish(&mut Vec::new()).root)
}

/// The id and the list of a directory with these files.
pub fn list_of(files: &Files) -> (Cid, Vec<u8>) {
    let entries = files.iter().map(|(path, bytes)| Entry {
        path: FilePath::new(path).expect("a path"),
        cid: id(bytes),
        size: bytes.len() as u64,
        media: String::new(),
    });
    let directory = Directory::new(entries.collect()).expect("a directory");
    directory.publish()
}

/// Puts the list of a directory into a folder, as a tab that ended before any of its files came has left it.
pub async fn begin(folder: &TempDir, files: &Files) -> Cid {
    let (cid, block) = list_of(files);
    let other = temporary();
    let mut whole = Folder::new(other.path()).begin(0).await.expect("begun");
    whole.take(block).await.expect("taken");
    let whole = whole.finish().await.expect("taken");
    let tree = whole.tree();
    let some = Folder::new(folder.path()).open(cid, tree).await;
    let some = some.expect("a place");
    some.keep(Vec::new()).await.expect("kept");
    for piece in 0..tree.pieces() {
        let groups = tree.piece(piece);
        let sender = Sender::new(cid.root, tree, groups.clone());
        let portion = whole.read(sender, usize::MAX).await;
        let mut decoder = Decoder::new(cid.root, tree, groups);
        let mut input = portion.bytes.as_slice();
        let parts = std::iter::from_fn(|| decoder.take(&mut input).expect("right"));
        some.write(parts.collect()).await.expect("written");
        some.complete(piece).await.expect("marked");
    }
    some.close();
    cid
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_begun_goes_on_after_a_restart() {
    let relay = TestRelay::first().await;
    let (folder, files) = (temporary(), many());
    let mut ada = Tab::open(&relay.url()).await;
    let shared = share_folder(&mut ada, &files, "Sea").await.expect("shared");
    let cid = begin(&folder, &files).await;
    assert_eq!(
        json!(cid.to_string()),
        shared["cid"],
        "equal directories have equal ids"
    );
    let mut ben = keeping(&relay, &folder).await;
    let [begun] = listed(&mut ben).await.try_into().expect("one");
    assert_eq!(
        (&begun["bytes"], &begun["complete"]),
        (&json!(0), &json!(false))
    );
    assert_eq!(begun["files"], json!(files.len()));
    let missing = read(
        &mut ben,
        &shared["cid"],
        &json!(Cid::file([0; 32]).to_string()),
        1,
    )
    .await;
    assert_eq!(missing, Err(Code::NotFound));
    let (entries, _) = fetch_folder(&mut ben, &shared["cid"])
        .await
        .expect("fetched");
    check(&mut ben, &shared["cid"], &entries, &files).await;
    ada.close().await;
    ben.close().await;

    // Whoever gave it is gone: what is there is all of it.
    let mut ben = keeping(&relay, &folder).await;
    let (entries, _) = fetch_folder(&mut ben, &shared["cid"]).await.expect("here");
    check(&mut ben, &shared["cid"], &entries, &files).await;
    let remove = json!({"files": "remove", "id": shared["cid"]});
    assert_eq!(ben.asks("files", remove).await, Ok(json!(true)));
    ben.close().await;
    let mut ben = keeping(&relay, &folder).await;
    assert_eq!(listed(&mut ben).await, Vec::<Value>::new());
    ben.close().await;
    relay.stop().await;
}
