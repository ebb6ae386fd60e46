//! Finds the connection for a stream, or dials for it, and passes on what remotes ask.

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, DialError, FromSwarm, NetworkBehaviour,
    NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::handler::{Done, Handler};
use super::opening::Wanted;
use super::{Asked, Failure, Opened, Opening, Protocol, Registry, Service};
use crate::limits;
use crate::net::address::{is_relayed, quota_prefix};
use crate::net::hiding::Hiding;

/// The behaviour of all protocols that are streams. What it reports are requests of remotes.
pub struct Behaviour {
    /// Whether others than relays are dialled over circuits only.
    pub hiding: Hiding,
    registry: Registry,
    links: HashMap<PeerId, Vec<Link>>,
    dials: HashMap<PeerId, Dial>,
    events: VecDeque<ToSwarm<Asked, Opening>>,
    asked: mpsc::Receiver<Asked>,
    asking: mpsc::Sender<Asked>,
    /// Streams whose connection closes before they were open.
    lost: mpsc::UnboundedReceiver<Wanted>,
    losing: mpsc::UnboundedSender<Wanted>,
    turn: usize,
}

struct Link {
    id: ConnectionId,
    relayed: bool,
    /// It is closing, and these wait until it has closed.
    lost: Vec<Wanted>,
}

/// Streams to a peer that is not connected.
struct Dial {
    /// The dial made for them; nothing when another one was under way, which they wait for then.
    own: Option<ConnectionId>,
    waiting: Vec<Wanted>,
}

impl Behaviour {
    /// Answers those services; plain streams are accepted through the registry.
    pub fn new(services: impl IntoIterator<Item = (Service, Protocol)>) -> Self {
        // Each connection may put one in beyond that for each request it has: all of them are counted.
        let (asking, asked) = mpsc::channel(0);
        let (losing, lost) = mpsc::unbounded();
        let registry = Registry::default();
        for (service, protocol) in services {
            if registry.answer(service, protocol).is_err() {
                tracing::error!(?service, "a service was named twice");
            }
        }
        Behaviour {
            hiding: Hiding::default(),
            registry,
            links: HashMap::new(),
            dials: HashMap::new(),
            events: VecDeque::new(),
            asked,
            asking,
            lost,
            losing,
            turn: 0,
        }
    }

    /// Where protocols of plain streams are accepted.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Opens a stream to a peer, dialling it when needed. `reply` is dropped only with the behaviour.
    pub fn open(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        protocol: Protocol,
        reply: oneshot::Sender<Result<Opened, Failure>>,
    ) {
        self.find_way(Wanted {
            peer,
            addresses,
            protocol,
            reply,
            tried: None,
            tries: 0,
        });
    }

    fn find_way(&mut self, wanted: Wanted) {
        match self.best_link(&wanted.peer) {
            Some(connection) => self.pass(connection, wanted),
            None => self.dial(wanted),
        }
    }

    /// A connection closes before a stream of it was open.
    fn lose(&mut self, wanted: Wanted) {
        let links = self.links.get_mut(&wanted.peer);
        let closing = links.and_then(|links| {
            let tried = |link: &&mut Link| Some(link.id) == wanted.tried;
            links.iter_mut().find(tried)
        });
        match closing {
            Some(link) => link.lost.push(wanted),
            None => self.try_again(wanted),
        }
    }

    fn try_again(&mut self, wanted: Wanted) {
        match wanted.tries < limits::OPEN_TRIES {
            true => self.find_way(wanted),
            false => wanted.fail(Failure::ConnectionClosed),
        }
    }

    /// A direct connection rather than a relayed one; several of a kind take turns.
    fn best_link(&mut self, peer: &PeerId) -> Option<ConnectionId> {
        let links = self.links.get(peer)?;
        let direct = links.iter().filter(|link| !link.relayed).count();
        let fit = |link: &&Link| direct == 0 || !link.relayed;
        let count = if direct == 0 { links.len() } else { direct };
        self.turn = self.turn.wrapping_add(1);
        let chosen = links.iter().filter(fit).nth(self.turn % count)?;
        Some(chosen.id)
    }

