//! A leaf of gossipsub: subscribes and publishes at the home relays of this peer, and forwards nothing.
//!
//! It says so in the wire protocol of gossipsub 1.1, over one plain stream each way: the full
//! implementation would be a tenth of what a page downloads. Relays treat every peer that is no relay as
//! one that gets all packets of its topics, so a leaf needs no mesh. GRAFT, PRUNE and IHAVE ask nothing
//! of it that it would have to answer.

use std::collections::VecDeque;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{join_all, select};
use futures::{FutureExt, SinkExt, StreamExt, select_biased};
use libp2p::PeerId;

use super::lines::{Line, Said, listen, speak};
use super::wire::{self, Rpc};
use crate::limits;
use crate::net::finding::connected;
use crate::net::handle::{Event, Handle};
use crate::net::protocols::GOSSIP;
use crate::net::streams::{Incoming, Registry};
use crate::platform;
use crate::proto::Millis;
use crate::proto::chat::{PacketId, packet_id};

/// Before a stream to a relay is opened again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a relay takes for each packet in one topic, and how much of that it gives in advance.
const EACH: Millis = 1_000 / limits::CHAT_VOICE_PER_SECOND as Millis;
const AT_ONCE: Millis = EACH * limits::CHAT_VOICE_FIRST as Millis;
/// Packets that are remembered, because each comes from several relays.
const SEEN: usize = 1_024;
/// Peers whose subscriptions are remembered: homes, those that are about to be, and strangers, which go first.
const KNOWN: usize = 32;

/// What is heard in a topic.
#[derive(Debug)]
pub enum Heard {
    /// A relay takes packets of this topic from now on.
    Relay(PeerId),
    /// A relay is gone.
    Lost(PeerId),
    /// A packet, from anybody: it is still to be verified.
    Packet(Vec<u8>),
}

enum Order {
    Join(String, mpsc::Sender<Heard>),
    Leave(String),
    Publish(String, Vec<u8>),
    Settle(oneshot::Sender<()>),
}

/// The way to the leaf of this peer. Cheap to clone.
#[derive(Clone)]
pub struct Leaf(mpsc::Sender<Order>);

impl Leaf {
    /// Starts it; it ends with the driver.
    pub(in crate::net) fn start(handle: Handle, registry: &Registry) -> Leaf {
        let (orders, inbox) = mpsc::channel(limits::COMMAND_QUEUE);
        // Before anybody is connected: a relay that is refused once does not ask again.
        if let Ok(incoming) = registry.accept(GOSSIP) {
            platform::spawn(run(handle, inbox, incoming));
        }
        Leaf(orders)
    }

    /// Wants a topic, instead of whoever wanted it before.
    pub async fn join(&self, topic: String, to: mpsc::Sender<Heard>) {
        self.order(Order::Join(topic, to)).await;
    }

    /// Does not want a topic any more.
    pub async fn leave(&self, topic: String) {
        self.order(Order::Leave(topic)).await;
    }

    /// Sends a packet to everybody in a topic, now or when a relay takes it.
    pub async fn publish(&self, topic: String, data: Vec<u8>) {
        self.order(Order::Publish(topic, data)).await;
    }

    /// Waits until relays have read everything so far, but not for long.
    pub async fn settle(&self) {
        let (reply, settled) = oneshot::channel();
        self.order(Order::Settle(reply)).await;
        select(settled, platform::sleep(limits::CLOSING)).await;
    }

    async fn order(&self, order: Order) {
        let _ = self.0.clone().send(order).await;
    }
}

struct Topic {
    name: String,
    to: mpsc::Sender<Heard>,
    /// When what was said here is as good as forgotten by those who read it little by little.
    spent: Millis,
}

/// A home relay.
struct Link {
    peer: PeerId,
    /// Frames for it, while there is a stream.
    frames: Option<mpsc::Sender<Line>>,
    /// Topics that it takes, as far as their readers were told.
    taken: Vec<u64>,
    /// Packets of topics that it does not take yet.
    waiting: VecDeque<(String, Vec<u8>)>,
}

struct State {
    handle: Handle,
    topics: Vec<Topic>,
    links: Vec<Link>,
    /// Which topics others want, by a hash: they say it once.
    wanted: Vec<(PeerId, Vec<u64>)>,
    seen: VecDeque<PacketId>,
    /// When relays have read everything, as slowly as they do.
    read_at: Millis,
    /// Those that wait until then.
    settling: Vec<oneshot::Sender<()>>,
    said: mpsc::Sender<Said>,
}

