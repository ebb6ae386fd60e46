//! Many sources of one file: some lie, hang, change or have only a part of it. No wrong byte is ever written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use warren_relay::files::{Block, PartialFile, SharedFile};
use warren_relay::peer::Peer;
use warren_shared::error::Code;
use warren_shared::limits::{FILES_IN_FLIGHT, PIECE};
use warren_shared::net::Route;
use warren_shared::net::files::{Files, Held, How, Partial, Portion, Tally};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::directory::{Directory, Entry};
use warren_shared::proto::files::path::FilePath;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Decoder, Sender, Tree, root_of};
use warren_tests::count;
use warren_tests::peers::member;
use warren_tests::program::run;
use warren_tests::random::Random;
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::{until, within};

/// A file, and a relay through which it is found.
struct Scene {
    relay: TestRelay,
    folder: TempDir,
    original: PathBuf,
    bytes: Vec<u8>,
    file: SharedFile,
}

impl Scene {
    async fn new(pieces: u64) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let original = folder.path().join("original");
        let bytes = Random::new().bytes((pieces * PIECE - 5) as usize);
        std::fs::write(&original, &bytes).unwrap();
        Scene {
            relay: TestRelay::first().await,
            file: SharedFile::hash(&original).unwrap(),
            folder,
            original,
            bytes,
        }
    }

    async fn peer(&self) -> (Peer, Files) {
        let peer = member(&self.relay.url()).await.expect("joined");
        let files = peer.node.files().expect("files");
        (peer, files)
    }

    /// Somebody who shares, and whom everybody finds.
    async fn sharer(&self, held: Arc<dyn Held>) -> (Peer, Files) {
        let (peer, files) = self.peer().await;
        let cid = held.cid();
        files.share(held).unwrap();
        until("it is announced", || async {
            files.announce(&cid).await.ok()
        })
        .await;
        (peer, files)
    }

    fn partial(&self, name: &str) -> PartialFile {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        PartialFile::open(&folder, self.file.cid(), self.file.tree()).unwrap()
    }

    async fn check(&self, partial: &PartialFile, name: &str) {
        let place = self.folder.path().join(name).join("copy");
        partial.finish(place.clone()).await.expect("finished");
        assert!(std::fs::read(place).unwrap() == self.bytes, "a wrong byte");
    }
}

fn patient(patience: u64) -> How {
    How {
        patience: Duration::from_secs(patience),
        whole: false,
        in_flight: FILES_IN_FLIGHT,
        tally: Arc::new(Tally::default()),
    }
}

/// How to reach a peer of this process.
async fn route(peer: &Peer) -> Route {
    let snapshot = peer.node.handle().snapshot().await.expect("it runs");
    let direct = snapshot
        .addresses
        .iter()
        .filter(|text| !text.contains("p2p-circuit"));
    Route {
        peer: peer.node.id(),
        addresses: direct
            .map(|text| text.parse().expect("an address"))
            .collect(),
    }
}

/// Has the file, and sends something else every fourth time.
struct Liar(SharedFile, AtomicUsize);

#[async_trait]
impl Held for Liar {
    fn cid(&self) -> Cid {
        self.0.cid()
    }
    fn tree(&self) -> Tree {
        self.0.tree()
    }
    fn pieces(&self) -> Pieces {
        self.0.pieces()
    }
    async fn read(&self, sender: Sender, room: usize) -> Portion {
        let mut portion = self.0.read(sender, room).await;
        let lies = self.1.fetch_add(1, Ordering::Relaxed) % 4 == 2;
        if lies && let Some(last) = portion.bytes.last_mut() {
            *last ^= 1;
        }
        portion
    }
}

/// Says that it has the file, and never sends it.
struct Mute(SharedFile);

