//! Brings those that are reached over circuits only to direct connections, and answers others that want the same.
//!
//! When is tried what is decided in `webrtc/upgrades.rs`, what is said in `webrtc/signaling`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select_biased};
use libp2p::{Multiaddr, PeerId};

use super::Target;
use super::call::{Stack, negotiate};
use super::turn::{Meetings, Turn};
use crate::error::{Code, Error, Result};
use crate::limits::{UPGRADE_AGAIN, UPGRADE_SOON};
use crate::net::address::Via;
use crate::net::handle::{Event, Handle, Route};
use crate::net::protocols::SIGNALING;
use crate::net::streams::{Failure, Incoming, Registry, Stream};
use crate::platform;
use crate::proto::Millis;
use crate::webrtc::signaling;
use crate::webrtc::upgrades::{Reach, Upgrades, Wasted};

/// Relays that tell a peer how it is seen from outside, at most: each costs packets, and two of different
/// operators are enough to see that the NAT gives each a port of its own. Each is asked over IPv4 and over IPv6, if it has both.
const STUN_RELAYS: usize = 2;
/// While nothing is planned.
const LONG: Duration = Duration::from_secs(3_600);

/// Makes the stacks of attempts.
pub trait Stacks: Send + Sync + 'static {
    /// One that may ask these servers (`stun:…`) where it is.
    fn make(&self, servers: Vec<String>) -> Box<dyn Vessel>;
}

/// A stack whose connection can be used once it stands.
pub trait Vessel: Stack + Send {
    /// Hands the connection over to the peer that negotiated it. Until then, dropping it closes it.
    fn adopt(self: Box<Self>, peer: &PeerId) -> Result<()>;
}

/// What became of an attempt that this peer made.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// With whom.
    pub peer: PeerId,
    /// Why the circuit stays, and when the next attempt begins; nothing when the direct connection stands.
    pub kept: Option<(Error, Option<Millis>)>,
}

impl From<Upgrade> for Event {
    fn from(Upgrade { peer, kept }: Upgrade) -> Event {
        let (state, reason, retry_at) = match kept {
            None => ("direct", None, None),
            Some((error, retry_at)) => ("kept", Some(said(&error)), retry_at),
        };
        Event::Upgrade {
            peer: peer.to_string(),
            state,
            reason,
            retry_at,
        }
    }
}

fn said(error: &Error) -> String {
    match error.cause() {
        Some(cause) => [error.message(), ": ", cause].concat(),
        None => error.message().to_owned(),
    }
}

/// Starts it. It ends with the peer.
pub fn start(
    handle: Handle,
    streams: &Registry,
    stacks: Arc<dyn Stacks>,
    tell: mpsc::Sender<Upgrade>,
) -> Result<()> {
    let incoming = streams.accept(SIGNALING).map_err(|_| {
        let text = "somebody else negotiates direct connections";
        Error::new(Code::Internal, text)
    })?;
    let agent = Agent {
        meetings: Meetings::new(handle.id()),
        handle,
        stacks,
        tell,
        upgrades: Upgrades::default(),
        wasted: Wasted::default(),
        open: BTreeMap::new(),
        jobs: FuturesUnordered::new(),
    };
    platform::spawn(agent.run(incoming));
    Ok(())
}

struct Agent {
    handle: Handle,
    stacks: Arc<dyn Stacks>,
    tell: mpsc::Sender<Upgrade>,
    meetings: Meetings,
    upgrades: Upgrades<PeerId>,
    wasted: Wasted<PeerId>,
    open: BTreeMap<PeerId, Open>,
    jobs: FuturesUnordered<BoxFuture<'static, Ended>>,
}

/// A direct connection that was negotiated here. Others wait as long as its turn lasts.
struct Open {
    _turn: Turn,
    since: Millis,
    seen: bool,
}

struct Ended {
    peer: PeerId,
    dialled: bool,
    outcome: Outcome,
}

