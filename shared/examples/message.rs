//! Sends a direct message to an author and waits until it has arrived.
//!
//! `cargo run -p warren-relay --example message -- http://127.0.0.1:8080`

use std::error::Error;

use futures::StreamExt;
use warren_relay::peer::PeerArgs;
use warren_shared::net::direct::Recipient;
use warren_shared::proto::record::Value;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of a relay")?;
    let ada = PeerArgs::through(&url).start(Vec::new()).await?;
    let ben = PeerArgs::through(&url).start(Vec::new()).await?;

    // A peer takes messages from when somebody reads them. Before, they wait in its mailboxes.
    let mut messages = ben.node.direct().messages();
    let reading = tokio::spawn(async move {
        let first = messages.next().await;
        // Asking for the next message says that the one before was dealt with.
        (first, messages)
    });

    // When this returns the message is stored here: it arrives within a week, or is said to have failed.
    let to = Recipient::Author(ben.node.author());
    let body = Value::Json("\"lunch?\"".to_owned());
    let sent = ada.node.direct().send(to, body).await?;
    sent.delivered().await?;
    println!("delivered");

    let (first, messages) = reading.await?;
    let message = first.ok_or("no message came")??;
    if let Value::Json(text) = &message.body {
        println!("{} says {text}", message.author.to_base36());
    }
    println!("from Ada: {}", message.author == ada.node.author());
    drop(messages);
    for peer in [ada, ben] {
        peer.node.close().await;
    }
    Ok(())
}
