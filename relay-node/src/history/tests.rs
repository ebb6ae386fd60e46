use warren_shared::limits::{DAY, MAX_SAFE_INTEGER};
use warren_shared::proto::chat::message::{Body, VERSION};
use warren_shared::proto::chat::packet::inspect;
use warren_shared::proto::chat::{Content, MessageId, Output, Room, RoomConfig, RoomRef, Stamp};
use warren_shared::proto::key::SigningKey;

use super::*;

const NOW: Millis = 1_700_000_000_000;

/// A member that gives its packets to the store instead of sending them.
struct Author {
    room: Room,
    now: Millis,
}

impl Author {
    fn new(name: &str, secret: Option<[u8; 16]>, number: u8) -> Author {
        let room = RoomRef::new(name, secret).unwrap();
        let room = Room::new(RoomConfig {
            keys: room.keys(&"test".parse().unwrap()),
            author: SigningKey::from_seed([number; 32]),
            nick: String::new(),
            peer: vec![number],
            session: 1,
            seed: [number; 32],
        });
        Author {
            room: room.unwrap(),
            now: NOW,
        }
    }

    fn say(&mut self, content: Content) -> (New, MessageId) {
        self.now += 1_000;
        self.room.draft(content, self.now).unwrap();
        let id = self.room.commit(self.now).unwrap();
        let outputs = std::iter::from_fn(|| self.room.poll());
        let packet = outputs.filter_map(|output| match output {
            Output::Publish(packet) => Some(packet),
            _ => None,
        });
        let packet = packet.last().unwrap();
        let topic = self.room.topic();
        let seen = inspect(&topic, &packet).unwrap();
        let new = New {
            topic,
            seen,
            packet,
        };
        (new, id)
    }

    fn text(&mut self) -> New {
        let (text, to) = ("hello".to_owned(), None);
        self.say(Content::Text { text, to }).0
    }
}

/// What the first author says about its own message in the room `a`, without asking a member.
fn signed(number: u64, content: Content) -> New {
    let keys = RoomRef::new("a", None).unwrap();
    let keys = keys.keys(&"test".parse().unwrap());
    let author = SigningKey::from_seed([1; 32]);
    let body = Body {
        version: VERSION,
        topic: keys.topic(),
        author: author.public(),
        session: 1,
        number,
        at: Stamp {
            time: NOW + number * 1_000,
            count: 0,
        },
        nick: String::new(),
        content,
    };
    let packet = keys.write(&body, &author, &[0; 24]).unwrap();
    let topic = keys.topic();
    New {
        topic,
        seen: inspect(&topic, &packet).unwrap(),
        packet,
    }
}

struct Kept {
    folder: tempfile::TempDir,
    limits: HistoryLimits,
}

impl Kept {
    fn with(limits: HistoryLimits) -> Kept {
        let folder = tempfile::tempdir().unwrap();
        Kept { folder, limits }
    }

    /// Writes everything in one go, as the thread does.
    fn write(&self, new: Vec<New>, now: Millis) {
        let database = Database::create(self.folder.path().join(FILE)).unwrap();
        let mut rows = Rows::load(&database, self.limits).unwrap();
        for new in new {
            write(&database, &mut rows, &mut vec![new], now).unwrap();
        }
    }

    fn read(&self, topic: Topic, have: Vec<u8>) -> Vec<Vec<u8>> {
        let database = Database::create(self.folder.path().join(FILE)).unwrap();
        let before = MAX_SAFE_INTEGER;
        let request = Request {
            topic,
            before,
            have,
        };
        match answer(&database, &request).unwrap() {
            Answer::Packets { packets, .. } => packets,
            refused => panic!("{refused:?}"),
        }
    }
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart_the_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut author = Author::new("a", Some([1; 16]), 1);
    // Its thread forgets what is old by the clock of this machine.
    author.now = platform::now() - DAY;
    let topic = author.room.topic();
    let store = HistoryStore::open(folder.path(), HistoryLimits::default()).unwrap();
    let packets: Vec<Vec<u8>> = (0..5)
        .map(|_| {
            let New {
                topic,
                seen,
                packet,
            } = author.text();
            store.keep(topic, seen, packet.clone());
            packet
        })
        .collect();
    drop(store);
    let store = HistoryStore::open(folder.path(), HistoryLimits::default()).unwrap();
    let before = MAX_SAFE_INTEGER;
    let have = warren_shared::proto::chat::packet_id(&packets[2])[..8].to_vec();
    let request = Request {
        topic,
        before,
        have,
    };
    let Answer::Packets { packets: found, .. } = store.answer(request).await else {
        panic!("refused");
    };
    let expected = [4, 3, 1, 0].map(|number: usize| packets[number].clone());
    assert_eq!(found, expected);
}

