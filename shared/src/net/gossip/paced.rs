//! gossipsub that reads from each peer only as fast as [`super::pace`] allows.
//!
//! What a peer has said and is too much stays where it is, together with all that follows: gossipsub is not
//! asked for more, so that the window of the stream closes and the sender has to wait.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::handler::ConnectionEvent;
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, SubstreamProtocol, THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, gossipsub};

use super::leaf::hash_of;
use super::pace::{Address, SharedAddress, SharedSpeaker, Speaker, locked, wait};
use crate::net::address;
use crate::net::admission::Subscriber;
use crate::proto::Millis;
use crate::{limits, platform};

/// Routes topics, as many as a relay takes.
pub type Topics = gossipsub::Behaviour<
    gossipsub::IdentityTransform,
    gossipsub::MaxCountSubscriptionFilter<gossipsub::AllowAllSubscriptionFilter>,
>;
type Inner = <Topics as NetworkBehaviour>::ConnectionHandler;
type Told = <Inner as ConnectionHandler>::ToBehaviour;

/// See the module.
pub struct Paced {
    pub topics: Topics,
    speakers: HashMap<PeerId, Known>,
    addresses: HashMap<Subscriber, SharedAddress>,
    held: VecDeque<Waited>,
}

struct Known {
    speaker: SharedSpeaker,
    /// Where it connected from last.
    from: Option<Subscriber>,
}

/// What happens.
#[derive(Debug)]
pub enum Event {
    Topics(gossipsub::Event),
    /// A peer said more than is read at once, and had to wait.
    Held(Waited),
}

/// A peer that had to wait.
#[derive(Debug)]
pub struct Waited {
    pub peer: PeerId,
    /// Whether because of how much it said in one topic.
    pub in_one: bool,
}

impl Paced {
    pub fn new(topics: Topics) -> Paced {
        Paced {
            topics,
            speakers: HashMap::new(),
            addresses: HashMap::new(),
            held: VecDeque::new(),
        }
    }

    /// A peer is known to be a relay, which speaks for many.
    pub fn is_relay(&mut self, peer: &PeerId) {
        if let Some(known) = self.speakers.get(peer) {
            locked(&known.speaker).is_relay(platform::now());
        }
    }

    /// Whose rates a peer counts for beside its own; nobody's, when many are behind its address.
    pub fn subscriber(&self, peer: &PeerId) -> Option<Subscriber> {
        self.speakers.get(peer)?.from
    }

    /// From an address somebody was cut off: until then all of it is read as one peer.
    pub fn restrain(&mut self, subscriber: Subscriber, until: Millis) {
        let address = self.address_of(subscriber);
        locked(&address).restrain(until, platform::now());
    }

    fn address_of(&mut self, subscriber: Subscriber) -> SharedAddress {
        if let Some(known) = self.addresses.get(&subscriber) {
            return known.clone();
        }
        let now = platform::now();
        if self.addresses.len() >= limits::MAX_CHAT_RATES {
            // Each of the others has a connection, or had one that was cut off.
            let of_use =
                |one: &SharedAddress| Arc::strong_count(one) > 1 || locked(one).is_strict(now);
            self.addresses.retain(|_, one| of_use(one));
        }
        let new = Arc::new(Mutex::new(Address::new(now)));
        if self.addresses.len() < limits::MAX_CHAT_RATES {
            self.addresses.insert(subscriber, new.clone());
        }
        new
    }

    fn handler(&mut self, peer: PeerId, remote: &Multiaddr, inner: Inner) -> Handler {
        let from = subscriber_of(remote);
        let address = from.map(|subscriber| self.address_of(subscriber));
        let fresh = || Known {
            speaker: Arc::new(Mutex::new(Speaker::new(platform::now()))),
            from,
        };
        let known = self.speakers.entry(peer).or_insert_with(fresh);
        known.from = from.or(known.from);
        Handler {
            inner,
            speaker: known.speaker.clone(),
            address,
            held: None,
        }
    }
}

