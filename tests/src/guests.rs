//! Peers that are in a chat room, and strangers that say exactly what a test wants said there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{AsyncWriteExt, StreamExt};
use warren_relay::peer::Peer;
use warren_shared::error::Code;
use warren_shared::limits::{
    MAX_ROOM_BYTES, MAX_ROOM_MEMBERS, MAX_ROOM_MESSAGES, MAX_SAFE_INTEGER,
};
use warren_shared::net::chat::Joined;
use warren_shared::net::protocols::{GOSSIP, Service};
use warren_shared::net::streams::{Stream, ask};
use warren_shared::net::{Node, Route};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::chat::history::{Answer, Request, short};
use warren_shared::proto::chat::message::{Body, VERSION};
use warren_shared::proto::chat::{Content, Entry, RoomEvent, RoomKeys, RoomRef, Stamp, packet_id};
use warren_shared::proto::key::{PublicKey, SigningKey};
use warren_shared::proto::record::wire::encode_frame;

use crate::peers::{arguments, loopback, stranger};
use crate::relays::TestRelay;
use crate::wait::{until, within};

/// Before what was too much is said again.
const AGAIN: Duration = Duration::from_millis(50);
/// More messages than any test says in one room.
const ALL: usize = 4_096;

/// A peer in a room.
pub struct Guest {
    pub node: Node,
    pub room: Joined,
    /// Holds the lock on its identity.
    _peer: Option<Peer>,
}

impl Guest {
    /// Joins through these relays, and enters.
    pub async fn enter(relays: &[&TestRelay], room: &RoomRef, nick: &str) -> Guest {
        let urls: Vec<String> = relays.iter().map(|relay| relay.url()).collect();
        Guest::enter_at(&urls, room, nick).await
    }

    /// The same, by their URLs.
    pub async fn enter_at(urls: &[String], room: &RoomRef, nick: &str) -> Guest {
        let peer = arguments(urls, &[]).start(vec![loopback()]).await;
        let peer = peer.expect("a peer joins");
        let guest = Guest::of(peer.node.clone(), room, nick).await;
        Guest {
            _peer: Some(peer),
            ..guest
        }
    }

    /// A node that has joined already enters.
    pub async fn of(node: Node, room: &RoomRef, nick: &str) -> Guest {
        let chat = node.chat().expect("a peer may chat");
        let room = chat.join(room, nick).await.expect("the room is entered");
        Guest {
            node,
            room,
            _peer: None,
        }
    }

