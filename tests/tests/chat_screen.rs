//! `warren chat` on a terminal.

use futures::StreamExt;
use warren_shared::proto::chat::{RoomEvent, RoomRef};
use warren_tests::peers::{arguments, loopback};
use warren_tests::relays::TestRelay;
use warren_tests::terminal::Terminal;
use warren_tests::wait::within;

#[tokio::test(flavor = "multi_thread")]
async fn the_room_has_the_screen_and_gives_it_back() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let ben = arguments(std::slice::from_ref(&url), &[])
        .start(vec![loopback()])
        .await;
    let ben = ben.expect("a peer joins");
    let chat = ben.node.chat().expect("a peer may chat");
    let room = RoomRef::new("lobby", None).expect("a name");
    let mut room = chat.join(&room, "Ben").await.expect("entered");
    room.send("who is there?").await.expect("sent");

    let mut ada = Terminal::start(&["chat", "lobby", "--nick", "Ada", "--join", &url]);
    ada.draws("\u{1b}[?1049h").await;
    // Blanks are not drawn where there were blanks.
    ada.draws("there?").await;
    ada.press("it is me\r").await;
    let heard = async {
        while let Some(event) = room.events.next().await {
            if let RoomEvent::Message { message } = event
                && !message.mine
            {
                return message.text;
            }
        }
        panic!("the room was closed");
    };
    assert_eq!(within("Ben hears her", heard).await, "it is me");
    room.send("welcome").await.expect("sent");
    ada.draws("welcome").await;
    ada.press("/shout\r").await;
    ada.draws("unknown").await;
    // Ctrl-C is a key here, not a signal.
    ada.press("\u{3}").await;
    ada.draws("\u{1b}[?1049l").await;
    assert!(ada.ended().await.success());
    room.leave().await;
    ben.node.close().await;
    relay.stop().await;
}
