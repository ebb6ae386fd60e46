//! Requests in both directions: of this peer's callers to others, and of others to this peer.

use futures::FutureExt;
use futures::channel::oneshot;
use libp2p::request_response::{self};
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

    fn asker(&self, peer: PeerId, connection: ConnectionId) -> Asker {
        let address = self.table.address(connection);
        Asker {
            peer,
            prefix: address.and_then(address::quota_prefix),
        }
    }

    pub(super) fn record_event(&mut self, event: request_response::Event<Request, Answer>) {
        use request_response::{Event, Message};
        match event {
            Event::Message {
                peer,
                connection_id,
                message:
                    Message::Request {
                        request, channel, ..
                    },
            } => {
                let asker = self.asker(peer, connection_id);
                let answers = self.answers.clone();
                if !self.budget.take(asker) {
                    let busy = answers.too_busy();
                    let behaviour = self.swarm.behaviour_mut();
                    return drop(behaviour.record.send_response(channel, busy));
                }
                self.start_job(asker, async move {
                    Done::Record(channel, answers.record(peer, asker.prefix, request).await)
                });
            }
            Event::Message {
                message:
                    Message::Response {
                        request_id,
                        response,
                    },
                ..
            } => {
                if let Some(reply) = self.waiting.asks.remove(&request_id) {
                    let _ = reply.send(Ok(response));
                }
            }
            Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                if let Some(reply) = self.waiting.asks.remove(&request_id) {
                    let _ = reply.send(Err(request_error(&peer, &error)));
                }
            }
            _ => {}
        }
    }

    pub(super) fn rpc_event(&mut self, event: request_response::Event<RpcRequest, RpcReply>) {
        use request_response::{Event, Message};
        match event {
            Event::Message {
                peer,
                connection_id,
                message:
                    Message::Request {
                        request, channel, ..
                    },
            } => {
                let asker = self.asker(peer, connection_id);
                if !self.budget.take(asker) {
                    let busy = RpcReply::error(json!(1), -32000, "too many requests at once");
                    let behaviour = self.swarm.behaviour_mut();
                    return drop(behaviour.rpc.send_response(channel, busy));
                }
                let answers = self.answers.clone();
                self.start_job(asker, async move {
                    Done::Rpc(channel, answers.rpc(peer, request).await)
                });
            }
            Event::Message {
                peer,
                connection_id,
                message:
                    Message::Response {
                        request_id,
                        response,
                    },
            } => {
                if self.waiting.beats.remove(&request_id).is_some() {
                    if let Some(rtt) = self.beats.answered(&peer, platform::now()) {
                        self.table.set_rtt(connection_id, rtt);
                    }
                } else if let Some(reply) = self.waiting.calls.remove(&request_id) {
                    let _ = reply.send(Ok(response));
                }
            }
            Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                self.waiting.beats.remove(&request_id);
                if let Some(reply) = self.waiting.calls.remove(&request_id) {
                    let _ = reply.send(Err(request_error(&peer, &error)));
                }
            }
            _ => {}
        }
    }
}
