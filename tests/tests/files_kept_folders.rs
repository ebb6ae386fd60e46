//! Relays keep directories for publishers that leave: whole, each of their files, over a restart; within a quota, against a
//! denylist, and beside others that have files in common.

mod keeping_relay;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use warren_relay::files::{Scanned, SharedFile, scan};
use warren_relay::peer::Peer;
use warren_shared::error::{Code, Result};
use warren_shared::limits::{DAY, HOUR, PIECE};
use warren_shared::net::connected;
use warren_shared::net::files::{Files, Held};
use warren_shared::proto::Millis;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::keeping::KeepRequest;
use warren_shared::proto::files::search::Listing;
use warren_shared::proto::key::SigningKey;
use warren_tests::peers::member;
use warren_tests::program::run;
use warren_tests::random::Random;
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::{until, within};

use self::keeping_relay::Scene;

/// The bytes of each file of a folder.
type Content = BTreeMap<PathBuf, Vec<u8>>;

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in text")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn fine(output: &Output) {
    assert!(output.status.success(), "{}", told(output));
}

/// With which error a program ended.
fn failure(output: &Output) -> Option<Code> {
    let status = output.status.code().expect("it ended by itself");
    let mut codes = Code::ALL.iter().copied();
    codes.find(|code| i32::from(code.exit_status()) == status)
}

/// Lines of JSON on standard output.
fn events(output: &Output) -> Vec<Value> {
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = lines.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("lines of JSON")
}

/// The one event of this name.
fn event(events: &[Value], name: &str) -> Value {
    let found = events.iter().find(|event| event["event"] == name);
    found
        .unwrap_or_else(|| panic!("no {name}: {events:?}"))
        .clone()
}

fn content(root: &Path) -> Content {
    let (mut all, mut folders) = (Content::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let place = path.strip_prefix(root).expect("below it").to_owned();
            all.insert(place, std::fs::read(&path).expect("a file"));
        }
    }
    all
}

impl Scene {
    /// A folder with these files.
    fn made(&self, name: &str, files: &[(&str, Vec<u8>)]) -> PathBuf {
        let root = self.path(name);
        for (path, bytes) in files {
            let place = root.join(path);
            std::fs::create_dir_all(place.parent().expect("a folder")).expect("made");
            std::fs::write(place, bytes).expect("written");
        }
        root
    }

    /// Fetches something to a place where nothing is.
    async fn get(&self, relay: &TestRelay, what: &str, patience: &str) -> (Output, PathBuf) {
        let copy = self.path("copy");
        let _ = std::fs::remove_dir_all(&copy);
        let _ = std::fs::remove_file(&copy);
        let (url, place) = (relay.url(), text(&copy).to_owned());
        let to = ["-o", &place, "--join", &url, "--listen", ANY_PORT];
        let output = run(&[&["get", what, "--patience", patience], &to[..]].concat()).await;
        (output, copy)
    }

    async fn folder_is_there(&self, relay: &TestRelay, cid: &str, wanted: &Content) {
        let (output, copy) = self.get(relay, cid, "40").await;
        fine(&output);
        assert!(content(&copy) == *wanted, "another file or byte");
    }

    async fn file_is_there(&self, relay: &TestRelay, cid: &Cid, wanted: &[u8]) {
        let (output, copy) = self.get(relay, &cid.to_string(), "40").await;
        fine(&output);
        assert!(std::fs::read(copy).expect("a file") == wanted, "wrong");
    }

    async fn is_found(&self, relay: &TestRelay, words: &str, cid: &str) {
        until("its words are announced", || async {
            let output = run(&["search", words, "--join", &relay.url(), "--json"]).await;
            fine(&output);
            let hits = events(&output);
            hits.iter().any(|hit| hit["cid"] == *cid).then_some(())
        })
        .await;
    }

    /// What is on its disk of what is kept.
    fn on_disk(&self) -> usize {
        let entries = std::fs::read_dir(self.path("relay/kept")).expect("a folder");
        entries.count()
    }
}

/// Runs `warren share --keep --leave` to its end.
async fn leave(relay: &TestRelay, path: &Path, more: &[&str]) -> Output {
    let url = relay.url();
    let to = ["--listen", ANY_PORT, "--join", &url];
    run(&[&["share", text(path), "--keep", "--leave"], &to[..], more].concat()).await
}

