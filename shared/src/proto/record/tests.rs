//! Validation, conflict resolution and peer records.

use super::peer::{AUTHOR_PROOF_DOMAIN, AuthorProof, PeerRecord};
use super::*;
use crate::limits::{CLOCK_TOLERANCE, DAY, MAX_PEER_ADDRESSES, PEER_RECORD_LIFETIME};
use crate::proto::envelope::Body;
use crate::proto::key::SigningKey;

const NOW: Millis = 1_700_000_000_000;

fn network() -> NetworkId {
    "net".parse().unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn block(text: &str) -> ValueBlock {
    ValueBlock::new(&Value::Json(text.to_owned())).unwrap()
}

fn mutable(seq: u64, text: &str) -> Envelope {
    let times = (NOW, NOW + DAY);
    MutableValue::sign(&key(1), &network(), "label", &block(text), seq, times).unwrap()
}

fn peer_record() -> PeerRecord {
    PeerRecord {
        addresses: vec![vec![4, 127, 0, 0, 1]],
        relays: vec![key(3).public().to_peer_id_bytes()],
        mailboxes: vec![],
        capabilities: vec!["chat".into()],
        author: Some(AuthorProof::sign(&key(2), &key(1).public(), &network(), NOW).unwrap()),
    }
}

#[test]
fn valid_records_pass() {
    let immutable = block("[1]");
    let signed = mutable(1, "2");
    let peer = peer_record().sign(&key(1), &network(), 1, NOW).unwrap();
    for (key, bytes) in [
        (immutable.key(), immutable.bytes()),
        (signed.key(), signed.bytes()),
        (PeerRecord::key(&key(1).public()), peer.bytes()),
    ] {
        let record = Record::validate(key, bytes, &network(), NOW).unwrap();
        assert_eq!((record.key(), record.bytes()), (key, bytes));
    }
}

#[test]
fn each_fault_has_its_reason() {
    let signed = mutable(1, "2");
    let other = "other".parse().unwrap();
    let validate =
        |key, network: &NetworkId, now| Record::validate(key, signed.bytes(), network, now).err();
    let expired = NOW + DAY + CLOCK_TOLERANCE;
    assert_eq!(
        validate(signed.key(), &other, NOW),
        Some(Refusal::WrongNetwork)
    );
    assert_eq!(
        validate(signed.key(), &network(), expired),
        Some(Refusal::Expired)
    );
    assert_eq!(
        validate(signed.key(), &network(), 0),
        Some(Refusal::FutureDated)
    );
    let elsewhere = MutableValue::key(&key(2).public(), "label");
    assert_eq!(
        validate(elsewhere, &network(), NOW),
        Some(Refusal::WrongKey)
    );
    assert_eq!(
        validate(Key::value(signed.bytes()), &network(), NOW),
        Some(Refusal::Malformed)
    );
    let namespace = Key::namespace(&network(), "n").unwrap();
    assert_eq!(
        validate(namespace, &network(), NOW),
        Some(Refusal::Unsupported)
    );
}

#[test]
fn a_value_must_have_the_hash_of_its_key() {
    let (one, two) = (block("1"), block("2"));
    let refused = Record::validate(one.key(), two.bytes(), &network(), NOW);
    assert_eq!(refused, Err(Refusal::WrongKey));
}

#[test]
fn proofs_and_unknown_domains_are_not_stored() {
    for domain in [AUTHOR_PROOF_DOMAIN, "join", "future-thing"] {
        let body = Body {
            domain: domain.into(),
            ..mutable(1, "2").body().clone()
        };
        let envelope = Envelope::sign(body, &key(1)).unwrap();
        let refused = Record::validate(envelope.key(), envelope.bytes(), &network(), NOW);
        assert_eq!(refused, Err(Refusal::Unsupported));
    }
}

#[test]
fn a_mutable_value_must_hold_a_block() {
    let body = Body {
        payload: b"junk".to_vec(),
        ..mutable(1, "2").body().clone()
    };
    let envelope = Envelope::sign(body, &key(1)).unwrap();
    let refused = Record::validate(envelope.key(), envelope.bytes(), &network(), NOW);
    assert_eq!(refused, Err(Refusal::Malformed));
}

#[test]
fn the_largest_mutable_value_fits() {
    let block = ValueBlock::new(&Value::Bytes(vec![0; 8192])).unwrap();
    let envelope =
        MutableValue::sign(&key(1), &network(), "l", &block, 1, (NOW, NOW + DAY)).unwrap();
    Record::validate(envelope.key(), envelope.bytes(), &network(), NOW).unwrap();
}

#[test]
fn higher_sequence_then_larger_hash_wins() {
    let sign = |seq, text: &str| Record::Signed(mutable(seq, text));
    assert_eq!(supersedes(&sign(1, "1"), &sign(2, "1")), Decision::Store);
    assert_eq!(supersedes(&sign(2, "1"), &sign(1, "2")), Decision::Older);
    assert_eq!(supersedes(&sign(1, "1"), &sign(1, "1")), Decision::Same);
    let (a, b) = (sign(1, "1"), sign(1, "2"));
    let decisions = [supersedes(&a, &b), supersedes(&b, &a)];
    assert!(decisions.contains(&Decision::Store) && decisions.contains(&Decision::Older));
    let value = Record::Value(block("1"));
    assert_eq!(supersedes(&value, &value), Decision::Same);
    assert_eq!(supersedes(&value, &a), Decision::Older);
}

#[test]
fn peer_records_round_trip_with_their_author() {
    let record = peer_record();
    let envelope = record.sign(&key(1), &network(), 1, NOW).unwrap();
    let opened = PeerRecord::open(&envelope).unwrap();
    assert_eq!(opened, record);
    assert_eq!(opened.author.unwrap().author(), key(2).public());
    let empty = PeerRecord::default();
    assert_eq!(
        PeerRecord::open(&empty.sign(&key(1), &network(), 1, NOW).unwrap()),
        Ok(empty)
    );
}

#[test]
fn a_borrowed_author_proof_is_refused() {
    let proofs = [
        AuthorProof::sign(&key(2), &key(9).public(), &network(), NOW),
        AuthorProof::sign(&key(2), &key(1).public(), &"other".parse().unwrap(), NOW),
        AuthorProof::sign(&key(2), &key(1).public(), &network(), NOW - DAY),
        AuthorProof::sign(&key(2), &key(1).public(), &network(), NOW + 1),
    ];
    for proof in proofs {
        let record = PeerRecord {
            author: Some(proof.unwrap()),
            ..peer_record()
        };
        assert!(record.sign(&key(1), &network(), 1, NOW).is_err());
    }
}

#[test]
fn peer_record_limits_hold() {
    let many = PeerRecord {
        addresses: vec![vec![1]; MAX_PEER_ADDRESSES + 1],
        ..peer_record()
    };
    let long = PeerRecord {
        addresses: vec![vec![1; 257]],
        ..peer_record()
    };
    let empty = PeerRecord {
        relays: vec![vec![]],
        ..peer_record()
    };
    for record in [many, long, empty] {
        assert!(record.sign(&key(1), &network(), 1, NOW).is_err());
    }
    let signed = peer_record().sign(&key(1), &network(), 1, NOW).unwrap();
    for body in [
        Body {
            expires: NOW + PEER_RECORD_LIFETIME + 1,
            ..signed.body().clone()
        },
        Body {
            label: "x".into(),
            ..signed.body().clone()
        },
    ] {
        let envelope = Envelope::sign(body, &key(1)).unwrap();
        assert_eq!(PeerRecord::open(&envelope), Err(Refusal::Malformed));
    }
}
