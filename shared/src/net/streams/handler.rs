//! The streams of one connection: opens them in turn, counts those that arrive, reads requests.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures::channel::mpsc;
use futures::future::{BoxFuture, Fuse, FusedFuture};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent, DialUpgradeError,
    FullyNegotiatedInbound, FullyNegotiatedOutbound, StreamUpgradeError,
};
use libp2p::swarm::{self, ConnectionId, SubstreamProtocol};
use libp2p::{PeerId, StreamProtocol};

use super::registry::{Incoming, Use};
use super::requests;
use super::slots::{Slot, Slots};
use super::{Asked, Failure, Opened, Opening, Registry, Stream};
use crate::net::protocols::GOSSIP;
use crate::proto::record::provider::Prefix;
use crate::{limits, platform};

/// What one connection does.
pub struct Handler {
    peer: PeerId,
    connection: ConnectionId,
    prefix: Option<Prefix>,
    registry: Registry,
    asked: mpsc::Sender<Asked>,
    lanes: Vec<Lane>,
    /// Requests that are being read and answered; they end with the connection.
    serving: FuturesUnordered<BoxFuture<'static, ()>>,
    /// There is a better connection to the peer. This one is done once that is known at the other end, too, and
    /// nobody uses this one any more.
    spare: Option<Fuse<BoxFuture<'static, ()>>>,
}

/// The streams of one protocol. There are as many lanes as we speak protocols.
struct Lane {
    name: StreamProtocol,
    inbound: Slots,
    outbound: Slots,
    /// How many streams we have open at a time.
    share: usize,
    hasty: bool,
    /// Those that are to be opened next. Who does not find a place at once has a limited patience.
    waiting: VecDeque<(Opening, Option<BoxFuture<'static, ()>>)>,
}

impl Handler {
    pub(super) fn new(
        peer: PeerId,
        (connection, prefix): (ConnectionId, Option<Prefix>),
        registry: Registry,
        asked: mpsc::Sender<Asked>,
    ) -> Self {
        Handler {
            peer,
            connection,
            prefix,
            registry,
            asked,
            lanes: Vec::new(),
            serving: FuturesUnordered::new(),
            spare: None,
        }
    }

    fn is_done(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(known) = &mut self.spare else {
            return false;
        };
        let known = known.is_terminated() || known.poll_unpin(cx).is_ready();
        known && self.serving.is_empty() && self.lanes.iter().all(|lane| lane.is_free(cx))
    }

    fn lane(&mut self, name: &StreamProtocol) -> &mut Lane {
        let known = self.lanes.iter().position(|lane| lane.name == *name);
        let index = known.unwrap_or_else(|| {
            self.lanes.push(Lane::new(name.clone()));
            self.lanes.len() - 1
        });
        &mut self.lanes[index]
    }

    /// The remote opened a stream.
    fn arrived(&mut self, stream: swarm::Stream, name: StreamProtocol) {
        let peer = self.peer;
        let Some((limit, what)) = self.registry.find(&name) else {
            return tracing::debug!(%peer, %name, "nobody takes streams of this protocol any more");
        };
        let Some(slot) = self.lane(&name).inbound.take(limit) else {
            return tracing::debug!(%peer, %name, limit, "too many streams: one is refused");
        };
        let (connection, stream) = (self.connection, taken(stream, &name, slot));
        match what {
            Use::Request(service) => {
                let to = self.asked.clone();
                let answer = requests::answer(stream, (peer, connection), service, to);
                self.serving.push(answer.boxed());
            }
            Use::Plain => {
                let incoming = Incoming {
                    peer,
                    connection,
                    prefix: self.prefix,
                    stream,
                };
                if self.registry.hand_over(&name, incoming).is_none() {
                    tracing::debug!(%peer, %name, "the queue is full: a stream is refused");
                }
            }
        }
    }
}

impl Lane {
    fn new(name: StreamProtocol) -> Self {
        Lane {
            name,
            inbound: Slots::default(),
            outbound: Slots::default(),
            share: 0,
            hasty: false,
            waiting: VecDeque::new(),
        }
    }

    fn wait(&mut self, opening: Opening) {
        if self.waiting.len() >= limits::STREAMS_WAITING {
            return opening.end(Err(Failure::Overloaded));
        }
        let busy = !self.waiting.is_empty() || self.outbound.is_full(self.share);
        let patience = busy.then(|| platform::sleep(limits::OPEN_DEADLINE));
        self.waiting.push_back((opening, patience));
    }

    fn is_free(&self, cx: &Context<'_>) -> bool {
        // Both are asked, so that either wakes.
        let free = [&self.inbound, &self.outbound].map(|slots| slots.poll_free(cx));
        self.waiting.is_empty() && free == [true, true]
    }

    /// The next one to be opened, when there is a place for it.
    fn next(&mut self, cx: &mut Context<'_>) -> Option<(Opening, Slot)> {
        loop {
            let (opening, patience) = self.waiting.front_mut()?;
            if opening.is_given_up() {
                self.waiting.pop_front();
            } else if let Some(slot) = self.outbound.poll_take(self.share, cx) {
                return self.waiting.pop_front().map(|(opening, _)| (opening, slot));
            } else if patience.as_mut()?.poll_unpin(cx).is_ready() {
                // All have the same patience, so nobody's ends before that of the first.
                let (opening, _) = self.waiting.pop_front()?;
                opening.end(Err(Failure::Timeout));
            } else {
                return None;
            }
        }
    }
}

type Request = ConnectionHandlerEvent<Offer, Ticket, Done>;

/// A spare connection is not used any more.
#[derive(Debug)]
pub struct Done;

impl ConnectionHandler for Handler {
    type FromBehaviour = Opening;
    type ToBehaviour = Done;
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Ticket;

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        SubstreamProtocol::new(Offer(self.registry.names()), ())
    }

