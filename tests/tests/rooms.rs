//! Chat rooms over real relays: everybody hears everybody, whoever comes late gets what was said, and
//! nothing is lost with a relay.

use std::collections::BTreeSet;

use futures::future::join_all;
use warren_shared::error::Code;
use warren_shared::proto::chat::{Content, FileCard, RoomEvent, RoomRef};
use warren_tests::guests::{Guest, public, two_relays};
use warren_tests::relays::TestRelay;
use warren_tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_everybody_through_two_relays() {
    let (first, second) = two_relays().await;
    let room = public("lobby");
    let mut ada = Guest::enter(&[&first], &room, "Ada").await;
    let mut ben = Guest::enter(&[&second], &room, "Ben").await;
    for (guest, nick) in [(&mut ada, "Ben"), (&mut ben, "Ada")] {
        let joined = |event: &RoomEvent| match event {
            RoomEvent::Joined { member } => Some(member.nick.clone()),
            _ => None,
        };
        assert_eq!(guest.hears("the other one comes", joined).await, nick);
    }
    let hello = ada.room.send("hello").await.expect("sent");
    let heard = ben.hears_text("hello").await;
    assert_eq!((heard.nick.as_str(), heard.mine), ("Ada", false));
    assert_eq!(heard.id, hello.to_string());

    ben.room.reply(hello, "hello Ada").await.expect("answered");
    let answer = ada.hears_text("hello Ada").await;
    assert_eq!(answer.reply_to, Some(hello.to_string()));
    ben.room.react(hello, "👋", true).await.expect("marked");
    let marked = |event: &RoomEvent| match event {
        RoomEvent::Changed { message } => Some(message.reactions.clone()),
        _ => None,
    };
    assert_eq!(ada.hears("a mark", marked).await[0].mark, "👋");
    ada.room
        .edit(hello, "hello everybody")
        .await
        .expect("edited");
    let edited = |event: &RoomEvent| match event {
        RoomEvent::Changed { message } if message.edited => Some(message.text.clone()),
        _ => None,
    };
    assert_eq!(ben.hears("the edit", edited).await, "hello everybody");

    ben.room.typing(true).await.expect("said");
    let typing = |event: &RoomEvent| match event {
        RoomEvent::Typing { member, on: true } => Some(member.nick.clone()),
        _ => None,
    };
    assert_eq!(ada.hears("typing", typing).await, "Ben");

    let file = FileCard {
        cid: "bafkr4ihello".into(),
        name: "plan.pdf".into(),
        size: 7,
        media: "application/pdf".into(),
    };
    let card = ada.room.file(file, "the plan").await.expect("shared");
    let shown = ben.hears_text("the plan").await;
    assert_eq!(shown.file.expect("a file").name, "plan.pdf");
    let forged = ben.room.delete(card).await.unwrap_err();
    assert_eq!(forged.code(), Code::Refused);
    ada.room.delete(card).await.expect("deleted");
    let deleted = |event: &RoomEvent| match event {
        RoomEvent::Deleted { id } => Some(id.clone()),
        _ => None,
    };
    assert_eq!(ben.hears("the deletion", deleted).await, card.to_string());

    ada.close().await;
    let left = |event: &RoomEvent| match event {
        RoomEvent::Left { member, lost } => Some((member.nick.clone(), *lost)),
        _ => None,
    };
    let gone = ben.hears("the other one leaves", left).await;
    assert_eq!(gone, ("Ada".to_owned(), false));
    ben.close().await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_sees_all_and_a_dead_relay_takes_nothing_along() {
    let (first, second) = two_relays().await;
    let room = public("lobby");
    let both = [&first, &second];
    let mut guests = Vec::new();
    for nick in ["Ada", "Ben", "Cyd"] {
        guests.push(Guest::enter(&both, &room, nick).await);
    }
    for guest in &guests {
        until("two homes", || async {
            let homes = guest.node.handle().homes().await.expect("it runs");
            (homes.len() == 2).then_some(())
        })
        .await;
    }
    let mut said = Vec::new();
    for number in 0..10 {
        let text = format!("before {number}");
        guests[number % 3].room.send(&text).await.expect("sent");
        guests[(number + 1) % 3].hears_text(&text).await;
        said.push(text);
    }
    guests.push(Guest::enter(&[&second], &room, "Dan").await);
    join_all(guests.iter().map(|guest| guest.has(&said))).await;

    first.stop().await;
    for number in 0..10 {
        let text = format!("after {number}");
        guests[number % 4].room.send(&text).await.expect("sent");
        guests[(number + 1) % 4].hears_text(&text).await;
        said.push(text);
    }
    join_all(guests.iter().map(|guest| guest.has(&said))).await;
    for guest in &guests {
        let (missing, _) = guest.room.counts().await.expect("the room is open");
        assert_eq!(missing, 0);
    }
    join_all(guests.into_iter().map(Guest::close)).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_room_needs_its_link() {
    let (first, second) = two_relays().await;
    let room = RoomRef::new("lobby", Some([7; 16])).expect("a name");
    let link = format!("http://127.0.0.1/{}", room.fragment());
    let invited = RoomRef::parse(&link).expect("a link");
    let wrong = RoomRef::new("lobby", Some([8; 16])).expect("a name");
    let mut ada = Guest::enter(&[&first], &room, "Ada").await;
    let mut ben = Guest::enter(&[&second], &invited, "Ben").await;
    let eve = Guest::enter(&[&first], &wrong, "Eve").await;
    let mal = Guest::enter(&[&first], &public("lobby"), "Mal").await;
    ada.room.send("our secret").await.expect("sent");
    ben.hears_text("our secret").await;
    ben.room.send("kept").await.expect("sent");
    ada.hears_text("kept").await;
    for outsider in [&eve, &mal] {
        assert!(outsider.texts().await.is_empty());
        assert!(outsider.room.members().await.expect("open").is_empty());
    }
    for guest in [ada, ben, eve, mal] {
        guest.close().await;
    }
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_rooms_at_once_do_not_mix() {
    let relay = TestRelay::first().await;
    let rooms = ["one", "two", "three"].map(public);
    let mut ada = Guest::enter(&[&relay], &rooms[0], "Ada").await;
    let ben = Guest::enter(&[&relay], &rooms[0], "Ben").await;
    let mut others = Vec::new();
    for room in &rooms[1..] {
        let chat = ben.node.chat().expect("a peer may chat");
        others.push(chat.join(room, "Ben").await.expect("entered"));
    }
    let said = [&ben.room, &others[0], &others[1]];
    for (number, room) in said.iter().enumerate() {
        room.send(&format!("in room {number}")).await.expect("sent");
    }
    ada.hears_text("in room 0").await;
    assert_eq!(ada.texts().await, ["in room 0"]);
    let ids: BTreeSet<String> = said.iter().map(|room| room.id()).collect();
    assert_eq!(ids.len(), 3);

    // Whoever does not listen any more has left.
    drop(others);
    let chat = ben.node.chat().expect("a peer may chat");
    until("the rooms are left", || async {
        let left = ids.iter().filter(|id| chat.room(id).is_err());
        (left.count() == 2).then_some(())
    })
    .await;
    let error = ben
        .room
        .say(Content::Typing { on: true })
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    ada.close().await;
    ben.close().await;
    relay.stop().await;
}
