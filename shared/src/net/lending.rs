//! What the engine of a tab lends to a module beside it: its streams, and what it knows of the network.
//!
//! A page downloads the engine to join, and everything else when it is first used. What comes later borrows
//! what is said here, in texts and streams that cross from one WebAssembly module to the other; `borrowed.rs`
//! is the other end. Until then this end answers pings, and keeps for it what relays say about topics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::channel::mpsc;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::address;
use super::handle::{Event, Link, Route};
use super::node::parse_peer;
use super::overlay::{Kademlia, Overlay};
#[cfg(not(feature = "apps"))]
use super::ping;
use super::protocols::{GOSSIP, SIGNALING};
use super::streams::{Incoming, Opened, Protocol, Registry};
use crate::error::{Code, Error, Result};
use crate::limits::LENT_TOPICS;
use crate::platform;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Lender {
    overlay: Arc<Kademlia>,
    streams: Registry,
    /// Streams on which relays say which topics they take: a relay opens one when it is connected, and no second.
    topics: Early,
    /// Streams on which others offer direct connections: they may come before the module does.
    offers: Early,
}

/// Streams of a protocol that are kept until somebody takes them.
type Early = Arc<Mutex<Keeping>>;

enum Keeping {
    /// Those of relays, unread, and of the last strangers.
    Kept(Vec<Incoming>),
    Lent(mpsc::Sender<Incoming>),
}

impl Lender {
    /// Answers pings until somebody takes all commands.
    pub(super) fn start(overlay: Arc<Kademlia>, streams: &Registry) -> Result<Lender> {
        #[cfg(not(feature = "apps"))]
        ping::answer(overlay.handle(), streams)?;
        let early = |protocol: Protocol| -> Result<Early> {
            streams.forget(&protocol.name);
            let incoming = streams.accept(protocol.clone());
            let incoming = incoming.map_err(|_| taken(&protocol))?;
            let early = Arc::new(Mutex::new(Keeping::Kept(Vec::new())));
            platform::spawn(keep(overlay.clone(), early.clone(), incoming));
            Ok(early)
        };
        let (topics, offers) = (early(GOSSIP)?, early(SIGNALING)?);
        Ok(Lender {
            overlay,
            streams: streams.clone(),
            topics,
            offers,
        })
    }

    /// Answers one question. What is asked about, and the answer, are lines of text.
    pub async fn ask(&self, what: &str, about: &str) -> Result<String> {
        let handle = self.overlay.handle();
        Ok(match what {
            "closest" => routes(handle.closest(bytes(about)?).await?),
            "near" => routes(handle.near(bytes(about)?).await?),
            "homes" => lines(handle.homes().await?),
            "reserved" => lines(handle.reserved().await?),
            "addresses" => handle.addresses().await?.join("\n"),
            "state" => handle.state().await?.to_owned(),
            "connected" => match handle.is_connected(parse_peer(about)?).await? {
                true => about.to_owned(),
                false => String::new(),
            },
            "dial" => {
                let Route { peer, addresses } = route(about)?;
                handle.dial(Some(peer), addresses).await?.to_string()
            }
            "links" => {
                let links = handle.links().await?;
                let line = |(peer, via, dialled): &Link| {
                    let end = if *dialled { " own" } else { "" };
                    [&peer.to_string(), " ", via.as_str(), end].concat()
                };
                links.iter().map(line).collect::<Vec<_>>().join("\n")
            }
            "way" => {
                let relay = parse_peer(about)?;
                let addresses = handle.way_to(relay).await?;
                line(&Route {
                    peer: relay,
                    addresses,
                })
            }
            "network" => handle.network().to_string(),
            "clock" => {
                let (own, agreed) = (platform::now(), self.overlay.client().now());
                (agreed as i64 - own as i64).to_string()
            }
            _ => {
                let unknown = "the modules of this page are of different versions";
                return Err(Error::new(Code::Unsupported, unknown));
            }
        })
    }

    /// Opens a stream to a peer: its id, and addresses if it is not connected.
    pub async fn open(&self, to: &str, protocol: Protocol) -> Result<Opened> {
        let route = route(to)?;
        let peer = route.peer;
        let opened = self.overlay.handle().open(route, protocol).await;
        opened.map_err(|failure| failure.at(&peer))
    }

    /// Streams of a protocol that others open, from now on, instead of whoever had them here.
    pub fn accept(&self, protocol: Protocol) -> Result<mpsc::Receiver<Incoming>> {
        for (name, early) in [(GOSSIP.name, &self.topics), (SIGNALING.name, &self.offers)] {
            if protocol.name == name {
                return Ok(lend(early));
            }
        }
        self.streams.forget(&protocol.name);
        let accepted = self.streams.accept(protocol.clone());
        accepted.map_err(|_| taken(&protocol))
    }

