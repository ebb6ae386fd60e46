//! Sharers and downloaders that are killed at any moment: no wrong byte, and no piece lost of which the downloader has said
//! that it is durable.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use warren_shared::limits::PIECE;
use warren_shared::proto::files::kept::KeptMap;
use warren_tests::count;
use warren_tests::program::Program;
use warren_tests::random::Random;
use warren_tests::relays::{ANY_PORT, TestRelay};

/// Pieces of a file, sent slowly enough to be killed while they are.
const PIECES: usize = 40;
const KIB_A_SECOND: &str = "4096";

/// A file, who shares it, and who fetches it.
struct Scene {
    url: String,
    folder: TempDir,
    original: PathBuf,
    bytes: Vec<u8>,
    sharer: Option<Program>,
    getter: Option<Program>,
    cid: String,
    /// What the downloader has said that is durable, in pieces.
    kept: u64,
    /// It has said that all is there.
    done: bool,
    finished: usize,
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in text")
}

fn number(event: &Value, field: &str) -> u64 {
    event[field].as_u64().expect("a number")
}

impl Scene {
    fn new(url: String, random: &mut Random) -> Scene {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut scene = Scene {
            url,
            original: folder.path().join("original"),
            folder,
            bytes: Vec::new(),
            sharer: None,
            getter: None,
            cid: String::new(),
            kept: 0,
            done: false,
            finished: 0,
        };
        scene.renew(random);
        scene
    }

    /// Another file, to be fetched from the beginning.
    fn renew(&mut self, random: &mut Random) {
        let shorter = 1 + random.below(1_000);
        self.bytes = random.bytes(PIECES * PIECE as usize - shorter);
        std::fs::write(&self.original, &self.bytes).expect("written");
        (self.kept, self.done) = (0, false);
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("copy")
    }

    /// Starts what does not run, and waits until it is at work.
    async fn start(&mut self) {
        if self.sharer.is_none() {
            let data = self.folder.path().join("sharer");
            let mut sharer = Program::start(&[
                "share",
                text(&self.original),
                "--limit-rate",
                KIB_A_SECOND,
                "--data-dir",
                text(&data),
                "--listen",
                ANY_PORT,
                "--join",
                &self.url,
                "--json",
            ]);
            let shared = sharer.event("sharing").await;
            self.cid = shared["cid"].as_str().expect("an id").to_owned();
            sharer.event("ready").await;
            self.sharer = Some(sharer);
        }
        if self.getter.is_none() {
            let copy = self.copy();
            let mut program = Program::start(&[
                "get",
                &self.cid,
                "-o",
                text(&copy),
                "--listen",
                ANY_PORT,
                "--join",
                &self.url,
                "--json",
            ]);
            // It may have been killed just after its last step.
            let event = program.one_of(&["found", "done"]).await;
            self.done = event["event"] == "done";
            if !self.done {
                let had = number(&event, "had");
                // The last piece is a little shorter.
                let short = (PIECES as u64 * PIECE) - self.bytes.len() as u64;
                let least = (self.kept * PIECE).saturating_sub(short);
                assert!(had >= least, "{had} bytes of {} pieces are left", self.kept);
            }
            self.getter = Some(program);
        }
    }

    /// Kills the downloader: what it has said until then counts, and what its map says is right.
    async fn kill_getter(&mut self) {
        let Some(getter) = self.getter.take() else {
            return;
        };
        for event in getter.kill_and_read("progress").await {
            self.kept = self.kept.max(number(&event, "kept"));
        }
        self.check();
    }

    async fn kill_sharer(&mut self) {
        if let Some(sharer) = self.sharer.take() {
            sharer.kill().await;
        }
    }

    /// Each byte that is called durable is the original's.
    fn check(&self) {
        if self.copy().exists() {
            assert!(
                std::fs::read(self.copy()).expect("the copy") == self.bytes,
                "a wrong byte"
            );
            return;
        }
        let part = self.folder.path().join("copy.part");
        let read = |end: &str| std::fs::read(part.join(format!("{}.{end}", self.cid)));
        // It may be killed before there is anything.
        let (Ok(map), Ok(data)) = (read("map"), read("data")) else {
            assert_eq!(self.kept, 0, "a map is lost");
            return;
        };
        let pieces = KeptMap::salvage(&map).map(|(map, _)| map.pieces);
        let Ok(pieces) = pieces else {
            assert_eq!(self.kept, 0, "a map is lost");
            return;
        };
        assert!(
            pieces.count() >= self.kept,
            "{} of {}",
            pieces.count(),
            self.kept
        );
        for piece in pieces.iter() {
            let from = (piece * PIECE) as usize;
            let to = (from + PIECE as usize).min(self.bytes.len());
            assert!(
                data.get(from..to) == self.bytes.get(from..to),
                "a wrong byte in piece {piece}"
            );
        }
    }

    /// Whether all of it came; otherwise the downloader has told once more how far it is.
    async fn goes_on(&mut self) -> bool {
        if self.done {
            return true;
        }
        let Some(getter) = &mut self.getter else {
            return false;
        };
        let event = getter.one_of(&["progress", "done"]).await;
        if event["event"] == "progress" {
            self.kept = self.kept.max(number(&event, "kept"));
            return false;
        }
        self.done = true;
        true
    }

    /// All of it came: it is right, and another file is next.
    async fn finish(&mut self, random: &mut Random) {
        let getter = self.getter.take().expect("it ran");
        assert!(getter.ended().await.success());
        self.check();
        std::fs::remove_file(self.copy()).expect("removed");
        self.kill_sharer().await;
        self.renew(random);
        self.finished += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_at_any_moment_no_byte_is_wrong_and_no_piece_is_lost() {
    let mut random = Random::new();
    let relay = TestRelay::first().await;
    let mut scene = Scene::new(relay.url(), &mut random);
    for _ in 0..count(20, 1_000) {
        scene.start().await;
        // Any moment: between two things that it says, or right after it has begun.
        for _ in 0..random.below(4) {
            scene.goes_on().await;
        }
        if scene.done {
            scene.finish(&mut random).await;
            continue;
        }
        let moment = Duration::from_millis(random.below(150) as u64);
        tokio::time::sleep(moment).await;
        // A downloader without a source waits for seconds: it is rarely left alone.
        let (both, sharer) = (random.chance(30), random.chance(5));
        if both || sharer {
            scene.kill_sharer().await;
        }
        if both || !sharer {
            scene.kill_getter().await;
        }
    }
    // What is left is fetched to its end.
    scene.start().await;
    while !scene.goes_on().await {}
    scene.finish(&mut random).await;
    relay.stop().await;
    println!("{} files were fetched meanwhile", scene.finished);
}
