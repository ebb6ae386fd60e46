use super::*;
use crate::limits::{PIECE, SOURCE_DEAD, SOURCE_FAILURES, SOURCE_SILENT};
use crate::proto::reputation::Evidence;

const CONFIG: Config = Config {
    in_flight: 64 * PIECE,
    seed: 1,
};

fn download(pieces: u64) -> Download {
    Download::new(CONFIG, Pieces::none(pieces), 0)
}

fn some(length: u64, pieces: &[u64]) -> Holding {
    let mut map = Pieces::none(length);
    pieces.iter().for_each(|piece| assert!(map.insert(*piece)));
    Holding::Some(map)
}

/// Does nothing about what is to be done but to list it, asking left out.
fn all(download: &mut Download, now: Millis) -> Vec<Action> {
    let mut actions = Vec::new();
    while let Some(action) = download.poll(now) {
        assert!(actions.len() < 1_000, "it does not end");
        if !matches!(action, Action::Ask { .. }) {
            actions.push(action);
        }
    }
    actions
}

fn fetched(actions: &[Action]) -> Vec<(RequestId, SourceId, u64)> {
    let fetched = actions.iter().filter_map(|action| match *action {
        Action::Fetch {
            request,
            source,
            piece,
            ..
        } => Some((request, source, piece)),
        _ => None,
    });
    fetched.collect()
}

#[test]
fn it_asks_fetches_and_ends() {
    let mut download = download(3);
    assert!(download.add(7, 500, 0));
    assert!(!download.add(7, 500, 0), "known");
    assert_eq!(download.poll(0), Some(Action::Ask { source: 7 }));
    assert_eq!(download.poll(0), None);
    download.holds(7, Holding::All);
    let first = fetched(&all(&mut download, 0));
    assert_eq!(first.len(), 2, "of one that is not known two pieces");
    for (request, ..) in first {
        download.came(request, PIECE, 100);
        download.arrived(request, 100);
    }
    let second = fetched(&all(&mut download, 100));
    assert_eq!(second.len(), 1);
    download.arrived(second[0].0, 200);
    assert_eq!(all(&mut download, 200), [Action::Done]);
    assert_eq!((download.poll(300), download.wake(300)), (None, None));
    assert!(download.have().is_full());
}

#[test]
fn whoever_begins_to_answer_and_sends_nothing_is_silent() {
    let mut download = download(3);
    assert!(download.add(7, 500, 0));
    download.holds(7, Holding::All);
    let [(request, ..), _] = fetched(&all(&mut download, 0))[..] else {
        panic!("two pieces are asked for");
    };
    download.came(request, 0, SOURCE_SILENT - 1);
    let state = |download: &Download, now| download.sources(now).next().map(|one| one.state);
    assert_eq!(state(&download, SOURCE_SILENT), Some(SourceState::Silent));
    download.came(request, 1, SOURCE_SILENT);
    assert_eq!(state(&download, SOURCE_SILENT), Some(SourceState::Sending));
}

#[test]
fn what_is_there_already_is_not_fetched() {
    let mut have = Pieces::all(100);
    have.remove(42);
    let mut download = Download::new(CONFIG, have, 0);
    download.add(1, 500, 0);
    download.holds(1, Holding::All);
    let actions = fetched(&all(&mut download, 0));
    assert_eq!(actions, [(0, 1, 42)]);
    let whole = Download::new(CONFIG, Pieces::all(5), 0).poll(0);
    assert_eq!(whole, Some(Action::Done));
}

#[test]
fn what_few_have_comes_first() {
    let mut download = download(64);
    for (source, pieces) in [(1, &[1, 2, 3][..]), (2, &[1, 2]), (3, &[1, 2, 3, 60])] {
        download.add(source, 500, 0);
        download.holds(source, some(64, pieces));
    }
    let actions = fetched(&all(&mut download, 0));
    let first = |source| {
        actions
            .iter()
            .find(|(_, by, _)| *by == source)
            .map(|found| found.2)
    };
    assert_eq!(first(3), Some(60), "{actions:?}");
    assert_eq!(first(1), Some(3), "{actions:?}");
}

#[test]
fn a_liar_is_dropped_and_an_honest_sharer_is_not_branded() {
    for (failure, why, evidence) in [
        (Failure::Lied, Leaving::Lied, Some(Evidence::Invalid)),
        (Failure::Gone, Leaving::Gone, None),
    ] {
        let mut download = download(8);
        for source in [1, 2] {
            download.add(source, 500, 0);
            download.holds(source, Holding::All);
        }
        let actions = fetched(&all(&mut download, 0));
        let (request, source, piece) = actions[0];
        download.failed(request, failure, 10);
        let then = all(&mut download, 10);
        assert!(then.contains(&Action::Leave { source, why }));
        assert_eq!(why.evidence(), evidence);
        assert_eq!(download.sources(10).count(), 1);
        // The other one is asked for all of it in the end, also for what failed.
        let mut asked: Vec<u64> = Vec::new();
        let mut waiting = [actions, fetched(&then)].concat();
        waiting.retain(|(_, by, _)| *by != source);
        let mut now = 20;
        while !waiting.is_empty() {
            for (request, _, piece) in std::mem::take(&mut waiting) {
                download.arrived(request, now);
                asked.push(piece);
            }
            now += 10;
            waiting = fetched(&all(&mut download, now));
        }
        assert!(asked.contains(&piece) && download.have().is_full());
    }
}

