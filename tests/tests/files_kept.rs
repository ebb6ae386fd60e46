//! Relays keep files for publishers that leave: found, fetched and listed there, within a quota, against a denylist, over a
//! restart of the relay.

mod keeping_relay;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{AsyncReadExt, AsyncWriteExt};
use serde_json::Value;
use warren_relay::files::SharedFile;
use warren_relay::peer::Peer;
use warren_shared::error::{Code, Result};
use warren_shared::limits::{DAY, HOUR, PIECE};
use warren_shared::net::files::{Files, Held};
use warren_shared::net::{connected, protocols};
use warren_shared::proto::Millis;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::keeping::{KeepAnswer, KeepRefusal, KeepRequest};
use warren_shared::proto::files::search::Listing;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::record::wire::encode_frame;
use warren_tests::peers::member;
use warren_tests::program::{Program, run};
use warren_tests::random::Random;
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::{until, within};

use self::keeping_relay::Scene;

impl Scene {
    fn written(&self, name: &str, size: usize) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, Random::new().bytes(size)).expect("written");
        path
    }

    /// What a getter says who finds nobody, or nothing when the file came and is right.
    async fn get(
        &self,
        relay: &TestRelay,
        cid: &str,
        original: &Path,
        patience: &str,
    ) -> Option<String> {
        let copy = self.path(&format!("copy of {cid}"));
        let _ = std::fs::remove_file(&copy);
        let (url, place) = (relay.url(), text(&copy));
        let output = run(&[
            "get",
            cid,
            "-o",
            place,
            "--join",
            &url,
            "--listen",
            ANY_PORT,
            "--patience",
            patience,
        ])
        .await;
        if !output.status.success() {
            return Some(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let [one, other] = [original, &copy].map(|path| std::fs::read(path).expect("a file"));
        assert!(one == other, "a wrong byte");
        None
    }

    async fn found(&self, relay: &TestRelay, words: &str) -> Vec<Value> {
        let output = run(&["search", words, "--join", &relay.url(), "--json"]).await;
        assert!(output.status.success());
        let lines = String::from_utf8(output.stdout).expect("text");
        let lines = lines.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().expect("JSON")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in text")
}

fn word(event: &Value, field: &str) -> String {
    event[field].as_str().expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_publisher_shared_is_there_when_it_has_left_and_the_relay_was_restarted() {
    let scene = Scene::new(64 * PIECE);
    let relay = scene.relay().await;
    let film = scene.written("Red sea.film", 3 * PIECE as usize + 123);
    let url = relay.url();
    let mut sharer = Program::start(&[
        "share",
        text(&film),
        "--tag",
        "holiday",
        "--keep",
        "--keep-days",
        "7",
        "--listen",
        ANY_PORT,
        "--join",
        &url,
        "--json",
    ]);
    let cid = word(&sharer.event("sharing").await, "cid");
    let kept = sharer.event("kept").await;
    assert_eq!(
        (word(&kept, "cid"), word(&kept, "relay")),
        (cid.clone(), relay.id().to_string())
    );
    assert_eq!(sharer.event("keeping").await["relays"], 1);
    assert!(sharer.terminate().await.success());

    assert_eq!(scene.get(&relay, &cid, &film, "40").await, None);
    relay.stop().await;
    let relay = scene.relay().await;
    assert_eq!(scene.get(&relay, &cid, &film, "40").await, None);
    let hits = until("its words are announced again", || async {
        let hits = scene.found(&relay, "holiday").await;
        (!hits.is_empty()).then_some(hits)
    })
    .await;
    assert_eq!((hits.len(), word(&hits[0], "cid")), (1, cid.clone()));

    // The operator does not want it: it is gone, and whoever asks is told so.
    std::fs::write(scene.path("denied"), format!("{cid}  # why\n")).unwrap();
    until("it is removed", || async {
        let kept = relay.relay().kept().expect("it keeps files");
        (kept.usage() == (0, 0)).then_some(())
    })
    .await;
    let left = std::fs::read_dir(scene.path("relay/kept")).unwrap().count();
    assert_eq!(left, 0, "nothing of it is on the disk");
    let told = scene.get(&relay, &cid, &film, "2").await;
    assert!(told.is_some(), "it is not served any more");
    assert!(scene.found(&relay, "holiday").await.is_empty());
    let mut again = Program::start(&[
        "share",
        text(&film),
        "--keep",
        "--listen",
        ANY_PORT,
        "--join",
        &relay.url(),
        "--json",
    ]);
    let refused = again.event("notKept").await;
    assert_eq!(refused["error"]["code"], Code::Refused.as_str());
    assert_eq!(again.event("keeping").await["relays"], 0);
    assert!(again.terminate().await.success());
    relay.stop().await;
}

/// Somebody who shares files of a piece, and asks for them to be kept.
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

    fn share(&self, path: &Path) -> Listing {
        let file = SharedFile::hash(path).expect("hashed");
        let listing = Listing {
            cid: file.cid(),
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            size: file.tree().size(),
            media: String::new(),
            tags: Vec::new(),
        };
        self.files.share(Arc::new(file)).expect("shared");
        listing
    }

    fn request(&self, listing: &Listing, (from, until): (Millis, Millis)) -> KeepRequest {
        let network = self.peer.node.network();
        KeepRequest::sign(listing, &self.key, network, (from, until)).expect("signed")
    }

    async fn keep(&self, relay: &TestRelay, request: &KeepRequest) -> Result<Millis> {
        let route = connected(relay.id());
        let asking = self.files.ask_to_keep(&route, request, |_| {});
        within("the relay decides", asking).await
    }
}

fn code(outcome: Result<Millis>) -> Option<Code> {
    outcome.err().map(|error| error.code())
}

/// How many files a relay keeps.
fn count_of(relay: &TestRelay) -> usize {
    relay.relay().kept().expect("it keeps files").usage().0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_kept_to_and_what_is_over_goes_first() {
    // A file takes its bytes, its hashes, and a little: an author's share is two of them.
    let scene = Scene::new(9 * PIECE);
    let relay = scene.relay().await;
    let publisher = Publisher::new(&relay, 1).await;
    let now = publisher.files.network_time();
    let (over, soon) = ((now - HOUR, now - 1), (now, now + DAY));
    let paths: Vec<PathBuf> = (0..4)
        .map(|number| scene.written(&format!("file {number}"), PIECE as usize))
        .collect();
    let listings: Vec<Listing> = paths.iter().map(|path| publisher.share(path)).collect();
    let request = |number: usize, times| publisher.request(&listings[number], times);
    assert_eq!(code(publisher.keep(&relay, &request(0, over)).await), None);
    assert_eq!(code(publisher.keep(&relay, &request(1, soon)).await), None);
    assert_eq!(count_of(&relay), 2);
    // The first is over: it makes room.
    assert_eq!(code(publisher.keep(&relay, &request(2, soon)).await), None);
    assert_eq!(count_of(&relay), 2);
    let kept = |cid: Cid| scene.path(&format!("relay/kept/{cid}.data")).exists();
    let there: Vec<bool> = listings.iter().map(|listing| kept(listing.cid)).collect();
    assert_eq!(there, [false, true, true, false]);
    // Both that are there are pinned: nothing goes.
    let full = publisher.keep(&relay, &request(3, soon)).await;
    assert_eq!(code(full), Some(Code::Overloaded));
    // Over a restart, too.
    relay.stop().await;
    let relay = scene.relay().await;
    assert_eq!(count_of(&relay), 2);
    let other = Publisher::new(&relay, 1).await;
    other.share(&paths[3]);
    let full = other.keep(&relay, &request(3, soon)).await;
    assert_eq!(code(full), Some(Code::Overloaded));
    let stranger = Publisher::new(&relay, 2).await;
    stranger.share(&paths[3]);
    let asked = stranger.request(&listings[3], soon);
    assert_eq!(code(stranger.keep(&relay, &asked).await), None);
    assert_eq!(count_of(&relay), 3);
    relay.stop().await;
}

/// What a relay answers to bytes that no peer of ours would send.
async fn said_to(peer: &Peer, relay: &TestRelay, bytes: &[u8]) -> KeepAnswer {
    let frame = encode_frame(bytes).expect("a short message");
    // One of two connections to the relay may just be closing: it is asked once more then.
    let answer = until("the relay answers", || async {
        let protocol = protocols::keep(peer.node.network());
        let opened = peer.node.handle().open(connected(relay.id()), protocol);
        let mut stream = opened.await.ok()?.stream;
        stream.write_all(&frame).await.ok()?;
        stream.close().await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        (!answer.is_empty()).then_some(answer)
    })
    .await;
    KeepAnswer::decode(&answer[1..]).expect("an answer with its length before it")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_and_right_is_kept() {
    let scene = Scene::new(64 * PIECE);
    let relay = scene.relay().await;
    let publisher = Publisher::new(&relay, 1).await;
    let now = publisher.files.network_time();
    let path = scene.written("file", PIECE as usize + 7);
    let listing = publisher.share(&path);
    let network = publisher.peer.node.network();

    // A request of another network, and one that came too late.
    let abroad = "elsewhere".parse().expect("a network");
    let abroad = KeepRequest::sign(&listing, &publisher.key, &abroad, (now, now + DAY));
    let refused = publisher.keep(&relay, &abroad.expect("signed")).await;
    assert_eq!(code(refused), Some(Code::Expired));
    let late = publisher.request(&listing, (now - 2 * DAY, now - DAY));
    let refused = publisher.keep(&relay, &late).await;
    assert_eq!(code(refused), Some(Code::Expired));

    // One whose signature is damaged: the bytes go over a stream as they are.
    let mut bytes = publisher
        .request(&listing, (now, now + DAY))
        .unlisted()
        .encode();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    let read = KeepRequest::open(&bytes, network, now);
    assert!(read.is_err(), "it does not verify");
    let why = KeepRefusal::BadSignature.into();
    let said = said_to(&publisher.peer, &relay, &bytes).await;
    assert_eq!(said, KeepAnswer::Refused { why });

    // A size that is not the file's is found out before anything of it is kept.
    let larger = Listing {
        size: listing.size + 1,
        ..listing.clone()
    };
    let lie = publisher.request(&larger, (now, now + DAY));
    let refused = publisher.keep(&relay, &lie).await;
    assert_eq!(code(refused), Some(Code::ProtocolViolation));
    assert_eq!(count_of(&relay), 0);

    // An author whom the operator does not want; others may have the same file kept.
    let denied = publisher.key.public().to_base36();
    std::fs::write(scene.path("denied"), format!("{denied}\n")).unwrap();
    let asked = publisher.request(&listing, (now, now + DAY));
    until("the denylist is read again", || async {
        let outcome = publisher.keep(&relay, &asked).await;
        (code(outcome) == Some(Code::Refused)).then_some(())
    })
    .await;
    until("what was kept before that is removed", || async {
        (count_of(&relay) == 0).then_some(())
    })
    .await;
    let other = Publisher::new(&relay, 2).await;
    other.share(&path);
    let asked = other.request(&listing, (now, now + DAY));
    assert_eq!(code(other.keep(&relay, &asked).await), None);
    assert_eq!(count_of(&relay), 1);

    // Who keeps nothing says so.
    let plain = TestRelay::start(|args| args.join = vec![relay.url()]).await;
    let plain = plain.expect("a second relay");
    let third = Publisher::new(&plain, 3).await;
    let refused = third
        .keep(&plain, &third.request(&listing, (now, now + DAY)))
        .await;
    assert_eq!(code(refused), Some(Code::Unsupported));
    plain.stop().await;
    relay.stop().await;
}
