//! A room as an application holds it.

use std::ops::Deref;

use futures::SinkExt;
use futures::channel::{mpsc, oneshot};

use super::task::Order;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::proto::chat::{
    Content, Entry, FileCard, Holds, MemberView, MessageId, RoomEvent, Topic,
};

/// The way to a room. Cheap to clone; of no use when the room was left.
#[derive(Clone)]
pub struct RoomHandle {
    topic: Topic,
    orders: mpsc::Sender<Order>,
}

/// A room that somebody listens to. It is left when nobody does any more.
pub struct Joined {
    room: RoomHandle,
    /// What happens from now on. A slow reader loses events, and is told how many.
    pub events: mpsc::Receiver<RoomEvent>,
}

impl Deref for Joined {
    type Target = RoomHandle;

    fn deref(&self) -> &RoomHandle {
        &self.room
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.events.close();
        let _ = self.room.orders.clone().try_send(Order::Detach);
    }
}

impl RoomHandle {
    pub(super) fn new(topic: Topic, orders: mpsc::Sender<Order>) -> RoomHandle {
        RoomHandle { topic, orders }
    }

    pub(super) async fn attach(self, nick: &str) -> Result<Joined> {
        let (listener, events) = mpsc::channel(limits::EVENT_QUEUE);
        let nick = nick.to_owned();
        self.ask(|reply| Order::Attach(listener, nick, reply))
            .await??;
        Ok(Joined { room: self, events })
    }

    /// Names the room on this peer.
    pub fn id(&self) -> String {
        self.topic.hex()
    }

    /// Whether it is private.
    pub fn is_private(&self) -> bool {
        self.topic.sealed
    }

    /// Says something that lasts. It is kept here before it is sent.
    pub async fn say(&self, content: Content) -> Result<MessageId> {
        self.ask(|reply| Order::Say(content, reply)).await?
    }

    /// Sends a text.
    pub async fn send(&self, text: &str) -> Result<MessageId> {
        let (text, to) = (text.to_owned(), None);
        self.say(Content::Text { text, to }).await
    }

    /// Answers a message.
    pub async fn reply(&self, to: MessageId, text: &str) -> Result<MessageId> {
        let (text, to) = (text.to_owned(), Some(to));
        self.say(Content::Text { text, to }).await
    }

    /// Puts a mark beside a message, or takes it away.
    pub async fn react(&self, to: MessageId, mark: &str, on: bool) -> Result<MessageId> {
        let mark = mark.to_owned();
        self.say(Content::React { to, mark, on }).await
    }

    /// Changes the text of an own message.
    pub async fn edit(&self, id: MessageId, text: &str) -> Result<MessageId> {
        let (session, number, text) = (id.session, id.number, text.to_owned());
        self.own(id).await?;
        let edit = Content::Edit {
            session,
            number,
            text,
        };
        self.say(edit).await
    }

    /// Takes an own message back.
    pub async fn delete(&self, id: MessageId) -> Result<MessageId> {
        let (session, number) = (id.session, id.number);
        self.own(id).await?;
        self.say(Content::Delete { session, number }).await
    }

    /// Speaks of a file.
    pub async fn file(&self, file: FileCard, text: &str) -> Result<MessageId> {
        let text = text.to_owned();
        self.say(Content::File { file, text }).await
    }

    /// Tells the others that something is being written, or not any more.
    pub async fn typing(&self, on: bool) -> Result<()> {
        self.ask(|reply| Order::Typing(on, reply)).await?
    }

    /// Takes another nickname.
    pub async fn rename(&self, nick: &str) -> Result<()> {
        let nick = nick.to_owned();
        self.ask(|reply| Order::Rename(nick, reply)).await?
    }

    /// The newest messages, or those before one of them; the oldest first. An error if that one is not here.
    pub async fn history(&self, before: Option<MessageId>, limit: usize) -> Result<Vec<Entry>> {
        let history = self.ask(|reply| Order::History(before, limit, reply));
        history.await?
    }

    /// Who else is here.
    pub async fn members(&self) -> Result<Vec<MemberView>> {
        self.ask(Order::Members).await
    }

    /// How many messages are known to be missing, and how many were not read.
    pub async fn counts(&self) -> Result<(u64, u64)> {
        self.ask(Order::Counts).await
    }

    /// How much this peer holds of it.
    pub async fn holds(&self) -> Result<Holds> {
        self.ask(Order::Holds).await
    }

    /// Everything so far was read.
    pub async fn mark_read(&self) -> Result<()> {
        self.ask(Order::Read).await
    }

    /// Leaves, whoever else listens.
    pub async fn leave(&self) {
        let _ = self.ask(Order::Leave).await;
    }

    async fn own(&self, id: MessageId) -> Result<()> {
        let me = self.ask(Order::Me).await?;
        match id.author == me {
            true => Ok(()),
            false => Err(
                Error::new(Code::Refused, "this message was written by somebody else")
                    .with_remedy("Only its author can edit or delete a message."),
            ),
        }
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let sent = self.orders.clone().send(order(reply)).await;
        sent.map_err(|_| left())?;
        answer.await.map_err(|_| left())
    }
}

fn left() -> Error {
    Error::new(Code::Closed, "this room was left").with_remedy("Join the room again.")
}
