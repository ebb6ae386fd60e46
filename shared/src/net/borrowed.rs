//! A [`Handle`] whose driver is in another module: every command crosses to the engine of the tab, which
//! answers out of `lending.rs`. Streams cross byte by byte.

use std::sync::Arc;

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use super::address::Via;
use super::handle::{Command, Event, Handle, Link, Reply, Route};
use super::lending::{hex, line, route};
use super::node::parse_peer;
use super::streams::{Duplex, Failure, Incoming, Opened, Protocol, Registry, Stream};
use crate::error::{Code, Error, Result};
use crate::proto::NetworkId;
use crate::{limits, platform};

/// A stream that crosses.
pub type Lent = Box<dyn Duplex>;

/// The engine, seen from the module beside it.
pub trait Engine: Send + Sync + 'static {
    /// Asks for something; `Lender::ask` has the questions.
    fn ask(&self, what: &'static str, about: String) -> BoxFuture<'static, Result<String>>;
    /// Opens a stream: to a peer id, with addresses behind it.
    fn open(&self, to: String, protocol: Protocol) -> BoxFuture<'static, Result<Lent, Failure>>;
    /// Streams of a protocol that others open, with their ids.
    fn accept(&self, protocol: Protocol) -> Result<mpsc::Receiver<(String, Lent)>>;
    /// What happens, in the words of `lending::told`.
    fn events(&self) -> mpsc::Receiver<String>;
}

/// An [`Engine`] that several tasks use.
pub type SharedEngine = Arc<dyn Engine>;

/// The way to a peer that runs elsewhere. It ends when that is closed.
pub fn borrow(engine: SharedEngine, id: PeerId, network: NetworkId) -> Handle {
    let (commands, inbox) = mpsc::channel(limits::COMMAND_QUEUE);
    platform::spawn(run(engine, inbox));
    Handle::new(commands, id, network)
}

/// Gives a registry all streams of the protocols that it accepts by now.
pub fn accept_all(engine: &SharedEngine, streams: &Registry) -> Result<()> {
    for protocol in streams.protocols() {
        let mut lent = engine.accept(protocol.clone())?;
        let streams = streams.clone();
        platform::spawn(async move {
            while let Some((peer, stream)) = lent.next().await {
                if let Ok(peer) = parse_peer(&peer) {
                    let incoming = Incoming {
                        peer,
                        connection: elsewhere(),
                        prefix: None,
                        stream: Stream::lent(stream),
                    };
                    streams.hand_over(&protocol.name, incoming);
                }
            }
        });
    }
    Ok(())
}

/// Which connection carries a stream is the engine's affair.
fn elsewhere() -> ConnectionId {
    ConnectionId::new_unchecked(0)
}

async fn run(engine: SharedEngine, mut inbox: mpsc::Receiver<Command>) {
    let mut told = engine.events();
    let mut listeners: Vec<mpsc::Sender<Event>> = Vec::new();
    loop {
        futures::select_biased! {
            command = inbox.next() => match command {
                Some(Command::Subscribe { reply, .. }) => {
                    let (listener, events) = mpsc::channel(limits::EVENT_QUEUE);
                    listeners.push(listener);
                    let _ = reply.send(events);
                }
                // The peer itself is closed by whoever started it.
                Some(Command::Close(reply)) => {
                    let _ = reply.send(());
                    return;
                }
                Some(command) => obey(&engine, command),
                None => return,
            },
            text = told.next() => match text {
                Some(text) => tell(&mut listeners, &text),
                None => return,
            },
        }
    }
}

/// Whoever is too slow loses events; that is the next thing it hears, and it looks again at what it missed.
fn tell(listeners: &mut Vec<mpsc::Sender<Event>>, text: &str) {
    if let Some(event) = event(text) {
        listeners.retain_mut(|listener| {
            let _ = listener.try_send(event.clone());
            !listener.is_closed()
        });
    }
}