/// How many files and directories a relay keeps.
fn count_of(relay: &TestRelay) -> usize {
    relay.relay().kept().expect("it keeps files").usage().0
}

fn id_of(path: &Path) -> Cid {
    SharedFile::hash(path).expect("hashed").cid()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_there_when_its_publisher_has_left_and_the_relay_was_restarted() {
    let scene = Scene::new(64 * PIECE);
    let relay = scene.relay().await;
    let film = Random::new().bytes(3 * PIECE as usize + 123);
    let mut files = vec![
        ("deep/er/Red sea.film", film.clone()),
        ("notes.txt", b"abc".to_vec()),
        ("again.txt", b"abc".to_vec()),
        ("empty", Vec::new()),
        ("piece", Random::new().bytes(PIECE as usize)),
    ];
    let names: Vec<String> = (10..60).map(|number| format!("small/{number}")).collect();
    for name in &names {
        files.push((name, Random::new().bytes(5_000)));
    }
    let root = scene.made("films", &files);
    let wanted = content(&root);
    let output = leave(&relay, &root, &["--tag", "holiday", "--json"]).await;
    fine(&output);
    let events = events(&output);
    let cid = event(&events, "sharing")["cid"].as_str().map(str::to_owned);
    let cid = cid.expect("an id");
    let kept = event(&events, "kept");
    assert_eq!(kept["cid"], cid);
    assert_eq!(kept["relay"], relay.id().to_string());
    assert_eq!(event(&events, "keeping")["relays"], 1);
    assert_eq!(count_of(&relay), 1, "it is one thing");

    let member = id_of(&root.join("deep/er/Red sea.film"));
    let small = id_of(&root.join("small/33"));
    scene.folder_is_there(&relay, &cid, &wanted).await;
    scene.file_is_there(&relay, &member, &film).await;
    scene.is_found(&relay, "holiday", &cid).await;

    relay.stop().await;
    let relay = scene.relay().await;
    assert_eq!(count_of(&relay), 1);
    scene.folder_is_there(&relay, &cid, &wanted).await;
    let bytes = &wanted[Path::new("small/33")];
    scene.file_is_there(&relay, &small, bytes).await;
    scene.is_found(&relay, "films", &cid).await;

    // The operator does not want one of its files: all of it goes, and is refused from then on.
    std::fs::write(scene.path("denied"), format!("{member}\n")).expect("written");
    until("it is removed", || async {
        let kept = relay.relay().kept().expect("it keeps files");
        (kept.usage() == (0, 0)).then_some(())
    })
    .await;
    assert_eq!(scene.on_disk(), 0, "nothing of it is on the disk");
    let (output, _) = scene.get(&relay, &cid, "2").await;
    assert_eq!(failure(&output), Some(Code::NotFound), "it is not served");
    let output = leave(&relay, &root, &[]).await;
    assert_eq!(failure(&output), Some(Code::Refused), "{}", told(&output));
    let said = told(&output);
    assert!(said.contains(&member.to_string()), "{said}");
    assert!(said.contains("without this file"), "{said}");
    assert_eq!((count_of(&relay), scene.on_disk()), (0, 0));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_does_not_fit_is_refused_with_the_sizes() {
    // An author's share is two pieces.
    let scene = Scene::new(8 * PIECE);
    let relay = scene.relay().await;
    let large = [
        ("one", Random::new().bytes(PIECE as usize)),
        ("two/three", Random::new().bytes(PIECE as usize)),
    ];
    let root = scene.made("large", &large);
    let output = leave(&relay, &root, &[]).await;
    assert_eq!(failure(&output), Some(Code::TooLarge), "{}", told(&output));
    let said = told(&output);
    let most = format!("keeps at most {} for one author", 2 * PIECE);
    assert!(said.contains(&most) && said.contains("takes "), "{said}");
    assert!(said.contains("--pin-quota"), "{said}");
    assert_eq!((count_of(&relay), scene.on_disk()), (0, 0));
    let cid = scan(&root, None).expect("scanned").cid.to_string();
    let (output, _) = scene.get(&relay, &cid, "2").await;
    assert_eq!(failure(&output), Some(Code::NotFound), "nobody has it");

    // Equal files are kept once: a folder with more bytes than the share may fit.
    let bytes = Random::new().bytes(PIECE as usize);
    let equal = ["a", "b", "c", "d"].map(|name| (name, bytes.clone()));
    let root = scene.made("equal", &equal);
    fine(&leave(&relay, &root, &[]).await);
    let cid = scan(&root, None).expect("scanned").cid.to_string();
    scene.folder_is_there(&relay, &cid, &content(&root)).await;
    relay.stop().await;
}

/// Somebody who shares folders, and asks for them to be kept.
struct Publisher {
    peer: Peer,
    files: Files,
    key: SigningKey,
}

impl Publisher {
    async fn new(relay: &TestRelay, seed: u8) -> Publisher {
        let peer = member(&relay.url()).await.expect("joined");
        let files = peer.node.files().expect("files");
        let key = SigningKey::from_seed([seed; 32]);
        Publisher { peer, files, key }
    }

    fn share(&self, path: &Path) -> Scanned {
        let scanned = scan(path, None).expect("scanned");
        for held in scanned.held() {
            self.files.share(held).expect("shared");
        }
        scanned
    }

    async fn keep(
        &self,
        relay: &TestRelay,
        (scanned, size): (&Scanned, u64),
        times: (Millis, Millis),
    ) -> Option<Code> {
        let listing = Listing {
            cid: scanned.cid,
            name: scanned.name.clone(),
            size,
            media: String::new(),
            tags: Vec::new(),
        };
        let network = self.peer.node.network();
        let request = KeepRequest::sign(&listing, &self.key, network, times).expect("signed");
        let route = connected(relay.id());
        let asking = self.files.ask_to_keep(&route, &request, |_| {});
        let outcome = within("the relay decides", asking).await;
        outcome.err().map(|error| error.code())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_directory_makes_room_and_what_others_have_of_it_stays() {
    // An author's share is four pieces.
    let scene = Scene::new(16 * PIECE);
    let relay = scene.relay().await;
    let publisher = Publisher::new(&relay, 1).await;
    let now = publisher.files.network_time();
    let (over, soon) = ((now - HOUR, now - 1), (now, now + DAY));
    let piece = || Random::new().bytes(PIECE as usize);
    let common = Random::new().bytes(PIECE as usize / 2);
    let old = scene.made("old", &[("own", piece()), ("common", common.clone())]);
    let new = scene.made(
        "new",
        &[("other", piece()), ("deep/common", common.clone())],
    );
    let last = scene.made("last", &[("last", piece())]);
    let (old, new, last) = (
        publisher.share(&old),
        publisher.share(&new),
        publisher.share(&last),
    );
    let own = id_of(&scene.path("old/own"));
    let shared = id_of(&scene.path("old/common"));
    // A size that is not that of its files is found out, and nothing of it is kept.
    let lie = publisher.keep(&relay, (&new, new.size + 1), soon).await;
    assert_eq!(lie, Some(Code::ProtocolViolation));
    assert_eq!((count_of(&relay), scene.on_disk()), (0, 0));
    for (scanned, times) in [(&old, over), (&new, soon)] {
        let refused = publisher.keep(&relay, (scanned, scanned.size), times).await;
        assert_eq!(refused, None, "{}", scanned.name);
    }
    assert_eq!(count_of(&relay), 2);
    let refused = publisher.keep(&relay, (&last, last.size), soon).await;
    assert_eq!(refused, None, "the oldest makes room");
    assert_eq!(count_of(&relay), 2);
    let kept = |scanned: &Scanned| {
        let list = scene.path(&format!("relay/kept/{}.data", scanned.cid));
        list.exists()
    };
    assert_eq!([kept(&old), kept(&new), kept(&last)], [false, true, true]);
    // Both are pinned: the first does not come back.
    let refused = publisher.keep(&relay, (&old, old.size), soon).await;
    assert_eq!(refused, Some(Code::Overloaded));

    // What was in both is there with the other one; what was in the first alone is not.
    publisher.peer.node.close().await;
    scene.file_is_there(&relay, &shared, &common).await;
    let (output, _) = scene.get(&relay, &own.to_string(), "2").await;
    assert_eq!(failure(&output), Some(Code::NotFound), "it is gone");
    let cid = new.cid.to_string();
    let wanted = content(&scene.path("new"));
    scene.folder_is_there(&relay, &cid, &wanted).await;
    relay.stop().await;
}
