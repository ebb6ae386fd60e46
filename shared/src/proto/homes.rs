//! Decides which relays a peer stays attached to, when it tries again, and what state that makes.
//!
//! Pure and deterministic from its seed: inputs are what happened and when, outputs are polled.
//! Does not know how to dial, to probe or to reserve.

use std::collections::{BTreeMap, VecDeque};

use super::Millis;
use super::join::RelayHint;
use crate::limits::{
    HOME_ATTEMPT_DEADLINE, HOME_BLIND_DIAL, HOME_RETRY_FIRST, HOME_RETRY_HIDDEN,
    HOME_RETRY_VISIBLE, HOMES_FIRST_DIALS, HOMES_WANTED, MAX_KNOWN_HOMES,
};

/// What kind of peer keeps homes.
#[derive(Clone, Debug)]
pub struct HomesConfig {
    /// How many homes to hold.
    pub want: usize,
    /// Whether to hold a reservation at each, to be reachable through it.
    pub reserve: bool,
}

impl Default for HomesConfig {
    fn default() -> Self {
        HomesConfig {
            want: HOMES_WANTED,
            reserve: true,
        }
    }
}

/// How the peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Never had a home yet.
    Joining,
    /// Has at least one.
    Joined,
    /// Had one, has none.
    Lost,
    /// The machine has no network.
    Offline,
}

impl State {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Joining => "joining",
            State::Joined => "joined",
            State::Lost => "lost",
            State::Offline => "offline",
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Dial a relay; WebSocket addresses only when allowed, because browsers punish failing ones.
    Dial {
        /// Whom.
        peer: String,
        /// Whether WebSocket addresses may be used.
        websocket: bool,
    },
    /// Ask the relay's HTTP server whether it is there.
    Probe {
        /// Whose.
        peer: String,
        /// Its base URL.
        url: String,
    },
    /// Ask the connected relay for a reservation.
    Reserve {
        /// Which.
        peer: String,
    },
    /// Ask the connected relay for a sign of life.
    Ping {
        /// Which.
        peer: String,
    },
    /// The state changed.
    State {
        /// Into this.
        state: State,
        /// Because.
        reason: Option<String>,
    },
}

/// The relays a peer knows, and where it stands with each.
pub struct Homes {
    config: HomesConfig,
    homes: BTreeMap<String, Home>,
    outputs: VecDeque<Output>,
    state: State,
    online: bool,
    visible: bool,
    random: u64,
}

#[derive(Clone, Debug)]
struct Home {
    url: Option<String>,
    phase: Phase,
    backoff: Millis,
    blind_at: Millis,
    reserve_at: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing under way; may be tried from then on.
    Idle {
        retry_at: Millis,
    },
    /// A dial is out; given up at the deadline.
    Dialing {
        until: Millis,
    },
    /// A probe is out; given up at the deadline.
    Probing {
        until: Millis,
    },
    Connected,
}

impl Homes {
    /// Starts without any relay.
    pub fn new(config: HomesConfig, seed: u64) -> Self {
        Homes {
            config,
            homes: BTreeMap::new(),
            outputs: VecDeque::new(),
            state: State::Joining,
            online: true,
            visible: true,
            random: seed | 1,
        }
    }

    /// Learns of a relay, or more about one. The first few are dialled at once.
    pub fn learn(&mut self, hint: RelayHint, now: Millis) {
        if let Some(home) = self.homes.get_mut(&hint.peer) {
            home.url = hint.http.or(home.url.take());
            return;
        }
        if self.homes.len() >= MAX_KNOWN_HOMES {
            return;
        }
        let home = Home {
            url: hint.http,
            phase: Phase::Idle { retry_at: now },
            backoff: 0,
            blind_at: now,
            reserve_at: None,
        };
        self.homes.insert(hint.peer, home);
        self.tick(now);
    }

