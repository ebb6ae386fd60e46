//! Signing, opening, limits and times.

use super::*;
use crate::limits::DAY;

const NOW: Millis = 1_700_000_000_000;

fn key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn body() -> Body {
    Body {
        domain: "test".into(),
        network: "net".parse().unwrap(),
        key: key().public(),
        label: "label".into(),
        seq: 1,
        issued: NOW,
        expires: NOW + DAY,
        payload: b"payload".to_vec(),
    }
}

#[test]
fn signs_and_opens() {
    let signed = Envelope::sign(body(), &key()).unwrap();
    let opened = Envelope::open(signed.bytes()).unwrap();
    assert_eq!(opened, signed);
    assert_eq!(opened.key(), Key::record("test", &key().public(), "label"));
}

#[test]
fn largest_fits() {
    let body = Body {
        domain: "d".repeat(MAX_DOMAIN),
        network: "n".repeat(32).parse().unwrap(),
        label: "l".repeat(MAX_LABEL),
        seq: MAX_SAFE_INTEGER,
        issued: MAX_SAFE_INTEGER - 1,
        expires: MAX_SAFE_INTEGER,
        payload: vec![0; MAX_PAYLOAD],
        ..body()
    };
    let signed = Envelope::sign(body, &key()).unwrap();
    assert!(signed.bytes().len() <= MAX_ENVELOPE);
    Envelope::open(signed.bytes()).unwrap();
}

#[test]
fn refuses_to_sign_what_nobody_would_open() {
    let cases: [(Body, Code); 8] = [
        (
            Body {
                payload: vec![0; MAX_PAYLOAD + 1],
                ..body()
            },
            Code::TooLarge,
        ),
        (
            Body {
                label: "l".repeat(MAX_LABEL + 1),
                ..body()
            },
            Code::TooLarge,
        ),
        (
            Body {
                domain: "Upper".into(),
                ..body()
            },
            Code::InvalidArgument,
        ),
        (
            Body {
                domain: String::new(),
                ..body()
            },
            Code::InvalidArgument,
        ),
        (
            Body {
                seq: MAX_SAFE_INTEGER + 1,
                ..body()
            },
            Code::InvalidArgument,
        ),
        (
            Body {
                expires: NOW,
                ..body()
            },
            Code::InvalidArgument,
        ),
        (
            Body {
                expires: NOW + 401 * DAY,
                ..body()
            },
            Code::InvalidArgument,
        ),
        (
            Body {
                key: SigningKey::from_seed([2; 32]).public(),
                ..body()
            },
            Code::InvalidKey,
        ),
    ];
    for (body, code) in cases {
        assert_eq!(Envelope::sign(body, &key()).unwrap_err().code(), code);
    }
}

#[test]
fn limits_hold_for_properly_signed_envelopes_too() {
    let long = Body {
        expires: NOW + 401 * DAY,
        ..body()
    };
    let big = Body {
        payload: vec![0; MAX_PAYLOAD + 1],
        ..body()
    };
    let far = Body {
        seq: u64::MAX,
        ..body()
    };
    for (body, why) in [
        (long, Refusal::Malformed),
        (big, Refusal::Oversized),
        (far, Refusal::Malformed),
    ] {
        assert_eq!(Envelope::open(&sign_blindly(&body.encode())), Err(why));
    }
    assert_eq!(
        Envelope::open(&[0; MAX_ENVELOPE + 1]),
        Err(Refusal::Oversized)
    );
}

#[test]
fn another_version_is_named_as_such() {
    let mut encoded = body().encode();
    encoded[1] = 2;
    assert_eq!(
        Envelope::open(&sign_blindly(&encoded)),
        Err(Refusal::UnknownVersion)
    );
}

#[test]
fn a_signature_of_other_bytes_is_refused() {
    let encoded = body().encode();
    let unprefixed = EnvelopeWire {
        body: &encoded,
        signature: key().sign(&encoded),
    };
    assert_eq!(
        Envelope::open(&cbor::encode(&unprefixed)),
        Err(Refusal::BadSignature)
    );
    let thief = SigningKey::from_seed([2; 32]).sign(&signing_bytes(&encoded));
    let stolen = EnvelopeWire {
        body: &encoded,
        signature: thief,
    };
    assert_eq!(
        Envelope::open(&cbor::encode(&stolen)),
        Err(Refusal::BadSignature)
    );
}

#[test]
fn time_has_ten_minutes_of_tolerance() {
    let envelope = Envelope::sign(body(), &key()).unwrap();
    assert_eq!(envelope.check_time(NOW - CLOCK_TOLERANCE), Ok(()));
    assert_eq!(
        envelope.check_time(NOW - CLOCK_TOLERANCE - 1),
        Err(Refusal::FutureDated)
    );
    assert_eq!(envelope.check_time(NOW + DAY + CLOCK_TOLERANCE - 1), Ok(()));
    assert_eq!(
        envelope.check_time(NOW + DAY + CLOCK_TOLERANCE),
        Err(Refusal::Expired)
    );
    assert_eq!(envelope.check_time(u64::MAX), Err(Refusal::Expired));
}

fn sign_blindly(encoded: &[u8]) -> Vec<u8> {
    let signature = key().sign(&signing_bytes(encoded));
    cbor::encode(&EnvelopeWire {
        body: encoded,
        signature,
    })
}
