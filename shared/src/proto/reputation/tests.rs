use super::*;
use crate::limits::DAY;

const NOW: Millis = 1_700_000_000_000;
const BOB: &[u8] = &[1; 38];

fn seen(evidence: &[Evidence]) -> Ledger {
    let mut ledger = Ledger::default();
    for one in evidence {
        ledger.note(BOB, *one, NOW);
    }
    ledger
}

fn trust(evidence: &[Evidence]) -> u64 {
    seen(evidence).standing(BOB, NOW).trust()
}

#[test]
fn evidence_moves_trust_and_nothing_moves_it_beyond_the_bounds() {
    assert_eq!(trust(&[]), 500, "a stranger");
    assert_eq!(trust(&[Evidence::Answered(10)]), 600);
    assert_eq!(trust(&[Evidence::Answered(10); 100]), 980);
    assert_eq!(trust(&[Evidence::Answered(10); 9_000]), 980, "no more");
    assert_eq!(trust(&[Evidence::Failed]), 333);
    assert_eq!(trust(&[Evidence::Invalid]), 222);
    assert_eq!(trust(&[Evidence::Violated]), 142);
    assert_eq!(trust(&[Evidence::Violated; 100]), FLOOR);
    assert_eq!(trust(&[Evidence::Verified(64 * 1024)]), 600);
    assert_eq!(
        trust(&[Evidence::Verified(u64::MAX)]),
        750,
        "not all at once"
    );
}

#[test]
fn the_good_and_the_bad_are_counted_and_explained() {
    let ledger = seen(&[
        Evidence::Answered(100),
        Evidence::Answered(20),
        Evidence::Verified(7),
        Evidence::Failed,
        Evidence::Invalid,
        Evidence::Violated,
    ]);
    let standing = ledger.standing(BOB, NOW);
    let counts = [
        standing.answers,
        standing.failures,
        standing.invalid,
        standing.violations,
        standing.verified,
    ];
    assert_eq!(counts, [2, 1, 1, 1, 7]);
    assert_eq!(standing.latency, Some(80), "the last one counts a quarter");
    assert_eq!(ledger.peers().collect::<Vec<_>>(), [BOB]);
}

#[test]
fn what_is_bad_is_forgotten_sooner_than_what_is_good() {
    let bad = seen(&[Evidence::Violated; 5]);
    let good = seen(&[Evidence::Answered(1); 50]);
    let mut last = (0, 1_000);
    for hours in 0..240 {
        let now = NOW + hours * HOUR;
        let trust = |ledger: &Ledger| ledger.standing(BOB, now).trust();
        let (bad, good) = (trust(&bad), trust(&good));
        assert!(bad >= last.0 && good <= last.1, "after {hours} h");
        last = (bad, good);
        match hours {
            0 => assert_eq!((bad, good), (50, 962)),
            24 => assert_eq!((bad, good), (280, 931)),
            _ => {}
        }
    }
    assert!(last.0 >= 490 && last.1 <= 520, "{last:?}");
    // A clock that is set back changes nothing.
    assert_eq!(bad.standing(BOB, NOW - DAY), bad.standing(BOB, NOW));
}

#[test]
fn strangers_do_not_drive_out_who_is_known() {
    let mut ledger = seen(&[Evidence::Violated; 3]);
    for number in 0..3 * MAX_STANDINGS as u64 {
        ledger.note(&number.to_be_bytes(), Evidence::Answered(1), NOW + number);
    }
    assert_eq!(ledger.peers().count(), MAX_STANDINGS);
    assert_eq!(ledger.standing(BOB, NOW).violations, 3);
}

#[test]
fn a_ledger_is_kept_and_read_back() {
    let mut ledger = seen(&[Evidence::Answered(30), Evidence::Failed]);
    ledger.note(&[7], Evidence::Violated, NOW + 5);
    let bytes = ledger.to_bytes();
    assert_eq!(Ledger::from_bytes(&bytes), ledger);
    for length in 0..bytes.len() {
        let cut = Ledger::from_bytes(&bytes[..length]);
        assert!(cut.peers().count() < 2, "cut at {length}");
    }
    assert_eq!(Ledger::from_bytes(&[9, 1, 1]), Ledger::default());
    let huge = [&[1, 1, 7][..], &[0xff; 72]].concat();
    let standing = Ledger::from_bytes(&huge).standing(&[7], NOW);
    assert_eq!(standing.trust(), 500, "numbers are bounded");

    let mut newer = Ledger::default();
    newer.note(BOB, Evidence::Answered(9), NOW);
    newer.adopt(ledger.clone());
    assert_eq!(newer.standing(BOB, NOW).latency, Some(9));
    assert_eq!(newer.standing(&[7], NOW), ledger.standing(&[7], NOW));
}
