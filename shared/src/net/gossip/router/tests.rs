use super::*;
use crate::platform;
use crate::proto::chat::message::{Body, VERSION};
use crate::proto::chat::{Content, RoomKeys, RoomRef, Stamp};
use crate::proto::key::SigningKey;

fn topic(name: &str) -> String {
    let network: NetworkId = "test".parse().unwrap();
    let room = RoomRef::new(name, None).unwrap();
    room.keys(&network).topic().text(&network)
}

#[test]
fn a_topic_is_joined_for_its_first_peer_and_left_with_its_last() {
    let mut router = Router::new("test".parse().unwrap(), HistorySlot::default());
    let [one, two] = [PeerId::random(), PeerId::random()];
    let name = |topic: Option<IdentTopic>| topic.map(|topic| topic.to_string());
    assert_eq!(name(router.subscribed(one, &topic("a"))), Some(topic("a")));
    assert_eq!(name(router.subscribed(two, &topic("a"))), None);
    assert_eq!(name(router.subscribed(one, &topic("b"))), Some(topic("b")));
    assert_eq!(name(router.unsubscribed(&one, &topic("a"))), None);
    let left = router.gone(&one);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].to_string(), topic("b"));
    assert_eq!(
        name(router.unsubscribed(&two, &topic("a"))),
        Some(topic("a"))
    );
    assert!(router.wanted.is_empty());
}

#[test]
fn a_topic_is_left_after_the_last_packet_that_is_still_being_verified() {
    let mut router = Router::new("test".parse().unwrap(), HistorySlot::default());
    let [one, two] = [PeerId::random(), PeerId::random()];
    let name = topic("a");
    assert!(router.subscribed(one, &name).is_some());
    // It says good-bye in two packets, and is gone before they are verified.
    let packets = [(); 2].map(|()| router.admits(one, None, &name, NOW).unwrap());
    assert!(router.unsubscribed(&one, &name).is_none());
    assert!(router.gone(&one).is_empty());
    assert!(router.looked_at(packets[0]).is_none());
    // Whoever comes meanwhile finds it joined.
    assert!(router.subscribed(two, &name).is_none());
    assert!(router.unsubscribed(&two, &name).is_none());
    let left = router.looked_at(packets[1]).map(|topic| topic.to_string());
    assert_eq!(left, Some(name));
    assert!(router.wanted.is_empty() && router.checking.is_empty());
}

#[test]
fn relays_and_strange_topics_make_nobody_join() {
    let mut router = Router::new("test".parse().unwrap(), HistorySlot::default());
    let relay = PeerId::random();
    assert!(router.subscribed(relay, &topic("a")).is_some());
    assert_eq!(router.claims(relay).len(), 1, "it was for that relay alone");
    router.relay(relay);
    assert!(router.subscribed(relay, &topic("a")).is_none());
    let other = topic("a").replace("test", "other");
    for strange in ["blocks", other.as_str()] {
        assert!(router.subscribed(PeerId::random(), strange).is_none());
    }
}

#[test]
fn one_peer_does_not_fill_a_relay_with_topics() {
    let mut router = Router::new("test".parse().unwrap(), HistorySlot::default());
    let peer = PeerId::random();
    let joined = (0..200).filter(|n| router.subscribed(peer, &topic(&n.to_string())).is_some());
    assert_eq!(joined.count(), limits::MAX_TOPICS_PER_PEER);
}

/// A room, its topic's name, and what travels in it.
struct Said {
    router: Router,
    keys: RoomKeys,
    count: u64,
}

impl Said {
    fn new() -> Said {
        let network: NetworkId = "test".parse().unwrap();
        let keys = RoomRef::new("lobby", None).unwrap().keys(&network);
        Said {
            router: Router::new(network, HistorySlot::default()),
            keys,
            count: 0,
        }
    }

    /// What is said from now on is said in this room.
    fn enter(&mut self, room: &str) {
        let network: NetworkId = "test".parse().unwrap();
        self.keys = RoomRef::new(room, None).unwrap().keys(&network);
    }

    fn packet(&mut self, author: &SigningKey) -> Vec<u8> {
        self.count += 1;
        let body = Body {
            version: VERSION,
            topic: self.keys.topic(),
            author: author.public(),
            session: 1,
            number: self.count,
            at: Stamp {
                time: NOW,
                count: 0,
            },
            nick: "A".to_owned(),
            content: Content::Text {
                text: "hello".to_owned(),
                to: None,
            },
        };
        self.keys.write(&body, author, &[0; 24]).unwrap()
    }

    /// What becomes of a packet; nothing if it is not even looked at.
    fn send(&mut self, source: PeerId, packet: Vec<u8>) -> Option<MessageAcceptance> {
        self.send_from(source, None, packet)
    }

    fn send_from(
        &mut self,
        source: PeerId,
        from: Option<Subscriber>,
        packet: Vec<u8>,
    ) -> Option<MessageAcceptance> {
        let topic = self.keys.topic().text(&"test".parse().unwrap());
        let topic = self.router.admits(source, from, &topic, NOW)?;
        let id = MessageId::new(&packet);
        let checked = check(id, source, topic, packet);
        let verdict = self.router.judge(checked, NOW);
        assert!(
            self.router.looked_at(topic).is_none(),
            "nobody had it joined"
        );
        Some(verdict)
    }
}

const NOW: Millis = 1_700_000_000_000;

