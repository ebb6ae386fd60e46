mod strangers;

use std::collections::BTreeMap;

use super::message::Head;
use super::outbox::{Batch, Carried};
use super::post::Refused;
use super::wire::{Delivery, NotTaken, Taken};
use super::*;
use crate::limits::{
    DIRECT_BATCH, DIRECT_BATCH_BYTES, LEAVE_AFTER, MAX_HISTORY_EACH, MAX_MESSAGE, MAX_PENDING_EACH,
    MAX_UNTOLD, MESSAGE_LIFETIME,
};
use crate::proto::Millis;
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::record::Value;

const NOW: Millis = 1_700_000_000_000;

fn network() -> NetworkId {
    "test-net".parse().unwrap()
}

fn key(number: u16) -> SigningKey {
    let mut seed = [0; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(seed)
}

/// A machine and its disk.
struct Program {
    post: Post,
    disk: BTreeMap<String, Vec<u8>>,
}

impl Program {
    fn new(number: u16) -> Program {
        let mut post = Post::new(key(number), network(), 1);
        post.set_reading(true);
        let disk = BTreeMap::new();
        Program { post, disk }
    }

    fn turn<T>(&mut self, work: impl FnOnce(&mut Post, &mut Turn) -> T) -> (T, Vec<Effect>) {
        let mut turn = Turn::default();
        let done = work(&mut self.post, &mut turn);
        for Change { key, value } in turn.changes {
            match value {
                Some(row) => drop(self.disk.insert(key, row)),
                None => drop(self.disk.remove(&key)),
            }
        }
        (done, turn.effects)
    }

    fn send(&mut self, to: PublicKey, size: usize, now: Millis) -> Result<Id, Refused> {
        let body = Value::Bytes(vec![1; size]);
        self.turn(|post, turn| post.send(to, &body, [5; 16], now, turn))
            .0
    }

    fn take(&mut self, settled: u64, messages: Vec<Vec<u8>>, now: Millis) -> Taken {
        self.take_from(1, settled, messages, now)
    }

    fn take_from(
        &mut self,
        source: u64,
        settled: u64,
        messages: Vec<Vec<u8>>,
        now: Millis,
    ) -> Taken {
        let delivery = Delivery::Messages { settled, messages };
        self.turn(|post, turn| post.delivered(&delivery, source, now, turn))
            .0
    }

    /// The application has taken everything.
    fn read(&mut self) {
        if let Some(last) = self.post.untold.back().map(|one| one.arrival) {
            self.turn(|post, turn| post.told(last, turn));
        }
    }

    fn knows(&self, author: u16) -> bool {
        self.rows(&format!("p/{}", key(author).public())) == 1
    }

    fn rows(&self, beginning: &str) -> usize {
        let keys = self.disk.keys();
        keys.filter(|key| key.starts_with(beginning)).count()
    }

    /// A machine made of the rows.
    fn again(&self, number: u16) -> Post {
        let mut post = Post::new(key(number), network(), 2);
        for beginning in Post::NEEDED {
            for (key, row) in self
                .disk
                .iter()
                .filter(|(key, _)| key.starts_with(beginning))
            {
                post.restore(key, row).unwrap();
            }
        }
        post
    }
}

fn signed(author: u16, session: u8, number: u64, time: Millis) -> Vec<u8> {
    let head = Head {
        to: key(1).public(),
        session: [session; 16],
        number,
        time,
    };
    let body = Value::Bytes(vec![2]);
    let message = Message::sign(&key(author), &network(), head, &body).unwrap();
    message.bytes().to_vec()
}

fn refused(why: NotTaken) -> Taken {
    Taken::Refused { why }
}

#[test]
fn what_has_become_of_a_message_is_known_at_every_moment() {
    let mut program = Program::new(1);
    let to = key(2).public();
    let id = program.send(to, 10, NOW).unwrap();
    assert_eq!(program.post.on_its_way(&id), Some(State::Sending));
    program.post.due(NOW, true);
    let carried = Carried::Answered {
        session: [5; 16],
        first: 1,
        count: 1,
        taken: Taken::Until { next: 2 },
    };
    let mut turn = Turn::default();
    assert_eq!(turn.concluded(&id), None);
    program.post.carried(&to, carried, NOW, &mut turn);
    // Who asks in the same turn, before anything of it is durable.
    assert_eq!(program.post.on_its_way(&id), None);
    assert_eq!(turn.concluded(&id), Some(State::Delivered));
    assert_eq!(turn.concluded(&[9; 16]), None);
}

#[test]
fn what_its_author_has_given_up_is_not_waited_for() {
    let mut program = Program::new(1);
    let next = |taken| match taken {
        Taken::Until { next } => next,
        other => panic!("{other:?}"),
    };
    assert_eq!(next(program.take(1, vec![signed(2, 0, 1, NOW)], NOW)), 2);
    assert_eq!(next(program.take(1, vec![signed(2, 0, 4, NOW)], NOW)), 2);
    assert_eq!(next(program.take(4, vec![signed(2, 0, 4, NOW)], NOW)), 5);
    assert_eq!(next(program.take(1, vec![signed(2, 0, 3, NOW)], NOW)), 5);
    // Another session has numbers of its own.
    assert_eq!(next(program.take(1, vec![signed(2, 1, 1, NOW)], NOW)), 2);
    let told: Vec<u64> = program
        .post
        .untold
        .iter()
        .map(|one| one.message.number)
        .collect();
    assert_eq!(told, [1, 4, 1]);
    // Saying that more was given up than is there is a lie.
    let lie = program.take(9, vec![signed(2, 0, 6, NOW)], NOW);
    assert_eq!(lie, refused(NotTaken::Invalid));
}

#[test]
fn a_delivery_is_of_one_session_for_this_author_and_not_too_old() {
    let mut program = Program::new(1);
    let two = vec![signed(2, 0, 1, NOW), signed(2, 1, 2, NOW)];
    assert_eq!(program.take(1, two, NOW), refused(NotTaken::Invalid));
    let old = vec![signed(2, 0, 1, NOW - 2 * MESSAGE_LIFETIME)];
    assert_eq!(program.take(1, old, NOW), refused(NotTaken::Invalid));
    let mut other = Program::new(3);
    let taken = other.take(1, vec![signed(2, 0, 1, NOW)], NOW);
    assert_eq!(taken, refused(NotTaken::NotMine));
    other.post.set_reading(false);
    let taken = other.take(1, vec![signed(2, 0, 1, NOW)], NOW);
    assert_eq!(taken, refused(NotTaken::NotReading));
    assert!(program.disk.is_empty() && other.disk.is_empty());
}

#[test]
fn unread_messages_have_an_end_and_reading_makes_room() {
    let mut program = Program::new(1);
    program.send(key(2).public(), 1, NOW).unwrap();
    for number in 1..=MAX_UNTOLD as u64 {
        program.take(1, vec![signed(2, 0, number, NOW)], NOW);
    }
    let more = || vec![signed(2, 0, MAX_UNTOLD as u64 + 1, NOW)];
    assert_eq!(program.take(1, more(), NOW), refused(NotTaken::Full));
    let first = program.post.untold(None).unwrap().arrival;
    program.turn(|post, turn| post.told(first, turn));
    assert!(matches!(program.take(1, more(), NOW), Taken::Until { .. }));
    assert_eq!(program.rows("u/"), MAX_UNTOLD);
    // The history keeps the last ones.
    assert_eq!(program.rows("h/") as u64, MAX_HISTORY_EACH);
    let again = program.again(1);
    assert_eq!(again.untold.len(), MAX_UNTOLD);
    assert_eq!(again.untold(None).unwrap().arrival, first + 1);
}

#[test]
fn a_blocked_author_is_forgotten_where_it_was_not_read() {
    let mut program = Program::new(1);
    for author in [2, 3] {
        program.take(1, vec![signed(author, 0, 1, NOW)], NOW);
    }
    program
        .turn(|post, turn| post.block(key(2).public(), turn))
        .0
        .unwrap();
    let taken = program.take(1, vec![signed(2, 0, 2, NOW)], NOW);
    assert_eq!(taken, refused(NotTaken::Blocked));
    let again = program.again(1);
    assert_eq!(again.blocked(), [key(2).public()]);
    assert_eq!(again.untold(None).unwrap().message.author, key(3).public());
    program.turn(|post, turn| post.unblock(&key(2).public(), turn));
    let taken = program.take(1, vec![signed(2, 0, 2, NOW)], NOW);
    assert_eq!(taken, Taken::Until { next: 3 });
}

#[test]
fn what_is_under_way_is_bounded_and_carried_in_batches() {
    let mut program = Program::new(1);
    let to = key(2).public();
    for _ in 0..MAX_PENDING_EACH {
        program.send(to, 1, NOW).unwrap();
    }
    assert_eq!(program.send(to, 1, NOW), Err(Refused::Full));
    let large = program.send(key(3).public(), MAX_MESSAGE + 1, NOW);
    assert_eq!(large, Err(Refused::Oversized));
    for _ in 0..10 {
        program.send(key(3).public(), MAX_MESSAGE, NOW).unwrap();
    }
    let errands = program.post.due(NOW, true);
    assert_eq!(errands.len(), 2, "one for each recipient");
    for errand in &errands {
        let Batch::Deliver { messages, .. } = &errand.batch else {
            panic!("{errand:?}");
        };
        assert!((1..=DIRECT_BATCH).contains(&messages.len()));
        assert!(messages.iter().map(Vec::len).sum::<usize>() <= DIRECT_BATCH_BYTES);
    }
    assert!(
        program.post.due(NOW, true).is_empty(),
        "until they have ended"
    );
    assert_eq!(program.post.next_time(false), None);
    // Nobody waits for long for a dial: after a while they are left in mailboxes beside that.
    let later = program.post.next_time(true).unwrap();
    assert_eq!(later, NOW + LEAVE_AFTER);
    assert!(program.post.due(later, false).is_empty(), "without a relay");
    let asides = program.post.due(later, true);
    assert_eq!(asides.len(), 2);
    let all_left = |one: &Errand| matches!(one.batch, Batch::Leave(_));
    assert!(asides.iter().all(all_left), "{asides:?}");
    assert_eq!(program.post.next_time(true), None);
}

#[test]
fn what_nobody_takes_is_given_up_after_its_time() {
    let mut program = Program::new(1);
    let to = key(2).public();
    let id = program.send(to, 1, NOW).unwrap();
    let late = NOW + MESSAGE_LIFETIME - 1;
    let (_, effects) = program.turn(|post, turn| post.expire(late, turn));
    assert!(effects.is_empty());
    let (_, effects) = program.turn(|post, turn| post.expire(late + 1, turn));
    let state = State::Expired;
    assert_eq!(effects, [Effect::State { id, state }]);
    assert_eq!((program.rows("o/"), program.rows("h/")), (0, 1));
    assert_eq!(program.again(1).pending(), 0);
}

#[test]
fn who_is_away_is_tried_ever_less_often_until_it_shows_itself() {
    let mut program = Program::new(1);
    let to = key(2).public();
    let id = program.send(to, 1, NOW).unwrap();
    let (mut now, mut waits) = (NOW, Vec::new());
    let unreached = |mailbox: u8| Carried::Unreached {
        mailboxes: vec![vec![mailbox]],
    };
    for _ in 0..10 {
        let errand = program.post.due(now, true).pop().unwrap();
        assert!(matches!(errand.batch, Batch::Deliver { .. }));
        program.turn(|post, turn| post.carried(&to, unreached(7), now, turn));
        // It is left in the mailbox once.
        if let Some(errand) = program.post.due(now, true).pop() {
            assert!(waits.is_empty());
            let Batch::Leave(parcels) = errand.batch else {
                panic!("{errand:?}");
            };
            let left = Carried::Left {
                ids: parcels.iter().map(|(id, _)| *id).collect(),
                mailboxes: vec![vec![7]],
            };
            let (_, effects) = program.turn(|post, turn| post.carried(&to, left, now, turn));
            let state = State::Waiting;
            assert_eq!(effects, [Effect::State { id, state }]);
        }
        let next = program.post.next_time(true).unwrap();
        waits.push(next - now);
        now = next;
    }
    assert!(waits[0] < 2_000 && waits[9] > 60_000, "{waits:?}");
    let errand = program.post.due(now, true).pop().unwrap();
    assert!(matches!(errand.batch, Batch::Deliver { .. }));
    // Its mailboxes are others now: it is left there, too.
    program.turn(|post, turn| post.carried(&to, unreached(8), now, turn));
    let errand = program.post.due(now, true).pop().unwrap();
    assert!(matches!(errand.batch, Batch::Leave(_)));
    let left = |mailbox: u8| Carried::Left {
        ids: vec![id],
        mailboxes: vec![vec![mailbox]],
    };
    // What was under way to the old one does not count.
    let (_, effects) = program.turn(|post, turn| post.carried(&to, left(7), now, turn));
    assert_eq!(effects, []);
    now += LEAVE_AFTER;
    let errands = program.post.due(now, true);
    let errand = errands
        .iter()
        .find(|one| matches!(one.batch, Batch::Leave(_)));
    assert!(errand.is_some(), "{errands:?}");
    program.turn(|post, turn| post.carried(&to, left(8), now, turn));
    program.turn(|post, turn| post.carried(&to, unreached(8), now, turn));
    assert!(program.post.due(now, true).is_empty());
    program.post.wake(&to);
    assert_eq!(program.post.due(now, true).len(), 1);
}
