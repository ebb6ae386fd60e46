//! Files as people share and fetch them: `warren share`, `get`, `ls` and `search`, through a relay.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use warren_shared::error::Code;
use warren_shared::limits::PIECE;
use warren_shared::proto::files::cid::Cid;
use warren_tests::count;
use warren_tests::program::{Program, run};
use warren_tests::random::Random;
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::until;

/// A running `warren share`.
struct Sharer {
    program: Program,
    /// What it says of each path, in their order.
    shared: Vec<Value>,
    peer: String,
}

impl Sharer {
    async fn start(url: &str, paths: &[&Path], more: &[&str]) -> Sharer {
        let paths: Vec<&str> = paths.iter().map(|path| text(path)).collect();
        let flags = ["--listen", ANY_PORT, "--join", url, "--json"];
        let mut program = Program::start(&[&["share"], &paths[..], &flags, more].concat());
        let mut shared = Vec::new();
        for _ in paths {
            shared.push(program.event("sharing").await);
        }
        let peer = word(&program.event("ready").await, "peer");
        Sharer {
            program,
            shared,
            peer,
        }
    }

    fn link(&self, at: usize) -> String {
        word(&self.shared[at], "link")
    }

    fn cid(&self, at: usize) -> String {
        word(&self.shared[at], "cid")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in text")
}

fn word(event: &Value, field: &str) -> String {
    event[field].as_str().expect("a text").to_owned()
}

fn number(event: &Value, field: &str) -> u64 {
    event[field].as_u64().expect("a number")
}

fn get_args<'a>(url: &'a str, what: &'a str, place: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let flags = ["--listen", ANY_PORT, "--join", url, "--json"];
    [&["get", what, "-o", text(place)], &flags[..], more].concat()
}

/// Runs `warren get`: the event with which it ends.
async fn get(url: &str, what: &str, place: &Path, more: &[&str]) -> Result<Value, (Code, String)> {
    let output = run(&get_args(url, what, place, more)).await;
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        let status = output.status.code().expect("it ended by itself");
        let codes = Code::ALL.iter();
        let mut codes = codes.filter(|code| i32::from(code.exit_status()) == status);
        return Err((*codes.next().expect("one of ours"), told(&output.stderr)));
    }
    let out = told(&output.stdout);
    let last = out.lines().last().expect("an event");
    let event: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(event["event"], "done");
    Ok(event)
}

