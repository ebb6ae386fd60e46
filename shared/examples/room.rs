//! Two people in a chat room: one enters late, sees what was said, and answers.
//!
//! `cargo run -p warren-relay --example room -- http://127.0.0.1:8080`

use std::error::Error;

use futures::StreamExt;
use warren_relay::peer::PeerArgs;
use warren_shared::net::chat::Joined;
use warren_shared::platform;
use warren_shared::proto::chat::{Entry, RoomEvent, RoomRef};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of a relay")?;
    // With a secret the room is private: its link is needed to enter. `None` makes it public.
    let room = RoomRef::new("tea party", Some(platform::entropy()))?;
    println!("others enter with {url}/{}", room.fragment());

    let ada = PeerArgs::through(&url).start(Vec::new()).await?;
    let mut hers = ada.node.chat()?.join(&room, "Ada").await?;
    hers.send("is anybody here?").await?;

    let ben = PeerArgs::through(&url).start(Vec::new()).await?;
    let mut his = ben.node.chat()?.join(&room, "Ben").await?;
    let question = next_message(&mut his).await?;
    println!("Ben reads: {}: {}", question.nick, question.text);
    his.reply(question.id.parse()?, "yes!").await?;

    let answer = loop {
        let message = next_message(&mut hers).await?;
        if !message.mine {
            break message;
        }
    };
    println!("Ada reads: {}: {}", answer.nick, answer.text);
    for entry in hers.history(None, 10).await? {
        println!("history: {}: {}", entry.nick, entry.text);
    }
    for peer in [ada, ben] {
        peer.node.close().await;
    }
    Ok(())
}

async fn next_message(room: &mut Joined) -> Result<Entry, Box<dyn Error>> {
    while let Some(event) = room.events.next().await {
        if let RoomEvent::Message { message } = event {
            return Ok(message);
        }
    }
    Err("the room was closed".into())
}