#[test]
fn authors_rooms_and_all_have_limits() {
    let limits = HistoryLimits {
        per_author: 10,
        per_room: 30,
        ..HistoryLimits::default()
    };
    let kept = Kept::with(limits);
    let mut loud = Author::new("a", None, 1);
    let mut quiet = Author::new("a", None, 2);
    let topic = loud.room.topic();
    let first = quiet.text();
    let id = warren_shared::proto::chat::packet_id(&first.packet);
    kept.write(vec![first], NOW);
    kept.write((0..25).map(|_| loud.text()).collect(), NOW);
    let found = kept.read(topic, Vec::new());
    assert!((9..=11).contains(&found.len()), "{}", found.len());
    let named = |packet: &Vec<u8>| warren_shared::proto::chat::packet_id(packet) == id;
    assert!(found.iter().any(named), "the quiet one is still there");

    let mut blind = Author::new("a", Some([1; 16]), 1);
    kept.write((0..35).map(|_| blind.text()).collect(), NOW);
    let found = kept.read(blind.room.topic(), Vec::new()).len();
    assert!((28..=30).contains(&found), "{found}");

    let all = Kept::with(HistoryLimits {
        bytes: 2_000,
        ..limits
    });
    let mut other = Author::new("b", None, 3);
    all.write(vec![other.text()], NOW);
    all.write((0..9).map(|_| blind.text()).collect(), NOW);
    assert_eq!(all.read(other.room.topic(), Vec::new()).len(), 1);
    assert!(all.read(blind.room.topic(), Vec::new()).len() < 9);
}

#[test]
fn what_is_deleted_or_old_goes() {
    let kept = Kept::with(HistoryLimits::default());
    let mut author = Author::new("a", None, 1);
    let topic = author.room.topic();
    let (text, to) = ("hello".to_owned(), None);
    let (new, id) = author.say(Content::Text { text, to });
    let again = New {
        topic,
        seen: new.seen.clone(),
        packet: new.packet.clone(),
    };
    let (session, number) = (id.session, id.number);
    let (deletion, _) = author.say(Content::Delete { session, number });
    let left = deletion.packet.clone();
    kept.write(vec![new, deletion], NOW);
    kept.write(vec![again], NOW);
    assert_eq!(kept.read(topic, Vec::new()), [left]);
    let last = author.text();
    let packet = last.packet.clone();
    kept.write(vec![last], NOW + 30 * DAY + 2_500);
    assert_eq!(kept.read(topic, Vec::new()), [packet]);
}

#[test]
fn a_deletion_is_not_taken_back_and_finds_its_message_among_many_of_one_moment() {
    let kept = Kept::with(HistoryLimits::default());
    let mut author = Author::new("a", None, 1);
    let topic = author.room.topic();
    let copy = |new: &New| New {
        topic,
        seen: new.seen.clone(),
        packet: new.packet.clone(),
    };
    let (text, to) = ("hello".to_owned(), None);
    let (message, id) = author.say(Content::Text { text, to });
    let delete = |id: &MessageId| Content::Delete {
        session: id.session,
        number: id.number,
    };
    let (deletion, of_message) = author.say(delete(&id));
    // A member refuses to say such things; somebody else may not.
    let again = signed(3, delete(&of_message));
    let third = signed(4, delete(&MessageId { number: 3, ..id }));
    let expected = [&third, &again, &deletion].map(|new| new.packet.clone());
    let all = [&message, &deletion, &again, &third].map(copy);
    kept.write(all.into(), NOW);
    // Read from the disk each time: what was taken back is known after a restart, too.
    for new in [&message, &deletion, &message] {
        kept.write(vec![copy(new)], NOW);
        assert_eq!(kept.read(topic, Vec::new()), expected);
    }
    // The other way round: the deletion of the deletion comes first.
    let other = Kept::with(HistoryLimits::default());
    for new in [&third, &again, &message, &deletion, &message] {
        other.write(vec![copy(new)], NOW);
    }
    assert_eq!(other.read(topic, Vec::new()), expected);

    // Others speak at the same time; of them nothing goes.
    let crowd = Kept::with(HistoryLimits::default());
    let mut others: Vec<New> = (2..12)
        .map(|number| Author::new("a", None, number).text())
        .collect();
    let times = others.iter().map(|new| new.seen.time);
    assert!({ times }.all(|time| time == message.seen.time));
    others.push(copy(&message));
    let count = others.len();
    crowd.write(others, NOW);
    crowd.write(vec![copy(&deletion)], NOW);
    let left = crowd.read(topic, Vec::new());
    assert_eq!(left.len(), count, "one more and one less");
    assert!(!left.contains(&message.packet));
}

#[test]
fn of_two_messages_with_one_number_the_first_is_kept() {
    let kept = Kept::with(HistoryLimits::default());
    let [mut one, mut two] = [(), ()].map(|()| Author::new("a", None, 1));
    let topic = one.room.topic();
    two.now += 500;
    let [one, two] = [one.text(), two.text()];
    assert_ne!(one.packet, two.packet);
    let first = one.packet.clone();
    kept.write(vec![one], NOW);
    kept.write(vec![two], NOW);
    assert_eq!(kept.read(topic, Vec::new()), [first]);
}