fn accepted(verdict: Option<MessageAcceptance>) -> bool {
    matches!(verdict, Some(MessageAcceptance::Accept))
}

#[test]
fn one_peer_gets_no_more_into_a_room_by_speaking_as_many_and_is_cut_off() {
    let mut said = Said::new();
    let [flooder, honest] = [PeerId::random(), PeerId::random()];
    let (mut passed, mut sent) = (0, 0);
    while said.router.offenders().is_empty() {
        let author = SigningKey::from_seed(platform::entropy());
        let packet = said.packet(&author);
        passed += u32::from(accepted(said.send(flooder, packet)));
        sent += 1;
        assert!(sent < 5_000, "it is never cut off");
    }
    assert_eq!(passed, limits::CHAT_BURST * limits::CHAT_LENIENCE);
    assert_eq!(
        sent,
        passed + limits::CHAT_OFFENCES.div_ceil(limits::CHAT_OFFENCE_EXCESS)
    );
    let packet = said.packet(&SigningKey::from_seed([1; 32]));
    assert!(accepted(said.send(honest, packet)));
}

#[test]
fn who_has_much_to_say_in_one_room_is_still_heard_in_others() {
    let mut said = Said::new();
    let author = SigningKey::from_seed([1; 32]);
    for room in ["lobby", "kitchen"] {
        said.enter(room);
        let packets = (0..limits::CHAT_BURST * limits::CHAT_LENIENCE + 1).map(|_| {
            let packet = said.packet(&author);
            // By several ways, so that none of them is what holds it up.
            accepted(said.send(PeerId::random(), packet))
        });
        let passed: Vec<bool> = packets.collect();
        assert_eq!(
            passed.iter().position(|passed| !passed),
            Some(passed.len() - 1)
        );
    }
}

#[test]
fn what_is_not_valid_is_rejected_and_ends_with_being_cut_off() {
    let mut said = Said::new();
    let author = SigningKey::from_seed([1; 32]);
    let (liar, relay) = (PeerId::random(), PeerId::random());
    said.router.relay(relay);
    let times = limits::CHAT_OFFENCES / limits::CHAT_OFFENCE_INVALID;
    for source in [liar, relay] {
        for time in 1..=times {
            let mut packet = said.packet(&author);
            *packet.last_mut().unwrap() ^= 1;
            let verdict = said.send(source, packet);
            assert!(matches!(verdict, Some(MessageAcceptance::Reject)));
            assert_eq!(said.router.offenders().len(), usize::from(time == times));
        }
    }
}

#[test]
fn a_relay_is_not_blamed_for_what_many_say_nor_anybody_for_its_clock() {
    let mut said = Said::new();
    let relay = PeerId::random();
    said.router.claims(relay);
    said.router.relay(relay);
    let author = SigningKey::from_seed([1; 32]);
    let mut dropped = 0;
    for _ in 0..2_000 {
        let packet = said.packet(&author);
        dropped += u32::from(!accepted(said.send(relay, packet)));
    }
    assert!(dropped > limits::CHAT_OFFENCES);
    assert!(said.router.offenders().is_empty());
    assert!(said.router.offences.is_empty());
}

#[test]
fn who_only_says_that_it_is_a_relay_gets_no_more_through_than_a_peer_and_is_cut_off() {
    let mut said = Said::new();
    let [liar, relay] = [PeerId::random(), PeerId::random()];
    for peer in [liar, relay] {
        said.router.claims(peer);
    }
    said.router.relay(relay);
    let mut passed = |peer| {
        let mut passed = 0;
        for _ in 0..300 {
            let author = SigningKey::from_seed(platform::entropy());
            let packet = said.packet(&author);
            passed += u32::from(accepted(said.send(peer, packet)));
        }
        (passed, said.router.offenders().contains(&peer))
    };
    assert_eq!(passed(relay), (300, false));
    assert_eq!(
        passed(liar),
        (limits::CHAT_BURST * limits::CHAT_LENIENCE, false)
    );
    // Having more to say than is read is an offence of its own.
    for _ in 0..limits::CHAT_OFFENCES {
        for peer in [liar, relay] {
            let in_one = false;
            said.router.held(Waited { peer, in_one }, NOW);
        }
    }
    assert!(said.router.offenders().contains(&liar));
    assert!(!said.router.offenders().contains(&relay));
    said.router.gone(&relay);
    assert!(!said.router.is_relay(&relay), "it has to be proven anew");
}

#[test]
fn an_address_gets_no_more_into_a_room_by_coming_as_many() {
    let mut said = Said::new();
    let [bad, good] = [1, 2].map(|number| Some(Subscriber::V4([198, 51, 100, number])));
    let mut passed = 0;
    for _ in 0..8 * limits::CHAT_CROWD {
        let (peer, author) = (PeerId::random(), SigningKey::from_seed(platform::entropy()));
        for _ in 0..limits::CHAT_BURST {
            let packet = said.packet(&author);
            passed += u32::from(accepted(said.send_from(peer, bad, packet)));
        }
    }
    let most = limits::CHAT_BURST * limits::CHAT_LENIENCE * limits::CHAT_CROWD;
    assert_eq!(passed, most);
    assert!(
        said.router.offences.is_empty(),
        "none of them said too much"
    );
    let packet = said.packet(&SigningKey::from_seed([1; 32]));
    assert!(accepted(said.send_from(PeerId::random(), good, packet)));
}
