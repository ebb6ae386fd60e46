//! Fuzzed parsers of chat rooms: packets as relays and members see them, requests for history and their
//! answers, and links to rooms.

use warren_shared::limits::{MAX_CHAT_PACKET, MAX_CHAT_TEXT, MAX_HISTORY_HAVE};
use warren_shared::proto::cbor;
use warren_shared::proto::chat::history::{Answer, Request};
use warren_shared::proto::chat::packet::{inspect, packet_id, peek};
use warren_shared::proto::chat::{Room, RoomConfig, RoomKeys, RoomRef};
use warren_shared::proto::key::SigningKey;
use warren_tests::fuzz::fuzz;

const NOW: u64 = 1_700_000_000_000;

/// The rooms of the corpus: a public one and a private one.
fn rooms() -> [RoomKeys; 2] {
    let network = "test".parse().expect("a network");
    let secrets = [None, Some([9; 16])];
    secrets.map(|secret| {
        RoomRef::new("general", secret)
            .expect("a name")
            .keys(&network)
    })
}

/// What anybody sends into a room: a relay, a member and somebody who is given it as history agree about it.
#[test]
fn packets() {
    let words: [&[u8]; 6] = [
        &[0x83, 0],
        &[0x85, 1],
        &[0x58, 0x40],
        &[0x1b],
        &[0xf6],
        &[0xff; 9],
    ];
    let rooms = rooms();
    fuzz("rooms", &words, |input| {
        let each = rooms.clone().map(|keys| {
            let topic = keys.topic();
            let (outside, inside) = (inspect(&topic, input), keys.read(input));
            if let Ok(body) = &inside {
                let outside = outside.as_ref().expect("what members believe is passed on");
                assert!(input.len() <= MAX_CHAT_PACKET);
                assert_eq!(
                    (outside.time, outside.lasts),
                    (body.time(), body.content.lasts())
                );
                let encoded = cbor::encode(body);
                assert!(encoded.len() <= MAX_CHAT_TEXT + 2_048);
                let peeked = peek(&topic, input);
                assert_eq!(peeked.is_some(), !topic.sealed);
                assert!(peeked.is_none_or(|peeked| cbor::encode(&peeked) == encoded));
            }
            let mut room = member(keys);
            let taken = room.received(input.to_vec(), NOW);
            assert!(taken.is_err() || inside.is_ok());
            assert!(room.history(None, 10).expect("the newest").len() <= 1);
            while room.poll().is_some() {}
            (
                outside.map(|seen| seen.lasts),
                inside.map(|body| body.number > 0),
                taken.is_ok(),
            )
        });
        hashed(each)
    });
}

fn hashed<T: std::fmt::Debug>(value: T) -> String {
    format!("{value:?}")
}

fn member(keys: RoomKeys) -> Room {
    let config = RoomConfig {
        keys,
        author: SigningKey::from_seed([4; 32]),
        nick: "reader".to_owned(),
        peer: vec![4],
        session: 4,
        seed: [4; 32],
    };
    Room::new(config).expect("a room")
}

/// What is asked for, and what is given.
#[test]
fn history() {
    let words: [&[u8]; 5] = [&[0x83], &[0x82, 0], &[0x82, 1], &[0x58, 0x40], &[0xf5]];
    let rooms = rooms();
    fuzz("history", &words, |input| {
        let asked = Request::decode(input).map(|request| {
            assert_eq!(request.encode(), input, "one encoding");
            assert!(request.have.len() <= 8 * MAX_HISTORY_HAVE);
            let has = request.has(&packet_id(input));
            let answers = rooms
                .clone()
                .map(|keys| member(keys).answer(&request).encode().len());
            (has, answers)
        });
        let given = Answer::decode(input).map(|answer| {
            assert_eq!(answer.encode(), input, "one encoding");
            let shown = rooms.clone().map(|keys| {
                let mut room = member(keys);
                room.answered(&vec![1], Some(answer.clone()), NOW);
                while room.poll().is_some() {}
                room.history(None, 10).expect("the newest").len()
            });
            let more = matches!(answer, Answer::Packets { more: true, .. });
            (more, shown)
        });
        hashed((asked, given))
    });
}

/// What people paste.
#[test]
fn links() {
    let words: [&[u8]; 5] = [
        b"#room=",
        b"&secret=",
        b"%20",
        b"%",
        b"aaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    fuzz("links", &words, |input| {
        let text = String::from_utf8_lossy(input);
        let found = RoomRef::parse(&text);
        if let Ok(room) = &found {
            let again = RoomRef::parse(&format!("https://example.com/{}", room.fragment()));
            let again = again.expect("a link that is written is read");
            assert!(again == *room, "{text}");
        }
        found
            .map(|room| room.secret.is_some())
            .map_err(|error| error.code())
    });
}
