//! A world of relays under virtual time that [`Homes`] lives in, for tests on every platform.
//!
//! Knows relays that go and come, latencies, and how failing looks: refused at once, or silence.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::{HomeState, Homes, HomesConfig, Output};
use crate::proto::Millis;
use crate::proto::join::RelayHint;
use crate::proto::prng::Prng;

/// Where every scenario begins.
pub const START: Millis = 1_700_000_000_000;
const PROBE_TIMEOUT: Millis = 2_000;
const DIAL_TIMEOUT: Millis = 5_000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Up(String),
    Down(String),
    Probed { peer: String, alive: bool },
    Arrived { peer: String, websocket: bool },
    Failed { peer: String },
    Dropped { peer: String },
}

/// One relay as the world sees it.
#[derive(Clone, Debug)]
pub struct Relay {
    pub up: bool,
    /// Whether its URL can be reached from here when it is up.
    pub http: bool,
    /// Whether it can be reached with WebSockets, and without.
    pub ways: (bool, bool),
    /// Whether its absence shows as silence instead of a refusal.
    pub silent: bool,
    pub connected: bool,
}

impl Relay {
    pub fn up() -> Self {
        Relay {
            up: true,
            http: true,
            ways: (true, true),
            silent: false,
            connected: false,
        }
    }

    pub fn down() -> Self {
        Relay {
            up: false,
            ..Relay::up()
        }
    }
}

/// A peer's homes and the relays around it.
pub struct World {
    pub homes: Homes,
    pub now: Millis,
    pub relays: BTreeMap<String, Relay>,
    /// Everything the state machine said, with its time.
    pub log: Vec<(Millis, Output)>,
    events: BinaryHeap<Reverse<(Millis, u64, Event)>>,
    prng: Prng,
    count: u64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self::with(HomesConfig::browser(), seed)
    }

    pub fn with(config: HomesConfig, seed: u64) -> Self {
        World {
            homes: Homes::new(config, seed),
            now: START,
            relays: BTreeMap::new(),
            log: Vec::new(),
            events: BinaryHeap::new(),
            prng: Prng::new(!seed),
            count: 0,
        }
    }

    /// Adds a relay with a URL, a WebSocket and a WebRTC address, and tells the peer of it.
    pub fn add(&mut self, peer: &str, relay: Relay) {
        self.relays.insert(peer.to_owned(), relay);
        self.homes
            .learn(hint(peer, Some(format!("http://{peer}.test"))), self.now);
        self.obey();
    }

    /// Adds a relay whose URL is not known.
    pub fn add_without_url(&mut self, peer: &str, relay: Relay) {
        self.relays.insert(peer.to_owned(), relay);
        self.homes.learn(hint(peer, None), self.now);
        self.obey();
    }

    pub fn goes_down(&mut self, peer: &str, at: Millis) {
        self.schedule(at, Event::Down(peer.to_owned()));
    }

    pub fn comes_up(&mut self, peer: &str, at: Millis) {
        self.schedule(at, Event::Up(peer.to_owned()));
    }

    /// Tells the state machine something and does what it says.
    pub fn input(&mut self, input: impl FnOnce(&mut Homes, Millis)) {
        input(&mut self.homes, self.now);
        self.obey();
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: Millis) {
        let mut steps_now = 0;
        while let Some(at) = self.next_time().filter(|at| *at <= end) {
            steps_now = if at > self.now { 0 } else { steps_now + 1 };
            assert!(steps_now < 1_000, "no progress at {at}: {:?}", self.homes);
            self.now = at.max(self.now);
            match self.events.peek() {
                Some(Reverse((at, ..))) if *at <= self.now => self.happen(),
                _ => self.input(|homes, now| homes.tick(now)),
            }
        }
        self.now = end;
    }

    /// Lets time pass while a condition holds; how long that took, if it ended within `limit`.
    pub fn run_while(
        &mut self,
        limit: Millis,
        condition: impl Fn(&World) -> bool,
    ) -> Option<Millis> {
        let start = self.now;
        while condition(self) {
            let next = self.next_time().unwrap_or(Millis::MAX).max(self.now);
            if next > start + limit {
                return None;
            }
            self.run_until(next);
        }
        Some(self.now - start)
    }

    fn next_time(&self) -> Option<Millis> {
        let event = self.events.peek().map(|Reverse((at, ..))| *at);
        event.into_iter().chain(self.homes.next_wake()).min()
    }

    pub fn state(&self) -> HomeState {
        self.homes.state()
    }

    /// How many of the logged outputs since `start` match.
    pub fn count(&self, start: Millis, matches: impl Fn(&Output) -> bool) -> usize {
        self.log
            .iter()
            .filter(|(at, output)| *at >= start && matches(output))
            .count()
    }

    fn schedule(&mut self, at: Millis, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    fn happen(&mut self) {
        let Some(Reverse((_, _, event))) = self.events.pop() else {
            return;
        };
        match event {
            Event::Up(peer) => self.relay(&peer).up = true,
            Event::Down(peer) => self.take_down(&peer),
            Event::Probed { peer, alive } => {
                self.input(|homes, now| homes.probe_result(&peer, alive, now));
            }
            Event::Arrived { peer, websocket } => self.arrive(&peer, websocket),
            Event::Failed { peer } => {
                self.input(|homes, now| homes.dial_failed(&peer, "refused", now));
            }
            Event::Dropped { peer } => self.input(|homes, now| homes.disconnected(&peer, now)),
        }
    }

    fn relay(&mut self, peer: &str) -> &mut Relay {
        self.relays.get_mut(peer).expect("a relay of this world")
    }

    fn take_down(&mut self, peer: &str) {
        let relay = self.relay(peer);
        relay.up = false;
        if std::mem::take(&mut relay.connected) {
            let noticed = self.now + self.prng.below(200);
            self.schedule(
                noticed,
                Event::Dropped {
                    peer: peer.to_owned(),
                },
            );
        }
    }

    fn arrive(&mut self, peer: &str, websocket: bool) {
        let relay = self.relay(peer);
        let reachable = relay.up && (relay.ways.1 || (websocket && relay.ways.0));
        if !reachable {
            self.input(|homes, now| homes.dial_failed(peer, "refused", now));
        } else if !std::mem::replace(&mut relay.connected, true) {
            self.input(|homes, now| homes.connected(peer, now));
        }
    }

    fn obey(&mut self) {
        while let Some(output) = self.homes.poll() {
            self.log.push((self.now, output.clone()));
            match output {
                Output::Dial {
                    peer, websocket, ..
                } => self.dial(peer, websocket),
                Output::Probe { peer, .. } => self.probe(peer),
                Output::Reserve { peer } => {
                    let ok = self.relay(&peer).connected;
                    self.homes.reserved(&peer, ok, self.now);
                }
                Output::Ping { .. } | Output::State { .. } => {}
            }
        }
    }

    fn dial(&mut self, peer: String, websocket: bool) {
        let relay = self.relay(&peer).clone();
        let reachable = relay.up && (relay.ways.1 || (websocket && relay.ways.0));
        let (latency, silence) = (50 + self.prng.below(750), DIAL_TIMEOUT);
        let (after, event) = match (reachable, relay.silent || !websocket) {
            (true, _) => (latency, Event::Arrived { peer, websocket }),
            (false, true) => (silence, Event::Failed { peer }),
            (false, false) => (self.prng.below(50), Event::Failed { peer }),
        };
        self.schedule(self.now + after, event);
    }

    fn probe(&mut self, peer: String) {
        let relay = self.relay(&peer).clone();
        let alive = relay.up && relay.http;
        let after = match (alive, relay.silent) {
            (true, _) => 5 + self.prng.below(300),
            (false, true) => PROBE_TIMEOUT,
            (false, false) => self.prng.below(20),
        };
        self.schedule(self.now + after, Event::Probed { peer, alive });
    }
}

