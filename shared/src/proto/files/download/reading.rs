//! Reading while it comes: what is read next is asked for first, and everything else as if nobody read.

use super::*;
use crate::limits::PIECE;

const LENGTH: u64 = 200;

fn of(seed: u64) -> Download {
    let config = Config {
        in_flight: 64 * PIECE,
        seed,
    };
    let mut download = Download::new(config, Pieces::none(LENGTH), 0);
    assert!(download.add(1, 500, 0));
    download.holds(1, Holding::All);
    download
}

/// Takes one piece after the other as they come, until all that is wanted is there or `steps` have come: the order in which
/// they were asked for.
fn asked(download: &mut Download, steps: usize) -> Vec<u64> {
    let (mut order, mut waiting, mut now) = (Vec::new(), VecDeque::new(), 0);
    for _ in 0..=steps {
        while let Some(action) = download.poll(now) {
            match action {
                Action::Fetch { request, piece, .. } => {
                    order.push(piece);
                    waiting.push_back(request);
                }
                Action::Done | Action::Ask { .. } => {}
                other => panic!("{other:?} is no answer to an honest source"),
            }
        }
        let Some(request) = waiting.pop_front() else {
            break;
        };
        now += 10;
        download.came(request, PIECE, now);
        download.arrived(request, now);
    }
    order
}

/// The order of these first, and then that in which the others come when nobody reads.
fn before(first: &[u64], seed: u64) -> Vec<u64> {
    let plain = asked(&mut of(seed), LENGTH as usize);
    let others = plain.into_iter().filter(|piece| !first.contains(piece));
    [first.to_vec(), others.collect()].concat()
}

#[test]
fn what_is_read_next_comes_first_and_everything_comes() {
    for seed in 0..32 {
        let mut download = of(seed);
        // The end of a file is nearer than what is read ahead.
        download.prefer(&[190]);
        let order = asked(&mut download, LENGTH as usize);
        let first: Vec<u64> = (190..200).collect();
        assert_eq!(order, before(&first, seed), "seed {seed}");
        assert!(download.have().is_full(), "seed {seed}");
        assert_eq!(order.len() as u64, LENGTH, "seed {seed}: one twice");
    }
}

#[test]
fn of_several_readers_each_has_its_turn() {
    for seed in 0..32 {
        let mut download = of(seed);
        download.prefer(&[150, 20, 156]);
        let order = asked(&mut download, LENGTH as usize);
        let mut first = Vec::new();
        for step in 0..READ_AHEAD {
            for at in [150 + step, 20 + step, 156 + step] {
                if !first.contains(&at) {
                    first.push(at);
                }
            }
        }
        assert_eq!(order, before(&first, seed), "seed {seed}");
    }
}

#[test]
fn when_a_reader_has_gone_nothing_comes_first_any_more() {
    for seed in 0..32 {
        let mut download = of(seed);
        download.prefer(&[100]);
        let mut order = asked(&mut download, 3);
        let first: Vec<u64> = (100..100 + order.len() as u64).collect();
        assert_eq!(order, first, "seed {seed}");
        download.prefer(&[]);
        // What was under way in the first part is not waited for here.
        order.extend(asked(&mut download, 0));
        assert_eq!(order, before(&first, seed)[..order.len()], "seed {seed}");
    }
}

#[test]
fn what_is_not_wanted_is_not_read_ahead() {
    let mut download = of(3);
    let mut some = Pieces::none(LENGTH);
    some.insert_range(50..53);
    download.want(some);
    download.prefer(&[51, 120]);
    let order = asked(&mut download, LENGTH as usize);
    assert_eq!(order, [51, 52, 50]);
    let progress = download.progress(100);
    assert_eq!((progress.pieces, progress.wanted), (3, 3));
    // Later all of it is wanted, and goes on from there.
    download.want(Pieces::all(LENGTH));
    let rest = asked(&mut download, LENGTH as usize);
    assert_eq!(rest.len() as u64, LENGTH - 3);
    assert!(download.have().is_full());
}

#[test]
fn equal_readers_of_equal_seeds_ask_in_one_order() {
    let run = |seed| {
        let mut download = of(seed);
        download.prefer(&[7, 70]);
        asked(&mut download, LENGTH as usize)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