    fn on_behaviour_event(&mut self, opening: Opening) {
        let Some(protocol) = opening.protocol().cloned() else {
            self.spare = Some(platform::sleep(limits::SPARE_LEAST).fuse());
            return;
        };
        let lane = self.lane(&protocol.name);
        lane.share = protocol.own_share();
        lane.hasty = protocol.hasty;
        lane.wait(opening);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Request> {
        while let Poll::Ready(Some(())) = self.serving.poll_next_unpin(cx) {}
        for lane in &mut self.lanes {
            if let Some((opening, slot)) = lane.next(cx) {
                let mut offer = Offer(vec![lane.name.clone()]);
                if !lane.hasty {
                    offer.0.push(NONE);
                }
                let protocol = SubstreamProtocol::new(offer, Ticket { opening, slot })
                    .with_timeout(limits::OPEN_DEADLINE);
                return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
        }
        if self.is_done(cx) {
            self.spare = None;
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Done));
        }
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Offer, Offer, (), Ticket>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, name),
                ..
            }) => self.arrived(stream, name),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, name),
                info: Ticket { opening, slot },
            }) => opening.end(Ok(Opened {
                stream: taken(stream, &name, slot),
                connection: self.connection,
            })),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let failure = match error {
                    StreamUpgradeError::Timeout => Failure::Timeout,
                    StreamUpgradeError::NegotiationFailed
                    | StreamUpgradeError::Apply(NotSpoken) => Failure::Unsupported,
                    StreamUpgradeError::Io(error) => Failure::Io(error),
                };
                info.opening.end(Err(failure));
            }
            _ => {}
        }
    }
}

/// Somebody waits for the stream that is being negotiated.
pub struct Ticket {
    opening: Opening,
    slot: Slot,
}

/// Proposed last, so that the proposal before it is waited for: the swarm takes the last one for agreed.
const NONE: StreamProtocol = StreamProtocol::new("/none");

/// The remote does not speak the protocol.
#[derive(Debug)]
pub struct NotSpoken;

impl std::fmt::Display for NotSpoken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the remote does not speak the protocol")
    }
}

impl std::error::Error for NotSpoken {}

/// Negotiates one of these protocols and nothing more.
pub struct Offer(Vec<StreamProtocol>);

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<swarm::Stream> for Offer {
    type Output = (swarm::Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: swarm::Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}

impl OutboundUpgrade<swarm::Stream> for Offer {
    type Output = (swarm::Stream, StreamProtocol);
    type Error = NotSpoken;
    type Future = Ready<Result<Self::Output, NotSpoken>>;

    fn upgrade_outbound(self, stream: swarm::Stream, name: StreamProtocol) -> Self::Future {
        ready(match name == NONE {
            true => Err(NotSpoken),
            false => Ok((stream, name)),
        })
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use futures::channel::{mpsc, oneshot};
    use futures::task::noop_waker_ref;

    use super::super::Protocol;
    use super::super::opening::Wanted;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_place_in_time_is_told() {
        let protocol = Protocol {
            name: StreamProtocol::new("/test/1"),
            streams: 1,
            hasty: false,
        };
        let mut lane = Lane::new(protocol.name.clone());
        lane.share = 1;
        let (lost, mut back) = mpsc::unbounded();
        let mut answers = Vec::new();
        for _ in 0..4 {
            let (reply, answer) = oneshot::channel();
            let wanted = Wanted {
                peer: PeerId::random(),
                addresses: Vec::new(),
                protocol: protocol.clone(),
                reply,
                tried: None,
                tries: 1,
            };
            lane.wait(Opening::new(wanted, lost.clone()));
            answers.push(answer);
        }
        let mut cx = Context::from_waker(noop_waker_ref());
        let (_first, slot) = lane.next(&mut cx).expect("a place is free");
        assert!(lane.next(&mut cx).is_none());
        // The second gives up, the third is the next one.
        drop(answers.remove(1));
        drop(slot);
        let (third, _slot) = lane.next(&mut cx).expect("a place is free again");
        assert!(!third.is_given_up());
        tokio::time::advance(limits::OPEN_DEADLINE).await;
        assert!(lane.next(&mut cx).is_none());
        let last = answers.pop().map(|mut answer| answer.try_recv());
        assert!(matches!(last, Some(Ok(Some(Err(Failure::Timeout))))));
        assert!(lane.waiting.is_empty());
        // Those that have no outcome yet are not lost with the connection.
        assert!(back.try_recv().is_err());
        drop(third);
        assert!(back.try_recv().is_ok());
    }
}
/// A stream of topics lasts as long as its connection, and is no reason for that.
fn taken(mut stream: swarm::Stream, name: &StreamProtocol, slot: Slot) -> Stream {
    if *name == GOSSIP.name {
        stream.ignore_for_keep_alive();
    }
    Stream::new(stream, slot)
}