    /// The relay is connected.
    pub fn connected(&mut self, peer: &str, now: Millis) {
        let reserve = self.config.reserve;
        let Some(home) = self.homes.get_mut(peer) else {
            return;
        };
        let fresh = home.phase != Phase::Connected;
        home.phase = Phase::Connected;
        home.backoff = 0;
        if fresh && reserve {
            home.reserve_at = None;
            self.outputs.push_back(Output::Reserve {
                peer: peer.to_owned(),
            });
        }
        self.settle(None);
        self.tick(now);
    }

    /// The last connection to the relay is gone: it is tried again at once.
    pub fn disconnected(&mut self, peer: &str, now: Millis) {
        let Some(home) = self.homes.get_mut(peer) else {
            return;
        };
        home.phase = Phase::Idle { retry_at: now };
        home.reserve_at = None;
        home.backoff = 0;
        home.blind_at = now;
        self.settle(Some("the connection to the relay was lost"));
        self.tick(now);
    }

    /// No address of the relay answered.
    pub fn dial_failed(&mut self, peer: &str, reason: &str, now: Millis) {
        let in_flight =
            matches!(self.homes.get(peer), Some(home) if home.phase != Phase::Connected);
        if in_flight {
            self.back_off(peer, now);
            self.settle(Some(reason));
        }
    }

    /// The relay's HTTP server answered, or did not.
    pub fn probe_result(&mut self, peer: &str, alive: bool, now: Millis) {
        let Some(home) = self.homes.get_mut(peer) else {
            return;
        };
        if !matches!(home.phase, Phase::Probing { .. }) {
            return;
        }
        if alive {
            home.backoff = 0;
            self.dial(peer, true, now);
        } else {
            self.back_off(peer, now);
            self.blind_dial(peer, now);
        }
    }

    /// A reservation was granted, refused or ended.
    pub fn reserved(&mut self, peer: &str, ok: bool, now: Millis) {
        let Some(home) = self.homes.get_mut(peer) else {
            return;
        };
        home.reserve_at = (!ok && self.config.reserve && home.phase == Phase::Connected)
            .then_some(now + HOME_RETRY_VISIBLE);
    }

    /// The machine's network came or went.
    pub fn network(&mut self, online: bool, now: Millis) {
        if self.online != online {
            self.online = online;
            self.settle((!online).then_some("this device is offline"));
        }
        if online {
            self.try_now(now);
        }
    }

    /// The tab is looked at, or not.
    pub fn visible(&mut self, visible: bool, now: Millis) {
        let shown = visible && !self.visible;
        self.visible = visible;
        if shown {
            self.try_now(now);
        }
    }

    /// The machine slept: connections may be dead without knowing it.
    pub fn woke(&mut self, now: Millis) {
        for (peer, home) in &self.homes {
            if home.phase == Phase::Connected {
                self.outputs.push_back(Output::Ping { peer: peer.clone() });
            }
        }
        self.try_now(now);
    }

    fn try_now(&mut self, now: Millis) {
        for home in self.homes.values_mut() {
            if matches!(home.phase, Phase::Idle { .. }) {
                home.backoff = 0;
                home.blind_at = now;
                home.phase = Phase::Idle { retry_at: now };
            }
        }
        self.tick(now);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Millis) {
        self.expire_attempts(now);
        self.renew_reservations(now);
        if !self.online {
            return;
        }
        let peers: Vec<String> = self.homes.keys().cloned().collect();
        for peer in peers {
            if self.engaged() >= self.enough() {
                break;
            }
            if matches!(self.homes[&peer].phase, Phase::Idle { retry_at } if retry_at <= now) {
                self.attempt(&peer, now);
            }
        }
    }

    fn expire_attempts(&mut self, now: Millis) {
        let late: Vec<String> = self
            .homes
            .iter()
            .filter(|(_, home)| match home.phase {
                Phase::Dialing { until } | Phase::Probing { until } => until <= now,
                _ => false,
            })
            .map(|(peer, _)| peer.clone())
            .collect();
        for peer in late {
            self.back_off(&peer, now);
        }
    }

    fn renew_reservations(&mut self, now: Millis) {
        for (peer, home) in &mut self.homes {
            if home.reserve_at.is_some_and(|at| at <= now) {
                home.reserve_at = None;
                self.outputs
                    .push_back(Output::Reserve { peer: peer.clone() });
            }
        }
    }

