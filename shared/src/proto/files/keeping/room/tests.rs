use super::*;
use crate::limits::PIECE;
use crate::proto::files::tree::Tree;
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

/// Of a file of one piece.
fn bytes() -> u64 {
    Extent::asked(&cid(1), PIECE).bytes
}

/// Room for so many files of one piece.
fn room(files: u64) -> Room {
    Room::new(files * bytes())
}

/// Puts a file in, all of it.
fn kept(room: &mut Room, number: u8, wish: Wish) -> Result<Vec<Cid>, NotKept> {
    let admitted = room.admit(cid(number), PIECE, wish, NOW)?;
    room.complete(&cid(number));
    Ok(admitted.gone)
}

fn refused<T>(why: KeepRefusal) -> Result<T, NotKept> {
    Err(why.into())
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
    assert_eq!(full, refused(KeepRefusal::Full));
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
    assert_eq!(
        kept(&mut room, 3, wish(1, NOW + 1)),
        refused(KeepRefusal::Full)
    );
    let mut moved = wish(1, NOW + 1);
    moved.source = 77;
    assert_eq!(
        kept(&mut room, 3, moved),
        refused(KeepRefusal::Full),
        "the author"
    );
    let mut other = wish(2, NOW + 1);
    other.source = 1;
    assert_eq!(
        kept(&mut room, 3, other),
        refused(KeepRefusal::Full),
        "the source"
    );
    assert_eq!(kept(&mut room, 3, wish(2, NOW + 1)), Ok(Vec::new()));
    let large = room.admit(cid(9), 3 * PIECE, wish(9, NOW + 1), NOW);
    assert_eq!(large, refused(KeepRefusal::TooLarge), "more than a share");
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
    assert!(!room.admit(cid(1), PIECE, wish(1, NOW), NOW).unwrap().whole);
    let busy = room.admit(cid(1), PIECE, wish(2, NOW), NOW);
    assert_eq!(busy, refused(KeepRefusal::Busy), "it is on its way");
    room.complete(&cid(1));
    let mut again = wish(1, NOW + 9);
    again.seq = 2;
    assert!(room.admit(cid(1), PIECE, again, NOW).unwrap().whole);
    assert_eq!(room.entries[&cid(1)].until(), NOW + 9);
    let older = room.admit(cid(1), PIECE, wish(1, NOW + 99), NOW);
    assert_eq!(older, refused(KeepRefusal::NotNow));
    let lie = room.admit(cid(1), PIECE + 1, wish(2, NOW), NOW);
    assert_eq!(lie, refused(KeepRefusal::Malformed));
    for number in 2..=MAX_KEEPERS as u8 {
        assert!(kept(&mut room, 1, wish(number, NOW)).is_ok());
    }
    assert_eq!(
        kept(&mut room, 1, wish(99, NOW)),
        refused(KeepRefusal::Full)
    );
    assert_eq!(room.count(), 1);
}

#[test]
fn what_is_on_its_way_does_not_go() {
    let mut room = room(4);
    for number in 1..=4 {
        room.admit(cid(number), PIECE, wish(number, NOW - 1), NOW)
            .unwrap();
    }
    assert_eq!(
        kept(&mut room, 5, wish(5, NOW + 1)),
        refused(KeepRefusal::Full)
    );
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
    room.quota = 5 * bytes();
    assert_eq!(room.trim(NOW), [cid(8), cid(1), cid(2)]);
    assert_eq!(room.used(), room.quota);
    assert_eq!(room.trim(NOW), []);
}

fn folder(number: u8) -> Cid {
    Cid::directory([number; 32])
}

/// Of a directory whose list has one piece, with files of so many bytes altogether.
fn extent(number: u8, bytes: u64, files: u64) -> Extent {
    let list = Tree::new(PIECE).unwrap();
    let asked = Extent::asked(&folder(number), bytes).with_list(list);
    Extent {
        bytes: asked.bytes + bytes,
        files,
        ..asked
    }
}

