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

#[test]
fn a_witness_that_lost_its_rows_listens_until_all_that_it_signed_has_ended() {
    let mut three = Three::new();
    let certificate = three.certify(&free(&author(), 1, NOW), None);
    let since = NOW + MINUTE;
    three.now = since;
    let silent_until = three.loses_rows(0, since);
    let refused = Some(NameRefusal::NotWitness);
    let bytes = certificate.encode();
    let renew = Request::Renew { certificate: bytes };
    assert_eq!(why(&three.ask(0, &renew)), refused);
    let claim = free(&transport(), 2, three.now);
    assert_eq!(why(&three.propose(0, &claim, None)), refused);
    match three.ask(0, &Request::Ask { name: alice() }) {
        Response::Known { known } => {
            assert_eq!(
                known.certificate,
                Some(certificate.encode()),
                "it has listened"
            );
            assert_eq!(known.own, None);
        }
        other => panic!("{other:?}"),
    }
    three.now = silent_until - 1;
    assert_eq!(why(&three.ask(0, &renew)), refused);
    three.now = silent_until;
    let claim = free(&transport(), 2, three.now);
    let answer = three.propose(0, &claim, None);
    assert_eq!(
        why(&answer),
        Some(NameRefusal::Taken),
        "it knows who holds it"
    );
    assert!(matches!(three.ask(0, &renew), Response::Signed { .. }));
}

#[test]
fn a_row_goes_when_nothing_is_lost_with_it() {
    let mut three = Three::new();
    let claim = free(&author(), 1, NOW);
    let provisionals = three.provisionals(&claim, None);
    let tried = three.rows[0].clone().unwrap();
    let bar = NOW + MINUTE + 10 * MINUTE;
    for (after, gone) in [
        (0, false),
        (MINUTE, false),
        (20 * MINUTE, false),
        (20 * MINUTE + 1, true),
    ] {
        assert_eq!(tried.clone().can_go(NOW + after), gone, "{after}");
    }
    assert!(
        bar < NOW + 20 * MINUTE,
        "an attempt counts longer than its first penalty"
    );
    let mut again = tried.clone();
    again.bar(author().public()).strikes = 3;
    assert!(!again.can_go(NOW + 30 * MINUTE), "the penalty lasts");
    three.finalise(0, &provisionals);
    let signed = three.rows[0].clone().unwrap();
    assert!(
        !signed.can_go(NOW + 1_000 * NAME_TERM),
        "what was signed is never forgotten"
    );
    let mut denied = Row::default();
    assert!(denied.clone().can_go(NOW));
    denied.denied = Some(row::Denial {
        reason: "because".to_owned(),
        since: NOW,
    });
    assert!(!denied.can_go(NOW));
}