async fn run(
    handle: Handle,
    mut orders: mpsc::Receiver<Order>,
    mut incoming: mpsc::Receiver<Incoming>,
) {
    let (said, mut heard) = mpsc::channel(limits::GOSSIP_QUEUE);
    let Ok(mut events) = handle.events_only().await else {
        return;
    };
    let mut state = State {
        handle,
        topics: Vec::new(),
        links: Vec::new(),
        wanted: Vec::new(),
        seen: VecDeque::new(),
        read_at: 0,
        settling: Vec::new(),
        said,
    };
    state.look_for_homes().await;
    // Kept over the turns: in a lively room there is always something else first.
    let mut due = platform::now();
    loop {
        let now = platform::now();
        if due <= now {
            state.connect();
            due = now + state.patience().as_millis() as u64;
        }
        let mut again = platform::sleep(Duration::from_millis(due - now)).fuse();
        select_biased! {
            event = events.next() => match event {
                Some(Event::Connection { change: "close", peer, .. }) => state.closed(&peer).await,
                Some(Event::Relay { .. } | Event::Lagged { .. }) => state.look_for_homes().await,
                Some(_) => {}
                None => return,
            },
            stream = incoming.select_next_some() => listen(stream, state.said.clone()),
            said = heard.select_next_some() => match said {
                Said::Rpc(peer, rpc) => state.hear(peer, rpc),
                Said::Ended(peer) => {
                    state.ended(peer);
                    due = due.min(platform::now() + AGAIN.as_millis() as u64);
                }
            },
            order = orders.next() => match order {
                Some(order) => state.obey(order),
                None => return,
            },
            () = again => {}
        }
        state.settle();
    }
}

impl State {
    /// Tells those who wait for it when everything is read, once nothing waits for a relay any more.
    fn settle(&mut self) {
        let taken = self.links.iter().any(|link| link.frames.is_some());
        let waiting = self.links.iter().any(|link| !link.waiting.is_empty());
        if waiting || self.settling.is_empty() || !(taken || self.topics.is_empty()) {
            return;
        }
        let handle = &self.handle;
        let read: Vec<_> = { self.links.iter_mut() }
            .filter_map(|link| Some(read_by(handle.clone(), link.peer, link.frames.as_mut()?)))
            .collect();
        let replies = std::mem::take(&mut self.settling);
        let later = Duration::from_millis(self.read_at.saturating_sub(platform::now()));
        platform::spawn(async move {
            join_all(read).await;
            platform::sleep(later).await;
            for reply in replies {
                let _ = reply.send(());
            }
        });
    }

    /// How long there is nothing to do, unless something happens.
    fn patience(&self) -> Duration {
        let open = self.links.iter().all(|link| link.frames.is_some());
        if open { limits::IDLE_CONNECTION } else { AGAIN }
    }

    async fn look_for_homes(&mut self) {
        let homes = self.handle.homes().await.unwrap_or_default();
        let gone: Vec<PeerId> = self.links.iter().map(|link| link.peer).collect();
        for peer in gone.into_iter().filter(|peer| !homes.contains(peer)) {
            self.links.retain(|link| link.peer != peer);
            self.tell_all(|| Heard::Lost(peer));
        }
        for peer in homes {
            if !self.links.iter().any(|link| link.peer == peer) {
                self.links.push(Link {
                    peer,
                    frames: None,
                    taken: Vec::new(),
                    waiting: VecDeque::new(),
                });
                self.tell_ready(peer);
            }
        }
        self.connect();
    }

    async fn closed(&mut self, peer: &str) {
        let Ok(peer) = peer.parse::<PeerId>() else {
            return;
        };
        if !self.handle.is_connected(peer).await.unwrap_or(false) {
            self.wanted.retain(|(known, _)| *known != peer);
            self.look_for_homes().await;
        }
    }

    /// Opens the streams that are missing.
    fn connect(&mut self) {
        for link in &mut self.links {
            if link.frames.is_none() && !self.topics.is_empty() {
                let (mut frames, queue) = mpsc::channel(limits::GOSSIP_QUEUE);
                let names = self.topics.iter().map(|topic| topic.name.as_str());
                let _ = frames.try_send(Line::Frame(wire::subscriptions(true, names)));
                link.frames = Some(frames);
                platform::spawn(speak(
                    self.handle.clone(),
                    link.peer,
                    queue,
                    self.said.clone(),
                ));
            }
        }
    }

    fn ended(&mut self, peer: PeerId) {
        if let Some(link) = self.links.iter_mut().find(|link| link.peer == peer) {
            link.frames = None;
            link.taken.clear();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Join(name, to) => {
                let hello = wire::subscriptions(true, [name.as_str()].into_iter());
                self.forget(&name);
                let spent = 0;
                self.topics.push(Topic { name, to, spent });
                self.tell_relays(&hello);
                self.connect();
                let homes: Vec<PeerId> = self.links.iter().map(|link| link.peer).collect();
                homes.into_iter().for_each(|home| self.tell_ready(home));
            }
            Order::Leave(name) => {
                self.forget(&name);
                self.tell_relays(&wire::subscriptions(false, [name.as_str()].into_iter()));
            }
            Order::Publish(name, data) => self.publish(name, data),
            Order::Settle(reply) => self.settling.push(reply),
        }
    }

    fn forget(&mut self, name: &str) {
        let hash = hash_of(name.as_bytes());
        self.topics.retain(|topic| topic.name != name);
        for link in &mut self.links {
            link.taken.retain(|taken| *taken != hash);
        }
    }

