use super::*;
use crate::limits::PIECE;
use crate::proto::key::SigningKey;

const NOW: Millis = 1_000_000;

fn author(number: u8) -> PublicKey {
    SigningKey::from_seed([number; 32]).public()
}

/// Of this author, at home at a place of its own.
fn wish(number: u8, until: Millis) -> Wish {
    Wish {
        author: author(number),
        source: number.into(),
        seq: 1,
        until,
    }
}

fn cid(number: u8) -> Cid {
    Cid::file([number; 32])
}

fn tree() -> Tree {
    Tree::new(PIECE).unwrap()
}

/// Room for so many files of one piece.
fn room(files: u64) -> Room {
    Room::new(files * bytes_of(tree()))
}

/// Puts a file in, all of it.
fn kept(room: &mut Room, number: u8, wish: Wish) -> Result<Vec<Cid>, KeepRefusal> {
    let admitted = room.admit(cid(number), tree(), wish, NOW)?;
    room.complete(&cid(number));
    Ok(admitted.gone)
}

#[test]
fn what_is_pinned_stays_and_the_oldest_of_the_others_goes() {
    let mut room = room(8);
    for number in 1..=8 {
        // Of two authors, two each are over, and one of those ended first.
        let until = match number {
            3 => NOW,
            6 => NOW - 1,
            _ => NOW + 1,
        };
        assert_eq!(kept(&mut room, number, wish(number, until)), Ok(Vec::new()));
    }
    assert_eq!(room.used(), room.quota);
    assert_eq!(kept(&mut room, 9, wish(9, NOW + 1)), Ok(vec![cid(6)]));
    assert_eq!(kept(&mut room, 10, wish(10, NOW + 1)), Ok(vec![cid(3)]));
    let before = room.used();
    let full = kept(&mut room, 11, wish(11, NOW + 1));
    assert_eq!(full, Err(KeepRefusal::Full));
    assert_eq!(
        (room.used(), room.count()),
        (before, 8),
        "nothing has changed"
    );
}

#[test]
fn an_author_and_a_source_have_a_share() {
    let mut room = room(8);
    for number in 1..=2 {
        assert_eq!(kept(&mut room, number, wish(1, NOW + 1)), Ok(Vec::new()));
    }
    assert_eq!(kept(&mut room, 3, wish(1, NOW + 1)), Err(KeepRefusal::Full));
    let mut moved = wish(1, NOW + 1);
    moved.source = 77;
    assert_eq!(
        kept(&mut room, 3, moved),
        Err(KeepRefusal::Full),
        "the author"
    );
    let mut other = wish(2, NOW + 1);
    other.source = 1;
    assert_eq!(
        kept(&mut room, 3, other),
        Err(KeepRefusal::Full),
        "the source"
    );
    assert_eq!(kept(&mut room, 3, wish(2, NOW + 1)), Ok(Vec::new()));
    let large = Tree::new(3 * PIECE).unwrap();
    let refused = room.admit(cid(9), large, wish(9, NOW + 1), NOW);
    assert_eq!(refused, Err(KeepRefusal::TooLarge), "more than a share");
}

#[test]
fn who_is_beyond_a_share_loses_what_is_its_own() {
    let mut room = room(8);
    kept(&mut room, 1, wish(1, NOW)).unwrap();
    kept(&mut room, 2, wish(1, NOW - 5)).unwrap();
    kept(&mut room, 3, wish(2, NOW - 9)).unwrap();
    assert_eq!(kept(&mut room, 4, wish(1, NOW + 1)), Ok(vec![cid(2)]));
}

#[test]
fn a_file_that_is_there_is_asked_for_again_and_by_others() {
    let mut room = room(8);
    assert!(!room.admit(cid(1), tree(), wish(1, NOW), NOW).unwrap().whole);
    let busy = room.admit(cid(1), tree(), wish(2, NOW), NOW);
    assert_eq!(busy, Err(KeepRefusal::Busy), "it is on its way");
    room.complete(&cid(1));
    let mut again = wish(1, NOW + 9);
    again.seq = 2;
    assert!(room.admit(cid(1), tree(), again, NOW).unwrap().whole);
    assert_eq!(room.entries[&cid(1)].until(), NOW + 9);
    let older = room.admit(cid(1), tree(), wish(1, NOW + 99), NOW);
    assert_eq!(older, Err(KeepRefusal::NotNow));
    let other_size = Tree::new(PIECE + 1).unwrap();
    let lie = room.admit(cid(1), other_size, wish(2, NOW), NOW);
    assert_eq!(lie, Err(KeepRefusal::Malformed));
    for number in 2..=MAX_KEEPERS as u8 {
        assert!(kept(&mut room, 1, wish(number, NOW)).is_ok());
    }
    assert_eq!(kept(&mut room, 1, wish(99, NOW)), Err(KeepRefusal::Full));
    assert_eq!(room.count(), 1);
}

#[test]
fn what_is_on_its_way_does_not_go() {
    let mut room = room(4);
    for number in 1..=4 {
        room.admit(cid(number), tree(), wish(number, NOW - 1), NOW)
            .unwrap();
    }
    assert_eq!(kept(&mut room, 5, wish(5, NOW + 1)), Err(KeepRefusal::Full));
    room.remove(&cid(3));
    assert_eq!(kept(&mut room, 5, wish(5, NOW + 1)), Ok(Vec::new()));
}

#[test]
fn less_room_than_before_is_kept_to() {
    let mut room = room(8);
    for number in 1..=8 {
        let until = if number == 8 {
            NOW
        } else {
            NOW + u64::from(number)
        };
        kept(&mut room, number, wish(number, until)).unwrap();
    }
    room.quota = 5 * bytes_of(tree());
    assert_eq!(room.trim(NOW), [cid(8), cid(1), cid(2)]);
    assert_eq!(room.used(), room.quota);
    assert_eq!(room.trim(NOW), []);
}