/// Runs `warren ls` or `warren search`: what they print.
async fn found(args: &[&str], url: &str) -> Vec<Value> {
    let output = run(&[args, &["--join", url, "--json"]].concat()).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let out = String::from_utf8(output.stdout).expect("text");
    let lines = out.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Runs `warren ls` about this machine.
async fn found_here(data: &Path) -> Vec<Value> {
    let output = run(&["ls", "--data-dir", text(data), "--json"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let out = String::from_utf8(output.stdout).expect("text");
    let lines = out.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn written(folder: &TempDir, name: &str, size: usize) -> std::path::PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, Random::new().bytes(size)).expect("written");
    path
}

fn same(one: &Path, other: &Path) -> bool {
    std::fs::read(one).expect("the original") == std::fs::read(other).expect("the copy")
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_shared_found_and_fetched() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let url = relay.url();
    let film = written(&folder, "Red sea.film", 3 * PIECE as usize + 123);
    let small = folder.path().join("abc");
    std::fs::write(&small, "abc").unwrap();
    let sharer = Sharer::start(&url, &[&film, &small], &["--tag", "holiday 2024"]).await;

    let copy = folder.path().join("copy");
    let done = get(&url, &sharer.link(0), &copy, &[])
        .await
        .expect("fetched");
    assert!(same(&film, &copy));
    assert_eq!(number(&done, "came"), number(&done, "size"));
    assert!(!folder.path().join("copy.part").exists(), "nothing is left");
    let again = get(&url, &sharer.cid(0), &copy, &[]).await.expect("there");
    assert_eq!(number(&again, "came"), 0, "it was there already");
    assert_eq!(number(&again, "had"), number(&again, "size"));
    assert_eq!(number(&again, "size"), number(&done, "size"));

    let copy = folder.path().join("small");
    let from = ["--sha256", "--from", &sharer.peer];
    let done = get(&url, &sharer.cid(1), &copy, &from)
        .await
        .expect("fetched");
    let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(done["sha256"], sum);

    let listed = found(&["ls", &sharer.peer], &url).await;
    let mut cids: Vec<String> = listed.iter().map(|line| word(line, "cid")).collect();
    cids.sort();
    let mut wanted = vec![sharer.cid(0), sharer.cid(1)];
    wanted.sort();
    assert_eq!(cids, wanted);
    let hits = until("its words are announced", || async {
        let hits = found(&["search", "RED", "holiday"], &url).await;
        (hits.len() == 2).then_some(hits)
    })
    .await;
    assert_eq!(hits[0]["cid"], sharer.cid(0), "the one with both words");
    assert_eq!(hits[0]["holders"], serde_json::json!([sharer.peer]));
    assert!(sharer.program.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_is_told_and_touches_nothing() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let url = relay.url();
    let original = written(&folder, "original", 1_000);
    let sharer = Sharer::start(&url, &[&original], &[]).await;
    let mine = written(&folder, "mine", 50);
    let before = std::fs::read(&mine).unwrap();
    let (code, told) = get(&url, &sharer.cid(0), &mine, &[]).await.unwrap_err();
    assert_eq!(code, Code::InvalidArgument, "{told}");
    assert!(told.contains("--output"), "{told}");
    assert_eq!(std::fs::read(&mine).unwrap(), before);

    let nowhere = folder.path().join("nowhere");
    let nobody = Cid::file([9; 32]).to_string();
    let (code, told) = get(&url, &nobody, &nowhere, &["--patience", "1"])
        .await
        .unwrap_err();
    assert_eq!(code, Code::NotFound, "{told}");
    assert!(!nowhere.exists());
    let (code, _) = get(&url, "no id", &nowhere, &[]).await.unwrap_err();
    assert_eq!(code, Code::InvalidArgument);
    assert!(sharer.program.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_many_small_files_is_fetched() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let (url, mut random) = (relay.url(), Random::new());
    let root = folder.path().join("many");
    let files = count(150, 5_000);
    for number in 0..files {
        let place = root.join(format!("part {}", number % 7));
        std::fs::create_dir_all(&place).unwrap();
        let size = random.below(4_000);
        std::fs::write(place.join(format!("file {number}")), random.bytes(size)).unwrap();
    }
    std::fs::write(root.join("empty"), "").unwrap();
    std::fs::write(root.join("large"), random.bytes(5 * PIECE as usize + 1)).unwrap();
    let sharer = Sharer::start(&url, &[&root], &[]).await;
    assert_eq!(number(&sharer.shared[0], "files"), files as u64 + 2);
    let copy = folder.path().join("copy");
    let done = get(&url, &sharer.link(0), &copy, &[])
        .await
        .expect("fetched");
    assert_eq!(number(&done, "came"), number(&sharer.shared[0], "size"));
    for number in 0..files {
        let name = format!("part {}/file {number}", number % 7);
        assert!(same(&root.join(&name), &copy.join(&name)), "{name}");
    }
    for name in ["empty", "large"] {
        assert!(same(&root.join(name), &copy.join(name)), "{name}");
    }
    std::fs::remove_file(copy.join("large")).unwrap();
    let again = get(&url, &sharer.link(0), &copy, &[])
        .await
        .expect("fetched");
    assert_eq!(
        number(&again, "came"),
        5 * PIECE + 1,
        "only what was missing"
    );
    assert!(sharer.program.terminate().await.success());
    relay.stop().await;
}

/// Starts `warren get` and waits until so many pieces are durable.
async fn begun(url: &str, what: &str, place: &Path, pieces: u64) -> (Program, u64) {
    let mut getter = Program::start(&get_args(url, what, place, &[]));
    loop {
        let kept = number(&getter.event("progress").await, "kept");
        if kept >= pieces {
            return (getter, kept);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_loses_no_piece_and_fetches_none_again() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let url = relay.url();
    let original = written(&folder, "original", 24 * PIECE as usize + 7);
    // Slow enough to be killed while it sends.
    let slow = ["--limit-rate", "1024"];
    let sharer = Sharer::start(&url, &[&original], &slow).await;
    let (cid, copy) = (sharer.cid(0), folder.path().join("copy"));
    let mut kept = 0;
    for round in 0..count(2, 4) as u64 {
        let (getter, pieces) = begun(&url, &cid, &copy, kept + 2).await;
        assert!(pieces >= kept, "round {round}: nothing is lost");
        kept = pieces;
        getter.kill().await;
        assert!(!copy.exists(), "nothing half-done is called whole");
    }
    let mut getter = Program::start(&get_args(&url, &cid, &copy, &[]));
    let found = getter.event("found").await;
    let had = number(&found, "had");
    assert!(had >= kept * PIECE, "{had} bytes of {kept} pieces");
    // Its source is killed, too, and another one comes.
    sharer.program.kill().await;
    let other = Sharer::start(&url, &[&original], &[]).await;
    let done = getter.event("done").await;
    assert!(getter.ended().await.success());
    assert!(same(&original, &copy));
    assert_eq!(
        number(&done, "came") + had,
        number(&done, "size"),
        "nothing that was there is fetched again"
    );
    assert!(other.program.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fetches_what_has_changed_is_told_so() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let url = relay.url();
    let path = written(&folder, "diary", 4 << 20);
    // It does not look again by itself.
    let sharer = Sharer::start(&url, &[&path], &["--rescan", "86400"]).await;
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len() - 10;
    bytes[end] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let copy = folder.path().join("copy");
    let got = get(&url, &sharer.cid(0), &copy, &["--patience", "2"]).await;
    let (code, told) = got.unwrap_err();
    assert_eq!(code, Code::NotFound, "{told}");
    assert!(
        told.contains("has changed") && told.contains("new id"),
        "{told}"
    );
    assert!(!copy.exists());
    assert!(sharer.program.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_shared_as_what_it_is_then() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let (url, data) = (relay.url(), tempfile::tempdir().unwrap());
    let path = written(&folder, "diary", 2_000);
    let more = ["--rescan", "1", "--data-dir", text(data.path())];
    let mut sharer = Sharer::start(&url, &[&path], &more).await;
    let before = sharer.cid(0);
    let here = found_here(data.path()).await;
    assert_eq!(
        (word(&here[0], "cid"), &here[0]["running"]),
        (before.clone(), &Value::Bool(true))
    );
    assert_eq!(here.len(), 1);
    std::fs::write(&path, "another day").unwrap();
    let changed = sharer.program.event("changed").await;
    assert_eq!(word(&changed, "before"), before);
    let copy = folder.path().join("copy");
    let link = word(&changed, "link");
    get(&url, &link, &copy, &[]).await.expect("fetched");
    assert!(same(&path, &copy));
    let (code, told) = get(
        &url,
        &before,
        &folder.path().join("old"),
        &["--patience", "2"],
    )
    .await
    .unwrap_err();
    assert_eq!(code, Code::NotFound, "{told}");
    std::fs::remove_file(&path).unwrap();
    sharer.program.event("unavailable").await;
    std::fs::write(&path, "back again").unwrap();
    let changed = sharer.program.event("changed").await;
    until("it is said here, too", || async {
        let here = found_here(data.path()).await;
        let same = here.iter().any(|line| line["cid"] == changed["cid"]);
        same.then_some(())
    })
    .await;
    assert!(sharer.program.terminate().await.success());
    let here = found_here(data.path()).await;
    let left = (word(&here[0], "path"), &here[0]["running"]);
    let place = path.canonicalize().expect("it is there");
    assert_eq!(left, (text(&place).to_owned(), &Value::Bool(false)));
    let nobody = run(&["ls", "--json"]).await;
    let told = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(
        told.contains("--data-dir") && !nobody.status.success(),
        "{told}"
    );
    relay.stop().await;
}

/// A disk of so many bytes. Gone when it is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Nothing where this user may not mount one.
    fn mount(size: usize) -> Option<SmallDisk> {
        let disk = SmallDisk(tempfile::tempdir().expect("a folder"));
        let mounted = disk.call(
            "mount",
            &["-t", "tmpfs", "-o", &format!("size={size}"), "none"],
        );
        mounted.then_some(disk)
    }

    fn grow(&self, size: usize) {
        let grown = self.call("mount", &["-o", &format!("remount,size={size}")]);
        assert!(grown, "it grows");
    }

    fn call(&self, command: &str, args: &[&str]) -> bool {
        let mut command = std::process::Command::new(command);
        let status = command.args(args).arg(self.0.path()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.call("umount", &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_the_transfer_goes_on_after_space_is_made() {
    let Some(disk) = SmallDisk::mount(8 * PIECE as usize) else {
        return println!("not run: this user may not mount a small disk");
    };
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let (url, copy) = (relay.url(), disk.0.path().join("copy"));
    let original = written(&folder, "original", 12 * PIECE as usize + 7);
    let sharer = Sharer::start(&url, &[&original], &[]).await;
    let (code, told) = get(&url, &sharer.cid(0), &copy, &[]).await.unwrap_err();
    assert_eq!(code, Code::StorageFailed, "{told}");
    assert!(told.contains("Make room"), "{told}");
    assert!(!copy.exists(), "nothing half-done is called whole");

    disk.grow(64 * PIECE as usize);
    let done = get(&url, &sharer.cid(0), &copy, &[])
        .await
        .expect("fetched");
    assert!(same(&original, &copy));
    assert!(
        number(&done, "came") < number(&done, "size"),
        "what had come is not fetched again"
    );
    assert!(sharer.program.terminate().await.success());
    relay.stop().await;
}
