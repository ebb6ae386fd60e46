//! What outlasts an epoch, and what bars others until its end.

use super::*;
use crate::limits::MAX_SAFE_INTEGER;
use crate::proto::names::claim::Draft;
use crate::selftest::names::samples::certificate_of;

#[test]
fn keys_of_a_set_that_was_replaced_take_no_name() {
    let start = succession().set.from();
    let over = start + NAME_LEASE + 20 * MINUTE;
    let witness = Witness::new(witnesses().remove(0), two_sets(), Hardness::NONE);
    let show = |generation, row: Option<Row>, now| {
        let claim = free(&transport(), generation, NOW);
        let certificate = certificate_of(&claim).encode();
        let job = witness.read(&Request::Renew { certificate }, now).unwrap();
        witness.work(&job, row, None, now)
    };
    let highest = MAX_SAFE_INTEGER;
    for (generation, now, expected) in [
        (highest, start - 1, None),
        (1_000, start, None),
        (1_001, start, Some(NameRefusal::BadTime)),
        (highest, start, Some(NameRefusal::BadTime)),
        (1, over - 1, None),
        (1, over, Some(NameRefusal::BadTime)),
    ] {
        let outcome = show(generation, None, now);
        assert_eq!(why(&outcome.response), expected, "{generation} at {now}");
        assert_eq!(outcome.row.is_some(), expected.is_none());
    }
    let known = show(1, None, start - 1).row;
    let lease = show(1, known.clone(), over).response;
    assert!(matches!(lease, Response::Signed { .. }), "it is in force");
    let higher = show(2, known, over);
    assert_eq!(why(&higher.response), Some(NameRefusal::BadTime));
    assert_eq!(higher.row, None);
}

#[test]
fn what_may_be_certified_bars_others_until_its_end_whatever_its_owner_signs_next() {
    let mut three = Three::new();
    let long = three.provisionals(&free(&author(), 1, NOW), None);
    three.finalise(0, &long);
    three.now += 2 * MINUTE;
    let mut short = draft(1, Right::Free { work: 0 }, three.now);
    let brief = |draft: &Draft, end| draft.clone().sign_until(&author(), end).unwrap();
    let early = brief(&short, three.now + MINUTE);
    assert_eq!(
        why(&three.propose(0, &early, None)),
        Some(NameRefusal::BadTime)
    );
    short.issued += 1;
    let as_late = brief(&short, NOW + NAME_LEASE);
    let answer = three.propose(0, &as_late, None);
    assert!(matches!(answer, Response::Signed { .. }));
    three.now = NOW + NAME_LEASE;
    let other = free(&transport(), 2, three.now);
    assert_eq!(
        why(&three.propose(0, &other, None)),
        Some(NameRefusal::Taken)
    );
}

#[test]
fn an_extension_does_not_hide_a_successor_that_may_be_certified() {
    let mut three = Three::new();
    let first = three.certify(&free(&author(), 1, NOW), None);
    three.show(&first);
    let next = handed(1, &transport(), &author(), NOW + 1);
    let half = three.provisionals(&next, Some(&first));
    three.finalise(0, &half);
    three.now += 2 * MINUTE;
    let longer = draft(1, Right::Own, three.now).sign(&author()).unwrap();
    let own = three.provisionals(&longer, Some(&first));
    assert!(matches!(three.finalise(0, &own), Response::Signed { .. }));
    let row = three.rows[0].as_ref().unwrap();
    assert_eq!(row.half.as_ref().unwrap().claim, next);
}
