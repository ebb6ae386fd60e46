use super::super::keys::RoomRef;
use super::super::packet::packet_id;
use super::*;
use crate::proto::key::SigningKey;

fn topic() -> Topic {
    let room = RoomRef::new("a", None).unwrap();
    room.keys(&"test".parse().unwrap()).topic()
}

fn author(number: u8) -> PublicKey {
    SigningKey::from_seed([number; 32]).public()
}

/// A message whose signature nobody asks for here.
fn held(by: u8, number: u64, time: Millis, content: Content) -> Held {
    let body = Body {
        version: 1,
        topic: topic(),
        author: author(by),
        session: 1,
        number,
        at: Stamp { time, count: 0 },
        nick: String::new(),
        content,
    };
    let packet = crate::proto::cbor::encode(&body);
    Held {
        id: packet_id(&packet),
        packet,
        body,
    }
}

fn text(by: u8, number: u64, time: Millis) -> Held {
    let (text, to) = ("hello".to_owned(), None);
    held(by, number, time, Content::Text { text, to })
}

fn delete(by: u8, number: u64, time: Millis, target: u64) -> Held {
    let (session, target) = (1, target);
    let content = Content::Delete {
        session,
        number: target,
    };
    held(by, number, time, content)
}

#[test]
fn each_message_is_taken_once_and_gaps_are_counted() {
    let mut log = Log::default();
    assert!(matches!(log.take(text(1, 1, 10)), Taken::New(_)));
    assert!(matches!(log.take(text(1, 1, 10)), Taken::Known));
    assert!(
        matches!(log.take(text(1, 1, 99)), Taken::Known),
        "the first one counts"
    );
    log.take(text(1, 4, 20));
    assert_eq!(log.missing(), 2);
    log.expect(author(1), 1, 6);
    log.expect(author(2), 1, 3);
    assert_eq!(log.missing(), 7);
    for number in [2, 3, 5, 6] {
        log.take(text(1, number, 15));
    }
    assert_eq!(log.missing(), 3);
    assert_eq!(log.last_number(author(1), 1), 6);
}

#[test]
fn a_deletion_counts_whenever_it_comes() {
    let (mut before, mut after) = (Log::default(), Log::default());
    before.take(delete(1, 2, 20, 1));
    assert!(matches!(before.take(text(1, 1, 10)), Taken::Known));
    after.take(text(1, 1, 10));
    let Taken::New(removed) = after.take(delete(1, 2, 20, 1)) else {
        panic!("a deletion is new");
    };
    assert_eq!(removed.len(), 1);
    for log in [&before, &after] {
        assert_eq!((log.missing(), log.digest().count), (0, 1));
    }
    assert_eq!(before.digest(), after.digest());
}

#[test]
fn deletions_of_deletions_and_of_others_change_nothing() {
    let mut log = Log::default();
    log.take(text(1, 1, 10));
    log.take(delete(1, 2, 20, 1));
    log.take(delete(1, 3, 30, 2));
    assert_eq!(log.digest().count, 2);
    assert!(
        matches!(log.take(text(1, 1, 10)), Taken::Known),
        "it stays deleted"
    );
    log.take(text(2, 1, 10));
    log.take(delete(3, 1, 20, 1));
    let there = MessageId {
        author: author(2),
        session: 1,
        number: 1,
    };
    assert!(log.get(&there).is_some());
}

#[test]
fn one_author_cannot_push_the_others_out() {
    let mut log = Log::default();
    log.take(text(1, 1, 5));
    let most = MAX_ROOM_MESSAGES_PER_AUTHOR as u64;
    for number in 1..=most + 10 {
        log.take(text(2, number, 10 + number));
    }
    assert_eq!(log.digest().count, most + 1);
    assert_eq!(log.missing(), 0, "what made room is not missing");
    assert!(matches!(log.take(text(2, most + 11, 1)), Taken::TooOld));
    assert_eq!(
        log.iter().next().map(|held| held.body.author),
        Some(author(1))
    );
}

#[test]
fn what_one_lacks_the_other_gives() {
    let (mut full, mut half) = (Log::default(), Log::default());
    for number in 1..=40 {
        full.take(text(1, number, number));
        if number % 3 == 0 {
            half.take(text(1, number, number));
        }
    }
    let request = half.request(topic(), 31);
    let Answer::Packets { packets, more } = full.answer(&request) else {
        panic!("refused");
    };
    assert_eq!((packets.len(), more), (20, false));
    let newest: Body = crate::proto::cbor::decode(&packets[0]).unwrap();
    assert_eq!(newest.time(), 29);
}