    /// Homes held or being tried.
    fn engaged(&self) -> usize {
        self.homes
            .values()
            .filter(|home| !matches!(home.phase, Phase::Idle { .. }))
            .count()
    }

    /// While none is connected, several are tried at once.
    fn enough(&self) -> usize {
        match self
            .homes
            .values()
            .any(|home| home.phase == Phase::Connected)
        {
            true => self.config.want,
            false => self.config.want.max(HOMES_FIRST_DIALS),
        }
    }

    /// The first attempt, and one right after a loss, dials; later ones ask the HTTP server first.
    fn attempt(&mut self, peer: &str, now: Millis) {
        let home = &self.homes[peer];
        match &home.url {
            Some(url) if home.backoff > 0 => {
                let output = Output::Probe {
                    peer: peer.to_owned(),
                    url: url.clone(),
                };
                self.set_phase(
                    peer,
                    Phase::Probing {
                        until: now + HOME_ATTEMPT_DEADLINE,
                    },
                );
                self.outputs.push_back(output);
            }
            _ => {
                self.dial(peer, true, now);
            }
        }
    }

    fn dial(&mut self, peer: &str, websocket: bool, now: Millis) {
        self.set_phase(
            peer,
            Phase::Dialing {
                until: now + HOME_ATTEMPT_DEADLINE,
            },
        );
        self.outputs.push_back(Output::Dial {
            peer: peer.to_owned(),
            websocket,
        });
    }

    /// A relay whose HTTP server is out of reach may still answer on UDP.
    fn blind_dial(&mut self, peer: &str, now: Millis) {
        let Some(home) = self.homes.get_mut(peer) else {
            return;
        };
        if home.blind_at <= now && self.online {
            home.blind_at = now + HOME_BLIND_DIAL;
            self.outputs.push_back(Output::Dial {
                peer: peer.to_owned(),
                websocket: false,
            });
        }
    }

    fn back_off(&mut self, peer: &str, now: Millis) {
        let longest = if self.visible {
            HOME_RETRY_VISIBLE
        } else {
            HOME_RETRY_HIDDEN
        };
        let jitter = 80 + self.next_random() % 41;
        let Some(home) = self.homes.get_mut(peer) else {
            return;
        };
        // A blind dial that fails while a probe or a wait is under way changes nothing.
        if matches!(home.phase, Phase::Idle { retry_at } if retry_at > now) {
            return;
        }
        home.backoff = match home.backoff {
            0 => HOME_RETRY_FIRST,
            before => (before * 8 / 5).min(longest),
        };
        home.phase = Phase::Idle {
            retry_at: now + home.backoff * jitter / 100,
        };
    }

    fn set_phase(&mut self, peer: &str, phase: Phase) {
        if let Some(home) = self.homes.get_mut(peer) {
            home.phase = phase;
        }
    }

    fn settle(&mut self, reason: Option<&str>) {
        let connected = self
            .homes
            .values()
            .any(|home| home.phase == Phase::Connected);
        let state = match (self.online, connected, self.state) {
            (true, true, _) => State::Joined,
            (false, _, _) => State::Offline,
            (true, false, State::Joining) => State::Joining,
            (true, false, _) => State::Lost,
        };
        if state != self.state {
            self.state = state;
            self.outputs.push_back(Output::State {
                state,
                reason: reason.map(str::to_owned),
            });
        }
    }

    fn next_random(&mut self) -> u64 {
        // xorshift64: enough to spread retries, and replays from a seed
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to tick again.
    pub fn next_wake(&self) -> Option<Millis> {
        let room = self.online && self.engaged() < self.enough();
        self.homes
            .values()
            .flat_map(|home| {
                let phase = match home.phase {
                    Phase::Idle { retry_at } if room => Some(retry_at),
                    Phase::Dialing { until } | Phase::Probing { until } => Some(until),
                    _ => None,
                };
                [phase, home.reserve_at]
            })
            .flatten()
            .min()
    }

    /// Where the peer stands.
    pub fn state(&self) -> State {
        self.state
    }
}