    /// What happens from now on, in a few words each.
    pub async fn events(&self) -> Result<mpsc::Receiver<Event>> {
        self.overlay.handle().events_only().await
    }
}

fn lend(early: &Early) -> mpsc::Receiver<Incoming> {
    let (mut lent, incoming) = mpsc::channel(LENT_TOPICS);
    let mut keeping = locked(early);
    if let Keeping::Kept(kept) = &mut *keeping {
        for stream in kept.drain(..) {
            let _ = lent.try_send(stream);
        }
    }
    *keeping = Keeping::Lent(lent);
    incoming
}

async fn keep(overlay: Arc<Kademlia>, early: Early, mut incoming: mpsc::Receiver<Incoming>) {
    while let Some(stream) = incoming.next().await {
        let relays = overlay.handle().homes().await.unwrap_or_default();
        match &mut *locked(&early) {
            Keeping::Lent(lent) => drop(lent.try_send(stream)),
            Keeping::Kept(kept) => keep_one(kept, stream, |stream| stream.peer, &relays),
        }
    }
}

/// Of too many the first goes that is of no relay of ours: anybody can open streams.
fn keep_one<T>(kept: &mut Vec<T>, new: T, peer: impl Fn(&T) -> PeerId, relays: &[PeerId]) {
    kept.retain(|known| peer(known) != peer(&new));
    kept.push(new);
    if kept.len() > LENT_TOPICS {
        let stranger = kept.iter().position(|known| !relays.contains(&peer(known)));
        kept.remove(stranger.unwrap_or(LENT_TOPICS));
    }
}

fn locked(early: &Mutex<Keeping>) -> MutexGuard<'_, Keeping> {
    early.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A protocol by what crosses.
pub fn protocol(name: &str, streams: usize, hasty: bool) -> Option<Protocol> {
    let name = StreamProtocol::try_from_owned(name.to_owned()).ok()?;
    Some(Protocol {
        name,
        streams,
        hasty,
    })
}

/// What an event comes to for those who borrow; nothing when they do not care.
pub fn told(event: &Event) -> Option<String> {
    Some(match event {
        Event::State { state, .. } => ["state ", state].concat(),
        Event::Relay { .. } => "relay".to_owned(),
        Event::Connection { change, peer, .. } => [change, " ", peer].concat(),
        Event::Addresses { .. } => "addresses".to_owned(),
        Event::Lagged { .. } => "lagged".to_owned(),
        _ => return None,
    })
}

/// Peer id and addresses, in one line.
pub(super) fn line(route: &Route) -> String {
    let mut line = route.peer.to_string();
    for address in &route.addresses {
        line.push(' ');
        line.push_str(&address.to_string());
    }
    line
}

/// Reads what [`line`] wrote.
pub(super) fn route(line: &str) -> Result<Route> {
    let mut words = line.split(' ');
    let peer = parse_peer(words.next().unwrap_or_default())?;
    let addresses: Vec<Multiaddr> = words.map(address::parse).collect::<Result<_>>()?;
    Ok(Route { peer, addresses })
}

fn routes(routes: Vec<Route>) -> String {
    let lines: Vec<String> = routes.iter().map(line).collect();
    lines.join("\n")
}

fn lines(peers: Vec<PeerId>) -> String {
    let lines: Vec<String> = peers.iter().map(PeerId::to_string).collect();
    lines.join("\n")
}

/// A key of the DHT is asked about in base 16.
#[cfg(feature = "apps")]
pub(super) fn hex(key: &[u8]) -> String {
    multibase::Base::Base16Lower.encode(key)
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let decoded = multibase::Base::Base16Lower.decode(hex);
    decoded.map_err(|error| Error::new(Code::InvalidKey, "this is no key").caused_by(error))
}

fn taken(protocol: &Protocol) -> Error {
    let text = format!("streams of {} are taken already", protocol.name);
    Error::new(Code::Internal, text)
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    #[test]
    fn strangers_push_out_no_relays() {
        let relays: Vec<PeerId> = (0..3).map(|_| PeerId::random()).collect();
        let mut kept: Vec<PeerId> = Vec::new();
        let mut keep = |peer| keep_one(&mut kept, peer, |peer| *peer, &relays);
        keep(relays[0]);
        (0..2 * LENT_TOPICS).for_each(|_| keep(PeerId::random()));
        keep(relays[1]);
        keep(relays[1]);
        (0..2 * LENT_TOPICS).for_each(|_| keep(PeerId::random()));
        keep(relays[2]);
        assert_eq!(kept.len(), LENT_TOPICS);
        let place = |relay| kept.iter().position(|peer| *peer == relay);
        assert_eq!(place(relays[0]), Some(0));
        assert!(relays.iter().all(|relay| place(*relay).is_some()));
    }
}
