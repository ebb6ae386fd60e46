//! Files of directories beside other directories and other files: what one of them does leaves the others whole.

use std::future::ready;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{FutureExt, poll};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use warren_relay::peer::Peer;
use warren_shared::error::{Code, Result};
use warren_shared::limits::{FILES_IN_MEMORY, PIECE};
use warren_shared::net::files::{
    About, Collection, Entry, FileStore, Held, MemoryStore, Portion, Stored,
};
use warren_shared::proto::files::Cid;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Sender, Tree};
use warren_shared::proto::files::wire::FileRefusal;
use warren_shared::proto::key::SigningKey;
use warren_tests::random::Random;
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

use super::directories::{Files, id, list_of, share_folder, temporary};
use super::folder::Folder;
use super::{Tab, engine};

/// Somebody who gives, and somebody who keeps what comes in a folder.
pub struct Scene {
    pub relay: TestRelay,
    pub giver: (Peer, TempDir),
    pub taker: (Peer, TempDir),
    pub folder: TempDir,
    pub mine: Collection,
}

impl Scene {
    pub async fn open() -> Scene {
        let relay = TestRelay::first().await;
        let url = relay.url();
        let (giver, taker) = (engine(&url).await, engine(&url).await);
        let folder = temporary();
        let mine = keeping(&taker.0, &folder).await;
        Scene {
            relay,
            giver,
            taker,
            folder,
            mine,
        }
    }

    pub async fn close(self) {
        self.mine.close().await;
        self.giver.0.node.close().await;
        self.taker.0.node.close().await;
        self.relay.stop().await;
    }
}

/// What a peer keeps in a folder, as soon as it is there again.
pub async fn keeping(peer: &Peer, folder: &TempDir) -> Collection {
    let (files, store) = (peer.node.files(), Folder::new(folder.path()));
    let files = files.expect("it has files");
    let mine = Collection::new(files, store, SigningKey::from_seed([7; 32]));
    mine.restored().await;
    mine
}

pub fn file(path: &str, size: u64) -> (String, Vec<u8>) {
    (path.to_owned(), Random::new().bytes(size as usize))
}

/// A file that a pack does not take.
pub fn film() -> (String, Vec<u8>) {
    file("film", 2 * PIECE + 5)
}

/// Who has it, and is too busy to send anything of it.
struct Busy(Arc<dyn Stored>);

#[async_trait]
impl Held for Busy {
    fn cid(&self) -> Cid {
        self.0.cid()
    }

    fn tree(&self) -> Tree {
        self.0.tree()
    }

    fn pieces(&self) -> Pieces {
        self.0.pieces()
    }

    async fn read(&self, sender: Sender, _: usize) -> Portion {
        Portion {
            sender,
            bytes: Vec::new(),
            outcome: Err(FileRefusal::Busy),
        }
    }
}

/// Says that a directory of these files is here. Large ones of them are on their way for ever.
pub async fn give(giver: &Peer, files: &Files) -> Cid {
    let (cid, block) = list_of(files);
    let shelf = giver.node.files().expect("it has files");
    let store = MemoryStore::new(FILES_IN_MEMORY);
    for bytes in files.iter().map(|(_, bytes)| bytes).chain([&block]) {
        let mut intake = store.begin(0).await.expect("begun");
        intake.take(bytes.clone()).await.expect("taken");
        let whole = intake.finish().await.expect("taken");
        let held: Arc<dyn Held> = match bytes.len() as u64 > PIECE {
            true => Arc::new(Busy(whole)),
            false => whole,
        };
        shelf.share(held).expect("shared");
    }
    shelf.announce(&cid).await.expect("announced");
    cid
}

/// Fetches a directory until that is aborted.
pub fn fetch(mine: &Collection, cid: Cid) -> JoinHandle<Result<()>> {
    let mine = mine.clone();
    tokio::spawn(async move {
        let following = mine.follow_folder(cid, About::default()).await?;
        following.complete().await
    })
}

pub async fn abort(fetching: JoinHandle<Result<()>>) {
    fetching.abort();
    assert!(fetching.await.is_err_and(|error| error.is_cancelled()));
}

/// A file of a directory that is being fetched, once it was begun.
pub async fn begun(mine: &Collection, directory: Cid, cid: Cid) -> Arc<Entry> {
    until("it is begun", || async {
        mine.member_of(&directory, &cid).await.ok()
    })
    .await
}

pub async fn comes(mine: &Collection, cid: Cid) {
    let come = || {
        let found = mine.find(&cid);
        ready(found.is_ok_and(|entry| entry.is_whole()).then_some(()))
    };
    until("it comes", come).await;
}

