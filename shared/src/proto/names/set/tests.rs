//! Quorums, successions, and what does not follow.

use super::*;
use crate::selftest::names::samples::{sets, succession, two_sets, witnesses};

#[test]
fn quorums_are_those_of_the_design() {
    let quorums = [1, 2, 2, 3, 4, 5, 5, 6, 7, 7];
    for (count, quorum) in (1_u8..).zip(quorums) {
        let keys = (0..count).map(|seed| SigningKey::from_seed([seed; 32]).public());
        assert_eq!(
            WitnessSet::new(1, 0, keys).unwrap().quorum(),
            quorum,
            "{count}"
        );
    }
    assert!(WitnessSet::new(1, 0, []).is_err());
    let many = (0..65).map(|seed| SigningKey::from_seed([seed; 32]).public());
    assert!(WitnessSet::new(1, 0, many).is_err());
}

#[test]
fn a_set_follows_by_a_quorum_of_its_predecessor() {
    let mut known = sets();
    assert_eq!(known.learn(succession()), Ok(true));
    assert_eq!(known.learn(succession()), Ok(false), "nothing new");
    assert_eq!(known.current().epoch(), 2);
    assert_eq!(known.ended(1), Some(succession().set.from()));
    assert_eq!(known.ended(2), None);
    assert_eq!(known.after(1), [succession()]);
    assert!(known.get(1).is_some() && known.get(3).is_none());
    assert_eq!(KnownSets::restore(&known.export()), Ok(known));
}

#[test]
fn nothing_else_follows() {
    let good = succession();
    let mut short = good.clone();
    short.signatures.pop();
    let mut twice = good.clone();
    twice.signatures[1] = twice.signatures[0].clone();
    let mut swapped = good.clone();
    swapped.signatures.reverse();
    let mut stranger = good.clone();
    stranger.signatures[1].member = 9;
    let mut forged = good.clone();
    forged.signatures[0].signature[3] ^= 1;
    let keys = witnesses();
    let skipping = WitnessSet::new(
        3,
        u64::from(u32::MAX) << 12,
        keys.iter().map(SigningKey::public),
    );
    let mut gap = good.clone();
    gap.set = skipping.unwrap();
    let mut earlier = good.clone();
    earlier.set = WitnessSet::new(2, 0, keys.iter().map(SigningKey::public)).unwrap();
    for wrong in [short, twice, swapped, stranger, forged, gap, earlier] {
        assert!(sets().learn(wrong.clone()).is_err(), "{wrong:?}");
    }
    let other: NetworkId = "other-net".parse().unwrap();
    let mut elsewhere = KnownSets::pinned(other, sets().current().clone());
    assert_eq!(elsewhere.learn(good), Err(Refusal::BadSignature));
    assert!(KnownSets::restore(&[]).is_err());
    assert_eq!(two_sets().after(0).len(), 2);
}
