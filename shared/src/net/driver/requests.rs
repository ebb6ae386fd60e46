//! Requests in both directions: of this peer's callers to others, and of others to this peer.

use futures::FutureExt;
use futures::channel::oneshot;
use libp2p::request_response::{Event, Message, OutboundRequestId, ResponseChannel};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};
use serde_json::json;

use super::super::address::{self};
use super::super::budget::Asker;
use super::super::handle::Reply;
use super::super::rpc::{RpcReply, RpcRequest};
use super::failures::{dial_error, request_error};
use super::{Done, Driver};
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::proto::names::wire as names;
use crate::proto::record::wire::{Answer, Request};

impl Driver {
    pub(super) fn ask(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: Request,
        reply: Reply<Result<Answer>>,
    ) {
        let id = self
            .swarm
            .behaviour_mut()
            .record
            .send_request_with_addresses(&peer, request, addresses);
        self.waiting.asks.insert(id, reply);
    }

    pub(super) fn call(
        &mut self,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
        request: RpcRequest,
        reply: Reply<Result<RpcReply>>,
    ) {
        let id = self
            .swarm
            .behaviour_mut()
            .rpc
            .send_request_with_addresses(&peer, request, addresses);
        self.waiting.calls.insert(id, reply);
    }

    pub(super) fn dial(
        &mut self,
        peer: Option<PeerId>,
        addresses: Vec<Multiaddr>,
        reply: Reply<Result<PeerId>>,
    ) {
        if let Some(peer) = peer.filter(|peer| self.table.is_connected(peer)) {
            let _ = reply.send(Ok(peer));
            return;
        }
        let options = match (peer, addresses.as_slice()) {
            (Some(peer), _) => DialOpts::peer_id(peer)
                .addresses(addresses.clone())
                .extend_addresses_through_behaviour()
                .build(),
            (None, [address]) => DialOpts::unknown_peer_id().address(address.clone()).build(),
            (None, _) => {
                let _ = reply.send(Err(Error::new(
                    Code::InvalidAddress,
                    "an address without a peer id is dialled alone",
                )));
                return;
            }
        };
        let connection = options.connection_id();
        match (self.swarm.dial(options), peer) {
            (Ok(()), _) => {
                self.waiting.dials.insert(connection, reply);
            }
            (Err(DialError::DialPeerConditionFalse(_)), Some(peer)) => {
                let followers = self.waiting.followers.entry(peer).or_default();
                followers.push((addresses, reply));
            }
            (Err(error), _) => {
                let _ = reply.send(Err(dial_error(&error)));
            }
        }
    }

    /// Another dial to the same peer has ended: those that waited for it have a connection now, or try
    /// their own addresses.
    pub(super) fn dial_again(&mut self, peer: PeerId) {
        for (addresses, reply) in self.waiting.followers.remove(&peer).unwrap_or_default() {
            self.dial(Some(peer), addresses, reply);
        }
    }

    pub(super) fn on_done(&mut self, asker: Asker, done: Option<Done>) {
        self.budget.give_back(asker);
        let behaviour = self.swarm.behaviour_mut();
        match done {
            Some(Done::Record(channel, answer)) => {
                drop(behaviour.record.send_response(channel, answer));
            }
            Some(Done::Name(channel, answer)) => {
                drop(behaviour.names.send_response(channel, answer));
            }
            Some(Done::Rpc(channel, reply)) => drop(behaviour.rpc.send_response(channel, reply)),
            None => {}
        }
    }

    /// Works beside the loop: verifying a signature would hold up everybody's messages.
    fn start_job(&mut self, asker: Asker, work: impl Future<Output = Done> + Send + 'static) {
        let (done, result) = oneshot::channel();
        platform::spawn(async move {
            let _ = done.send(work.await);
        });
        self.jobs
            .push(async move { (asker, result.await.ok()) }.boxed());
    }