enum Outcome {
    Connected(Turn),
    Failed(Error),
    /// The remote does not speak the protocol.
    NotSpoken,
    /// There is another attempt, or a connection already.
    NotNeeded,
}

impl Agent {
    async fn run(mut self, mut incoming: mpsc::Receiver<Incoming>) {
        let Ok(mut events) = self.handle.events_only().await else {
            return;
        };
        // Circuits that were there before have been used.
        self.look(platform::now().saturating_sub(UPGRADE_SOON))
            .await;
        loop {
            while let Some(peer) = self.upgrades.next(platform::now()) {
                self.dial(peer);
            }
            let mut timer = platform::sleep(self.patience()).fuse();
            select_biased! {
                event = events.next() => match event {
                    Some(Event::Connection { .. } | Event::Lagged { .. }) => {
                        self.look(platform::now()).await;
                    }
                    Some(Event::State { .. } | Event::Addresses { .. }) => {
                        self.upgrades.network_changed(platform::now());
                    }
                    Some(_) => {}
                    None => return,
                },
                offer = incoming.select_next_some() => self.answer(offer),
                ended = self.jobs.select_next_some() => self.ended(ended),
                () = timer => {}
            }
        }
    }

    fn patience(&self) -> Duration {
        self.upgrades.next_wake().map_or(LONG, |wake| {
            Duration::from_millis(wake.saturating_sub(platform::now()))
        })
    }

    /// Looks at what there is: events say only that something has changed.
    async fn look(&mut self, now: Millis) {
        let Ok(links) = self.handle.links().await else {
            return;
        };
        let reach = |via, dialled| match (via, dialled) {
            (Via::Circuit, true) => Reach::OwnCircuit,
            (Via::Circuit, false) => Reach::Circuit,
            _ => Reach::Direct,
        };
        let reached = links.iter();
        let reached = reached.map(|(peer, via, dialled)| (*peer, reach(*via, *dialled)));
        self.upgrades.seen(reached, now);
        self.open.retain(|peer, open| {
            let there = links.contains(&(*peer, Via::Webrtc, false));
            let late = open.seen || now >= open.since + UPGRADE_AGAIN;
            open.seen |= there;
            there || !late
        });
    }

    fn dial(&mut self, peer: PeerId) {
        let turn = self.meetings.dial(peer);
        let (handle, stacks) = (self.handle.clone(), self.stacks.clone());
        let full = !self.meetings.is_busy(&peer);
        let job = async move {
            let outcome = match turn {
                Some(turn) => dial(&handle, &*stacks, peer, turn).await,
                None if full => {
                    Outcome::Failed(Error::new(Code::Overloaded, "too many direct connections"))
                }
                None => Outcome::NotNeeded,
            };
            Ended {
                peer,
                dialled: true,
                outcome,
            }
        };
        self.jobs.push(job.boxed());
    }

    /// Without a turn the stream is dropped, which refuses the offer.
    fn answer(&mut self, offer: Incoming) {
        let Incoming { peer, stream, .. } = offer;
        if !self.wasted.may_answer(&peer, platform::now()) {
            return;
        }
        let Some(turn) = self.meetings.answer(peer) else {
            return;
        };
        let (handle, stacks) = (self.handle.clone(), self.stacks.clone());
        let job = async move {
            Ended {
                peer,
                dialled: false,
                outcome: attempt(&handle, &*stacks, (peer, stream), turn, false).await,
            }
        };
        self.jobs.push(job.boxed());
    }

