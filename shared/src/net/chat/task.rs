//! The loop around one room: moves packets, questions and orders between the machine and the network.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, Either, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select_biased};
use libp2p::PeerId;

use super::shelf::Shelf;
use crate::error::{Code, Error, Result};
use crate::net::gossip::{Heard, Leaf};
use crate::net::outside::SharedKeepsakes;
use crate::net::overlay::{Kademlia, Overlay};
use crate::net::streams::Service;
use crate::proto::Millis;
use crate::proto::chat::history::{Answer, Request};
use crate::proto::chat::{
    Content, Entry, Holds, MemberView, MessageId, Output, Room, RoomConfig, RoomEvent, RoomKeys,
};
use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::record::Refusal;
use crate::proto::reputation::Evidence;
use crate::{limits, platform};

/// What has arrived is saved after this, together with what arrives meanwhile.
const SAVE_AFTER: Millis = 1_000;

type Reply<T> = oneshot::Sender<T>;

/// What is wanted of a room.
pub(super) enum Order {
    Attach(mpsc::Sender<RoomEvent>, String, Reply<Result<()>>),
    /// Somebody listens no more.
    Detach,
    Say(Content, Reply<Result<MessageId>>),
    Typing(bool, Reply<Result<()>>),
    Rename(String, Reply<Result<()>>),
    History(Option<MessageId>, usize, Reply<Result<Vec<Entry>>>),
    Members(Reply<Vec<MemberView>>),
    Counts(Reply<(u64, u64)>),
    Holds(Reply<Holds>),
    Read(Reply<()>),
    Me(Reply<PublicKey>),
    Serve(Request, Reply<Answer>),
    Leave(Reply<()>),
}

struct Listener {
    events: mpsc::Sender<RoomEvent>,
    dropped: u64,
}

type Asked = (Vec<u8>, Option<Answer>);

pub(super) struct Task {
    overlay: Arc<Kademlia>,
    leaf: Leaf,
    room: Room,
    shelf: Shelf,
    topic: String,
    listeners: Vec<Listener>,
    /// Whether anybody has listened yet.
    attached: bool,
    asked: FuturesUnordered<BoxFuture<'static, Asked>>,
    save_at: Option<Millis>,
}

impl Task {
    /// Reads what was kept of the room; it is entered by running the task.
    pub async fn open(
        overlay: Arc<Kademlia>,
        leaf: Leaf,
        keepsakes: SharedKeepsakes,
        author: SigningKey,
        keys: RoomKeys,
        nick: &str,
    ) -> Result<Task> {
        let topic = keys.topic();
        let (shelf, found) = Shelf::open(keepsakes, &topic).await?;
        let mut room = Room::new(RoomConfig {
            keys,
            author,
            nick: nick.to_owned(),
            peer: overlay.handle().id().to_bytes(),
            session: found.session.unwrap_or_else(random),
            seed: platform::entropy(),
        })?;
        let now = overlay.client().now();
        if !room.restore(found.packets, found.read, now) {
            room.abandon(random());
        }
        let topic = topic.text(overlay.handle().network());
        Ok(Task {
            overlay,
            leaf,
            room,
            shelf,
            topic,
            listeners: Vec::new(),
            attached: false,
            asked: FuturesUnordered::new(),
            save_at: None,
        })
    }

