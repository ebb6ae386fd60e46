//! One rule after the other, with three witnesses and their rows.

mod lasting;
mod three;

use super::*;
use crate::limits::{DAY, MINUTE, NAME_BAR, NAME_GRACE, NAME_TERM};
use crate::proto::names::claim::{Abandon, Right};
use crate::proto::names::wire::Request;
use crate::selftest::names::samples::{alice, sets, succession, two_sets, witnesses, zone_with};
use crate::selftest::samples::{NOW, author, transport};
use three::{Three, draft, free, handed, holder, recovery, why};

#[test]
fn first_come_first_served_and_only_for_a_minute() {
    let mut three = Three::new();
    let (mine, theirs) = (free(&author(), 1, NOW), free(&transport(), 1, NOW));
    let first = three.propose(0, &mine, None);
    assert!(matches!(first, Response::Signed { .. }));
    assert_eq!(
        three.propose(0, &mine, None),
        first,
        "asked twice, signed once"
    );
    assert_eq!(
        why(&three.propose(0, &theirs, None)),
        Some(NameRefusal::Busy)
    );
    three.now += MINUTE;
    assert!(matches!(
        three.propose(0, &theirs, None),
        Response::Signed { .. }
    ));
    let again = free(&author(), 1, three.now);
    three.now += MINUTE;
    assert_eq!(
        why(&three.propose(0, &again, None)),
        Some(NameRefusal::Barred)
    );
    three.now += NAME_BAR;
    assert_eq!(
        why(&three.propose(0, &mine, None)),
        Some(NameRefusal::BadTime)
    );
    let later = free(&author(), 1, three.now);
    assert!(matches!(
        three.propose(0, &later, None),
        Response::Signed { .. }
    ));
}

#[test]
fn what_is_given_up_is_free_at_once_and_stays_given_up() {
    let mut three = Three::new();
    let claim = free(&author(), 1, NOW);
    three.propose(0, &claim, None);
    let stolen = Abandon::sign(&claim, &transport(), NOW).unwrap();
    let abandon = stolen.bytes().to_vec();
    three.ask(0, &Request::Abandon { abandon });
    let theirs = free(&transport(), 1, NOW);
    assert_eq!(
        why(&three.propose(0, &theirs, None)),
        Some(NameRefusal::Busy)
    );
    let abandon = Abandon::sign(&claim, &author(), NOW)
        .unwrap()
        .bytes()
        .to_vec();
    assert_eq!(
        three.ask(0, &Request::Abandon { abandon }),
        Response::Abandoned
    );
    assert_eq!(
        why(&three.propose(0, &claim, None)),
        Some(NameRefusal::Replayed)
    );
    assert!(matches!(
        three.propose(0, &theirs, None),
        Response::Signed { .. }
    ));
}

#[test]
fn finals_need_a_quorum_of_live_provisionals() {
    let mut three = Three::new();
    let claim = free(&author(), 1, NOW);
    let tally = three.provisionals(&claim, None);
    let request = |provisionals| Request::Finalise {
        claim: claim.bytes().to_vec(),
        epoch: 1,
        provisionals,
    };
    let one = request(tally.signatures()[..1].to_vec());
    assert_eq!(why(&three.ask(0, &one)), Some(NameRefusal::NoQuorum));
    let mut forged = tally.signatures();
    forged[1].not_after += 1;
    forged.pop();
    assert_eq!(
        why(&three.ask(0, &request(forged))),
        Some(NameRefusal::NoQuorum)
    );
    three.rows[1] = None;
    assert_eq!(
        why(&three.finalise(1, &tally)),
        Some(NameRefusal::NotProvisional)
    );
    let signed = three.finalise(0, &tally);
    assert!(matches!(signed, Response::Signed { .. }));
    assert_eq!(three.finalise(0, &tally), signed, "the answer was lost");
    three.now += MINUTE;
    assert_eq!(
        why(&three.finalise(2, &tally)),
        Some(NameRefusal::NotProvisional)
    );
}

#[test]
fn a_half_final_claim_frees_itself_in_a_lease_but_not_its_generation() {
    let mut three = Three::new();
    let tally = three.provisionals(&free(&author(), 1, NOW), None);
    three.finalise(0, &tally);
    three.now = NOW + NAME_LEASE + 9 * MINUTE;
    let early = free(&transport(), 2, three.now);
    assert_eq!(
        why(&three.propose(0, &early, None)),
        Some(NameRefusal::Taken)
    );
    three.now += MINUTE;
    let same = free(&transport(), 1, three.now);
    assert_eq!(
        why(&three.propose(0, &same, None)),
        Some(NameRefusal::Older)
    );
    let next = free(&transport(), 2, three.now);
    assert!(matches!(
        three.propose(0, &next, None),
        Response::Signed { .. }
    ));
    let far = free(&SigningKey::from_seed([9; 32]), 1_002, three.now + 1);
    three.now += 2 * MINUTE;
    assert_eq!(why(&three.propose(0, &far, None)), Some(NameRefusal::Older));
}

