//! WebRTC-direct: browsers reach this node without a domain or a certificate authority.
//!
//! The stack underneath (`str0m`) does no I/O. Here are a socket and a loop per listener
//! (`gateway`), the gate for strangers (`callers`), a task per connection (`driver`, `streams`) and the
//! state it shares with the application's streams (`state`). What is said on the streams is in the
//! shared crate. See `shared/spec/webrtc.md`. Connections that two ends negotiate over a circuit are in `calls`.

mod address;
mod agent;
mod callers;
pub mod calls;
mod certificate;
mod driver;
mod gateway;
mod limits;
mod listener;
mod outgoing;
mod pace;
mod path;
mod room;
mod session;
mod socket;
mod state;
mod streams;
mod table;
mod upgrade;
mod way;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::Endpoint;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, Transport};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::swarm::Connections;

pub use self::certificate::Certificate;
use self::listener::{Listener, News};
use self::upgrade::{Local, accept, dial};

/// The transport: listens on `/udp/…/webrtc-direct`, and dials it.
pub fn transport(key: &Keypair, certificate: &Certificate) -> Connections {
    Direct {
        local: Local {
            key: key.clone(),
            certificate: certificate.clone(),
        },
        listeners: Vec::new(),
        events: VecDeque::new(),
        waker: None,
    }
    .boxed()
}

type Upgrade = BoxFuture<'static, Result<(PeerId, StreamMuxerBox)>>;
type Happened = TransportEvent<Upgrade, Error>;

struct Direct {
    local: Local,
    listeners: Vec<Listener>,
    events: VecDeque<Happened>,
    waker: Option<Waker>,
}

impl Direct {
    fn on_news(&mut self, listener_id: ListenerId, news: News) -> Happened {
        match news {
            News::Caller(incoming) => TransportEvent::Incoming {
                listener_id,
                local_addr: address::announced(
                    incoming.local,
                    self.local.certificate.fingerprint(),
                ),
                send_back_addr: address::remote(incoming.source),
                upgrade: accept(self.local.clone(), incoming).boxed(),
            },
            News::Address(listen_addr) => TransportEvent::NewAddress {
                listener_id,
                listen_addr,
            },
            News::Expired(listen_addr) => TransportEvent::AddressExpired {
                listener_id,
                listen_addr,
            },
            News::Closed => {
                self.listeners.retain(|listener| listener.id != listener_id);
                TransportEvent::ListenerClosed {
                    listener_id,
                    reason: Err(Error::new(
                        Code::Internal,
                        "the loop of a WebRTC listener has ended",
                    )),
                }
            }
            News::Error(error) => TransportEvent::ListenerError {
                listener_id,
                error: Error::new(
                    Code::Internal,
                    "changes of the network's interfaces are not seen",
                )
                .caused_by(error),
            },
        }
    }
}

impl Transport for Direct {
    type Output = (PeerId, StreamMuxerBox);
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> std::result::Result<(), TransportError<Error>> {
        let socket = address::parse_listen(&address)
            .ok_or(TransportError::MultiaddrNotSupported(address))?;
        let listener = Listener::bind(id, socket, &self.local).map_err(|error| {
            let error = Error::new(
                Code::PortInUse,
                format!("cannot listen on UDP {socket} for WebRTC"),
            )
            .caused_by(error);
            TransportError::Other(error)
        })?;
        self.listeners.push(listener);
        self.waker.take().into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Connections of the listener go on.
    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let before = self.listeners.len();
        self.listeners.retain(|listener| listener.id != id);
        let removed = self.listeners.len() < before;
        if removed {
            self.events.push_back(TransportEvent::ListenerClosed {
                listener_id: id,
                reason: Ok(()),
            });
            self.waker.take().into_iter().for_each(Waker::wake);
        }
        removed
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> std::result::Result<Upgrade, TransportError<Error>> {
        let unsupported = |address| Err(TransportError::MultiaddrNotSupported(address));
        // There is no signalling by which both ends could open their ports at the same moment.
        if options.role == Endpoint::Listener {
            return unsupported(address);
        }
        let Some(target) = address::parse_dial(&address) else {
            return unsupported(address);
        };
        Ok(dial(self.local.clone(), target).boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Happened> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        for at in 0..self.listeners.len() {
            let listener = &mut self.listeners[at];
            let id = listener.id;
            if let Poll::Ready(news) = listener.poll(cx) {
                return Poll::Ready(self.on_news(id, news));
            }
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
