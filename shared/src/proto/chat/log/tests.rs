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
        heard: true,
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
    assert_eq!(log.missing(), 4, "the end, too");
    // Of somebody of whom nothing is here nobody believes it, of the others what is missing is shown until it comes.
    log.expect(author(2), 1, 3);
    log.take(text(3, 3, 20));
    assert_eq!(log.missing(), 6);
    for number in [2, 3, 5, 6] {
        log.take(text(1, number, 15));
    }
    assert_eq!(log.missing(), 2);
    for number in [1, 2] {
        log.take(text(3, number, 15));
    }
    assert_eq!(log.missing(), 0);
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

fn given(held: Held) -> Held {
    Held {
        heard: false,
        ..held
    }
}

/// As keys cost nothing, so do authors.
fn stranger(number: u64, time: Millis) -> Held {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let mut held = given(text(1, 1, time));
    held.body.author = SigningKey::from_seed(id).public();
    held.id = packet_id(&id);
    held
}

/// A room that is full of what five authors were heard to say.
fn full() -> Log {
    let mut log = Log::default();
    let each = MAX_ROOM_MESSAGES as u64 / 5 + 1;
    for number in 0..MAX_ROOM_MESSAGES as u64 {
        let by = 1 + (number / each) as u8;
        log.take(text(by, 1 + number % each, 1_000 + number));
    }
    assert_eq!(log.digest().count as usize, MAX_ROOM_MESSAGES);
    log
}

#[test]
fn what_is_given_does_not_push_out_what_was_heard() {
    let mut log = full();
    let heard = |log: &Log| log.iter().filter(|held| held.heard).count();
    for number in 0..3_000 {
        log.take(stranger(number, 100_000 + number));
    }
    let lost = MAX_ROOM_MESSAGES - heard(&log);
    assert_eq!(lost, HISTORY_GIVES_WAY_SPARE, "what a lossy path may lose");
    assert_eq!(log.digest().count as usize, MAX_ROOM_MESSAGES);
    // What is heard goes on to push out the oldest.
    log.take(text(6, 1, 200_000));
    assert_eq!(heard(&log), MAX_ROOM_MESSAGES - lost);
}

#[test]
fn what_is_given_gives_way_to_what_is_given() {
    let mut log = Log::default();
    for number in 0..200 {
        log.take(text(1, 1 + number, 1_000 + number));
    }
    for number in 0..5_000 {
        let by = SigningKey::from_seed([number as u8; 32]).public();
        let mut given = given(text(2, 1 + number, 100_000 + number));
        given.body.author = by;
        log.take(given);
    }
    let holds = log.holds();
    assert_eq!((holds.messages, holds.heard), (MAX_ROOM_MESSAGES, 200));
}

#[test]
fn what_got_lost_is_taken_from_others_in_a_full_room() {
    let (mut log, mut all) = (full(), full());
    for number in 0..4_000 {
        let next = || text(6 + (number % 5) as u8, 1 + number, 100_000 + number);
        all.take(next());
        let lost = number % 20 == 0;
        log.take(if lost { given(next()) } else { next() });
    }
    assert_eq!(log.digest(), all.digest());
}

#[test]
fn after_a_cut_a_full_room_takes_all_that_was_said_meanwhile() {
    let (mut log, mut all) = (full(), full());
    log.missed_much();
    for number in 0..2_000 {
        let next = || text(6 + (number % 5) as u8, 1 + number / 5, 100_000 + number);
        all.take(next());
        log.take(given(next()));
    }
    assert_eq!(log.digest(), all.digest());
    assert_eq!((log.holds().heard, log.missing()), (0, 0));
}

#[test]
fn what_made_room_is_not_missing_although_its_session_was_forgotten() {
    let mut log = Log::default();
    // Few messages, but long ones.
    let long = "x".repeat(16_000);
    for number in 0..600 {
        let by = 1 + (number / 20) as u8;
        let mut held = text(by, 1 + number % 20, 1_000 + number);
        held.packet.extend(long.bytes());
        log.take(held);
    }
    assert!(log.holds().messages < 600);
    log.take(text(1, 21, 10_000));
    assert_eq!(log.missing(), 0);
}

#[test]
fn sessions_are_forgotten_with_their_messages() {
    let mut log = Log::default();
    for number in 0..3 * MAX_ROOM_MESSAGES as u64 {
        let mut held = stranger(number, number);
        held.heard = true;
        let deletes = number % 4 == 0;
        if deletes {
            held.body.content = Content::Delete {
                session: number,
                number: 7,
            };
        }
        log.take(held);
    }
    assert_eq!(log.digest().count as usize, MAX_ROOM_MESSAGES);
    assert_eq!(log.authors.len(), MAX_ROOM_MESSAGES);
    assert!(log.sessions.len() <= MAX_ROOM_MESSAGES + log.deleted.len());
}

#[test]
fn a_claim_without_a_message_is_not_believed() {
    let mut log = Log::default();
    for session in 0..100 {
        log.expect(author(2), session, 1_000);
    }
    assert_eq!((log.missing(), log.sessions.len()), (0, 0));
    log.take(text(2, 1, 10));
    log.expect(author(2), 1, 3);
    assert_eq!(log.missing(), 2);
    log.expect(author(2), 1, 2);
    assert_eq!(log.missing(), 2, "what was said was said");
}