pub fn hint(peer: &str, http: Option<String>) -> RelayHint {
    let addresses = ["tcp/8080/ws", "udp/4002/webrtc-direct/certhash/u"];
    let addresses = addresses
        .map(|rest| format!("/dns4/{peer}.test/{rest}"))
        .to_vec();
    RelayHint {
        peer: peer.to_owned(),
        addresses,
        http,
    }
}

/// The promise of the whole machine: a relay that returns after any absence is a home again
/// within five seconds, and no WebSocket but the first was tried while it was away.
pub fn back_within_five_seconds(seed: u64) -> Result<(), String> {
    let mut prng = Prng::new(seed.wrapping_mul(31));
    let mut world = World::new(seed);
    let silent = prng.below(2) == 0;
    world.add(
        "relay",
        Relay {
            silent,
            ..Relay::up()
        },
    );
    world.run_until(START + 1_000 + prng.below(60_000));
    let gone = world.now;
    let longest = [2_000, 20_000, 600_000][prng.below(3) as usize];
    let back = gone + 500 + prng.below(longest);
    world.goes_down("relay", gone);
    world.comes_up("relay", back);
    world.run_until(back - 1);
    let opened = world.count(gone, |output| {
        matches!(
            output,
            Output::Dial {
                websocket: true,
                ..
            }
        )
    });
    if opened > 1 {
        return Err(format!(
            "seed {seed}: {opened} WebSockets were tried while the relay was away"
        ));
    }
    world.run_until(back);
    match world.run_while(5_000, |world| world.state() != HomeState::Joined) {
        Some(_) => Ok(()),
        None => Err(format!(
            "seed {seed}: not back 5 s after {} ms of absence",
            back - gone
        )),
    }
}
