use super::*;
use crate::limits::{MAX_SEALED, SECOND};
use crate::proto::key::SigningKey;

const NOW: Millis = 1_700_000_000_000;

fn author(number: u8) -> PublicKey {
    SigningKey::from_seed([number; 32]).public()
}

fn leaving(to: u8, peer: u64, name: u64, size: usize) -> Leaving {
    let mut id = Id::default();
    id[..8].copy_from_slice(&name.to_be_bytes());
    Leaving {
        to: author(to),
        sender: Sender { peer, source: peer },
        id,
        sealed: vec![name as u8; size],
    }
}

fn put(table: &mut MemoryTable, what: &Leaving, now: Millis) -> Result<(), Refusal> {
    let Ok(kept) = leave(table, what, now);
    kept
}

fn found(table: &MemoryTable, to: u8, after: u64, now: Millis) -> (Vec<Waiting>, bool) {
    let Ok(found) = waiting(table, &author(to), after, now);
    found
}

fn all(table: &MemoryTable, to: u8, now: Millis) -> Vec<Waiting> {
    let (mut all, mut more) = (Vec::<Waiting>::new(), true);
    while more {
        let after = all.last().map_or(0, |one| one.place);
        let (page, rest) = found(table, to, after, now);
        assert!(
            !page.is_empty() || !rest,
            "a page without anything, and more"
        );
        more = rest;
        all.extend(page);
    }
    all
}

#[test]
fn what_is_left_is_given_to_its_recipient_in_order_until_it_is_done_with() {
    let mut table = MemoryTable::default();
    for name in 0..200 {
        put(&mut table, &leaving(1, name % 3, name, 10), NOW).unwrap();
        put(&mut table, &leaving(2, 7, name, 10), NOW).unwrap();
    }
    let waiting = all(&table, 1, NOW);
    let names: Vec<u8> = waiting.iter().map(|one| one.sealed[0]).collect();
    assert_eq!(names, (0..200).collect::<Vec<u8>>());
    assert!(waiting.is_sorted_by_key(|one| one.place));
    let places: Vec<u64> = waiting.iter().map(|one| one.place).collect();
    let Ok(()) = done(&mut table, &author(1), &places[..150]);
    assert_eq!(all(&table, 1, NOW), waiting[150..]);
    // Places of somebody else's mailbox mean nothing.
    let of_other = all(&table, 2, NOW);
    let places: Vec<u64> = of_other.iter().map(|one| one.place).collect();
    let Ok(()) = done(&mut table, &author(1), &places);
    assert_eq!(all(&table, 2, NOW).len(), 200);
}

#[test]
fn what_is_left_twice_is_kept_once() {
    let mut table = MemoryTable::default();
    for _ in 0..3 {
        put(&mut table, &leaving(1, 1, 5, 10), NOW).unwrap();
    }
    // Another sender may use the same id.
    put(&mut table, &leaving(1, 2, 5, 10), NOW).unwrap();
    assert_eq!(all(&table, 1, NOW).len(), 2);
}

#[test]
fn large_entries_come_in_several_pages() {
    let mut table = MemoryTable::default();
    for name in 0..10 {
        put(&mut table, &leaving(1, 1, name, MAX_SEALED), NOW).unwrap();
    }
    let (page, more) = found(&table, 1, 0, NOW);
    assert!(more && !page.is_empty());
    assert!(page.len() * MAX_SEALED <= MAILBOX_PAGE_BYTES);
    assert_eq!(all(&table, 1, NOW).len(), 10);
}

fn fill(table: &mut MemoryTable, to: u8, peer: u64, size: usize) -> u64 {
    let kept = |name: &u64| put(table, &leaving(to, peer, *name, size), NOW).is_ok();
    (0..).take_while(kept).count() as u64
}

#[test]
fn a_sender_fills_a_quarter_of_a_mailbox_and_others_find_room() {
    let mut table = MemoryTable::default();
    assert_eq!(fill(&mut table, 1, 1, 10), MAILBOX_PER_SENDER.0);
    let large = fill(&mut table, 1, 2, 16_000);
    let most = MAILBOX_PER_SENDER.1 / 16_000;
    assert!((most - 3..=most).contains(&large), "{large} of {most}");
    // It has room elsewhere, but not without end.
    assert!(put(&mut table, &leaving(2, 1, 0, 10), NOW).is_ok());
    let elsewhere: u64 = (2..30).map(|to| fill(&mut table, to, 1, 10)).sum();
    assert_eq!(elsewhere, MAILBOX_EACH.0 - MAILBOX_PER_SENDER.0);
}

#[test]
fn a_mailbox_has_an_end_and_a_hundred_sources_do_not_fill_it() {
    let mut table = MemoryTable::default();
    let first: u64 = (1..100).map(|peer| fill(&mut table, 1, peer, 10)).sum();
    assert!(first < MAILBOX_EACH.0, "closed by a hundred");
    put(&mut table, &leaving(1, 100, 0, 10), NOW).unwrap();
    let more: u64 = (101..400).map(|peer| fill(&mut table, 1, peer, 10)).sum();
    assert_eq!(first + 1 + more, MAILBOX_EACH.0);
    let one_more = leaving(1, 9_999, 0, 10);
    assert_eq!(put(&mut table, &one_more, NOW), Err(Refusal::Full));
}

#[test]
fn large_entries_of_many_sources_leave_room_for_the_next() {
    let mut table = MemoryTable::default();
    for peer in 1..50 {
        fill(&mut table, 1, peer, MAX_SEALED);
    }
    put(&mut table, &leaving(1, 50, 0, MAX_SEALED), NOW).unwrap();
    let Ok((_, bytes)) = total(&table);
    assert!(bytes <= MAILBOX_EACH.1);
}

#[test]
fn what_expires_is_swept_and_leaves_nothing_behind() {
    let mut table = MemoryTable::default();
    for name in 0..50 {
        put(
            &mut table,
            &leaving(1, name % 4, name, 10),
            NOW + name * SECOND,
        )
        .unwrap();
    }
    let later = NOW + MESSAGE_LIFETIME;
    assert_eq!(all(&table, 1, later + 9 * SECOND).len(), 40);
    let Ok(swept) = sweep(&mut table, later + 9 * SECOND, 1_000);
    assert_eq!(swept, 10);
    assert_eq!(total(&table), Ok((40, 400)));
    let places: Vec<u64> = all(&table, 1, NOW).iter().map(|one| one.place).collect();
    let Ok(()) = done(&mut table, &author(1), &places);
    let Ok(swept) = sweep(&mut table, later + 100 * SECOND, 1_000);
    assert_eq!(swept, 0, "what is done with is not due");
    assert_eq!(
        table.0.len(),
        1,
        "only the count of places stays: {table:?}"
    );
}