    fn pass(&mut self, connection: ConnectionId, mut wanted: Wanted) {
        wanted.tried = Some(connection);
        wanted.tries += 1;
        self.events.push_back(ToSwarm::NotifyHandler {
            peer_id: wanted.peer,
            handler: NotifyHandler::One(connection),
            event: Opening::new(wanted, self.losing.clone()),
        });
    }

    fn dial(&mut self, wanted: Wanted) {
        if let Some(dial) = self.dials.get_mut(&wanted.peer) {
            if dial.waiting.len() >= limits::STREAMS_WAITING {
                return wanted.fail(Failure::Overloaded);
            }
            return dial.waiting.push(wanted);
        }
        let opts = self.hiding.options(wanted.peer, wanted.addresses.clone());
        let own = Some(opts.connection_id());
        let (peer, waiting) = (wanted.peer, vec![wanted]);
        self.dials.insert(peer, Dial { own, waiting });
        self.events.push_back(ToSwarm::Dial { opts });
    }

    fn connected(&mut self, peer: PeerId, id: ConnectionId, relayed: bool) {
        let lost = Vec::new();
        let link = Link { id, relayed, lost };
        let links = self.links.entry(peer).or_default();
        links.push(link);
        // A circuit is spare beside a direct connection, whichever was there first.
        if links.iter().any(|link| !link.relayed) {
            for link in links.iter().filter(|link| link.relayed) {
                self.events.push_back(ToSwarm::NotifyHandler {
                    peer_id: peer,
                    handler: NotifyHandler::One(link.id),
                    event: Opening::elsewhere(self.losing.clone()),
                });
            }
        }
        let waiting = self.dials.remove(&peer).map(|dial| dial.waiting);
        for wanted in waiting.into_iter().flatten() {
            self.pass(id, wanted);
        }
    }

    fn disconnected(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(links) = self.links.get_mut(&peer) else {
            return;
        };
        let closed = links.iter().position(|link| link.id == connection);
        let lost = closed.map(|index| links.remove(index).lost);
        if links.is_empty() {
            self.links.remove(&peer);
        }
        for wanted in lost.into_iter().flatten() {
            self.try_again(wanted);
        }
    }

    fn dial_failed(&mut self, failed: DialFailure<'_>) {
        let Some(peer) = failed.peer_id else { return };
        let Some(dial) = self.dials.get_mut(&peer) else {
            return;
        };
        let own = dial.own == Some(failed.connection_id);
        if own && matches!(failed.error, DialError::DialPeerConditionFalse(_)) {
            dial.own = None;
        } else if own || dial.own.is_none() {
            let waiting = self.dials.remove(&peer).map(|dial| dial.waiting);
            for wanted in waiting.into_iter().flatten() {
                wanted.fail(Failure::Dial);
            }
        }
    }