#[test]
fn a_held_name_is_nobody_elses_until_its_grace_is_over() {
    let mut three = Three::new();
    let certificate = three.certify(&free(&author(), 1, NOW), None);
    three.show(&certificate);
    for (after, expected) in [
        (MINUTE, Some(NameRefusal::Taken)),
        (30 * DAY, Some(NameRefusal::Taken)),
        (NAME_TERM + NAME_GRACE - 1, Some(NameRefusal::Taken)),
        (NAME_TERM + NAME_GRACE, None),
    ] {
        three.now = NOW + after;
        let claim = free(&transport(), 2, three.now);
        let answer = three.propose(0, &claim, None);
        assert_eq!(why(&answer), expected, "{after}");
        if let Response::Refused {
            certificate: shown, ..
        } = answer
        {
            let shown = Certificate::decode(&shown.unwrap()).unwrap();
            assert_eq!(shown.claim, certificate.claim, "the refusal proves itself");
        }
    }
}

#[test]
fn leases_are_signed_for_anyone_during_the_term() {
    let mut three = Three::new();
    let certificate = three.certify(&free(&author(), 1, NOW), None);
    let first = three.renew(2, &certificate);
    three.now += DAY / 2;
    assert_eq!(three.renew(2, &certificate), first, "fresh enough");
    three.now = NOW + 200 * DAY;
    let Response::Signed { signed } = three.renew(2, &certificate) else {
        panic!("refused in the middle of the term");
    };
    assert_eq!(signed.signature.not_after, three.now + NAME_LEASE);
    three.now = NOW + NAME_TERM - DAY;
    let Response::Signed { signed } = three.renew(2, &certificate) else {
        panic!("refused on the last day");
    };
    assert_eq!(
        signed.signature.not_after,
        NOW + NAME_TERM,
        "no lease beyond the term"
    );
    three.now = NOW + NAME_TERM;
    assert_eq!(
        why(&three.renew(2, &certificate)),
        Some(NameRefusal::BadTime)
    );
    let extended = draft(1, Right::Own, three.now).sign(&author()).unwrap();
    let extended = three.certify(&extended, Some(&certificate));
    three.show(&extended);
    assert_eq!(why(&three.renew(0, &certificate)), Some(NameRefusal::Older));
}

#[test]
fn handovers_release_and_recovery_raise_the_generation() {
    let mut three = Three::new();
    let first = three.certify(&free(&author(), 1, NOW), None);
    three.show(&first);
    let thief = handed(1, &transport(), &transport(), NOW + 1);
    assert_eq!(
        why(&three.propose(0, &thief, None)),
        Some(NameRefusal::NoRight)
    );
    let second = three.certify(&handed(1, &transport(), &author(), NOW + 2), Some(&first));
    three.show(&second);
    assert_eq!(holder(&three.rows[0]), transport().public());
    assert_eq!(why(&three.renew(0, &first)), Some(NameRefusal::Older));
    let replay = handed(1, &author(), &author(), NOW + 3);
    assert_eq!(
        why(&three.propose(0, &replay, None)),
        Some(NameRefusal::Older)
    );
    let third = three.certify(&handed(2, &author(), &recovery(), NOW + 4), Some(&second));
    three.show(&third);
    let release = draft(4, Right::Release { from: 3 }, NOW + 5)
        .sign(&author())
        .unwrap();
    let gone = three.certify(&release, Some(&third));
    three.show(&gone);
    let stranger = SigningKey::from_seed([9; 32]);
    let late = free(&stranger, 4, NOW + 6);
    assert_eq!(
        why(&three.propose(0, &late, None)),
        Some(NameRefusal::Older)
    );
    let fifth = three.certify(&free(&stranger, 5, NOW + 7), Some(&gone));
    three.show(&fifth);
    assert_eq!(holder(&three.rows[2]), stranger.public());
}

#[test]
fn a_witness_adopts_what_it_is_shown() {
    let mut three = Three::new();
    let certificate = three.certify(&free(&author(), 1, NOW), None);
    three.rows[2] = None;
    assert!(matches!(
        three.renew(2, &certificate),
        Response::Signed { .. }
    ));
    let other = free(&transport(), 2, NOW);
    assert_eq!(
        why(&three.propose(2, &other, None)),
        Some(NameRefusal::Taken)
    );
    let mut short = certificate.clone();
    short.finals.truncate(1);
    assert_eq!(why(&three.renew(2, &short)), Some(NameRefusal::Invalid));
}

