//! Who is remembered, and who gives way to whom.

use super::super::rows::Cursor;
use super::*;
use crate::limits::{
    MAX_CORRESPONDENTS, MAX_FORGOTTEN_SESSIONS, MAX_SESSIONS_EACH, MAX_STRANGERS,
    MAX_UNTOLD_OF_STRANGERS,
};

#[test]
fn unread_messages_of_strangers_leave_room_for_friends() {
    let mut program = Program::new(1);
    program.send(key(2).public(), 1, NOW).unwrap();
    for author in 10..10 + MAX_UNTOLD_OF_STRANGERS as u16 {
        let taken = program.take(1, vec![signed(author, 0, 1, NOW)], NOW);
        assert_eq!(taken, Taken::Until { next: 2 });
    }
    let strange = program.take(1, vec![signed(9_000, 0, 1, NOW)], NOW);
    assert_eq!(strange, refused(NotTaken::Full));
    let friend = program.take(1, vec![signed(2, 0, 1, NOW)], NOW);
    assert_eq!(friend, Taken::Until { next: 2 });
}

#[test]
fn strangers_give_way_to_strangers_and_never_stand_in_the_way_of_friends() {
    const FRIEND: u16 = 2;
    let mut program = Program::new(1);
    program.send(key(FRIEND).public(), 1, NOW).unwrap();
    program.take(1, vec![signed(FRIEND, 0, 1, NOW)], NOW);
    // Later than the friend, from one place; then one from another place, which none of the crowd drives out.
    let flood = |program: &mut Program, authors: std::ops::Range<u16>, now: Millis| {
        for author in authors {
            let taken = program.take_from(7, 1, vec![signed(author, 0, 1, now)], now);
            assert_eq!(taken, Taken::Until { next: 2 }, "{author}");
            program.read();
        }
    };
    let strangers = MAX_STRANGERS as u16;
    flood(&mut program, 10..10 + strangers, NOW + 1);
    program.take_from(8, 1, vec![signed(3, 0, 1, NOW + 2)], NOW + 2);
    program.read();
    flood(&mut program, 2_000..2_000 + strangers, NOW + 3);
    assert!(program.knows(FRIEND) && program.knows(3) && !program.knows(10));
    assert_eq!(program.rows("p/"), 1 + MAX_STRANGERS);
    assert_eq!(program.rows("h/"), 2 + MAX_STRANGERS);
    // Somebody new is written to, and the friend goes on.
    program.send(key(9_000).public(), 1, NOW + 4).unwrap();
    let more = program.take(1, vec![signed(FRIEND, 0, 2, NOW + 4)], NOW + 4);
    assert_eq!(more, Taken::Until { next: 3 });
    program.read();
    // Who gave way says the same again: it is not told twice, here or after a restart.
    program.post = program.again(1);
    program.post.set_reading(true);
    let again = program.take(1, vec![signed(10, 0, 1, NOW + 1)], NOW + 5);
    assert_eq!(again, Taken::Until { next: 2 });
    assert_eq!(program.post.untold(None), None);
}

#[test]
fn friends_give_way_to_friends_that_were_not_heard_of_for_long() {
    let mut program = Program::new(1);
    for author in 2..2 + MAX_CORRESPONDENTS as u16 {
        let id = program.send(key(author).public(), 1, NOW).unwrap();
        let session = [5; 16];
        program.turn(|post, turn| post.settle(&key(author).public(), &session, 2, turn));
        assert_eq!(program.post.on_its_way(&id), None);
    }
    let new = key(9_000).public();
    assert_eq!(program.send(new, 1, NOW), Err(Refused::Full));
    let strange = program.take(1, vec![signed(9_001, 0, 1, NOW)], NOW);
    assert_eq!(strange, Taken::Until { next: 2 });
    program
        .send(new, 1, NOW + 2 * MESSAGE_LIFETIME)
        .expect("they are silent for long");
    assert_eq!(program.rows("p/"), MAX_CORRESPONDENTS + 1);
}

#[test]
fn sessions_of_an_author_are_bounded() {
    let mut program = Program::new(1);
    program.take(1, vec![signed(3, 0, 1, NOW)], NOW);
    let later = NOW + 2 * MESSAGE_LIFETIME;
    for session in 1..MAX_SESSIONS_EACH as u8 {
        let taken = program.take(1, vec![signed(3, session, 1, later)], later);
        assert!(matches!(taken, Taken::Until { .. }), "{session}");
        program.read();
    }
    assert_eq!(program.rows("i/"), MAX_SESSIONS_EACH);
    // The first one of all was used so long ago that nothing of it can come again; of the others it can.
    let another = |session| vec![signed(3, session, 1, later)];
    assert!(matches!(
        program.take(1, another(255), later),
        Taken::Until { .. }
    ));
    assert_eq!(
        program.take(1, another(254), later),
        refused(NotTaken::Full)
    );
    assert_eq!(program.rows("i/"), MAX_SESSIONS_EACH);
}

#[test]
fn sessions_of_those_who_gave_way_are_bounded() {
    let mut program = Program::new(1);
    let gone = |number: u64| {
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        (SigningKey::from_seed(seed).public(), [0; 16])
    };
    for number in 0..=MAX_FORGOTTEN_SESSIONS as u64 {
        let used = NOW + number;
        let cursor = Cursor { next: 2, used };
        program.post.cursors.insert(gone(number), cursor);
    }
    for stranger in 10..=10 + MAX_STRANGERS as u16 {
        let now = NOW + MAX_FORGOTTEN_SESSIONS as u64 + u64::from(stranger);
        program.take(1, vec![signed(stranger, 0, 1, now)], now);
        program.read();
    }
    assert!(!program.knows(10), "the oldest stranger gave way");
    assert!(program.rows(&format!("i/{}", key(10).public())) == 1);
    let sessions = &program.post.cursors;
    assert!(sessions.len() <= MAX_FORGOTTEN_SESSIONS + MAX_STRANGERS);
    assert!(sessions.contains_key(&gone(MAX_FORGOTTEN_SESSIONS as u64)));
    assert!(!sessions.contains_key(&gone(0)), "the one used longest ago");
}
