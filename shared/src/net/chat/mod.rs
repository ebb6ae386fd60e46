//! Chat rooms on the network: each room of this peer is a task around the pure machine of `proto/chat`,
//! with topics on one side, history on the other, and what is kept behind it.

mod handle;
mod shelf;
mod task;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, select};
use futures::{FutureExt, SinkExt};

pub use self::handle::{Joined, RoomHandle};
use self::task::{Order, Task};
use super::gossip::Leaf;
use super::outside::SharedKeepsakes;
use super::overlay::Kademlia;
use crate::error::{Code, Error, Result};
use crate::proto::chat::history::{Answer, Request};
use crate::proto::chat::packet::Outside;
use crate::proto::chat::{RoomRef, Topic};
use crate::proto::key::{NetworkId, SigningKey};
use crate::proto::record::Refusal;
use crate::sorted::SortedMap;
use crate::{limits, platform};

/// Has messages of rooms for those who come later.
pub trait History: Send + Sync + 'static {
    /// Keeps a packet that was checked, when there is time. What keeps only its own rooms does nothing.
    fn keep(&self, _topic: Topic, _seen: Outside, _packet: Vec<u8>) {}
    /// Gives what the asking one lacks.
    fn answer(&self, request: Request) -> BoxFuture<'static, Answer>;
}

/// A [`History`] that several tasks use.
pub type SharedHistory = Arc<dyn History>;

/// Who has messages, once somebody has said so.
#[derive(Clone, Default)]
pub struct HistorySlot(Arc<Mutex<Option<SharedHistory>>>);

impl HistorySlot {
    /// From now on these.
    pub fn set(&self, history: SharedHistory) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(history);
    }

    /// Who has them.
    pub fn get(&self) -> Option<SharedHistory> {
        let history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        history.clone()
    }

    pub(super) async fn answer(&self, request: Request) -> Answer {
        match self.get() {
            Some(history) => history.answer(request).await,
            None => refused(Refusal::Unsupported),
        }
    }
}

pub(super) fn refused(why: Refusal) -> Answer {
    Answer::Refused { why }
}

/// The rooms of a peer, as its node holds them.
#[derive(Clone)]
pub(super) struct Rooms {
    overlay: Arc<Kademlia>,
    leaf: Leaf,
    keepsakes: SharedKeepsakes,
    author: SigningKey,
    entered: Entered,
}

/// The rooms that run.
#[derive(Clone, Default)]
struct Entered(Arc<Mutex<SortedMap<Topic, mpsc::Sender<Order>>>>);

impl Entered {
    fn rooms(&self) -> MutexGuard<'_, SortedMap<Topic, mpsc::Sender<Order>>> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|_, orders| !orders.is_closed());
        rooms
    }

    fn find(&self, topic: &Topic) -> Option<mpsc::Sender<Order>> {
        self.rooms().get(topic).cloned()
    }
}

/// Other peers ask for rooms that this one is in, and for no others.
impl History for Entered {
    fn answer(&self, request: Request) -> BoxFuture<'static, Answer> {
        let room = self.find(&request.topic);
        let asked = async move {
            let (reply, answer) = oneshot::channel();
            room?.send(Order::Serve(request, reply)).await.ok()?;
            answer.await.ok()
        };
        let answer = asked.map(|answer| answer.unwrap_or_else(|| refused(Refusal::Unsupported)));
        answer.boxed()
    }
}

impl Rooms {
    pub fn new(
        overlay: Arc<Kademlia>,
        leaf: Leaf,
        keepsakes: SharedKeepsakes,
        author: SigningKey,
        slot: &HistorySlot,
    ) -> Rooms {
        let entered = Entered::default();
        slot.set(Arc::new(entered.clone()));
        Rooms {
            overlay,
            leaf,
            keepsakes,
            author,
            entered,
        }
    }

    /// Leaves all rooms, so that the others know.
    pub async fn close(&self) {
        let rooms: Vec<_> = self.entered.rooms().values().cloned().collect();
        for mut orders in rooms {
            let (reply, left) = oneshot::channel();
            if orders.send(Order::Leave(reply)).await.is_ok() {
                select(left, platform::sleep(limits::CLOSING)).await;
            }
        }
        // Also what was said in rooms that were left just now.
        self.leaf.settle().await;
    }
}

/// Chat rooms of a peer.
pub struct Chat {
    rooms: Rooms,
}

impl Chat {
    pub(super) fn new(rooms: Option<Rooms>) -> Result<Chat> {
        let rooms = rooms.ok_or_else(|| {
            Error::new(Code::Unsupported, "a relay is in no rooms itself")
                .with_remedy("Join the room with another peer, through this relay.")
        })?;
        Ok(Chat { rooms })
    }

    /// Enters a room, or listens once more to one that was entered already; then under this nickname.
    pub async fn join(&self, room: &RoomRef, nick: &str) -> Result<Joined> {
        let topic = room.keys(self.network()).topic();
        let orders = match self.rooms.entered.find(&topic) {
            Some(orders) => orders,
            None => self.enter(room, nick).await?,
        };
        RoomHandle::new(topic, orders).attach(nick).await
    }

    /// Waits until relays have taken what was said, but not for long.
    pub async fn settle(&self) {
        self.rooms.leaf.settle().await;
    }

    /// A room that was entered, by the id that joining it gave.
    pub fn room(&self, id: &str) -> Result<RoomHandle> {
        let rooms = self.rooms.entered.rooms();
        let found = rooms.iter().find(|(topic, _)| topic.hex() == id);
        let (topic, orders) = found.ok_or_else(|| {
            Error::new(Code::NotFound, "this peer is not in that room")
                .with_remedy("Join the room first; it may have been left meanwhile.")
        })?;
        Ok(RoomHandle::new(*topic, orders.clone()))
    }

    fn network(&self) -> &NetworkId {
        self.rooms.overlay.handle().network()
    }

    async fn enter(&self, room: &RoomRef, nick: &str) -> Result<mpsc::Sender<Order>> {
        if self.rooms.entered.rooms().len() >= limits::MAX_ROOMS {
            let text = format!("this peer is in {} rooms already", limits::MAX_ROOMS);
            return Err(Error::new(Code::Overloaded, text).with_remedy("Leave another room first."));
        }
        let keys = room.keys(self.network());
        let topic = keys.topic();
        let Rooms {
            overlay,
            leaf,
            keepsakes,
            author,
            entered,
        } = self.rooms.clone();
        let (orders, inbox) = mpsc::channel(limits::COMMAND_QUEUE);
        let task = Task::open(overlay, leaf, keepsakes, author, keys, nick).await?;
        {
            let mut rooms = entered.rooms();
            // Somebody else may have been faster.
            if let Some(known) = rooms.get(&topic) {
                return Ok(known.clone());
            }
            rooms.insert(topic, orders.clone());
        }
        platform::spawn(task.run(inbox));
        Ok(orders)
    }
}