/// Shares a directory as an application does.
pub async fn hand_over(mine: &Collection, files: &Files) -> Cid {
    let listed = files.iter();
    let listed = listed.map(|(path, bytes)| (path.clone(), bytes.len() as u64));
    let begun = mine.begin_folder(About::default(), listed.collect()).await;
    let mut folder = begun.expect("it is a directory");
    for (_, bytes) in files {
        folder.take(bytes).await.expect("taken");
    }
    folder.finish().await.expect("shared").cid()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_directory_is_waited_for_while_somebody_fetches_it() {
    let scene = Scene::open().await;
    let (film, mine) = (film(), &scene.mine);
    let cid = id(&film.1);
    let directory = give(&scene.giver.0, &vec![film.clone()]).await;
    let fetching = fetch(mine, directory);
    assert!(!begun(mine, directory, cid).await.is_whole());
    abort(fetching).await;
    // What was begun is there, but nobody fetches it.
    let refused = mine.member_of(&directory, &cid).await;
    assert_eq!(
        refused.err().map(|error| error.code()),
        Some(Code::Cancelled)
    );

    let following = mine.follow_folder(directory, About::default()).await;
    let following = following.expect("its list is here");
    let mut asked = mine.member_of(&directory, &cid).boxed();
    assert!(poll!(&mut asked).is_pending(), "nobody has begun it yet");
    hand_over(mine, &vec![film, file("more", 9)]).await;
    let complete = within("all of it is here", following.complete()).await;
    complete.expect("all of it");
    let whole = within("it is here", asked).await.expect("a file");
    assert!(whole.is_whole());

    // Whoever gives up before anything was begun leaves nobody waiting.
    let other = give(&scene.giver.0, &vec![file("other", 9), self::film()]).await;
    let following = mine.follow_folder(other, About::default()).await;
    let following = following.expect("its list comes");
    let missing = mine.folder(&other).expect("its list is here");
    let missing = missing.directory().entries()[0].cid;
    let mut asked = mine.member_of(&other, &missing).boxed();
    assert!(poll!(&mut asked).is_pending());
    drop(following);
    let refused = within("it is given up", asked).await;
    assert_eq!(
        refused.err().map(|error| error.code()),
        Some(Code::Cancelled)
    );
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_file_hears_when_it_is_handed_over() {
    let relay = TestRelay::first().await;
    let (giver, _home) = engine(&relay.url()).await;
    let film = film();
    let directory = give(&giver, &vec![film.clone()]).await.to_string();
    let mut ben = Tab::open(&relay.url()).await;
    let fetch = ben.call("files", json!({"files": "fetchFolder", "id": directory}));
    ben.says(fetch).await.expect("its list comes");
    let cid = id(&film.1).to_string();
    let member = json!({"files": "fetchMember", "id": cid, "text": directory});
    let member = ben.call("files", member);
    let begun = ben.says(member).await.expect("it is begun");
    assert_eq!(begun["complete"], json!(false));
    // What else is said meanwhile is left out here.
    let more = vec![film, file("more", 9)];
    share_folder(&mut ben, &more, "more").await.expect("shared");
    let mut told = begun;
    while told["complete"] != json!(true) {
        told = ben.says(member).await.expect("it is here");
    }
    ben.close().await;
    giver.node.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_one_directory_leaves_the_other_one_alone() {
    let scene = Scene::open().await;
    let (film, mine) = (film(), &scene.mine);
    let cid = id(&film.1);
    let first = give(&scene.giver.0, &vec![film.clone()]).await;
    let more = file("more", 9);
    let small = id(&more.1);
    let second = give(&scene.giver.0, &vec![film, more]).await;
    // Each has begun before it is paused: beginning ends a pause.
    let one = fetch(mine, first);
    let entry = begun(mine, first, cid).await;
    let two = fetch(mine, second);
    comes(mine, small).await;
    mine.pause(&first, true).expect("it is here");
    assert!(!entry.is_paused(), "the other one has it, too");
    mine.pause(&second, true).expect("it is here");
    assert!(entry.is_paused(), "nobody wants it");
    mine.pause(&second, false).expect("it is here");
    assert!(!entry.is_paused(), "the other one has it, too");

    // What nobody fetches is paused, and goes on with what is left of it.
    abort(two).await;
    mine.pause(&first, true).expect("it is here");
    assert!(entry.is_paused());
    assert!(mine.remove(&first).await);
    assert!(!entry.is_paused());
    let ended = within("it was removed", one).await.expect("no panic");
    assert_eq!(ended.err().map(|error| error.code()), Some(Code::Cancelled));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_handed_over_does_not_end_a_fetch_of_it() {
    let scene = Scene::open().await;
    let (film, mine) = (film(), &scene.mine);
    let cid = id(&film.1);
    let files = vec![film.clone(), file("small", 9)];
    let directory = give(&scene.giver.0, &files).await;
    let fetching = fetch(mine, directory);
    assert!(!begun(mine, directory, cid).await.is_whole());
    hand_over(mine, &vec![film, file("more", 9)]).await;
    let come = within("the rest comes", fetching).await.expect("no panic");
    come.expect("all of it");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_directory_is_followed_while_that_is_fetched() {
    let scene = Scene::open().await;
    let (film, mine) = (film(), &scene.mine);
    let (cid, size) = (id(&film.1), film.1.len() as u64);
    let directory = give(&scene.giver.0, &vec![film]).await;
    let fetching = fetch(mine, directory);
    begun(mine, directory, cid).await;
    // Nobody was told who has the file itself.
    let nothing = 0..0;
    let asked = mine.follow_some(cid, About::default(), Some(&nothing));
    let asked = within("it is on its way", asked).await.expect("known");
    assert_eq!(asked.entry().tree().size(), size);
    within("nothing of it", asked.complete())
        .await
        .expect("there");
    drop(asked);
    // Whoever fetches it does not mind.
    assert!(begun(mine, directory, cid).await.pieces().count() == 0);
    abort(fetching).await;
    scene.close().await;
}
