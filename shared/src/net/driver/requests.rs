//! Dials for callers, and requests of other peers to this one.

use futures::FutureExt;
use futures::channel::oneshot;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId, kad};

use super::super::address::{self};
use super::super::budget::Asker;
use super::super::handle::{Reply, Route};
use super::super::streams::Asked;
use super::failures::dial_error;
use super::{Done, Driver};
use crate::error::{Code, Error, Result};
use crate::platform;

impl Driver {
    /// Those of the routing table that are closest to a key, the connected ones first.
    pub(super) fn near(&mut self, key: Vec<u8>) -> Vec<Route> {
        let (own, key) = (*self.swarm.local_peer_id(), kad::KBucketKey::new(key));
        let routing = &mut self.swarm.behaviour_mut().kad;
        let found = routing.find_closest_local_peers(&key, &own);
        let found = found.map(|peer| Route {
            peer: peer.node_id,
            addresses: peer.multiaddrs,
        });
        let (mut near, others): (Vec<Route>, Vec<Route>) =
            found.partition(|route| self.table.is_connected(&route.peer));
        near.extend(others);
        near
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
            (Some(peer), _) => {
                let hiding = self.swarm.behaviour().streams.hiding;
                hiding.options(peer, addresses.clone())
            }
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
                let followers = self.waiting.followers.or_default(peer);
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

    /// Somebody asks. It is decided whether there is time for that before anything is done about it.
    pub(super) fn asked(&mut self, asked: Asked) {
        let answers = self.answers.clone();
        let Some(asker) = self.admit(asked.peer, asked.connection) else {
            return drop(asked.reply.send(answers.too_busy(asked.service)));
        };
        self.start_job(asker, async move {
            let answer = answers.answer(asker, asked.service, &asked.frame).await;
            if let Some(answer) = answer {
                let _ = asked.reply.send(answer);
            }
        });
    }

    /// Works beside the loop: verifying a signature would hold up everybody's messages.
    fn start_job(&mut self, asker: Asker, work: impl Future<Output = ()> + Send + 'static) {
        let (done, ended) = oneshot::channel::<()>();
        platform::spawn(async move {
            work.await;
            drop(done);
        });
        self.jobs.push(ended.map(move |_| Done::Job(asker)).boxed());
    }

    pub(super) fn on_done(&mut self, done: Done) {
        match done {
            Done::Job(asker) => self.budget.give_back(asker),
            Done::Beat(peer, Some(connection)) => {
                if let Some(rtt) = self.beats.answered(&peer, platform::now()) {
                    self.table.set_rtt(connection, rtt);
                }
            }
            Done::Beat(_, None) => {}
            #[cfg(feature = "server")]
            Done::Checked(topic, checked) => self.checked(topic, checked),
        }
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
}
