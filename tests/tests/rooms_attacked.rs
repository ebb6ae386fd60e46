//! Rooms with somebody in them who means ill: honest members miss nothing, and relays get rid of whoever
//! they can tell.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use warren_shared::limits::{
    CHAT_BURST, CHAT_LENIENCE, CHAT_OFFENCE_INVALID, CHAT_OFFENCES, MAX_CHAT_PACKET,
};
use warren_shared::net::Route;
use warren_shared::net::chat::History;
use warren_shared::platform;
use warren_shared::proto::chat::history::{Answer, Request};
use warren_shared::proto::key::{PublicKey, SigningKey};
use warren_tests::count;
use warren_tests::guests::{Guest, Honest, Intruder, kept_by, public, two_relays};
use warren_tests::peers::{arguments, loopback};
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

/// The slowest but one in a hundred; shown, never asserted.
fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[(took.len() - 1) * 99 / 100]
}

/// The relay has ended its connection, remembers why, and lets it in no more.
async fn is_cut_off(relay: &TestRelay, intruder: &Intruder) {
    let id = intruder.node.id();
    until("the intruder is cut off", || async {
        let connected = relay.node().handle().is_connected(id).await;
        (!connected.expect("the relay runs")).then_some(())
    })
    .await;
    let standing = relay.node().reputation(&id).await;
    // Twice, if it was let in once more before it was noticed.
    assert!(standing.violations >= 1, "{standing:?}");
    assert!(standing.trust() < 200, "{standing:?}");
    // It notices only after the handshake, so that it may believe for a moment that it is in.
    until("it stays out", || async {
        let Route { peer, addresses } = relay.route().await;
        let _ = intruder.node.handle().dial(Some(peer), addresses).await;
        let connected = relay.node().handle().is_connected(id).await;
        (!connected.expect("the relay runs")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flooder_is_held_to_its_rate_and_cut_off() {
    let first = TestRelay::start(|args| args.history = true).await;
    let first = first.expect("the first relay starts");
    let second = TestRelay::start(|args| args.join = vec![first.url()]).await;
    let second = second.expect("the second relay joins");
    let room = public("lobby");
    let mut honest = Honest::enter([&first, &second], &room).await;
    let undisturbed = honest.talk(count(12, 100)).await;

    let mut flooder = Intruder::at(&first, &room).await;
    // Signed beforehand, so that it takes nobody's processor but the relay's; in the name of many, so that no
    // author speaks too much.
    let mut spam = Vec::new();
    for number in 0..CHAT_OFFENCES * 2 {
        if number % 40 == 0 {
            flooder.author = SigningKey::from_seed(platform::entropy());
        }
        let body = flooder.text(&format!("spam {number}"));
        spam.push(flooder.sign(&body));
    }
    let flooding = tokio::spawn(async move {
        let mut sent = 0;
        for packet in spam {
            if flooder.publish(&packet).await.is_err() {
                break;
            }
            sent += 1;
        }
        (flooder, sent)
    });
    let disturbed = honest.talk(count(12, 100)).await;
    let (flooder, sent) = within("the flood ends", flooding).await.expect("no panic");
    is_cut_off(&first, &flooder).await;
    honest.talk(3).await;
    honest.has_all().await;
    let passed = honest.shown().await.len();
    assert!(passed >= 1, "nothing of the flood ever arrived");
    honest.is_within_limits().await;
    let kept = kept_by(&first, &room).await;
    assert!(kept.len() <= honest.said.len() + sent / 2, "{}", kept.len());
    let bytes: usize = kept.iter().map(Vec::len).sum();
    assert!(bytes <= kept.len() * MAX_CHAT_PACKET, "{bytes}");
    assert!(passed < sent / 2, "{passed} of {sent} were passed on");
    println!(
        "flood: {passed} of {sent} packets were passed on (a burst is {}); honest p99 {:?}, undisturbed {:?}",
        CHAT_BURST * CHAT_LENIENCE,
        p99(disturbed),
        p99(undisturbed),
    );
    honest.close().await;
    flooder.node.close().await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_is_not_believed_and_cut_off() {
    let (first, second) = two_relays().await;
    let room = public("lobby");
    let mut honest = Honest::enter([&first, &second], &room).await;
    let ada = honest.one.entries().await[0].author.clone();
    let ada: PublicKey = ada.parse().expect("a key");
    let mut liar = Intruder::at(&first, &room).await;

    // One number for two messages: both are signed, and the first that arrives counts.
    let [mut one, mut two] = ["one", "two"].map(|text| liar.text(text));
    (one.number, two.number) = (1, 1);
    let [one, two] = [one, two].map(|body| liar.sign(&body));
    liar.publish(&one).await.expect("sent");
    honest.other.hears_text("one").await;
    liar.publish(&two).await.expect("sent");
    honest.talk(3).await;
    assert_eq!(honest.shown().await, ["one"]);

    // In the name of somebody else, with a signature of nobody, and nonsense: whoever makes it is known.
    let mut sent = 0;
    let forged = loop {
        let body = liar.text("forged");
        let packet = liar.sign(&body);
        let packet = match sent % 3 {
            0 => liar.sign_as(&body, &ada),
            1 => [&packet[..packet.len() - 1], &[packet[packet.len() - 1] ^ 1]].concat(),
            _ => packet[..packet.len() / 2].to_vec(),
        };
        if liar.publish(&packet).await.is_err() {
            break sent;
        }
        sent += 1;
    };
    let enough = (CHAT_OFFENCES / CHAT_OFFENCE_INVALID) as usize;
    assert!(forged + 1 >= enough, "cut off after {forged} already");
    is_cut_off(&first, &liar).await;
    let standing = first.node().reputation(&liar.node.id()).await;
    assert!(standing.invalid as usize >= enough, "{standing:?}");
    honest.talk(3).await;
    honest.has_all().await;
    assert_eq!(honest.shown().await, ["one"]);
    // The relay that was lied to told nobody else.
    let standing = second.node().reputation(&first.id()).await;
    assert_eq!((standing.invalid, standing.violations), (0, 0));
    honest.close().await;
    liar.node.close().await;
    first.stop().await;
    second.stop().await;
}

/// Says that it has a thousand messages, and answers nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_member_holds_nobody_up() {
    let (first, second) = two_relays().await;
    let room = public("lobby");
    let mut honest = Honest::enter([&first, &second], &room).await;
    let mut silent = Intruder::at(&first, &room).await;
    let here = silent.boast();
    let packet = silent.sign(&here);
    silent.publish(&packet).await.expect("sent");
    until("it is seen", || async {
        let members = honest.other.room.members().await.expect("open");
        let mut nicks = members.iter().map(|member| member.nick.as_str());
        nicks.any(|nick| nick == "Mallory").then_some(())
    })
    .await;
    let (missing, _) = honest.other.room.counts().await.expect("open");
    assert_eq!(missing, 0, "what it claims is not behind any message");
    honest.talk(count(6, 60)).await;
    honest.has_all().await;
    // Somebody who comes late is not held up, either.
    let late = Guest::enter(&[&second], &room, "Cyd").await;
    late.has(&honest.said).await;
    late.close().await;
    honest.close().await;
    silent.node.close().await;
    first.stop().await;
    second.stop().await;
}

/// A relay that keeps the end of a history only, damaged packets among it, and says that this is all.
struct Liar(Vec<Vec<u8>>);

impl History for Liar {
    fn answer(&self, _: Request) -> BoxFuture<'static, Answer> {
        let packets = self.0.clone();
        let answer = Answer::Packets {
            packets,
            more: false,
        };
        std::future::ready(answer).boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_cuts_and_forges_history_is_found_out() {
    let (first, second) = two_relays().await;
    let room = public("lobby");
    let mut honest = Honest::enter([&first, &second], &room).await;
    honest.talk(10).await;
    let mut mallory = Intruder::at(&second, &room).await;
    let mut packets = Vec::new();
    for number in 0..3 {
        let body = mallory.text(&format!("forged {number}"));
        let mut packet = mallory.sign(&body);
        *packet.last_mut().expect("some bytes") ^= 1;
        packets.push(packet);
    }
    second.node().keep_history(Arc::new(Liar(packets)));
    let late = Guest::enter(&[&second], &room, "Cyd").await;
    late.has(&honest.said).await;
    let (missing, _) = late.room.counts().await.expect("the room is open");
    assert_eq!(missing, 0);
    let standing = late.node.reputation(&second.id()).await;
    assert!(standing.invalid >= 1, "{standing:?}");
    late.close().await;
    honest.close().await;
    mallory.node.close().await;
    first.stop().await;
    second.stop().await;
}

/// More strangers than a member remembers, who say to it what only its relays have to say.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_neither_crowd_out_relays_nor_speak_to_a_member_directly() {
    let relay = TestRelay::first().await;
    let network = relay.node().network();
    let peer = arguments(&[relay.url()], &[]).start(vec![loopback()]).await;
    let peer = peer.expect("a peer joins");
    let route = until("it listens", || async {
        let own = peer.node.handle().snapshot().await.expect("the node runs");
        let direct = own
            .addresses
            .iter()
            .find(|text| !text.contains("p2p-circuit"))?;
        let addresses = vec![direct.parse().expect("its own address")];
        let peer = peer.node.id();
        Some(Route { peer, addresses })
    })
    .await;
    let mut strangers = Vec::new();
    for _ in 0..40 {
        strangers.push(Intruder::at_route(network, route.clone(), &public("elsewhere")).await);
    }
    let room = public("lobby");
    let mut ada = Guest::of(peer.node.clone(), &room, "Ada").await;
    let mut ben = Guest::enter(&[&relay], &room, "Ben").await;
    ada.room.send("first").await.expect("sent");
    ben.hears_text("first").await;

    let mut mallory = Intruder::at_route(network, route, &room).await;
    let packet = mallory.text("directly");
    let packet = mallory.sign(&packet);
    mallory.publish(&packet).await.expect("sent");
    for text in ["second", "third", "fourth"] {
        ben.room.send(text).await.expect("sent");
        ada.hears_text(text).await;
    }
    assert_eq!(ada.texts().await, ["first", "second", "third", "fourth"]);
    for stranger in strangers.into_iter().chain([mallory]) {
        stranger.node.close().await;
    }
    ada.close().await;
    ben.close().await;
    relay.stop().await;
}