fn event(text: &str) -> Option<Event> {
    let (what, about) = text.split_once(' ').unwrap_or((text, ""));
    Some(match what {
        "state" => Event::State {
            state: state(about),
            previous: "",
            reason: None,
        },
        "relay" => Event::Relay {
            id: String::new(),
            state: "",
            transport: None,
            reason: None,
        },
        "open" | "close" => Event::Connection {
            change: if what == "open" { "open" } else { "close" },
            peer: about.to_owned(),
            address: String::new(),
            transport: Via::Circuit,
            relayed: false,
        },
        "addresses" => Event::Addresses {
            addresses: Vec::new(),
        },
        "lagged" => Event::Lagged { dropped: 1 },
        _ => return None,
    })
}

fn state(text: &str) -> &'static str {
    let known = ["joining", "joined", "lost", "offline", "closed"];
    let found = known.into_iter().find(|known| *known == text);
    found.unwrap_or("joining")
}

fn obey(engine: &SharedEngine, command: Command) {
    match command {
        Command::Closest { key, reply } => ask(engine, "closest", hex(&key), reply, routes),
        Command::Near { key, reply } => ask(engine, "near", hex(&key), reply, routes),
        Command::Homes(reply) => ask(engine, "homes", String::new(), reply, peers),
        Command::Reserved(reply) => ask(engine, "reserved", String::new(), reply, peers),
        Command::State(reply) => ask(engine, "state", String::new(), reply, state),
        Command::Addresses(reply) => ask(engine, "addresses", String::new(), reply, |text| {
            text.lines().map(str::to_owned).collect()
        }),
        Command::IsConnected { peer, reply } => {
            ask(engine, "connected", peer.to_string(), reply, |text| {
                !text.is_empty()
            });
        }
        Command::Links(reply) => ask(engine, "links", String::new(), reply, links),
        Command::WayTo { relay, reply } => {
            ask(engine, "way", relay.to_string(), reply, |text| {
                route(text).map_or_else(|_| Vec::new(), |route| route.addresses)
            });
        }
        Command::Dial {
            peer: Some(peer),
            addresses,
            reply,
        } => {
            let to = line(&Route { peer, addresses });
            let dialled = engine.ask("dial", to);
            platform::spawn(dialled.map(move |dialled| drop(reply.send(dialled.map(|_| peer)))));
        }
        Command::Open {
            peer,
            addresses,
            protocol,
            reply,
        } => {
            let opening = engine.open(line(&Route { peer, addresses }), protocol);
            platform::spawn(async move {
                let opened = opening.await.map(|stream| Opened {
                    stream: Stream::lent(stream),
                    connection: elsewhere(),
                });
                let _ = reply.send(opened);
            });
        }
        // What else a peer can be told is the engine's affair, and it was told already.
        _ => {}
    }
}

/// A question that failed is not answered: whoever asked is told that the peer was closed.
fn ask<T: Send + 'static>(
    engine: &SharedEngine,
    what: &'static str,
    about: String,
    reply: Reply<T>,
    read: fn(&str) -> T,
) {
    let asked = engine.ask(what, about);
    platform::spawn(asked.map(move |answer| match answer {
        Ok(text) => drop(reply.send(read(&text))),
        Err(error) => tracing::debug!(what, %error, "the engine has no answer"),
    }));
}

fn routes(text: &str) -> Vec<Route> {
    text.lines().filter_map(|line| route(line).ok()).collect()
}

fn peers(text: &str) -> Vec<PeerId> {
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn links(text: &str) -> Vec<Link> {
    let link = |line: &str| {
        let mut words = line.split(' ');
        let peer = words.next()?.parse().ok()?;
        Some((peer, Via::named(words.next()?)?, words.next().is_some()))
    };
    text.lines().filter_map(link).collect()
}

/// An error that crossed as text: its code, a line break, what it says.
pub fn error_of(text: &str) -> Error {
    let (code, message) = text.split_once('\n').unwrap_or(("", text));
    let known = Code::ALL.iter().find(|known| known.as_str() == code);
    Error::new(known.copied().unwrap_or(Code::Internal), message)
}

/// A failure that crossed as the code of its error.
pub fn failure_of(text: &str) -> Failure {
    let error = error_of(text);
    match error.code() {
        Code::DialFailed => Failure::Dial,
        Code::TimedOut => Failure::Timeout,
        Code::Unsupported => Failure::Unsupported,
        Code::Overloaded => Failure::Overloaded,
        Code::TooLarge => Failure::TooLarge,
        Code::Closed => Failure::Stopped,
        _ => Failure::ConnectionClosed,
    }
}