#[test]
fn a_source_that_fails_is_left_alone_longer_and_longer_and_then_for_good() {
    let mut download = download(8);
    download.add(1, 500, 0);
    download.holds(1, Holding::All);
    let (mut now, mut waits) = (0, Vec::new());
    loop {
        let actions = all(&mut download, now);
        if let Some(Action::Leave { why, .. }) = actions.first() {
            assert_eq!(*why, Leaving::Useless);
            break;
        }
        for (request, ..) in fetched(&actions) {
            download.failed(request, Failure::Broken, now);
        }
        if let Some(wake) = download.wake(now) {
            waits.push(wake - now);
            now = wake;
        }
    }
    assert!(
        waits.len() < SOURCE_FAILURES as usize && waits.is_sorted(),
        "{waits:?}"
    );
}

#[test]
fn what_a_silent_source_owes_is_asked_of_another_and_cancelled_when_it_came() {
    let mut download = download(2);
    download.add(1, 500, 0);
    download.holds(1, Holding::All);
    let owed = fetched(&all(&mut download, 0));
    assert_eq!(owed.len(), 2);
    let now = SOURCE_SILENT;
    assert_eq!(download.wake(0), Some(now));
    download.add(2, 500, now);
    download.holds(2, Holding::All);
    let again = fetched(&all(&mut download, now));
    assert_eq!(
        again.iter().filter(|(_, source, _)| *source == 2).count(),
        2,
        "{again:?}"
    );
    download.arrived(again[0].0, now + 50);
    let actions = all(&mut download, now + 50);
    let late = owed
        .iter()
        .find(|(.., piece)| *piece == again[0].2)
        .unwrap();
    assert!(
        actions.contains(&Action::Cancel {
            request: late.0,
            source: 1
        }),
        "{actions:?}"
    );
    // Nobody else has anything to do with it: the rest is given up after a while.
    let mut alone = Download::new(CONFIG, Pieces::none(2), 0);
    alone.add(1, 500, 0);
    alone.holds(1, Holding::All);
    all(&mut alone, 0);
    assert!(all(&mut alone, SOURCE_DEAD - 1).is_empty());
    let given_up = all(&mut alone, SOURCE_DEAD);
    let cancelled = |action: &&Action| matches!(action, Action::Cancel { .. });
    assert_eq!(given_up.iter().filter(cancelled).count(), 2);
}

#[test]
fn who_has_not_what_it_says_is_asked_again_what_it_has() {
    let mut download = download(8);
    download.add(1, 500, 0);
    download.holds(1, some(8, &[3]));
    let (request, _, piece) = fetched(&all(&mut download, 0))[0];
    assert_eq!(piece, 3);
    download.failed(request, Failure::NotThere, 10);
    assert!(
        fetched(&all(&mut download, 5_000)).is_empty(),
        "not this piece again"
    );
    assert_eq!(download.nowhere(), 8);
    let mut asked = false;
    let mut now = 5_000;
    for _ in 0..10 {
        now = download.wake(now).unwrap();
        while let Some(action) = download.poll(now) {
            asked |= action == Action::Ask { source: 1 };
        }
    }
    assert!(asked);
    download.holds(1, some(8, &[3, 4]));
    assert_eq!(download.nowhere(), 6);
    assert_eq!(fetched(&all(&mut download, now)).len(), 2);
}

#[test]
fn no_more_is_asked_than_fits_and_only_what_is_wanted() {
    let config = Config {
        in_flight: 3 * PIECE,
        seed: 1,
    };
    let mut download = Download::new(config, Pieces::none(100), 0);
    for source in 0..10 {
        download.add(source, 500, 0);
        download.holds(source, Holding::All);
    }
    assert_eq!(fetched(&all(&mut download, 0)).len(), 3);
    let mut two = Pieces::none(100);
    two.insert_range(5..7);
    download.want(two);
    let actions = all(&mut download, 0);
    let cancelled = actions
        .iter()
        .filter(|action| matches!(action, Action::Cancel { .. }));
    assert_eq!(cancelled.count(), 3);
    let asked = fetched(&actions);
    let mut pieces: Vec<u64> = asked.iter().map(|(.., piece)| *piece).collect();
    pieces.sort_unstable();
    assert_eq!(pieces, [5, 6]);
    asked
        .iter()
        .for_each(|(request, ..)| download.arrived(*request, 10));
    assert_eq!(all(&mut download, 10), [Action::Done]);
    let progress = download.progress(10);
    assert_eq!((progress.pieces, progress.wanted), (2, 2));
    download.want(Pieces::all(100));
    assert!(!fetched(&all(&mut download, 20)).is_empty(), "it goes on");
}

#[test]
fn what_has_come_of_a_piece_is_not_fetched_again() {
    let mut download = download(1);
    for source in [1, 2] {
        download.add(source, 500, 0);
        download.holds(source, Holding::All);
    }
    let (request, source, _) = fetched(&all(&mut download, 0))[0];
    download.came(request, PIECE / 2, 100);
    download.failed(request, Failure::Lied, 200);
    let actions = all(&mut download, 200);
    let skip = PIECE / 2;
    let fetch = Action::Fetch {
        request: 1,
        source: 3 - source,
        piece: 0,
        skip,
    };
    assert!(actions.contains(&fetch), "{actions:?}");
}

#[test]
fn one_that_has_too_much_to_do_is_asked_later_and_is_not_given_up() {
    let mut download = download(8);
    download.add(1, 500, 0);
    download.holds(1, Holding::All);
    let (mut now, mut waits) = (0, Vec::new());
    for _ in 0..20 {
        let asked = fetched(&all(&mut download, now));
        assert!(!asked.is_empty(), "{waits:?}");
        for (request, ..) in asked {
            download.failed(request, Failure::Busy, now);
        }
        let wake = download.wake(now).unwrap();
        waits.push(wake - now);
        now = wake;
    }
    assert!(waits.is_sorted() && waits[19] > waits[0], "{waits:?}");
    assert!(waits[19] <= crate::limits::MINUTE, "{waits:?}");
}