    fn tell_relays(&mut self, frame: &[u8]) {
        for frames in self
            .links
            .iter_mut()
            .filter_map(|link| link.frames.as_mut())
        {
            let _ = frames.try_send(Line::Frame(frame.to_vec()));
        }
    }

    fn publish(&mut self, name: String, data: Vec<u8>) {
        let hash = hash_of(name.as_bytes());
        if let Some(topic) = self.topics.iter_mut().find(|topic| topic.name == name) {
            topic.spent = topic.spent.max(platform::now()) + EACH;
            self.read_at = self.read_at.max(topic.spent.saturating_sub(AT_ONCE));
        }
        for link in &mut self.links {
            let wants = wants(&self.wanted, &link.peer, hash);
            match link.frames.as_mut().filter(|_| wants) {
                // What a relay is too slow for is found missing later.
                Some(frames) => drop(frames.try_send(Line::Frame(wire::publication(&name, &data)))),
                None => {
                    if link.waiting.len() >= limits::GOSSIP_QUEUE {
                        link.waiting.pop_front();
                    }
                    link.waiting.push_back((name.clone(), data.clone()));
                }
            }
        }
    }

    fn hear(&mut self, peer: PeerId, rpc: Rpc) {
        for (on, topic) in rpc.subscriptions {
            self.note(peer, on, hash_of(&topic));
        }
        self.tell_ready(peer);
        // Only relays that were asked for a topic have something to say about it.
        let home = self.links.iter().any(|link| link.peer == peer);
        for (name, data) in rpc.published.into_iter().filter(|_| home) {
            let id = packet_id(&data);
            let topic = self.topics.iter_mut();
            let topic = { topic }.find(|topic| topic.name.as_bytes() == &name[..]);
            if let Some(topic) = topic.filter(|_| !self.seen.contains(&id)) {
                if self.seen.len() >= SEEN {
                    self.seen.pop_front();
                }
                self.seen.push_back(id);
                let _ = topic.to.try_send(Heard::Packet(data.to_vec()));
            }
        }
    }

    fn note(&mut self, peer: PeerId, on: bool, topic: u64) {
        let known = self.wanted.iter().position(|(known, _)| *known == peer);
        let place = match known {
            Some(place) => place,
            None => {
                if self.wanted.len() >= KNOWN && !self.forget_stranger() {
                    return;
                }
                self.wanted.push((peer, Vec::new()));
                self.wanted.len() - 1
            }
        };
        let topics = &mut self.wanted[place].1;
        topics.retain(|known| *known != topic);
        if on && topics.len() < limits::MAX_TOPICS {
            topics.push(topic);
        }
    }

    /// Anybody can say what he wants: the first goes who is no home. Whether there was one.
    fn forget_stranger(&mut self) -> bool {
        let homes = &self.links;
        let home = |peer: &PeerId| homes.iter().any(|link| link.peer == *peer);
        let stranger = self.wanted.iter().position(|(peer, _)| !home(peer));
        let stranger = stranger.map(|place| self.wanted.remove(place));
        stranger.is_some()
    }

    /// A home may take packets of topics that it did not take before.
    fn tell_ready(&mut self, peer: PeerId) {
        let Some(link) = self.links.iter_mut().find(|link| link.peer == peer) else {
            return;
        };
        let Some(frames) = &mut link.frames else {
            return;
        };
        let wanted = &self.wanted;
        link.taken.retain(|topic| wants(wanted, &peer, *topic));
        for topic in &mut self.topics {
            let hash = hash_of(topic.name.as_bytes());
            if wants(wanted, &peer, hash) && !link.taken.contains(&hash) {
                // A room that is too slow to hear it hears it later.
                if topic.to.try_send(Heard::Relay(peer)).is_ok() {
                    link.taken.push(hash);
                }
            }
        }
        link.waiting.retain(|(name, data)| {
            let wants = wants(wanted, &peer, hash_of(name.as_bytes()));
            if wants {
                let _ = frames.try_send(Line::Frame(wire::publication(name, data)));
            }
            !wants
        });
    }

    fn tell_all(&mut self, heard: impl Fn() -> Heard) {
        for topic in &mut self.topics {
            let _ = topic.to.try_send(heard());
        }
    }
}

/// Done when a relay has read all frames so far: it answers what it is asked after them on the same connection.
/// A connection that is closed before takes along what its other end has not looked at.
fn read_by(
    handle: Handle,
    peer: PeerId,
    frames: &mut mpsc::Sender<Line>,
) -> impl Future<Output = ()> + use<> {
    let (written, told) = oneshot::channel();
    let _ = frames.try_send(Line::Written(written));
    async move {
        if told.await.is_ok() {
            let _ = handle.ping(connected(peer)).await;
        }
    }
}

fn wants(wanted: &[(PeerId, Vec<u64>)], peer: &PeerId, topic: u64) -> bool {
    let known = wanted.iter().find(|(known, _)| known == peer);
    known.is_some_and(|(_, topics)| topics.contains(&topic))
}

pub(super) fn hash_of(topic: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(topic).as_bytes()[..8]);
    u64::from_be_bytes(first)
}