#[test]
fn zones_rise_and_leases_say_so() {
    let mut three = Three::new();
    let publish = |seq| Request::Publish {
        zone: zone_with(1, seq).bytes().to_vec(),
        certificate: None,
    };
    assert_eq!(why(&three.ask(0, &publish(1))), Some(NameRefusal::Unbound));
    let certificate = three.certify(&free(&author(), 1, NOW), None);
    three.show(&certificate);
    let Response::Signed { signed } = three.ask(0, &publish(5)) else {
        panic!("refused");
    };
    assert_eq!(signed.signature.floor, zone_with(1, 5).floor());
    assert_eq!(why(&three.ask(0, &publish(4))), Some(NameRefusal::Older));
    assert!(matches!(three.ask(0, &publish(5)), Response::Signed { .. }));
    let wrong = Request::Publish {
        zone: zone_with(2, 9).bytes().to_vec(),
        certificate: None,
    };
    assert_eq!(why(&three.ask(0, &wrong)), Some(NameRefusal::NoRight));
    let Response::Known { known } = three.ask(0, &Request::Ask { name: alice() }) else {
        panic!("refused");
    };
    assert_eq!(known.zone.as_deref(), Some(zone_with(1, 5).bytes()));
    assert_eq!((known.top, known.busy, known.half), (1, None, None));
    let moved = three.certify(
        &handed(1, &transport(), &author(), NOW + 1),
        Some(&certificate),
    );
    three.show(&moved);
    assert!(three.zones[0].is_none(), "the former owner's zone is gone");
}

#[test]
fn operators_refuse_with_a_reason() {
    let mut three = Three::new();
    let reason = "a court order".to_owned();
    let mut row = Row::default();
    row.denied = Some(row::Denial { reason, since: NOW });
    three.rows[0] = Some(row);
    let claim = free(&author(), 1, NOW);
    assert_eq!(
        why(&three.propose(0, &claim, None)),
        Some(NameRefusal::Denied)
    );
    let ask = Request::Ask { name: alice() };
    assert_eq!(why(&three.ask(0, &ask)), Some(NameRefusal::Denied));
}

#[test]
fn free_names_cost_work() {
    let hard = Hardness { base: 12, step: 0 };
    let witness = Witness::new(witnesses().remove(0), sets(), hard);
    let try_with = |work| {
        let claim = draft(1, Right::Free { work }, NOW).sign(&author()).unwrap();
        let request = Request::Propose {
            claim: claim.bytes().to_vec(),
            follows: None,
        };
        let job = witness.read(&request, NOW).unwrap();
        (claim.puzzle(hard), witness.work(&job, None, None, NOW))
    };
    let (puzzle, lazy) = try_with(u64::MAX >> 11);
    assert_eq!(why(&lazy.response), Some(NameRefusal::NoWork));
    assert_eq!(lazy.row, None, "nothing is written for free");
    let work = puzzle.search(0, 1 << 20).unwrap();
    assert!(matches!(try_with(work).1.response, Response::Signed { .. }));
}

#[test]
fn epochs_hand_over() {
    let newcomer = SigningKey::from_seed([14; 32]);
    let start = succession().set.from();
    let claim = |now| Request::Propose {
        claim: free(&author(), 1, now).bytes().to_vec(),
        follows: None,
    };
    let answer = |witness: &Witness, now| {
        let job = witness.read(&claim(now), now).unwrap();
        why(&witness.work(&job, None, None, now).response)
    };
    let fresh = Witness::new(newcomer, two_sets(), Hardness::NONE);
    assert_eq!(
        answer(&fresh, start - 1),
        Some(NameRefusal::NotWitness),
        "not yet"
    );
    assert_eq!(
        answer(&fresh, start),
        Some(NameRefusal::NotWitness),
        "knows no bindings yet"
    );
    let settled = start + NAME_LEASE + 20 * MINUTE;
    assert_eq!(answer(&fresh, settled), None);
    let veteran = Witness::new(witnesses().remove(0), two_sets(), Hardness::NONE);
    assert_eq!(answer(&veteran, start), None);
    let mut endorsing = Witness::new(witnesses().remove(0), sets(), Hardness::NONE);
    endorsing.endorsed(succession().set);
    assert_eq!(answer(&endorsing, start - 1), None);
    assert_eq!(answer(&endorsing, start), Some(NameRefusal::NotWitness));
}