    pub async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        let (to, mut heard) = mpsc::channel(limits::EVENT_QUEUE);
        self.leaf.join(self.topic.clone(), to).await;
        let now = self.now();
        self.room.enter(now);
        loop {
            self.drain().await;
            let mut timer = platform::sleep(self.patience()).fuse();
            select_biased! {
                order = inbox.next() => match order {
                    Some(Order::Leave(reply)) => {
                        self.leave().await;
                        let _ = reply.send(());
                        return;
                    }
                    Some(order) => self.obey(order).await,
                    None => return self.leave().await,
                },
                heard = heard.next() => match heard {
                    Some(heard) => self.hear(heard),
                    // The peer was closed.
                    None => return,
                },
                (peer, answer) = self.asked.select_next_some() => {
                    let now = self.now();
                    self.room.answered(&peer, answer, now);
                }
                () = timer => self.tick().await,
            }
            if self.attached && self.listeners.is_empty() {
                return self.leave().await;
            }
        }
    }

    fn now(&self) -> Millis {
        self.overlay.client().now()
    }

    fn patience(&self) -> Duration {
        let next = self.room.wake().min(self.save_at.unwrap_or(Millis::MAX));
        Duration::from_millis(next.saturating_sub(self.now()))
    }

    async fn tick(&mut self) {
        let now = self.now();
        self.room.tick(now);
        if self.save_at.is_some_and(|at| at <= now) {
            self.save_at = None;
            if let Err(error) = self.save().await {
                tracing::error!(%error, "messages of a room could not be kept");
            }
        }
    }

    fn hear(&mut self, heard: Heard) {
        let now = self.now();
        match heard {
            Heard::Relay(peer) => self.room.relay(peer.to_bytes(), now),
            Heard::Lost(peer) => self.room.no_holder(&peer.to_bytes()),
            Heard::Packet(packet) => {
                if let Err(why) = self.room.received(packet, now) {
                    tracing::debug!(%why, "a packet of a room is not believed");
                }
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        let now = self.now();
        match order {
            Order::Attach(events, nick, reply) => {
                let renamed = self.room.rename(&nick, now);
                if renamed.is_ok() {
                    self.listeners.push(Listener { events, dropped: 0 });
                    self.attached = true;
                }
                let _ = reply.send(renamed);
            }
            Order::Detach => self.listeners.retain(|one| !one.events.is_closed()),
            Order::Say(content, reply) => drop(reply.send(self.say(content).await)),
            Order::Typing(on, reply) => drop(reply.send(self.room.typing(on, now))),
            Order::Rename(nick, reply) => drop(reply.send(self.room.rename(&nick, now))),
            Order::History(before, limit, reply) => {
                drop(reply.send(self.room.history(before.as_ref(), limit)));
            }
            Order::Members(reply) => drop(reply.send(self.room.members())),
            Order::Counts(reply) => drop(reply.send((self.room.missing(), self.room.unread()))),
            Order::Holds(reply) => drop(reply.send(self.room.holds())),
            Order::Read(reply) => {
                self.room.mark_read();
                self.save_soon();
                let _ = reply.send(());
            }
            Order::Me(reply) => drop(reply.send(self.room.me())),
            Order::Serve(request, reply) => drop(reply.send(self.room.answer(&request))),
            // The loop has seen to it.
            Order::Leave(reply) => drop(reply),
        }
    }

    /// First kept, then sent: no number is ever used for two messages.
    async fn say(&mut self, content: Content) -> Result<MessageId> {
        let now = self.now();
        let (id, packet) = self.room.draft(content, now)?;
        self.shelf.keep(id, packet);
        if let Err(error) = self.save().await {
            self.shelf.forget(&id);
            self.room.abandon(random());
            return Err(error);
        }
        self.room.commit(now)
    }

    async fn save(&mut self) -> Result<()> {
        self.shelf.note(self.room.session(), self.room.read());
        let saved = Box::pin(self.shelf.save());
        match select(saved, platform::sleep(limits::RECORD_DEADLINE)).await {
            Either::Left((saved, _)) => saved,
            Either::Right(_) => Err(Error::new(
                Code::StorageFailed,
                "messages take too long to be kept",
            )),
        }
    }

    fn save_soon(&mut self) {
        let now = self.now();
        self.save_at.get_or_insert(now + SAVE_AFTER);
    }

    /// Does what the room wants done.
    async fn drain(&mut self) {
        while let Some(output) = self.room.poll() {
            match output {
                Output::Publish(packet) => self.leaf.publish(self.topic.clone(), packet).await,
                Output::Keep(id, packet) => {
                    self.shelf.keep(id, packet);
                    self.save_soon();
                }
                Output::Forget(id) => {
                    self.shelf.forget(&id);
                    self.save_soon();
                }
                Output::Ask(peer, request) => {
                    self.asked
                        .push(ask(self.overlay.clone(), peer, request).boxed());
                }
                Output::Blame(peer) => self.blame(&peer),
                Output::Event(event) => self.listeners.retain_mut(|one| one.tell(&event)),
            }
        }
    }

    fn blame(&self, peer: &[u8]) {
        if let Ok(peer) = PeerId::from_bytes(peer) {
            let standings = self.overlay.handle().standings();
            standings.note(&peer, Evidence::Invalid);
        }
    }

    async fn leave(&mut self) {
        let now = self.now();
        self.room.leave(now);
        self.drain().await;
        self.leaf.leave(self.topic.clone()).await;
        if self.shelf.is_changed()
            && let Err(error) = self.save().await
        {
            tracing::error!(%error, "messages of a room could not be kept");
        }
    }
}

impl Listener {
    /// Whether it is still there.
    fn tell(&mut self, event: &RoomEvent) -> bool {
        if self.dropped > 0 {
            let dropped = self.dropped;
            if self.events.try_send(RoomEvent::Lagged { dropped }).is_err() {
                self.dropped += 1;
                return !self.events.is_closed();
            }
            self.dropped = 0;
        }
        if self.events.try_send(event.clone()).is_err() {
            self.dropped += 1;
        }
        !self.events.is_closed()
    }
}

fn random() -> u64 {
    u64::from_be_bytes(platform::entropy()) & limits::MAX_SAFE_INTEGER
}

async fn ask(overlay: Arc<Kademlia>, holder: Vec<u8>, request: Request) -> Asked {
    let asked = async {
        let peer = PeerId::from_bytes(&holder).map_err(|_| Code::InvalidArgument)?;
        let route = overlay.route_to(peer).await.map_err(|error| error.code())?;
        let answer = overlay.handle().exchange(Service::History, route, &request);
        let answer = answer.await;
        answer.map_err(|error| error.code())
    };
    let answer = match asked.await {
        Ok(answer) => Some(answer),
        Err(Code::Unsupported) => Some(super::refused(Refusal::Unsupported)),
        Err(_) => None,
    };
    (holder, answer)
}
