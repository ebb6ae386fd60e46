//! What counts as a quorum, and until when.

use super::*;
use crate::limits::{DAY, MINUTE};
use crate::selftest::names::samples::{
    certificate, certificate_of, claim, handed, sets, signature, two_sets, witnesses,
};
use crate::selftest::samples::NOW;

fn live_with(life: [Millis; 3]) -> Binding {
    let finals = (0..3).zip(life).map(|(member, life)| {
        let (seat, key) = ((1, member), &witnesses()[member as usize]);
        let floor = Floor {
            seq: member,
            hash: [0; 32],
        };
        WitnessSignature::sign(&claim(), seat, Stage::Final, NOW + life, floor, key)
    });
    let certificate = Certificate {
        finals: finals.collect(),
        ..certificate()
    };
    certificate.verify(&sets()).unwrap()
}

#[test]
fn a_quorum_binds_until_its_leases_end() {
    let binding = certificate().verify(&sets()).unwrap();
    assert!(binding.is_live(NOW));
    assert!(binding.is_live(NOW + NAME_LEASE - 1));
    assert!(!binding.is_live(NOW + NAME_LEASE));
    assert_eq!(binding.live_until(), NOW + NAME_LEASE);
    let bytes = certificate().encode();
    assert_eq!(Certificate::decode(&bytes), Ok(certificate()));
}

#[test]
fn the_quorum_th_longest_signature_counts() {
    let binding = live_with([DAY, 3 * DAY, 5 * DAY]);
    assert_eq!(binding.live_until(), NOW + 3 * DAY);
    assert!(!binding.is_live(NOW + 3 * DAY));
    let too_long = live_with([DAY, NAME_LEASE + DAY, NAME_LEASE + DAY]);
    assert!(!too_long.is_live(NOW), "two of three lie about the lease");
    let late = certificate().verify(&sets()).unwrap();
    assert!(
        late.is_live(NOW - 10 * MINUTE),
        "a reader may be ten minutes behind"
    );
    assert!(!late.is_live(NOW - 11 * MINUTE));
}

#[test]
fn the_floor_is_what_a_quorum_agrees_to() {
    let binding = live_with([DAY, DAY, DAY]);
    assert_eq!(binding.floor(NOW).seq, 1, "one of three may exaggerate");
    let two = live_with([1, DAY, DAY]);
    assert_eq!(
        two.floor(NOW + 1).seq,
        2,
        "with no more than a quorum, all count"
    );
}

#[test]
fn anything_less_binds_nothing() {
    let mut one = certificate();
    one.finals.pop();
    assert_eq!(one.verify(&sets()), Err(Refusal::BadSignature));
    let mut provisional = certificate();
    provisional.finals[1] = signature(&claim(), 1, Stage::Provisional);
    assert_eq!(provisional.verify(&sets()), Err(Refusal::BadSignature));
    let mut twice = certificate();
    twice.finals[1] = twice.finals[0].clone();
    assert_eq!(
        Certificate::decode(&twice.encode()),
        Err(Refusal::Malformed)
    );
    let mut mixed = certificate();
    mixed.claim = handed();
    assert_eq!(mixed.verify(&sets()), Err(Refusal::BadSignature));
    let mut epoch = certificate();
    epoch.epoch = 7;
    assert_eq!(epoch.verify(&sets()), Err(Refusal::WrongKey));
    epoch.epoch = 2;
    assert_eq!(epoch.verify(&two_sets()), Err(Refusal::BadSignature));
    let mut stretched = certificate();
    stretched.finals[0].not_after += 1;
    assert_eq!(stretched.verify(&sets()), Err(Refusal::BadSignature));
    let mut raised = certificate();
    raised.finals[0].floor.seq = 9;
    assert_eq!(raised.verify(&sets()), Err(Refusal::BadSignature));
}

#[test]
fn signatures_of_an_old_epoch_end_a_lease_after_it() {
    let binding = certificate().verify(&two_sets()).unwrap();
    assert!(
        binding.is_live(NOW + 2 * DAY),
        "the next epoch began a day ago"
    );
    let end = two_sets().ended(1).unwrap() + NAME_LEASE;
    let late = (0..3).map(|member| {
        let (seat, key) = ((1, member), &witnesses()[member as usize]);
        WitnessSignature::sign(
            &claim(),
            seat,
            Stage::Final,
            end + DAY,
            Floor::default(),
            key,
        )
    });
    let certificate = Certificate {
        finals: late.collect(),
        ..certificate()
    };
    let binding = certificate.verify(&two_sets()).unwrap();
    assert_eq!(binding.live_until(), end);
}

#[test]
fn signatures_add_up_wherever_they_come_from() {
    let mut tally = Tally::new(claim(), 1, Stage::Final);
    assert!(tally.add(signature(&claim(), 2, Stage::Final), &sets()));
    assert!(!tally.add(signature(&handed(), 1, Stage::Final), &sets()));
    assert!(!tally.add(signature(&claim(), 1, Stage::Provisional), &sets()));
    assert!(tally.binding(&sets()).is_none());
    assert!(tally.add(signature(&claim(), 0, Stage::Final), &sets()));
    let binding = tally.binding(&sets()).unwrap();
    assert_eq!(binding.certificate().finals.len(), 2);
    assert_eq!(binding.certificate().verify(&sets()), Ok(binding.clone()));
    assert!(
        certificate_of(&handed())
            .verify(&sets())
            .unwrap()
            .claim()
            .rank()
            > binding.claim().rank()
    );
}
