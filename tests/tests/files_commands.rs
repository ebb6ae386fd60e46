//! What people expect of `warren share`, `get`, `ls` and `search` who know other commands: where files go, what is found,
//! what is said when something is not there, and how a share ends.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;
use warren_shared::error::Code;
use warren_shared::limits::PIECE;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::key::SigningKey;
use warren_tests::program::{Program, run};
use warren_tests::random::Random;
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::until;

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in text")
}

fn word(event: &Value, field: &str) -> String {
    event[field].as_str().expect("a text").to_owned()
}

/// With which error a program ended, and all that it said about it.
fn failure(output: &Output) -> (Option<Code>, String) {
    let mut codes = Code::ALL.iter().copied();
    let status = output.status.code().expect("it ended by itself");
    let code = codes.find(|code| i32::from(code.exit_status()) == status);
    (code, told(output))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts `warren share`: the program, and what it says of the path.
async fn share(url: &str, path: &Path, more: &[&str]) -> (Program, Value) {
    let flags = ["--listen", ANY_PORT, "--join", url, "--json"];
    let mut program = Program::start(&[&["share", text(path)], &flags[..], more].concat());
    let shared = program.event("sharing").await;
    program.event("ready").await;
    (program, shared)
}

/// Runs `warren get` through a relay.
async fn get(url: &str, what: &str, more: &[&str]) -> Output {
    let flags = ["--listen", ANY_PORT, "--join", url];
    run(&[&["get", what], &flags[..], more].concat()).await
}

fn fine(output: &Output) {
    assert!(output.status.success(), "{}", told(output));
}

async fn search(url: &str, words: &[&str]) -> Vec<Value> {
    let output = run(&[&["search"], words, &["--join", url, "--json"]].concat()).await;
    fine(&output);
    let lines = String::from_utf8(output.stdout).expect("text");
    let lines = lines.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON")
}

fn names(hits: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = hits.iter().map(|hit| word(hit, "name")).collect();
    names.sort();
    names
}

/// A folder with a film and a text in it.
fn films(folder: &TempDir) -> PathBuf {
    let root = folder.path().join("films");
    std::fs::create_dir_all(root.join("deep")).expect("made");
    std::fs::write(root.join("Red sea.film"), Random::new().bytes(5_000)).expect("written");
    std::fs::write(root.join("deep/blue.txt"), "abc").expect("written");
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_directory_are_found_and_fetched_alone() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let (url, root) = (relay.url(), films(&folder));
    let (sharer, shared) = share(&url, &root, &["--tag", "holiday"]).await;
    assert_eq!((&shared["files"], &shared["found"]), (&json!(2), &json!(2)));
    let hits = until("the words of its files are announced", || async {
        let hits = search(&url, &["RED", "deep"]).await;
        (hits.len() == 2).then_some(hits)
    })
    .await;
    assert_eq!(names(&hits), ["Red sea.film", "blue.txt"]);
    let blue = hits.iter().find(|hit| hit["name"] == "blue.txt");
    let blue = blue.expect("it is found");
    assert_eq!(blue["tags"], json!(["films/deep", "holiday"]));
    until("all of it is found by the tag", || async {
        let hits = search(&url, &["holiday"]).await;
        (names(&hits) == ["Red sea.film", "blue.txt", "films"]).then_some(())
    })
    .await;

    // One of them, into a folder that is there.
    let place = folder.path().join("there");
    std::fs::create_dir(&place).expect("made");
    let link = word(blue, "link");
    fine(&get(&url, &link, &["-o", text(&place)]).await);
    assert_eq!(std::fs::read(place.join("blue.txt")).unwrap(), b"abc");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);

    // The whole directory becomes the folder that is named, with a sum for each file.
    let link = word(&shared, "link");
    let copy = folder.path().join("copy");
    let output = get(&url, &link, &["-o", text(&copy), "--sha256", "--json"]).await;
    fine(&output);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let done: Value = serde_json::from_str(lines.lines().last().expect("an event")).unwrap();
    let copied = copy.join("deep/blue.txt");
    assert_eq!(done["sha256"][text(&copied)], ABC, "{done}");
    assert_eq!(done["sha256"].as_object().map(|sums| sums.len()), Some(2));
    let output = get(&url, &link, &["-o", text(&copy), "--sha256"]).await;
    fine(&output);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = format!("{ABC}  {}", copied.display());
    assert!(lines.lines().any(|other| other == line), "{lines}");
    assert!(!copy.join("films").exists(), "the same command goes on");

    assert!(sharer.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_any_more_is_not_found_and_that_is_said() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let (url, root) = (relay.url(), films(&folder));
    let (mut sharer, _) = share(&url, &root, &["--rescan", "1"]).await;
    until("the film is found", || async {
        let hits = search(&url, &["red"]).await;
        (names(&hits) == ["Red sea.film"]).then_some(())
    })
    .await;
    std::fs::remove_file(root.join("Red sea.film")).expect("removed");
    assert_eq!(sharer.event("changed").await["found"], 1);
    until("the film is not found any more", || async {
        search(&url, &["red"]).await.is_empty().then_some(())
    })
    .await;
    let output = run(&["search", "red", "--join", &url]).await;
    fine(&output);
    assert!(output.stdout.is_empty());
    assert!(told(&output).contains("whole words"), "{}", told(&output));
    assert!(sharer.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_where_it_is_sent() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let url = relay.url();
    let original = folder.path().join("original");
    let bytes = Random::new().bytes(2 * PIECE as usize + 7);
    std::fs::write(&original, &bytes).expect("written");
    let (sharer, shared) = share(&url, &original, &[]).await;
    let (cid, link) = (word(&shared, "cid"), word(&shared, "link"));

    // To a pipe: nothing else comes there, and nothing is left.
    let output = get(&url, &link, &["-o", "-", "--sha256"]).await;
    fine(&output);
    assert!(output.stdout == bytes, "a wrong byte");
    let sum = told(&output);
    let sum = sum.lines().find(|line| line.ends_with("  -"));
    assert_eq!(sum.map(|line| line.len()), Some(64 + 3));
    assert!(!Path::new(&format!("{cid}.part")).exists());
    let output = get(&url, &cid, &["-o", "-", "--json"]).await;
    fine(&output);
    assert!(output.stdout == bytes, "events are not in it");
    assert!(told(&output).contains("\"done\""), "{}", told(&output));

    // Folders are not made.
    for missing in ["new/deep", "new/"] {
        let place = folder.path().join(missing);
        let output = get(&url, &link, &["-o", text(&place)]).await;
        let (code, told) = failure(&output);
        assert_eq!(code, Some(Code::InvalidArgument), "{told}");
        assert!(told.contains("mkdir"), "{told}");
    }
    assert!(!folder.path().join("new").exists());
    let directory = Cid::directory([7; 32]).to_string();
    let (code, told) = failure(&get(&url, &directory, &["-o", "-"]).await);
    assert_eq!(code, Some(Code::InvalidArgument), "{told}");
    assert!(sharer.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_link_is_where_to_join() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let url = relay.url();
    let original = folder.path().join("original");
    std::fs::write(&original, "abc").expect("written");
    let (sharer, shared) = share(&url, &original, &[]).await;
    let cid = word(&shared, "cid");
    let (copy, other) = (folder.path().join("copy"), folder.path().join("other"));
    let page = format!("{}/#/f/{cid}?name=abc", url.trim_end_matches('/'));
    let output = run(&["get", &page, "-o", text(&copy), "--listen", ANY_PORT]).await;
    fine(&output);
    assert_eq!(std::fs::read(&copy).unwrap(), b"abc");
    assert!(
        told(&output).contains("joining through"),
        "{}",
        told(&output)
    );
    // Not where another relay is named.
    let nowhere = format!("http://127.0.0.1:1/#/f/{cid}?name=abc");
    fine(&get(&url, &nowhere, &["-o", text(&other)]).await);
    assert_eq!(std::fs::read(&other).unwrap(), b"abc");
    let output = run(&["get", &nowhere, "--listen", ANY_PORT]).await;
    let (code, told) = failure(&output);
    assert_eq!(code, Some(Code::JoinFailed), "{told}");
    assert!(told.contains("--join"), "{told}");
    let output = run(&["get", &cid, "--listen", ANY_PORT]).await;
    assert_eq!(failure(&output).0, Some(Code::InvalidArgument));
    assert!(sharer.terminate().await.success());
    relay.stop().await;
}

/// Runs `warren share --keep --leave` to its end.
async fn leave(url: &str, path: &Path) -> Output {
    let args = [
        "share",
        text(path),
        "--keep",
        "--leave",
        "--listen",
        ANY_PORT,
    ];
    run(&[&args[..], &["--join", url]].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_ends_when_relays_keep_it_and_says_whether_they_do() {
    let folder = tempfile::tempdir().unwrap();
    let quota = (64 * PIECE).to_string();
    let keeping = TestRelay::start(|args| args.pin_quota = Some(quota)).await;
    let keeping = keeping.expect("the relay starts");
    let original = folder.path().join("original");
    std::fs::write(&original, "abc").expect("written");
    let output = leave(&keeping.url(), &original).await;
    fine(&output);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let by = format!("kept by relay {}", keeping.id());
    assert!(said.contains(&by) && said.contains(" until "), "{said}");
    let copy = folder.path().join("copy");
    let hits = until("the relay lists it", || async {
        let hits = search(&keeping.url(), &["original"]).await;
        (!hits.is_empty()).then_some(hits)
    })
    .await;
    let cid = word(&hits[0], "cid");
    fine(&get(&keeping.url(), &cid, &["-o", text(&copy)]).await);
    assert_eq!(std::fs::read(&copy).unwrap(), b"abc");

    keeping.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_relay_keeps_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    // A file and what lies beside it take more than one author gets.
    let quota = PIECE.to_string();
    let keeping = TestRelay::start(|args| args.pin_quota = Some(quota)).await;
    let keeping = keeping.expect("the relay starts");
    let large = folder.path().join("large");
    std::fs::write(&large, Random::new().bytes(PIECE as usize / 4)).expect("written");
    let (code, told) = failure(&leave(&keeping.url(), &large).await);
    assert_eq!(code, Some(Code::TooLarge), "{told}");
    assert!(told.contains("larger --pin-quota"), "{told}");
    keeping.stop().await;
    let plain = TestRelay::first().await;
    let original = folder.path().join("original");
    std::fs::write(&original, "abc").expect("written");
    let (code, told) = failure(&leave(&plain.url(), &original).await);
    assert_eq!(code, Some(Code::Unsupported), "{told}");
    assert!(told.contains("--pin-quota"), "{told}");
    let output = run(&["share", text(&original), "--leave", "--join", &plain.url()]).await;
    assert!(!output.status.success(), "only with --keep");
    plain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_without_a_word_and_a_peer_that_is_not_there_are_mistakes() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let (url, original) = (relay.url(), folder.path().join("original"));
    std::fs::write(&original, "abc").expect("written");
    let output = run(&["share", text(&original), "--tag", "", "--join", &url]).await;
    let (code, told) = failure(&output);
    assert_eq!(code, Some(Code::InvalidArgument), "{told}");
    assert!(told.contains("letter or digit"), "{told}");
    let nobody = SigningKey::from_seed([9; 32]).public().to_peer_id();
    let nobody = nobody.to_string();
    let output = run(&["ls", &nobody, "--join", &url]).await;
    assert!(!output.status.success());
    let told = failure(&output).1;
    assert!(told.contains("cannot be reached"), "{told}");
    assert!(told.contains("warren share"), "{told}");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_files_of_a_directory_come_to_all_their_places() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let (url, root) = (relay.url(), films(&folder));
    // Too large to be fetched in memory, all of them at the same time.
    let bytes = Random::new().bytes(5 * PIECE as usize);
    let equal = ["a.film", "b.film", "deep/c.film", "deep/d.film"];
    for path in equal {
        std::fs::write(root.join(path), &bytes).expect("written");
    }
    std::fs::write(root.join("green.txt"), "abc").expect("written");
    let (sharer, shared) = share(&url, &root, &[]).await;
    let (link, copy) = (word(&shared, "link"), folder.path().join("copy"));
    fine(&get(&url, &link, &["-o", text(&copy)]).await);
    let all_there = || {
        for path in equal {
            let found = std::fs::read(copy.join(path)).expect("it is there");
            assert!(found == bytes, "{path}");
        }
        for path in ["green.txt", "deep/blue.txt"] {
            let found = std::fs::read(copy.join(path)).expect("it is there");
            assert_eq!(found, b"abc", "{path}");
        }
    };
    all_there();
    for path in ["a.film", "deep/d.film", "green.txt"] {
        std::fs::remove_file(copy.join(path)).expect("removed");
    }
    fine(&get(&url, &link, &["-o", text(&copy)]).await);
    all_there();
    assert!(sharer.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_one_of_two_shared_paths_is_shared_of_the_other() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let (url, root) = (relay.url(), films(&folder));
    let alone = folder.path().join("alone.txt");
    std::fs::write(&alone, "abc").expect("written");
    let more = [text(&root), "--rescan", "1"];
    let (mut sharer, shared) = share(&url, &alone, &more).await;
    std::fs::remove_file(root.join("deep/blue.txt")).expect("removed");
    sharer.event("changed").await;
    let (cid, copy) = (word(&shared, "cid"), folder.path().join("copy"));
    fine(&get(&url, &cid, &["-o", text(&copy)]).await);
    assert_eq!(std::fs::read(&copy).unwrap(), b"abc");
    until("it is found by its own name again", || async {
        let hits = search(&url, &["alone"]).await;
        (names(&hits) == ["alone.txt"]).then_some(())
    })
    .await;
    assert!(sharer.terminate().await.success());
    relay.stop().await;
}
