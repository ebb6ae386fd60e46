//! The loop of one listening socket: datagrams go to their connections, strangers to the gate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use warren_shared::webrtc::stun::{Kind, Packet};

use super::agent::Agent;
use super::callers::{Caller, Callers};
use super::driver::Driver;
use super::path::Path;
use super::session::Peer;
use super::socket::{Arrived, Reader, Socket};
use super::state::Shared;
use super::table::{Permit, Table, mailbox};
use super::way::Direct;
use super::{Certificate, limits};

/// Between two tries when the system refuses to read: it may be out of memory for a moment.
const PAUSE: Duration = Duration::from_millis(100);
const BUFFERS: usize = 32;

/// A proven caller, whose handshake can begin.
pub(super) struct Incoming {
    pub(super) peer: Peer,
    pub(super) permit: Permit,
    pub(super) source: SocketAddr,
    /// The address of ours that it called.
    pub(super) local: SocketAddr,
}

/// What the loop of a listening socket owns.
pub(super) struct Gateway {
    socket: Arc<Socket>,
    certificate: Certificate,
    callers: Callers,
    table: Table,
    incoming: mpsc::Sender<Incoming>,
}

impl Gateway {
    pub(super) fn new(
        socket: Arc<Socket>,
        certificate: Certificate,
        secret: [u8; 32],
        incoming: mpsc::Sender<Incoming>,
    ) -> Self {
        Gateway {
            socket,
            certificate,
            callers: Callers::new(secret, Instant::now()),
            table: Table::default(),
            incoming,
        }
    }

    /// Runs until the listener is removed and its last connection has ended.
    pub(super) async fn run(mut self) {
        let socket = self.socket.clone();
        let table = self.table.clone();
        let incoming = self.incoming.clone();
        let mut reader = Reader::new(&socket, BUFFERS);
        let mut listening = true;
        while listening || !table.is_empty() {
            tokio::select! {
                read = reader.read(&socket, |arrived| self.dispatch(arrived)) => {
                    if let Err(error) = read {
                        tracing::warn!(%error, "a WebRTC socket cannot be read");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                () = table.changed() => {}
                () = incoming.closed(), if listening => listening = false,
            }
            for username in table.take_ended() {
                self.callers.over(username);
            }
        }
    }

    fn dispatch(&mut self, arrived: Arrived) {
        let Some(mailbox) = self.table.by_source(&arrived.source) else {
            for datagram in arrived.datagrams() {
                self.stranger(&arrived, datagram);
            }
            return;
        };
        if self.is_for_gate(&arrived) {
            self.stranger(&arrived, arrived.bytes.clone());
        } else {
            mailbox.put(arrived);
        }
    }

    /// A client may use the port of an earlier connection for a new one.
    fn is_for_gate(&self, arrived: &Arrived) -> bool {
        match Packet::parse(&arrived.bytes) {
            Some(packet) if packet.kind == Kind::Request => packet
                .username
                .is_none_or(|username| self.table.is_other(&arrived.source, username)),
            Some(packet) if packet.kind == Kind::Success => self.callers.awaits(&arrived.source),
            _ => false,
        }
    }

    fn stranger(&mut self, arrived: &Arrived, datagram: Bytes) {
        let reaction = self
            .callers
            .receive(Instant::now(), arrived.source, datagram);
        for packet in reaction.send {
            self.socket
                .offer(arrived.local.ip(), arrived.source, &packet);
        }
        if let Some(caller) = reaction.admit {
            self.admit(caller, arrived);
        }
    }

    /// A caller's address is proven: it belongs to a connection there is, or to a new one.
    fn admit(&mut self, caller: Caller, arrived: &Arrived) {
        let (source, local) = (arrived.source, arrived.local);
        let early = caller
            .early
            .into_iter()
            .map(|bytes| Arrived::single(source, local, bytes));
        if let Some(mailbox) = self.table.moved(&caller.username, source) {
            early.for_each(|datagram| mailbox.put(datagram));
            return;
        }
        let Ok(place) = self.incoming.try_reserve() else {
            tracing::debug!(remote = %source, "a WebRTC call was not taken: the swarm is busy");
            return;
        };
        let (mailbox, post) = mailbox();
        let Some((entry, permit)) = self.table.add(caller.username, source, mailbox.clone()) else {
            tracing::debug!(remote = %source, "a WebRTC call was not taken: too many handshakes");
            return;
        };
        // The expensive part comes after the cheap refusals.
        let agent = match Agent::server(&self.certificate, &caller.call) {
            Ok(agent) => agent,
            Err(error) => {
                tracing::warn!(%error, "a WebRTC call could not be taken");
                return;
            }
        };
        early.for_each(|datagram| mailbox.put(datagram));
        let shared = Shared::with_caller();
        let path = Path::to_client(source, local.ip(), Instant::now());
        let way = Direct::new(self.socket.clone(), path, Some(entry));
        let driver = Driver::new(agent, post, shared.clone(), way);
        tokio::spawn(driver.run());
        place.send(Incoming {
            peer: Peer::new(shared),
            permit,
            source,
            local,
        });
    }
}

/// The limit of calls that wait for the swarm.
pub(super) fn incoming() -> (mpsc::Sender<Incoming>, mpsc::Receiver<Incoming>) {
    mpsc::channel(limits::INCOMING)
}
