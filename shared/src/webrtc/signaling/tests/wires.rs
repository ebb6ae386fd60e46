//! What is on the wire, byte by byte.

use super::*;

fn found(bytes: &[u8], piece: usize) -> Vec<Result<Message, BadMessage>> {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for bytes in bytes.chunks(piece) {
        decoder.push(bytes);
        messages.extend(std::iter::from_fn(|| decoder.next()).take(20));
    }
    messages
}

fn one(kind: Kind, data: &str) -> Vec<Result<Message, BadMessage>> {
    let data = data.to_owned();
    vec![Ok(Message { kind, data })]
}

/// By hand: length, field 1 as a number, field 2 as bytes.
#[test]
fn messages_are_those_of_the_specification() {
    let vectors: [(&[u8], Kind, &str); 4] = [
        (b"\x07\x08\x00\x12\x03v=0", Kind::Offer, "v=0"),
        (b"\x07\x08\x01\x12\x03v=0", Kind::Answer, "v=0"),
        (b"\x08\x08\x02\x12\x04null", Kind::Candidate, "null"),
        (b"\x04\x08\x02\x12\x00", Kind::Candidate, ""),
    ];
    for (bytes, kind, data) in vectors {
        assert_eq!(say(kind, data), bytes);
        assert_eq!(found(bytes, bytes.len()), one(kind, data));
    }
    // 300 bytes: lengths of two bytes, 305 and 300.
    let long = "x".repeat(300);
    let head = [0xb1, 0x02, 0x08, 0x01, 0x12, 0xac, 0x02];
    let bytes = [&head[..], long.as_bytes()].concat();
    assert_eq!(say(Kind::Answer, &long), bytes);
    assert_eq!(found(&bytes, 1), one(Kind::Answer, &long));
}

#[test]
fn other_encodings_of_the_same_are_understood() {
    // The fields the other way round, a field of a later version, a field twice, no text at all.
    let others: [(&[u8], Kind, &str); 4] = [
        (b"\x05\x12\x01x\x08\x01", Kind::Answer, "x"),
        (b"\x0a\x08\x02\x1a\x03abc\x12\x01x", Kind::Candidate, "x"),
        (b"\x07\x08\x02\x08\x00\x12\x01x", Kind::Offer, "x"),
        (b"\x02\x08\x02", Kind::Candidate, ""),
    ];
    for (bytes, kind, data) in others {
        assert_eq!(found(bytes, bytes.len()), one(kind, data), "{bytes:?}");
    }
}

#[test]
fn messages_are_found_however_they_are_cut() {
    let said = [
        say(Kind::Offer, &offer()),
        candidate(1),
        say(Kind::Candidate, ""),
        say(Kind::Answer, &"y".repeat(5_000)),
    ];
    let bytes = said.concat();
    let whole = found(&bytes, bytes.len());
    assert_eq!(whole.len(), 4);
    for piece in [1, 2, 3, 7, 127, 1_000] {
        assert_eq!(found(&bytes, piece), whole, "pieces of {piece}");
    }
}

#[test]
fn damage_is_a_typed_error_and_the_last_thing_found() {
    let long = SIGNALING_MESSAGE as u64 + 1;
    let bad: [(&[u8], BadMessage); 8] = [
        (&[0x81, 0x80, 0x01], BadMessage::TooLong(long)),
        (&[0xff; 12], BadMessage::Damaged),
        (&[3, 0x12, 9, 1], BadMessage::Damaged),
        (&[1, 0x0b], BadMessage::Damaged),
        (&[0], BadMessage::NoKind),
        (b"\x03\x12\x01x", BadMessage::NoKind),
        (&[2, 0x08, 3], BadMessage::UnknownKind(3)),
        (&[5, 0x08, 0, 0x12, 1, 0xff], BadMessage::NoText),
    ];
    for (bytes, error) in bad {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        assert_eq!(decoder.next(), Some(Err(error)), "{bytes:?}");
        decoder.push(&say(Kind::Offer, "x"));
        assert_eq!((decoder.next(), decoder.held()), (None, 0));

        let mut attempt = Attempt::answer(0);
        attempt.received(bytes);
        failed(&mut attempt, Failure::Message(error));
    }
}

#[test]
fn the_largest_message_is_taken() {
    // Two bytes say what it is, three how long the text is, and three more how long all of that is.
    let most = "x".repeat(SIGNALING_MESSAGE - 5);
    let bytes = say(Kind::Offer, &most);
    assert_eq!(bytes.len(), SIGNALING_MESSAGE + 3);
    assert_eq!(found(&bytes, 100), one(Kind::Offer, &most));
    let more = say(Kind::Offer, &(most + "x"));
    let error = BadMessage::TooLong(SIGNALING_MESSAGE as u64 + 1);
    assert_eq!(found(&more, more.len()), [Err(error)]);
}

#[test]
fn the_end_of_candidates_has_many_forms() {
    for end in ["", "null", "\"\"", "{}", r#"{"candidate":""}"#] {
        assert_eq!(Trickled::parse(end), Ok(Trickled::End), "{end}");
    }
    // What browsers make of it.
    let full = r#"{"candidate":"","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"EsAw"}"#;
    assert_eq!(Trickled::parse(full), Ok(Trickled::End));
    assert_eq!(Trickled::End.to_json(), "null");
}

#[test]
fn candidates_are_those_of_browsers() {
    let text = "candidate:1 1 udp 2113937151 5d7b.local 51234 typ host";
    let json = format!(
        r#"{{"candidate":"{text}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"EsAw"}}"#
    );
    let candidate = Candidate {
        text: text.to_owned(),
        mid: Some("0".to_owned()),
        line: Some(0),
        ufrag: Some("EsAw".to_owned()),
    };
    let trickled = Trickled::Candidate(candidate.clone());
    assert_eq!(Trickled::parse(&json), Ok(trickled.clone()));
    assert_eq!(Trickled::parse(&trickled.to_json()), Ok(trickled));
    // Whoever says less means the only section there is.
    let short = format!(r#"{{"candidate":"{text}","sdpMid":null}}"#);
    let alone = Candidate {
        mid: None,
        ufrag: None,
        ..candidate
    };
    assert_eq!(Trickled::parse(&short), Ok(Trickled::Candidate(alone)));
}

#[test]
fn what_is_no_candidate_is_refused() {
    for bad in [
        "1",
        "[]",
        "\"x\"",
        "{",
        "nul",
        r#"{"candidate":1}"#,
        r#"{"candidate":"x","sdpMid":0}"#,
        r#"{"candidate":"x","sdpMLineIndex":-1}"#,
        r#"{"candidate":"x","sdpMLineIndex":65536}"#,
        r#"{"candidate":"x\r\na=mid:1"}"#,
    ] {
        assert_eq!(Trickled::parse(bad), Err(BadCandidate::Damaged), "{bad}");
        let mut attempt = known();
        attempt.received(&say(Kind::Candidate, bad));
        failed(&mut attempt, Failure::Candidate(BadCandidate::Damaged));
    }
    let long = format!(r#"{{"candidate":"{}"}}"#, "x".repeat(1_100));
    assert_eq!(Trickled::parse(&long), Err(BadCandidate::TooLong));
}
