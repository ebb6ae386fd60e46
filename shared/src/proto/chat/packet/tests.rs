use super::super::keys::RoomRef;
use super::super::message::{Content, MessageId};
use super::super::stamp::Stamp;
use super::*;
use crate::proto::NetworkId;

fn network() -> NetworkId {
    "test".parse().unwrap()
}

fn keys(name: &str, secret: Option<[u8; 16]>) -> RoomKeys {
    RoomRef::new(name, secret).unwrap().keys(&network())
}

fn author() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn body(keys: &RoomKeys, text: &str) -> Body {
    Body {
        version: VERSION,
        topic: keys.topic(),
        author: author().public(),
        session: 5,
        number: 1,
        at: Stamp {
            time: 1_000,
            count: 0,
        },
        nick: "Ada".into(),
        content: Content::Text {
            text: text.into(),
            to: None,
        },
    }
}

#[test]
fn what_is_written_is_read_in_both_kinds_of_rooms() {
    for secret in [None, Some([9; 16])] {
        let keys = keys("a", secret);
        let said = body(&keys, "hello");
        let packet = keys.write(&said, &author(), &[3; 24]).unwrap();
        assert_eq!(keys.read(&packet).unwrap(), said);
        let seen = inspect(&keys.topic(), &packet).unwrap();
        assert_eq!((seen.time, seen.lasts), (1_000, true));
        assert_eq!(seen.body.is_some(), secret.is_none());
        let readable = packet.windows(5).any(|part| part == b"hello");
        assert_eq!(readable, secret.is_none());
    }
}

#[test]
fn no_byte_can_be_changed() {
    for secret in [None, Some([9; 16])] {
        let keys = keys("a", secret);
        let packet = keys
            .write(&body(&keys, "hello"), &author(), &[3; 24])
            .unwrap();
        for place in 0..packet.len() {
            let mut changed = packet.clone();
            changed[place] ^= 1;
            assert!(keys.read(&changed).is_err(), "byte {place}");
            assert!(inspect(&keys.topic(), &changed).is_err(), "byte {place}");
        }
        let longer = [packet.as_slice(), &[0]].concat();
        assert_eq!(keys.read(&longer), Err(Refusal::Malformed));
    }
}

#[test]
fn a_packet_counts_in_its_room_only() {
    for secret in [None, Some([9; 16])] {
        let here = keys("a", secret);
        let packet = here
            .write(&body(&here, "hello"), &author(), &[3; 24])
            .unwrap();
        for there in [keys("b", secret), keys("a", Some([8; 16])), keys("b", None)] {
            assert!(there.read(&packet).is_err());
            assert!(inspect(&there.topic(), &packet).is_err());
        }
    }
}

#[test]
fn outsiders_and_forgers_are_refused() {
    let keys = keys("a", Some([9; 16]));
    let said = body(&keys, "hello");
    let other = SigningKey::from_seed([2; 32]);
    assert_eq!(
        keys.write(&said, &other, &[3; 24]),
        Err(Refusal::WrongKey),
        "the author is another one"
    );
    // An outsider seals with a key of its own and signs as somebody.
    let mut outsider = keys.clone();
    outsider.inner = Some(Inner {
        key: other,
        cipher: [0; 32],
    });
    let packet = outsider.write(&said, &author(), &[3; 24]).unwrap();
    assert_eq!(inspect(&keys.topic(), &packet), Err(Refusal::BadSignature));
}

#[test]
fn times_count_within_tolerance() {
    let now = 100 * CLOCK_TOLERANCE;
    assert_eq!(check_time(now + CLOCK_TOLERANCE, true, now), Ok(()));
    let future = now + CLOCK_TOLERANCE + 1;
    assert_eq!(check_time(future, true, now), Err(Refusal::FutureDated));
    assert_eq!(check_time(1, true, now), Ok(()), "history is old");
    assert_eq!(check_time(1, false, now), Err(Refusal::Expired));
}

#[test]
fn the_longest_message_fits() {
    let keys = keys(&"n".repeat(128), Some([9; 16]));
    let mut said = body(&keys, &"x".repeat(crate::limits::MAX_CHAT_TEXT));
    said.nick = "n".repeat(crate::limits::MAX_NICK);
    let safe = crate::limits::MAX_SAFE_INTEGER;
    (said.session, said.number, said.at.time) = (safe, safe, safe);
    let to = MessageId {
        author: author().public(),
        session: safe,
        number: safe,
    };
    if let Content::Text { to: answered, .. } = &mut said.content {
        *answered = Some(to);
    }
    let packet = keys.write(&said, &author(), &[3; 24]).unwrap();
    const { assert!(MAX_CHAT_PACKET + 1_024 < crate::limits::MAX_GOSSIP) };
    assert_eq!(keys.read(&packet).unwrap(), said);
}

#[test]
fn the_bytes_of_a_packet_are_pinned() {
    let open = keys("general", None);
    let packet = open
        .write(&body(&open, "hello"), &author(), &[3; 24])
        .unwrap();
    let sealed = keys("general", Some([9; 16]));
    let secret = sealed
        .write(&body(&sealed, "hello"), &author(), &[3; 24])
        .unwrap();
    let hex = |bytes: &[u8]| multibase::Base::Base16Lower.encode(bytes);
    let found = format!(
        "{}\n{}\n{}\n{}\n",
        open.topic().text(&network()),
        hex(&packet),
        sealed.topic().text(&network()),
        hex(&secret)
    );
    assert_eq!(found, include_str!("../../../../spec/chat-vectors.txt"));
}