#[async_trait]
impl Held for Mute {
    fn cid(&self) -> Cid {
        self.0.cid()
    }
    fn tree(&self) -> Tree {
        self.0.tree()
    }
    fn pieces(&self) -> Pieces {
        self.0.pieces()
    }
    async fn read(&self, _: Sender, _: usize) -> Portion {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wrong_byte_is_stored_and_only_who_lies_is_blamed() {
    let scene = Scene::new(count(24, 400) as u64).await;
    let (liar, liar_files) = scene.peer().await;
    liar_files
        .share(Arc::new(Liar(scene.file.clone(), AtomicUsize::new(0))))
        .unwrap();
    let (mute, mute_files) = scene.peer().await;
    mute_files
        .share(Arc::new(Mute(scene.file.clone())))
        .unwrap();
    let (taker, files) = scene.peer().await;
    let partial = scene.partial("partial");
    // Nobody else is found before the lie.
    let named = vec![route(&liar).await, route(&mute).await];
    let sources = files.sources(scene.file.cid(), named);
    let (how, target) = (patient(60), Arc::new(partial.clone()));
    let tally = how.tally.clone();
    let fetching = tokio::spawn(async move { files.fetch(&sources, target, how).await });
    let standings = taker.node.handle().standings();
    until("the lie is noticed", || async {
        (standings.of(&liar.node.id()).invalid > 0).then_some(())
    })
    .await;
    let mut honest = Vec::new();
    for _ in 0..count(3, 6) {
        let (peer, files) = scene.sharer(Arc::new(scene.file.clone())).await;
        files.limit_rate(Some(4 * 1024 * 1024));
        honest.push(peer);
    }
    let fetched = within("it is fetched from the others", fetching).await;
    fetched.expect("no panic").expect("fetched");
    assert_eq!(tally.liars.load(Ordering::Relaxed), 1);
    scene.check(&partial, "partial").await;
    let trust = |peer: &Peer| standings.of(&peer.node.id());
    for peer in honest.iter().chain([&mute]) {
        let standing = trust(peer);
        assert_eq!((standing.invalid, standing.violations), (0, 0));
    }
    assert_eq!(trust(&liar).invalid, 1);
    assert!(honest.iter().any(|peer| trust(peer).verified > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_a_file_is_not_a_liar() {
    let scene = Scene::new(16).await;
    let (sharer, sharing) = scene.sharer(Arc::new(scene.file.clone())).await;
    sharing.limit_rate(Some(1024 * 1024));
    let (taker, files) = scene.peer().await;
    let partial = scene.partial("partial");
    let sources = files.sources(scene.file.cid(), Vec::new());
    let how = patient(3);
    let (tally, target) = (how.tally.clone(), Arc::new(partial.clone()));
    let fetching = tokio::spawn(async move { files.fetch(&sources, target, how).await });
    until("something has come", || async {
        (tally.pieces.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    let other: Vec<u8> = scene.bytes.iter().map(|byte| byte ^ 0x55).collect();
    std::fs::write(&scene.original, &other).unwrap();
    let fetched = within("it ends", fetching).await.expect("no panic");
    assert_eq!(fetched.unwrap_err().code(), Code::NotFound);
    let standing = taker.node.handle().standings().of(&sharer.node.id());
    assert_eq!((standing.invalid, standing.violations), (0, 0));
    assert_eq!(tally.liars.load(Ordering::Relaxed), 0);
    // What came before is right, and stays.
    assert!(!partial.pieces().is_full());
    partial.settle().await.unwrap();
    drop(partial);
    assert!(scene.partial("partial").kept() > 0);
    std::fs::write(&scene.original, &scene.bytes).unwrap();
    let again = SharedFile::hash(&scene.original).unwrap();
    let _second = scene.sharer(Arc::new(again)).await;
    let partial = scene.partial("partial");
    let files = taker.node.files().unwrap();
    let sources = files.sources(scene.file.cid(), Vec::new());
    let fetching = files.fetch(&sources, Arc::new(partial.clone()), patient(60));
    within("it goes on", fetching).await.expect("fetched");
    scene.check(&partial, "partial").await;
}

/// Puts a piece into a partial file, as if it had come.
async fn give(scene: &Scene, partial: &PartialFile, piece: u64) {
    let (root, tree) = (scene.file.cid().root, scene.file.tree());
    let groups = tree.piece(piece);
    let mut decoder = Decoder::new(root, tree, groups.clone());
    let portion = scene
        .file
        .read(Sender::new(root, tree, groups), usize::MAX)
        .await;
    let (mut input, mut parts) = (portion.bytes.as_slice(), Vec::new());
    while let Some(part) = decoder.take(&mut input).expect("right") {
        parts.push(part);
    }
    assert!(decoder.is_done());
    partial.write(parts).await.unwrap();
    partial.complete(piece).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_halves_make_a_whole_when_the_publisher_is_gone() {
    let scene = Scene::new(20).await;
    let (one, other) = (scene.partial("one"), scene.partial("other"));
    for piece in 0..20 {
        let half = if piece % 2 == 0 { &one } else { &other };
        give(&scene, half, piece).await;
    }
    let first = scene.sharer(Arc::new(one.clone())).await;
    let second = scene.sharer(Arc::new(other.clone())).await;
    let fetch = |files: Files, partial: PartialFile, cid: Cid| async move {
        let sources = files.sources(cid, Vec::new());
        files.fetch(&sources, Arc::new(partial), patient(60)).await
    };
    let cid = scene.file.cid();
    let both = futures::future::join(
        fetch(first.1.clone(), one.clone(), cid),
        fetch(second.1.clone(), other.clone(), cid),
    );
    let (left, right) = within("both are complete", both).await;
    left.expect("fetched");
    right.expect("fetched");
    scene.check(&one, "one").await;
    scene.check(&other, "other").await;
}

/// A directory of two empty files whose list says other paths, which are as long.
fn hostile(paths: [&str; 2], instead: [&str; 2]) -> (Cid, Vec<u8>) {
    let entries = paths.map(|path| Entry {
        path: FilePath::new(path).expect("a path"),
        cid: Cid::file(root_of(&[])),
        size: 0,
        media: String::new(),
    });
    let mut block = Directory::new(entries.into())
        .expect("a directory")
        .encode();
    for (path, instead) in paths.iter().zip(instead) {
        assert_eq!(path.len(), instead.len());
        let at = block
            .windows(path.len())
            .position(|part| part == path.as_bytes());
        let at = at.expect("it is there");
        block[at..at + path.len()].copy_from_slice(instead.as_bytes());
    }
    (Cid::directory(root_of(&block)), block)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_does_not_lead_out_of_its_place() {
    let scene = Scene::new(1).await;
    let (peer, files) = scene.peer().await;
    let empty = scene.folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    files
        .share(Arc::new(SharedFile::hash(&empty).unwrap()))
        .unwrap();
    let inside = scene.folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    for (name, paths, instead) in [
        ("up", ["ab/evil", "good"], ["../evil", "good"]),
        ("root", ["ab/evil", "good"], ["/b/evil", "good"]),
        ("case", ["AAA", "baa"], ["BAA", "baa"]),
        ("device", ["abc", "nut"], ["abc", "nul"]),
    ] {
        let (cid, block) = hostile(paths, instead);
        files
            .share(Arc::new(Block::new(cid, block).expect("its id")))
            .unwrap();
        until("it is announced", || async {
            files.announce(&cid).await.ok()
        })
        .await;
        let place = inside.join(name);
        let (cid, url) = (cid.to_string(), scene.relay.url());
        let place_text = place.to_str().expect("text");
        let output = run(&[
            "get", &cid, "-o", place_text, "--join", &url, "--listen", ANY_PORT,
        ])
        .await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name}: {told}");
        assert!(told.contains("directory"), "{name}: {told}");
        assert!(!place.exists() && !beside(&inside, "evil"), "{name}");
    }
    peer.node.close().await;
}

/// Whether there is a file of this name in a folder or above it.
fn beside(folder: &Path, name: &str) -> bool {
    folder.join(name).exists() || folder.with_file_name(name).exists()
}
