//! A room in which somebody invents history, members and claims: whoever was there keeps what it heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use warren_shared::limits::{MAX_ROOM_DEVICES, MAX_ROOM_MESSAGES};
use warren_shared::net::chat::History;
use warren_shared::platform;
use warren_shared::proto::chat::history::{Answer, Page, Request};
use warren_shared::proto::chat::{Content, packet_id};
use warren_shared::proto::key::SigningKey;
use warren_tests::guests::{Honest, Intruder, public, two_relays};
use warren_tests::peers::one_of_many;
use warren_tests::wait::until;

/// Gives what nobody said when it says it was said.
struct Inventor {
    packets: Vec<(u64, Vec<u8>)>,
    /// How often somebody asked until there was no more.
    ended: AtomicUsize,
}

impl History for Inventor {
    fn answer(&self, request: Request) -> BoxFuture<'static, Answer> {
        let mut page = Page::default();
        let before = |(time, _): &&(u64, Vec<u8>)| *time < request.before;
        for (_, packet) in self.packets.iter().rev().filter(before) {
            if !request.has(&packet_id(packet)) && !page.offer(packet) {
                break;
            }
        }
        let answer = page.answer();
        if matches!(answer, Answer::Packets { more: false, .. }) {
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
        std::future::ready(answer).boxed()
    }
}

/// Signs with many keys, all of it valid and of just now: more than a room holds.
fn invented(by: &mut Intruder) -> Vec<(u64, Vec<u8>)> {
    let packets = (0..MAX_ROOM_MESSAGES + 500).map(|number| {
        if number % 8 == 0 {
            by.author = SigningKey::from_seed(platform::entropy());
        }
        let body = by.text(&format!("invented {number}"));
        (body.time(), by.sign(&body))
    });
    packets.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_invents_history_and_members_fills_free_room_only() {
    let (first, second) = two_relays().await;
    let room = public("lobby");
    let mut honest = Honest::enter([&first, &second], &room).await;
    honest.talk(10).await;
    let heard = honest.other.room.holds().await.expect("open").heard;

    // One author on many devices: no more than a few of them are noticed.
    let mut mallory = Intruder::at(&first, &room).await;
    let inventor = one_of_many(&first).await.expect("it joins");
    let here = Content::Here {
        peer: inventor.id().to_bytes(),
        every: 60_000,
        head: 9,
        new: false,
        count: 10_000,
        sum: 12_345,
    };
    let inventions = Arc::new(Inventor {
        packets: invented(&mut mallory),
        ended: AtomicUsize::new(0),
    });
    inventor.keep_history(inventions.clone());
    for session in 0..4 * MAX_ROOM_DEVICES as u64 {
        let mut here = mallory.body(here.clone());
        (here.number, here.session) = (0, session);
        let packet = mallory.sign(&here);
        mallory.publish(&packet).await.expect("sent");
    }
    let last = mallory.text("all of them are sent");
    let last = mallory.sign(&last);
    mallory.publish(&last).await.expect("sent");
    honest.other.hears_text("all of them are sent").await;
    let members = honest.other.room.members().await.expect("open");
    let devices = members.iter().filter(|member| member.nick == "Mallory");
    assert_eq!(devices.count(), MAX_ROOM_DEVICES);

    for guest in [&honest.one, &honest.other] {
        until("the room is full", || async {
            let holds = guest.room.holds().await.expect("open");
            (holds.messages == MAX_ROOM_MESSAGES).then_some(())
        })
        .await;
    }
    // Both were given all of it, or one of them again and again.
    until("nothing more is given", || async {
        (inventions.ended.load(Ordering::Relaxed) >= 3).then_some(())
    })
    .await;
    honest.talk(3).await;
    honest.is_within_limits().await;
    let holds = honest.other.room.holds().await.expect("open");
    assert!(holds.heard >= heard, "{holds:?}, {heard} before");
    let entries = honest.other.entries().await.into_iter();
    let there = entries.filter(|entry| entry.nick != "Mallory").count();
    // In a full room the oldest message gives way to each one that is heard: to the three of just now, and to the last
    // one of Mallory, if the room was full before that was read.
    assert!(there + 1 >= heard, "{there} of {heard} are left");
    honest.close().await;
    mallory.node.close().await;
    inventor.close().await;
    first.stop().await;
    second.stop().await;
}