#[test]
fn a_directory_takes_its_room_when_its_list_is_there() {
    let mut room = room(16);
    for number in 1..=13 {
        let until = if number == 5 { NOW } else { NOW + 1 };
        kept(&mut room, number, wish(number, until)).unwrap();
    }
    let size = 2 * PIECE;
    let admitted = room.admit(folder(1), size, wish(20, NOW + 1), NOW);
    assert_eq!(
        admitted.map(|one| (one.whole, one.gone)),
        Ok((false, vec![]))
    );
    assert!(room.used() < 14 * bytes(), "nothing is known of it yet");
    let gone = room.extend(&folder(1), extent(1, size, 2), NOW);
    assert_eq!(gone, Ok(Vec::new()));
    assert_eq!(room.used(), 13 * bytes() + extent(1, size, 2).bytes);
    // It is told what it takes, and how much there is for its author.
    let (whole, share) = (room.clone(), 4 * bytes());
    let large = extent(1, 4 * PIECE, 4);
    let why = KeepRefusal::TooLarge;
    let told = NotKept::NoRoom {
        why,
        need: large.bytes,
        most: share,
    };
    assert_eq!(room.extend(&folder(1), large, NOW), Err(told));
    assert_eq!((room.used(), room.count()), (whole.used(), whole.count()));
    room.complete(&folder(1));
    // The next one pushes out what is over, and the one after that finds nothing that may go.
    room.admit(folder(2), 9_000, wish(21, NOW + 1), NOW)
        .unwrap();
    let gone = room.extend(&folder(2), extent(2, 9_000, 1), NOW);
    assert_eq!(gone, Ok(vec![cid(5)]));
    room.complete(&folder(2));
    let free = room.quota - room.used();
    room.admit(folder(3), size, wish(22, NOW + 1), NOW).unwrap();
    let third = extent(3, size, 1);
    let told = NotKept::NoRoom {
        why: KeepRefusal::Full,
        need: third.bytes,
        most: free,
    };
    assert_eq!(room.extend(&folder(3), third, NOW), Err(told));
    room.remove(&folder(3));
    assert_eq!(
        room.extend(&folder(3), third, NOW),
        refused(KeepRefusal::Busy)
    );
    let lie = room.admit(folder(1), size + 1, wish(23, NOW), NOW);
    assert_eq!(lie.map(drop), refused(KeepRefusal::Malformed));
}

#[test]
fn what_an_author_has_counts_directories_too() {
    let mut room = room(16);
    kept(&mut room, 1, wish(1, NOW + 1)).unwrap();
    let (size, author) = (2 * PIECE, wish(1, NOW + 1));
    room.admit(folder(1), size, author, NOW).unwrap();
    assert_eq!(room.extend(&folder(1), extent(1, size, 2), NOW), Ok(vec![]));
    room.complete(&folder(1));
    assert_eq!(kept(&mut room, 2, author), refused(KeepRefusal::Full));
    assert!(kept(&mut room, 2, wish(2, NOW + 1)).is_ok());
}

#[test]
fn files_of_directories_are_counted() {
    let mut room = Room::new(u64::MAX / 2);
    let share = MAX_KEPT_MEMBERS / KEEP_SHARES;
    let author = wish(1, NOW + 1);
    room.admit(folder(1), 0, author, NOW).unwrap();
    let many = room.extend(&folder(1), extent(1, 0, share + 1), NOW);
    assert_eq!(many, refused(KeepRefusal::TooLarge));
    assert_eq!(
        room.extend(&folder(1), extent(1, 0, share), NOW),
        Ok(vec![])
    );
    room.complete(&folder(1));
    room.admit(folder(2), 0, author, NOW).unwrap();
    let more = room.extend(&folder(2), extent(2, 0, 1), NOW);
    assert_eq!(more, refused(KeepRefusal::Full), "of this author");
    // A file of its own is no file of a directory.
    assert_eq!(kept(&mut room, 1, author), Ok(Vec::new()));
}