    fn handler(&self, peer: PeerId, connection: ConnectionId, seen: &Multiaddr) -> Handler {
        let at = (connection, quota_prefix(seen));
        Handler::new(peer, at, self.registry.clone(), self.asking.clone())
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Asked;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        // The address of one that came through a relay says nothing but its id.
        let seen = if is_relayed(local) { local } else { remote };
        Ok(self.handler(peer, connection, seen))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, connection, remote))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id: id,
                endpoint,
                ..
            }) => self.connected(peer_id, id, endpoint.is_relayed()),
            FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id,
                connection_id,
                ..
            }) => self.disconnected(peer_id, connection_id),
            FromSwarm::DialFailure(failure) => self.dial_failed(failure),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer_id: PeerId,
        connection: ConnectionId,
        Done: THandlerOutEvent<Self>,
    ) {
        let links = self.links.get(&peer_id).into_iter().flatten();
        if links.into_iter().any(|link| !link.relayed) {
            self.events.push_back(ToSwarm::CloseConnection {
                peer_id,
                connection: CloseConnection::One(connection),
            });
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // What is lost makes events.
        while let Poll::Ready(Some(wanted)) = self.lost.poll_next_unpin(cx) {
            self.lose(wanted);
        }
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        match self.asked.poll_next_unpin(cx) {
            Poll::Ready(Some(asked)) => Poll::Ready(ToSwarm::GenerateEvent(asked)),
            _ => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use libp2p::StreamProtocol;

    use super::*;

    type Answer = oneshot::Receiver<Result<Opened, Failure>>;

    fn open(behaviour: &mut Behaviour, peer: PeerId) -> Answer {
        let (reply, answer) = oneshot::channel();
        let protocol = Protocol {
            name: StreamProtocol::new("/test/1"),
            streams: 1,
            hasty: false,
        };
        behaviour.open(peer, Vec::new(), protocol, reply);
        answer
    }

    fn dialled(behaviour: &mut Behaviour) -> ConnectionId {
        match behaviour.events.pop_front() {
            Some(ToSwarm::Dial { opts }) => opts.connection_id(),
            other => panic!("no dial: {other:?}"),
        }
    }

    fn fail(behaviour: &mut Behaviour, peer: PeerId, id: ConnectionId, error: &DialError) {
        behaviour.dial_failed(DialFailure {
            peer_id: Some(peer),
            error,
            connection_id: id,
        });
    }

    fn has_failed(answer: &mut Answer) -> bool {
        matches!(answer.try_recv(), Ok(Some(Err(Failure::Dial))))
    }

    #[test]
    fn a_direct_connection_is_preferred_and_equal_ones_take_turns() {
        let mut behaviour = Behaviour::new([]);
        let peer = PeerId::random();
        let ids = [7, 8, 9].map(ConnectionId::new_unchecked);
        for (id, relayed) in ids.into_iter().zip([true, false, false]) {
            behaviour.connected(peer, id, relayed);
        }
        let mut chosen = [0; 3];
        for _ in 0..10 {
            let link = behaviour.best_link(&peer).expect("connected");
            chosen[ids.iter().position(|id| *id == link).expect("ours")] += 1;
        }
        assert_eq!(chosen, [0, 5, 5]);
        behaviour.disconnected(peer, ids[1]);
        behaviour.disconnected(peer, ids[2]);
        assert_eq!(behaviour.best_link(&peer), Some(ids[0]));
        behaviour.disconnected(peer, ids[0]);
        assert_eq!(behaviour.best_link(&peer), None);
        assert!(behaviour.links.is_empty());
    }

    #[test]
    fn only_the_dial_that_they_wait_for_fails_those_who_wait() {
        let mut behaviour = Behaviour::new([]);
        let peer = PeerId::random();
        let mut first = open(&mut behaviour, peer);
        let mut second = open(&mut behaviour, peer);
        let own = dialled(&mut behaviour);
        assert!(behaviour.events.is_empty(), "one dial for both");
        let foreign = ConnectionId::new_unchecked(usize::MAX);
        fail(&mut behaviour, peer, foreign, &DialError::NoAddresses);
        assert!(!has_failed(&mut first));
        fail(&mut behaviour, peer, own, &DialError::NoAddresses);
        assert!(has_failed(&mut first) && has_failed(&mut second));

        // Another dial is under way: it decides for them.
        let mut third = open(&mut behaviour, peer);
        let own = dialled(&mut behaviour);
        let condition = libp2p::swarm::dial_opts::PeerCondition::NotDialing;
        let refused = DialError::DialPeerConditionFalse(condition);
        fail(&mut behaviour, peer, own, &refused);
        assert!(!has_failed(&mut third));
        fail(&mut behaviour, peer, foreign, &DialError::NoAddresses);
        assert!(has_failed(&mut third));
        assert!(behaviour.dials.is_empty());
    }

    #[test]
    fn those_who_wait_for_a_dial_are_not_too_many() {
        let mut behaviour = Behaviour::new([]);
        let peer = PeerId::random();
        let waiting: Vec<_> = (0..limits::STREAMS_WAITING)
            .map(|_| open(&mut behaviour, peer))
            .collect();
        let mut beyond = open(&mut behaviour, peer);
        assert!(matches!(
            beyond.try_recv(),
            Ok(Some(Err(Failure::Overloaded)))
        ));
        drop(waiting);
    }
}