    /// Counts a job for whoever asks, unless that is too much.
    fn admit(&mut self, peer: PeerId, connection: ConnectionId) -> Option<Asker> {
        let address = self.table.address(connection);
        let asker = Asker {
            peer,
            prefix: address.and_then(address::quota_prefix),
        };
        self.budget.take(asker).then_some(asker)
    }

    pub(super) fn record_event(&mut self, event: Event<Request, Answer>) {
        match heard(event) {
            Heard::Request(peer, connection, request, channel) => {
                let answers = self.answers.clone();
                let Some(asker) = self.admit(peer, connection) else {
                    let behaviour = self.swarm.behaviour_mut();
                    return drop(behaviour.record.send_response(channel, answers.too_busy()));
                };
                self.start_job(asker, async move {
                    Done::Record(channel, answers.record(peer, asker.prefix, request).await)
                });
            }
            Heard::Answer(id, _, answer) => {
                if let Some(reply) = self.waiting.asks.remove(&id) {
                    let _ = reply.send(answer);
                }
            }
            Heard::Nothing => {}
        }
    }

    pub(super) fn name_event(&mut self, event: Event<names::Request, names::Answer>) {
        match heard(event) {
            Heard::Request(peer, connection, request, channel) => {
                let answers = self.answers.clone();
                let Some(asker) = self.admit(peer, connection) else {
                    let busy = answers.too_busy_for_names();
                    let behaviour = self.swarm.behaviour_mut();
                    return drop(behaviour.names.send_response(channel, busy));
                };
                self.start_job(asker, async move {
                    Done::Name(channel, answers.name(asker, request).await)
                });
            }
            Heard::Answer(id, _, answer) => {
                if let Some(reply) = self.waiting.names.remove(&id) {
                    let _ = reply.send(answer);
                }
            }
            Heard::Nothing => {}
        }
    }

    pub(super) fn rpc_event(&mut self, event: Event<RpcRequest, RpcReply>) {
        match heard(event) {
            Heard::Request(peer, connection, request, channel) => {
                let Some(asker) = self.admit(peer, connection) else {
                    let busy = RpcReply::error(json!(1), -32000, "too many requests at once");
                    let behaviour = self.swarm.behaviour_mut();
                    return drop(behaviour.rpc.send_response(channel, busy));
                };
                let answers = self.answers.clone();
                self.start_job(asker, async move {
                    Done::Rpc(channel, answers.rpc(peer, request).await)
                });
            }
            Heard::Answer(id, (peer, connection), answer) => {
                if self.waiting.beats.remove(&id).is_some() {
                    if answer.is_ok()
                        && let Some(rtt) = self.beats.answered(&peer, platform::now())
                    {
                        self.table.set_rtt(connection, rtt);
                    }
                } else if let Some(reply) = self.waiting.calls.remove(&id) {
                    let _ = reply.send(answer);
                }
            }
            Heard::Nothing => {}
        }
    }
}

/// What a protocol of requests and answers says.
enum Heard<Req, Res> {
    /// Somebody asks.
    Request(PeerId, ConnectionId, Req, ResponseChannel<Res>),
    /// One of our own requests has come to its end, there.
    Answer(OutboundRequestId, (PeerId, ConnectionId), Result<Res>),
    Nothing,
}

fn heard<Req, Res>(event: Event<Req, Res>) -> Heard<Req, Res> {
    match event {
        Event::Message {
            peer,
            connection_id,
            message,
        } => match message {
            Message::Request {
                request, channel, ..
            } => Heard::Request(peer, connection_id, request, channel),
            Message::Response {
                request_id,
                response,
            } => Heard::Answer(request_id, (peer, connection_id), Ok(response)),
        },
        Event::OutboundFailure {
            peer,
            connection_id,
            request_id,
            error,
        } => {
            let error = request_error(&peer, &error);
            Heard::Answer(request_id, (peer, connection_id), Err(error))
        }
        _ => Heard::Nothing,
    }
}