    /// Waits for an event that is wanted.
    pub async fn hears<T>(&mut self, what: &str, wanted: impl Fn(&RoomEvent) -> Option<T>) -> T {
        let heard = async {
            loop {
                let event = self.room.events.next().await.expect("the room is open");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        within(what, heard).await
    }

    pub async fn hears_text(&mut self, text: &str) -> Entry {
        let wanted = |event: &RoomEvent| match event {
            RoomEvent::Message { message } if message.text == text => Some(message.clone()),
            _ => None,
        };
        self.hears(text, wanted).await
    }

    /// All that is shown, in order.
    pub async fn entries(&self) -> Vec<Entry> {
        let entries = self.room.history(None, ALL).await;
        entries.expect("the room is open")
    }

    pub async fn texts(&self) -> Vec<String> {
        let entries = self.entries().await.into_iter();
        entries.map(|entry| entry.text).collect()
    }

    /// Waits until this is all there is.
    pub async fn has(&self, expected: &[String]) {
        until("everything has arrived", || async {
            (self.texts().await == expected).then_some(())
        })
        .await;
    }

    pub async fn close(self) {
        self.node.close().await;
    }
}

/// Honest people of a room, at different relays.
pub struct Honest {
    pub one: Guest,
    pub other: Guest,
    pub said: Vec<String>,
}

impl Honest {
    /// At one relay each.
    pub async fn enter(relays: [&TestRelay; 2], room: &RoomRef) -> Honest {
        let one = Guest::enter(&[relays[0]], room, "Ada").await;
        let mut other = Guest::enter(&[relays[1]], room, "Ben").await;
        // From here on packets find their way.
        one.room.send("first").await.expect("sent");
        other.hears_text("first").await;
        Honest {
            one,
            other,
            said: vec!["first".to_owned()],
        }
    }

    /// Says so much, and takes the times until it is heard.
    pub async fn talk(&mut self, messages: usize) -> Vec<Duration> {
        let mut took = Vec::new();
        for _ in 0..messages {
            let text = format!("honest {}", self.said.len());
            let mut began = Instant::now();
            // Whoever says much at once is held to its own rate.
            while let Err(error) = self.one.room.send(&text).await {
                assert_eq!(error.code(), Code::Overloaded, "{error}");
                tokio::time::sleep(AGAIN).await;
                began = Instant::now();
            }
            self.other.hears_text(&text).await;
            took.push(began.elapsed());
            self.said.push(text);
        }
        took
    }

    /// What the honest ones said is there, in its order.
    pub async fn has_all(&self) {
        for guest in [&self.one, &self.other] {
            until("everything honest has arrived", || async {
                let entries = guest.entries().await.into_iter();
                let honest = entries.filter(|entry| entry.nick != "Mallory");
                let texts: Vec<String> = honest.map(|entry| entry.text).collect();
                (texts == self.said).then_some(())
            })
            .await;
        }
    }

    /// How much of the intruder they show.
    pub async fn shown(&self) -> Vec<String> {
        let entries = self.other.entries().await.into_iter();
        let foreign = entries.filter(|entry| entry.nick == "Mallory");
        foreign.map(|entry| entry.text).collect()
    }

    /// None of them holds more of the room than it may.
    pub async fn is_within_limits(&self) {
        for guest in [&self.one, &self.other] {
            let holds = guest.room.holds().await.expect("open");
            assert!(holds.messages <= MAX_ROOM_MESSAGES, "{holds:?}");
            assert!(holds.bytes <= MAX_ROOM_BYTES, "{holds:?}");
            assert!(holds.authors <= holds.messages, "{holds:?}");
            assert!(holds.sessions <= 2 * MAX_ROOM_MESSAGES, "{holds:?}");
            assert!(holds.members <= MAX_ROOM_MEMBERS, "{holds:?}");
        }
    }

    pub async fn close(self) {
        self.one.close().await;
        self.other.close().await;
    }
}

/// A room that everybody can enter.
pub fn public(name: &str) -> RoomRef {
    RoomRef::new(name, None).expect("a name")
}

/// Two relays that know each other.
pub async fn two_relays() -> (TestRelay, TestRelay) {
    let first = TestRelay::first().await;
    let second = TestRelay::start(|args| args.join = vec![first.url()]).await;
    (first, second.expect("the second relay joins"))
}

/// What a relay keeps of a room, as it gives it to anybody.
pub async fn kept_by(relay: &TestRelay, room: &RoomRef) -> Vec<Vec<u8>> {
    let network = relay.node().network();
    let (asker, service) = (stranger(network), Service::History);
    let mut request = Request {
        topic: room.keys(network).topic(),
        before: MAX_SAFE_INTEGER,
        have: Vec::new(),
    };
    let (mut kept, mut have) = (Vec::new(), BTreeSet::new());
    loop {
        let opened = asker
            .handle()
            .open(relay.route().await, service.protocol(network));
        let stream = opened.await.expect("it takes streams").stream;
        let request_bytes = request.encode();
        let asked = ask(stream, &request_bytes, service.deadline());
        let answer = Answer::decode(&asked.await.expect("it answers"));
        let Ok(Answer::Packets { packets, more }) = answer else {
            panic!("{answer:?}");
        };
        have.extend(packets.iter().map(|packet| short(&packet_id(packet))));
        request.have = have.iter().flatten().copied().collect();
        kept.extend(packets);
        if !more {
            asker.close().await;
            return kept;
        }
    }
}

/// Somebody who speaks gossipsub to one relay, byte by byte, and is in the room or not.
pub struct Intruder {
    pub node: Node,
    pub author: SigningKey,
    keys: RoomKeys,
    topic: String,
    stream: Stream,
    number: u64,
}

impl Intruder {
    /// Asks a relay for the topic of a room.
    pub async fn at(relay: &TestRelay, room: &RoomRef) -> Intruder {
        Intruder::at_route(relay.node().network(), relay.route().await, room).await
    }

    /// The same for a relay that runs elsewhere.
    pub async fn at_route(network: &NetworkId, route: Route, room: &RoomRef) -> Intruder {
        let entering = Intruder::let_in(network, route, room);
        let intruder = within("the relay takes a stream", entering).await;
        intruder.expect("the relay takes a stream")
    }

    /// The same; nobody, if the relay does not want to.
    pub async fn let_in(network: &NetworkId, route: Route, room: &RoomRef) -> Option<Intruder> {
        let node = stranger(network);
        let Ok(opened) = node.handle().open(route, GOSSIP).await else {
            node.close().await;
            return None;
        };
        let keys = room.keys(network);
        let topic = keys.topic().text(network);
        let mut intruder = Intruder {
            node,
            author: SigningKey::from_seed(platform::entropy()),
            keys,
            topic,
            stream: opened.stream,
            number: 0,
        };
        let wants = [&[0x08, 1][..], &field(2, intruder.topic.as_bytes())].concat();
        if intruder.send(&field(1, &wants)).await.is_err() {
            intruder.node.close().await;
            return None;
        }
        Some(intruder)
    }

    /// What the author of the intruder says next.
    pub fn body(&mut self, content: Content) -> Body {
        self.number += 1;
        Body {
            version: VERSION,
            topic: self.keys.topic(),
            author: self.author.public(),
            session: 7,
            number: self.number,
            at: Stamp {
                time: platform::now(),
                count: 0,
            },
            nick: "Mallory".to_owned(),
            content,
        }
    }

    pub fn text(&mut self, text: &str) -> Body {
        let text = text.to_owned();
        self.body(Content::Text { text, to: None })
    }

    /// The claim to have a thousand messages, none of which it gives to anybody.
    pub fn boast(&mut self) -> Body {
        let here = self.body(Content::Here {
            peer: self.node.id().to_bytes(),
            every: 5_000,
            head: 100,
            new: true,
            count: 1_000,
            sum: 12_345,
        });
        Body { number: 0, ..here }
    }

    /// As it travels, with valid signatures.
    pub fn sign(&self, body: &Body) -> Vec<u8> {
        let packet = self.keys.write(body, &self.author, &platform::entropy());
        packet.expect("it can be written")
    }

    /// The same in the name of somebody else, whose signature it cannot have.
    pub fn sign_as(&self, body: &Body, whom: &PublicKey) -> Vec<u8> {
        let packet = self.sign(body);
        let own = self.author.public();
        let own = own.as_bytes();
        let at = packet.windows(own.len()).position(|part| part == own);
        let at = at.expect("an author is in its packet");
        [&packet[..at], whom.as_bytes(), &packet[at + own.len()..]].concat()
    }

    /// Sends a packet; an error when the relay has ended that.
    pub async fn publish(&mut self, packet: &[u8]) -> std::io::Result<()> {
        let topic = self.topic.clone();
        self.publish_in(&topic, packet).await
    }

    /// The same in any topic.
    pub async fn publish_in(&mut self, topic: &str, packet: &[u8]) -> std::io::Result<()> {
        let message = [field(2, packet), field(4, topic.as_bytes())].concat();
        self.send(&field(2, &message)).await
    }

    async fn send(&mut self, rpc: &[u8]) -> std::io::Result<()> {
        let frame = encode_frame(rpc).map_err(std::io::Error::other)?;
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }
}

/// A field of bytes in a protobuf message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(bytes);
    field
}
