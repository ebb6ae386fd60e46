//! Direct messages that are numbers, for tests of what becomes of them.

use std::path::Path;

use futures::StreamExt;
use futures::stream::BoxStream;
use warren_relay::peer::Peer;
use warren_shared::error::Result;
use warren_shared::net::Node;
use warren_shared::net::direct::{Recipient, Sent, Told};
use warren_shared::net::overlay::Overlay;
use warren_shared::proto::direct::{Contact, State};
use warren_shared::proto::key::PublicKey;
use warren_shared::proto::record::Value;

use crate::peers::{arguments, loopback};
use crate::wait::{until, within};

/// What a peer's reader gets.
pub type Messages = BoxStream<'static, Result<Told>>;

/// A body that is a number.
pub fn text(number: usize) -> Value {
    Value::Json(number.to_string())
}

/// The number in a body.
pub fn number(told: &Told) -> usize {
    match &told.body {
        Value::Json(text) => text.parse().expect("a number"),
        Value::Bytes(_) => panic!("bytes were sent by nobody"),
    }
}

/// The next message.
pub async fn next(messages: &mut Messages) -> Told {
    let told = within("a message comes", messages.next()).await;
    told.expect("the peer runs").expect("it can be read")
}

/// Sends a number.
pub async fn send(node: &Node, to: PublicKey, number: usize) -> Sent {
    let sent = node.direct().send(Recipient::Author(to), text(number));
    sent.await.expect("there is room")
}

/// Waits until a message is what is wanted.
pub async fn becomes(sent: &Sent, wanted: State) {
    let mut states = sent.states();
    let reached = async {
        while let Some(state) = states.next().await {
            if state.expect("the peer runs") == wanted {
                return;
            }
        }
        panic!("it never was {wanted:?}");
    };
    within(&format!("a message is {wanted:?}"), reached).await;
}

/// A peer with a data directory, which can come back.
pub async fn resident(url: &str, home: &Path) -> Peer {
    let mut args = arguments(&[url.to_owned()], &[]);
    args.data_dir = Some(home.to_owned());
    args.start(vec![loopback()]).await.expect("it joins")
}

/// Waits until `node` can know where messages for the author of `other` may wait.
pub async fn can_be_found(node: &Node, other: &Node) {
    let author = other.author();
    until("the author says where it is", || async {
        let found = node.overlay().record_at(Contact::key(&author)).await;
        found.expect("relays answer").map(drop)
    })
    .await;
}
