//! Fuzzed parsers of what everything else travels in: envelopes and records, and frames with commands in them.

use warren_shared::limits::MAX_ENVELOPE;
use warren_shared::proto::cbor;
use warren_shared::proto::envelope::Envelope;
use warren_shared::proto::record::wire::{Answer, Request, decode_frame, encode_frame};
use warren_shared::proto::rpc::Incoming;
use warren_tests::fuzz::fuzz;

/// What is signed, what is asked about it, and what is answered.
#[test]
fn envelopes() {
    let words: [&[u8]; 5] = [
        &[0x82, 0x58],
        &[0x89, 1],
        &[0x58, 0x40],
        &[0x1b],
        &[0xff; 9],
    ];
    fuzz("envelopes", &words, |input| {
        let envelope = Envelope::open(input).map(|envelope| {
            assert_eq!(envelope.bytes(), input, "one encoding");
            assert!(input.len() <= MAX_ENVELOPE);
            (
                envelope.body().domain.clone(),
                envelope.check_time(1_700_000_000_000).is_ok(),
            )
        });
        let request = Request::decode(input).map(|request| {
            assert_eq!(request.encode(), input, "one encoding");
            std::mem::discriminant(&request)
        });
        let answer = Answer::decode(input).map(|answer| {
            assert_eq!(answer.encode(), input, "one encoding");
        });
        format!("{envelope:?} {request:?} {answer:?}")
    });
}

/// Frames one after the other, each with a text that is a command or is not: however they are cut into pieces, the
/// same comes out, and one that is not whole yet asks for more.
#[test]
fn frames_of_commands() {
    let words: [&[u8]; 5] = [
        &[0x31, 0x78, 0x2f],
        &[1, 0x60],
        &[0xff, 0xff, 3],
        &[0x80, 0],
        b"{}",
    ];
    fuzz("framing", &words, |input| {
        let (mut rest, mut seen) = (input, Vec::new());
        loop {
            match decode_frame(rest) {
                Ok(Some((frame, length))) => {
                    assert_eq!(
                        encode_frame(frame).as_deref(),
                        Ok(&rest[..length]),
                        "one encoding"
                    );
                    for cut in [0, length / 2, length - 1] {
                        assert_eq!(decode_frame(&rest[..cut]), Ok(None), "a part of a frame");
                    }
                    let text: Option<String> = cbor::decode(frame).ok();
                    let command = text.as_deref().map(Incoming::read);
                    let valid = matches!(command, Some(Incoming::One(Ok(_)) | Incoming::Batch(_)));
                    seen.push((text.is_some(), valid));
                    rest = &rest[length..];
                }
                other => {
                    let end = other
                        .map(|none| none.is_none())
                        .map_err(|why| why.to_string());
                    seen.truncate(4);
                    return (seen, end);
                }
            }
            if rest.is_empty() {
                seen.truncate(4);
                return (seen, Ok(true));
            }
        }
    });
}