fn subscriber_of(remote: &Multiaddr) -> Option<Subscriber> {
    let direct = !address::is_relayed(remote);
    let ip = address::ip_of(remote).filter(|_| direct)?;
    Subscriber::of(ip)
}

impl NetworkBehaviour for Paced {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        let topics = &mut self.topics;
        let inner = topics.handle_established_inbound_connection(id, peer, local, remote)?;
        Ok(self.handler(peer, remote, inner))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        let topics = &mut self.topics;
        let inner = topics.handle_established_outbound_connection(id, peer, remote, role, port)?;
        Ok(self.handler(peer, remote, inner))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let gone = match &event {
            FromSwarm::ConnectionClosed(closed) => {
                (closed.remaining_established == 0).then_some(closed.peer_id)
            }
            _ => None,
        };
        self.topics.on_swarm_event(event);
        if let Some(peer) = gone {
            self.speakers.remove(&peer);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, said: Said) {
        if let Some(in_one) = said.held {
            self.held.push_back(Waited { peer, in_one });
        }
        self.topics.on_connection_handler_event(peer, id, said.told);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(waited) = self.held.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(Event::Held(waited)));
        }
        self.topics
            .poll(cx)
            .map(|event| event.map_out(Event::Topics))
    }
}

/// What a peer said; and if it had to wait before that was looked at, whether because of one topic.
#[derive(Debug)]
pub struct Said {
    told: Told,
    held: Option<bool>,
}

/// The topics of one connection.
pub struct Handler {
    inner: Inner,
    speaker: SharedSpeaker,
    address: Option<SharedAddress>,
    /// What was read last, while it has to wait.
    held: Option<(Said, BoxFuture<'static, ()>)>,
}

impl Handler {
    /// What was read, unless it has to wait.
    fn read(&mut self, told: Told) -> Option<Said> {
        let now = platform::now();
        let weight = weight(&told);
        let address = self.address.as_ref();
        let wait = wait(&self.speaker, address, weight, topics(&told), now);
        if wait.time == 0 {
            return Some(Said { told, held: None });
        }
        let held = Some(wait.in_one);
        let due = platform::sleep(Duration::from_millis(wait.time));
        self.held = Some((Said { told, held }, due));
        None
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = <Inner as ConnectionHandler>::FromBehaviour;
    type ToBehaviour = Said;
    type InboundProtocol = <Inner as ConnectionHandler>::InboundProtocol;
    type OutboundProtocol = <Inner as ConnectionHandler>::OutboundProtocol;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Said>> {
        loop {
            if let Some((said, mut due)) = self.held.take() {
                if due.poll_unpin(cx).is_pending() {
                    self.held = Some((said, due));
                    return Poll::Pending;
                }
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(said));
            }
            match self.inner.poll(cx) {
                Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(told)) => {
                    if let Some(said) = self.read(told) {
                        return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(said));
                    }
                }
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol }) => {
                    return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                        protocol,
                    });
                }
                Poll::Ready(ConnectionHandlerEvent::ReportRemoteProtocols(protocols)) => {
                    return Poll::Ready(ConnectionHandlerEvent::ReportRemoteProtocols(protocols));
                }
                Poll::Ready(_) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        self.inner.on_connection_event(event);
    }
}

/// The topic of each packet.
fn topics(told: &Told) -> impl Iterator<Item = u64> {
    let messages = match told {
        Told::Message { rpc, .. } => &rpc.messages[..],
        _ => &[],
    };
    messages
        .iter()
        .map(|message| hash_of(message.topic.as_str().as_bytes()))
}

/// One for each packet and control message, for a few subscriptions, and for a few kibibytes.
fn weight(told: &Told) -> u32 {
    let Told::Message { rpc, .. } = told else {
        return 0;
    };
    let bytes: usize = rpc.messages.iter().map(|message| message.data.len()).sum();
    let topics = rpc.subscriptions.len().div_ceil(limits::CHAT_READ_TOPICS);
    let parts = rpc.messages.len() + topics + rpc.control_msgs.len();
    let weight = parts.max(1) + bytes / limits::CHAT_READ_BYTES;
    u32::try_from(weight).unwrap_or(u32::MAX)
}
