//! Signing and reading join documents.

use super::*;

fn key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn hint(number: usize) -> RelayHint {
    RelayHint {
        peer: SigningKey::from_seed([number as u8; 32])
            .public()
            .to_peer_id(),
        addresses: vec![format!("/ip4/192.0.2.{number}/tcp/4001")],
        http: Some(format!("http://192.0.2.{number}:8080")),
    }
}

fn document() -> JoinDocument {
    JoinDocument {
        network: "net".parse().unwrap(),
        peer: key().public().to_peer_id(),
        addresses: vec!["/ip4/192.0.2.1/tcp/4001".into()],
        http: Some("http://192.0.2.1:8080".into()),
        stun: Some("stun:192.0.2.1:4002".into()),
        witnesses: WitnessSet::new(1, 1, [key().public()]).ok(),
        relays: vec![hint(2), hint(3)],
        version: "0.1.0".into(),
        now: 1_700_000_000_000,
    }
}

#[test]
fn round_trips() {
    let bare = JoinDocument {
        http: None,
        stun: None,
        witnesses: None,
        relays: vec![],
        addresses: vec![],
        ..document()
    };
    for document in [document(), bare] {
        let text = document.to_json(&key()).unwrap();
        assert_eq!(JoinDocument::from_json(&text).unwrap(), document);
    }
}

#[test]
fn believes_only_the_signed_part() {
    let text = document().to_json(&key()).unwrap();
    let edited = text
        .replace("192.0.2.1", "203.0.113.66")
        .replace("\"net\"", "\"evil\"");
    assert_ne!(edited, text);
    assert_eq!(JoinDocument::from_json(&edited).unwrap(), document());
}

#[test]
fn the_signer_must_be_the_peer() {
    let thief = SigningKey::from_seed([9; 32]);
    assert!(document().to_json(&thief).is_err());
    let body = Body {
        key: thief.public(),
        ..document().body(key().public())
    };
    let envelope = Envelope::sign(body, &thief).unwrap();
    let text = format!(
        "{{\"envelope\":\"{}\"}}",
        Base::Base64Url.encode(envelope.bytes())
    );
    let error = JoinDocument::from_json(&text).unwrap_err();
    assert_eq!(error.code(), Code::JoinFailed);
    assert!(error.cause().unwrap().contains("peer id"));
}

#[test]
fn other_envelopes_of_the_relay_are_no_documents() {
    let body = Body {
        domain: "value".into(),
        ..document().body(key().public())
    };
    let envelope = Envelope::sign(body, &key()).unwrap();
    assert!(JoinDocument::open(&envelope).is_err());
}

#[test]
fn leaves_out_relays_that_do_not_fit() {
    let long = "/dns4/".to_owned() + &"x".repeat(500);
    let relays = (2..10)
        .map(|number| RelayHint {
            addresses: vec![long.clone(); 8],
            ..hint(number)
        })
        .collect();
    let text = JoinDocument {
        relays,
        ..document()
    }
    .to_json(&key())
    .unwrap();
    assert_eq!(JoinDocument::from_json(&text).unwrap().relays.len(), 1);
}

#[test]
fn limits_hold() {
    let many = vec!["/ip4/192.0.2.1".to_owned(); 17];
    for bad in [
        JoinDocument {
            addresses: many,
            ..document()
        },
        JoinDocument {
            http: Some("javascript:alert(1)".into()),
            ..document()
        },
        JoinDocument {
            http: Some("http://a b".into()),
            ..document()
        },
        JoinDocument {
            stun: Some("turn:a".into()),
            ..document()
        },
        JoinDocument {
            version: "v".repeat(65),
            ..document()
        },
        JoinDocument {
            now: u64::MAX,
            ..document()
        },
    ] {
        assert!(bad.to_json(&key()).is_err(), "{bad:?}");
    }
    for bad in [
        "",
        "{}",
        "[]",
        "{\"envelope\":\"!\"}",
        "{\"envelope\":\"\"}",
    ] {
        assert_eq!(
            JoinDocument::from_json(bad).unwrap_err().code(),
            Code::JoinFailed
        );
    }
}
