//! Files of directories that are there by themselves as well, or for several directories: where their bytes are.

use std::future::ready;

use futures::{FutureExt, poll};
use warren_shared::net::files::{About, Collection};
use warren_tests::wait::{until, within};

use super::directories::id;
use super::engine;
use super::files::collection;
use super::members::{Scene, abort, begun, comes, fetch, file, film, give, hand_over, keeping};

/// Shares a file by itself.
async fn share(mine: &Collection, bytes: &[u8]) {
    let begun = mine.begin(&About::default(), bytes.len() as u64).await;
    let mut intake = begun.expect("there is room");
    intake.take(bytes.to_vec()).await.expect("taken");
    let stored = intake.finish().await.expect("hashed");
    let shared = mine.share(stored, About::default()).await;
    shared.expect("announced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_shared_whole_is_given_while_a_directory_fetches_it() {
    let scene = Scene::open().await;
    let (film, mine) = (film(), &scene.mine);
    let cid = id(&film.1);
    share(mine, &film.1).await;
    let directory = give(&scene.giver.0, &vec![film]).await;
    let fetching = fetch(mine, directory);
    let asked = || {
        let folder = mine.folder(&directory);
        ready(folder.is_some_and(|it| it.sources() > 0).then_some(()))
    };
    until("it is fetched with the directory", asked).await;

    let (eve, _home) = engine(&scene.relay.url()).await;
    let theirs = collection(&eve);
    let come = async {
        let following = theirs.follow(cid, About::default()).await?;
        following.complete().await
    };
    let come = within("it is given", come).await;
    assert!(come.is_ok_and(|entry| entry.is_whole()));
    abort(fetching).await;
    eve.node.close().await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fetch_that_was_given_up_has_left_in_memory_is_stored() {
    let scene = Scene::open().await;
    let (small, film, mine) = (file("small", 9), film(), &scene.mine);
    let cid = id(&small.1);
    let first = give(&scene.giver.0, &vec![small.clone(), film]).await;
    let second = give(&scene.giver.0, &vec![small.clone()]).await;
    let following = mine.follow_folder(second, About::default()).await;
    let following = following.expect("its list comes");
    mine.pause(&second, true).expect("it is here");
    let mut completing = following.complete().boxed();
    // It has seen that the file is missing.
    assert!(poll!(&mut completing).is_pending());
    let fetching = fetch(mine, first);
    comes(mine, cid).await;
    // So does an application that has the same file.
    let third = hand_over(mine, &vec![small.clone(), file("more", 9)]).await;
    abort(fetching).await;
    mine.pause(&second, false).expect("it is here");
    within("it goes on", completing).await.expect("all of it");
    drop(following);
    mine.close().await;

    let again = keeping(&scene.taker.0, &scene.folder).await;
    for directory in [second, third] {
        let folder = again.folder(&directory).expect("its list is kept");
        assert!(folder.is_complete(), "a file of it was in memory only");
    }
    let read = again.read_piece(&cid, 0).await;
    assert_eq!(read.expect("it is there"), small.1);
    again.close().await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_waits_in_memory_is_stored_by_whoever_goes_on() {
    let scene = Scene::open().await;
    let (small, film, mine) = (file("small", 9), film(), &scene.mine);
    let first = give(&scene.giver.0, &vec![small.clone(), film]).await;
    let second = give(&scene.giver.0, &vec![small.clone()]).await;
    let following = mine.follow_folder(second, About::default()).await;
    let following = following.expect("its list comes");
    mine.pause(&second, true).expect("it is here");
    let mut completing = following.complete().boxed();
    assert!(poll!(&mut completing).is_pending());
    let fetching = fetch(mine, first);
    comes(mine, id(&small.1)).await;
    abort(fetching).await;
    mine.pause(&second, false).expect("it is here");
    within("it goes on", completing).await.expect("all of it");
    drop(following);
    mine.close().await;

    let again = keeping(&scene.taker.0, &scene.folder).await;
    let folder = again.folder(&second).expect("its list is kept");
    assert!(folder.is_complete(), "a file of it was in memory only");
    again.close().await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_of_a_file_does_not_hide_a_directory_that_has_all_of_it() {
    let scene = Scene::open().await;
    let (film, mine) = (film(), &scene.mine);
    let cid = id(&film.1);
    let theirs = collection(&scene.giver.0);
    share(&theirs, &film.1).await;
    let some = mine.follow_some(cid, About::default(), Some(&(0..1))).await;
    let some = some.expect("it is found");
    let come = within("some of it comes", some.complete()).await;
    assert!(!come.expect("some of it").is_whole());
    drop(some);
    assert!(theirs.remove(&cid).await);

    hand_over(mine, &vec![film, file("more", 9)]).await;
    assert!(mine.find(&cid).is_ok_and(|entry| entry.is_whole()));
    let all = async {
        let following = mine.follow(cid, About::default()).await?;
        following.complete().await
    };
    let all = within("nobody is asked for it", all).await;
    assert!(all.expect("all of it").is_whole());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_memory_is_forgotten_when_nobody_fetches_it() {
    let scene = Scene::open().await;
    let (film, mine) = (film(), collection(&scene.taker.0));
    let cid = id(&film.1);
    let directory = give(&scene.giver.0, &vec![film]).await;
    let fetching = fetch(&mine, directory);
    begun(&mine, directory, cid).await;
    abort(fetching).await;
    assert!(mine.list().is_empty() && mine.folder(&directory).is_none());
    assert!(mine.find(&cid).is_err());
    mine.close().await;
    scene.close().await;
}
