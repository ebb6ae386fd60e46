//! Search among many: fifty peers list a thousand files (a few of each in the normal run), and whatever is searched,
//! everything of every publisher that is there is found.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use warren_relay::files::Block;
use warren_shared::error::Code;
use warren_shared::net::Node;
use warren_shared::net::files::Files;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::search::{Hit, Listing};
use warren_shared::proto::files::tree::root_of;
use warren_tests::count;
use warren_tests::peers::{one_of_many, stranger};
use warren_tests::relays::TestRelay;
use warren_tests::wait::within;

/// Peers that start at the same time.
const AT_ONCE: usize = 10;
/// Announcing thousands of words takes a while in a debug build; this only keeps a broken run from hanging.
const BOUND: Duration = Duration::from_secs(900);

/// What files are called, and what somebody types who looks for them.
const THEMES: [(&str, &str); 6] = [
    ("Küste", "KU\u{308}STE"),
    ("Hauptstraße", "hauptstrasse"),
    ("ΟΔΥΣΣΕΎΣ", "οδυσσεύς"),
    ("東京タワー", "東京"),
    ("ＡＢＣ", "abc"),
    ("Москва", "МОСКВА"),
];

/// A file that somebody lists.
struct Listed {
    cid: Cid,
    owner: usize,
    theme: usize,
    tagged: bool,
}

struct Scene {
    relay: TestRelay,
    peers: Vec<(Node, Files)>,
    files: Vec<Listed>,
}

impl Scene {
    async fn new(peers: usize, files: usize) -> Scene {
        let mut scene = Scene {
            relay: TestRelay::first().await,
            peers: Vec::new(),
            files: Vec::new(),
        };
        while scene.peers.len() < peers {
            let joining =
                (0..AT_ONCE.min(peers - scene.peers.len())).map(|_| one_of_many(&scene.relay));
            let joined = within("peers join", join_all(joining)).await;
            for node in joined {
                let node = node.expect("a peer joins");
                let files = node.files().expect("files");
                scene.peers.push((node, files));
            }
        }
        for owner in 0..peers {
            scene.list(owner, files);
        }
        scene
    }

    /// Lists files of all themes in turn; every third has a tag.
    fn list(&mut self, owner: usize, files: usize) {
        let (node, shared) = &self.peers[owner];
        let mut words = BTreeSet::new();
        for number in 0..files {
            let (theme, tagged) = (number % THEMES.len(), number % 3 == 0);
            let content = format!("file {number} of peer {owner}").into_bytes();
            let cid = Cid::file(root_of(&content));
            let listing = Listing {
                cid,
                name: format!("{} owner{owner} ({number}).txt", THEMES[theme].0),
                size: content.len() as u64,
                media: String::new(),
                tags: tagged
                    .then(|| "Ferien am Meer".to_owned())
                    .into_iter()
                    .collect(),
            };
            words.extend(listing.tokens());
            let block = Block::new(cid, content).expect("its id");
            shared.share(std::sync::Arc::new(block)).expect("shared");
            assert!(shared.list(node.sign_listing(&listing).expect("signed")));
            self.files.push(Listed {
                cid,
                owner,
                theme,
                tagged,
            });
        }
        let words: Vec<String> = words.into_iter().collect();
        shared.announce_words(&words);
    }

    fn wanted(&self, fits: impl Fn(&Listed) -> bool) -> BTreeSet<Cid> {
        let found = self.files.iter().filter(|file| fits(file));
        found.map(|file| file.cid).collect()
    }
}

fn ids(hits: &[Hit]) -> BTreeSet<Cid> {
    hits.iter().map(|hit| hit.listing.cid).collect()
}

/// Searches until all of it is found: names and words are announced one after the other. Nothing else is ever found.
async fn find(searcher: &Files, text: &str, wanted: &BTreeSet<Cid>) -> Vec<Hit> {
    assert!(!wanted.is_empty(), "{text}");
    let late = Instant::now() + BOUND;
    loop {
        let searching = tokio::time::timeout(BOUND, searcher.search(text)).await;
        let hits = searching.expect("an answer").expect("searched");
        let found = ids(&hits);
        assert!(found.is_subset(wanted), "{text}: what does not fit");
        if found == *wanted {
            return hits;
        }
        let missing = wanted.len() - found.len();
        assert!(
            Instant::now() < late,
            "{text}: {missing} of {} are missing",
            wanted.len()
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_relay_is_within_reach_a_search_says_so() {
    let alone = stranger(&"nobody-here".parse().expect("a network"));
    let files = alone.files().expect("files");
    let failure = within("an answer", files.search("a b")).await;
    assert_eq!(failure.expect_err("nobody").code(), Code::NoRelay);
    alone.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_every_publisher_that_is_there_is_found() {
    let (peers, files) = (count(8, 50), count(6, 20));
    let mut scene = Scene::new(peers, files).await;
    let searcher = one_of_many(&scene.relay).await.expect("a peer joins");
    let asking = searcher.files().expect("files");
    let all = scene.wanted(|_| true);
    assert_eq!(all.len(), peers * files);

    // By a word, as people type it: other letters of the same word, other case, a part of what has no blanks.
    for (theme, (name, typed)) in THEMES.iter().enumerate() {
        let wanted = scene.wanted(|file| file.theme == theme);
        for text in [name, typed] {
            let hits = find(&asking, text, &wanted).await;
            assert!(hits.iter().all(|hit| hit.words >= 1), "{text}");
        }
    }
    // By a tag, in any case; by a word that all have.
    let wanted = scene.wanted(|file| file.tagged);
    find(&asking, "FERIEN", &wanted).await;
    find(&asking, "TXT", &all).await;
    // By two words: what has both comes first.
    let wanted = scene.wanted(|file| file.theme == 0 || file.owner == 3);
    let hits = find(&asking, "küste Owner3", &wanted).await;
    let both = scene.wanted(|file| file.theme == 0 && file.owner == 3);
    assert_eq!(ids(&hits[..both.len()]), both);
    assert!(hits[both.len()..].iter().all(|hit| hit.words == 1));

    // Whoever is gone is not found, and nobody else is lost with them.
    let gone = peers / 4;
    let leaving: Vec<Node> = scene.peers.drain(..gone).map(|(node, _)| node).collect();
    join_all(leaving.iter().map(Node::close)).await;
    let live = scene.wanted(|file| file.owner >= gone);
    let searcher = one_of_many(&scene.relay).await.expect("a peer joins");
    let asking = searcher.files().expect("files");
    find(&asking, "txt", &live).await;
    join_all(scene.peers.iter().map(|(node, _)| node.close())).await;
    searcher.close().await;
    scene.relay.stop().await;
}
