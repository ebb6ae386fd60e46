//! Messages, frames and their limits.

use super::*;

fn key() -> Key {
    Key::value(b"x")
}

fn requests() -> Vec<Request> {
    vec![
        Request::Put {
            key: key(),
            record: vec![1; MAX_ENVELOPE],
        },
        Request::Get { key: key() },
        Request::Announce {
            key: key(),
            addresses: vec![vec![4; 256]; 2],
            ttl_ms: 5,
        },
        Request::Withdraw { key: key() },
        Request::Providers {
            key: key(),
            after: None,
        },
        Request::Providers {
            key: key(),
            after: Some(vec![1; 38]),
        },
    ]
}

fn responses() -> Vec<Response> {
    let entry = ProviderEntry {
        peer: vec![1; 64],
        addresses: vec![vec![2; 256]; 2],
        expires: 9,
    };
    vec![
        Response::Stored,
        Response::Found {
            record: vec![3; 100],
        },
        Response::Missing,
        Response::Announced { expires: 10 },
        Response::Providers {
            entries: vec![entry; PROVIDER_PAGE],
            more: true,
        },
        Response::Refused {
            why: Refusal::Older,
            newer: Some(vec![1]),
        },
        Response::Refused {
            why: Refusal::Full,
            newer: None,
        },
    ]
}

#[test]
fn every_message_round_trips_within_a_frame() {
    for request in requests() {
        let frame = encode_frame(&request.encode()).unwrap();
        let (message, used) = decode_frame(&frame).unwrap().unwrap();
        assert_eq!(used, frame.len());
        assert_eq!(Request::decode(message).unwrap(), request);
    }
    for response in responses() {
        let answer = Answer { now: 7, response };
        let frame = encode_frame(&answer.encode()).unwrap();
        let (message, _) = decode_frame(&frame).unwrap().unwrap();
        assert_eq!(Answer::decode(message).unwrap(), answer);
    }
}

#[test]
fn a_record_beyond_its_limit_still_arrives_to_be_refused() {
    let request = Request::Put {
        key: key(),
        record: vec![1; MAX_ENVELOPE + 1],
    };
    assert_eq!(Request::decode(&request.encode()), Ok(request));
}

#[test]
fn limits_hold() {
    for bad in [
        Request::Announce {
            key: key(),
            addresses: vec![vec![4]; 3],
            ttl_ms: 5,
        },
        Request::Providers {
            key: key(),
            after: Some(vec![1; 65]),
        },
    ] {
        assert_eq!(Request::decode(&bad.encode()), Err(Refusal::Oversized));
    }
    let found = Answer {
        now: 1,
        response: Response::Found {
            record: vec![1; MAX_ENVELOPE + 1],
        },
    };
    assert_eq!(Answer::decode(&found.encode()), Err(Refusal::Oversized));
    let late = Answer {
        now: u64::MAX,
        response: Response::Stored,
    };
    assert_eq!(Answer::decode(&late.encode()), Err(Refusal::Malformed));
    assert_eq!(
        Request::decode(&vec![0; MAX_FRAME + 1]),
        Err(Refusal::Oversized)
    );
    assert_eq!(
        encode_frame(&vec![0; MAX_FRAME + 1]),
        Err(Refusal::Oversized)
    );
}

#[test]
fn frames_arrive_in_pieces() {
    let frame = encode_frame(&[7; 300]).unwrap();
    for cut in 0..frame.len() {
        assert_eq!(decode_frame(&frame[..cut]), Ok(None));
    }
    let two = [frame.clone(), vec![1, 2]].concat();
    assert_eq!(decode_frame(&two), Ok(Some((&[7; 300][..], frame.len()))));
    assert_eq!(decode_frame(&[0]), Ok(Some((&[][..], 1))));
}

#[test]
fn bad_lengths_are_refused_early() {
    assert_eq!(decode_frame(&[0xff, 0xff, 0xff]), Err(Refusal::Oversized));
    assert_eq!(decode_frame(&[0x81, 0x80, 0x04]), Err(Refusal::Oversized));
    assert_eq!(decode_frame(&[0x80, 0x00]), Err(Refusal::Malformed));
    assert!(decode_frame(&[0x80, 0x80, 0x04]).unwrap().is_none());
}