    fn ended(&mut self, ended: Ended) {
        let Ended {
            peer,
            dialled,
            outcome,
        } = ended;
        let now = platform::now();
        let kept = match outcome {
            Outcome::Connected(turn) => {
                self.upgrades.succeeded(&peer, now);
                let open = Open {
                    _turn: turn,
                    since: now,
                    seen: false,
                };
                self.open.insert(peer, open);
                None
            }
            // What the remote tries is its own affair; but it costs.
            Outcome::Failed(_) if !dialled => return self.wasted.note(peer, now),
            _ if !dialled => return,
            // The attempt of the remote came first, and goes on.
            Outcome::Failed(_) if self.meetings.is_busy(&peer) => {
                return self.upgrades.succeeded(&peer, now);
            }
            Outcome::NotNeeded => return self.upgrades.succeeded(&peer, now),
            Outcome::NotSpoken => {
                self.upgrades.hopeless(&peer);
                let text = "the peer does not speak WebRTC signalling";
                Some((Error::new(Code::Unsupported, text), None))
            }
            Outcome::Failed(error) => {
                let next = self.upgrades.failed(&peer, now);
                Some((error, next))
            }
        };
        let _ = self.tell.try_send(Upgrade { peer, kept });
    }
}

async fn dial(handle: &Handle, stacks: &dyn Stacks, peer: PeerId, turn: Turn) -> Outcome {
    let route = Route {
        peer,
        addresses: Vec::new(),
    };
    match handle.open(route, SIGNALING).await {
        Ok(opened) => attempt(handle, stacks, (peer, opened.stream), turn, true).await,
        Err(Failure::Unsupported) => Outcome::NotSpoken,
        Err(failure) => Outcome::Failed(failure.at(&peer)),
    }
}

async fn attempt(
    handle: &Handle,
    stacks: &dyn Stacks,
    (peer, stream): (PeerId, Stream),
    mut turn: Turn,
    dialled: bool,
) -> Outcome {
    let mut stack = stacks.make(servers(handle).await);
    let negotiated = pin!(negotiate(stream, &mut *stack, dialled, &mut turn)).await;
    match negotiated {
        Ok(()) => {}
        Err(signaling::Failure::Yielded) => return Outcome::NotNeeded,
        Err(failure) => return Outcome::Failed(failure.into()),
    }
    turn.connected();
    match stack.adopt(&peer) {
        Ok(()) => Outcome::Connected(turn),
        Err(error) => Outcome::Failed(error),
    }
}

/// Relays answer STUN at the port of their WebRTC-direct.
async fn servers(handle: &Handle) -> Vec<String> {
    let (mut servers, mut relays) = (Vec::new(), 0);
    for relay in handle.homes().await.unwrap_or_default() {
        let asked = both_families(&handle.way_to(relay).await.unwrap_or_default());
        relays += usize::from(!asked.is_empty());
        servers.extend(asked.iter().map(|socket| format!("stun:{socket}")));
        if relays == STUN_RELAYS {
            break;
        }
    }
    servers
}

/// Where a relay answers over IPv4, and where over IPv6.
fn both_families(way: &[Multiaddr]) -> Vec<SocketAddr> {
    let first = |v4: bool| {
        let sockets = way.iter().filter_map(Target::of);
        let mut sockets = sockets.map(|target| target.socket);
        sockets.find(|socket| socket.is_ipv4() == v4)
    };
    [first(true), first(false)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_asked_once_over_each_family() {
        let hash = "uEiAkH5a4DPGKUuOBjYw0CgwjLa2R_RF71v86aVxlqdKNOQ";
        let direct = |ip: &str| format!("{ip}/udp/4002/webrtc-direct/certhash/{hash}");
        let asked = |texts: &[String]| {
            let way: Vec<Multiaddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
            let asked = both_families(&way).into_iter();
            asked.map(|socket| socket.to_string()).collect::<Vec<_>>()
        };
        let all = [
            "/ip4/192.0.2.1/tcp/4001".to_owned(),
            direct("/ip6/2001:db8::1"),
            direct("/ip4/192.0.2.1"),
            direct("/ip4/192.0.2.2"),
            direct("/ip6/2001:db8::2"),
        ];
        assert_eq!(asked(&all), ["192.0.2.1:4002", "[2001:db8::1]:4002"]);
        assert_eq!(asked(&all[..2]), ["[2001:db8::1]:4002"]);
        assert!(asked(&all[..1]).is_empty());
    }
}
