//! Keeps a peer attached to its home relays: which to dial, to probe, to ask for a reservation.
//!
//! Knows relays as text, and time as an argument. Does not dial, fetch or read a clock.
//!
//! To drive it: after every input call [`Homes::poll`] until it gives nothing, do what it says, and
//! call [`Homes::tick`] at [`Homes::next_wake`]. A [`Output::Dial`] may come while another dial of
//! that relay is under way and must be started all the same; [`Homes::dial_failed`] is called once
//! per dial that came to nothing, [`Homes::disconnected`] when the last connection to a relay is
//! gone. Equal inputs and seed give equal outputs.
//!
//! A relay that went away is dialled once, then probed by HTTP; WebSockets are opened only after a
//! probe was answered, because browsers throttle failing ones. Beside the probes, dials without
//! WebSockets try whether only HTTP is out of reach.

mod home;
mod interface;
mod reservation;

pub use interface::{HomeState, HomesConfig, Output};

use std::collections::VecDeque;

use super::Millis;
use super::join::RelayHint;
use super::prng::Prng;
use crate::limits::{HOME_RETRY_VISIBLE, MAX_KNOWN_HOMES};
use crate::sorted::sort_short;
use home::Home;

/// The homes of one peer.
#[derive(Clone, Debug)]
pub struct Homes {
    config: HomesConfig,
    prng: Prng,
    /// In the order in which they were learned.
    homes: Vec<Home>,
    outputs: VecDeque<Output>,
    now: Millis,
    online: bool,
    visible: bool,
    ever_joined: bool,
    state: HomeState,
    reason: Option<String>,
}

impl Homes {
    /// Knows no relay yet.
    pub fn new(config: HomesConfig, seed: u64) -> Self {
        Homes {
            config,
            prng: Prng::new(seed),
            homes: Vec::new(),
            outputs: VecDeque::new(),
            now: 0,
            online: true,
            visible: true,
            ever_joined: false,
            state: HomeState::Joining,
            reason: None,
        }
    }

    /// A relay that could be a home, or news about one.
    pub fn learn(&mut self, hint: RelayHint, now: Millis) {
        self.advance(now);
        match self.find(&hint.peer) {
            Some(index) => self.update(index, hint, now),
            None => self.add(hint, now),
        }
        self.drive(now);
    }

    fn update(&mut self, index: usize, hint: RelayHint, now: Millis) {
        let home = &mut self.homes[index];
        let hint = RelayHint {
            http: hint.http.or(home.hint.http.take()),
            ..hint
        };
        let moved = home.hint.addresses != hint.addresses;
        home.hint = hint;
        if moved && home.connected.is_none() {
            home.try_at_once(now);
        }
    }

    fn add(&mut self, hint: RelayHint, now: Millis) {
        if self.homes.len() >= MAX_KNOWN_HOMES && !self.forget_worst() {
            return;
        }
        let mut home = Home::new(hint, now);
        let waiting = self
            .homes
            .iter()
            .filter(|home| home.connected.is_none())
            .count();
        home.put_off(self.turn(waiting, now));
        self.homes.push(home);
    }

    /// Makes room: only a relay that failed and never was a home is forgotten.
    fn forget_worst(&mut self) -> bool {
        let forgettable = |home: &Home| home.last_connected.is_none() && home.failures > 0;
        let worst = (0..self.homes.len())
            .filter(|index| forgettable(&self.homes[*index]))
            .max_by_key(|index| self.homes[*index].failures);
        worst.map(|index| self.homes.remove(index)).is_some()
    }

    /// A relay is of no more use.
    pub fn forget(&mut self, peer: &str, now: Millis) {
        self.change(peer, now, |homes, index| drop(homes.homes.remove(index)));
    }

    /// A connection to a relay is open. It proves that there is a network.
    pub fn connected(&mut self, peer: &str, now: Millis) {
        self.change(peer, now, |homes, index| {
            homes.online = true;
            homes.ever_joined = true;
            homes.homes[index].connected(now);
        });
    }

    /// The last connection to a relay is gone.
    pub fn disconnected(&mut self, peer: &str, now: Millis) {
        self.change(peer, now, |homes, index| {
            homes.homes[index].disconnected(now, &mut homes.prng);
            homes.reason = Some("the connection to the relay was lost".to_owned());
            if !homes.is_served() {
                homes.hurry(now);
            }
        });
    }

    /// A dial came to nothing.
    pub fn dial_failed(&mut self, peer: &str, reason: &str, now: Millis) {
        self.change(peer, now, |homes, index| {
            let cap = homes.cap(index);
            homes.homes[index].dial_failed(now, cap, &mut homes.prng);
            homes.reason = Some(reason.to_owned());
        });
    }

    /// A probe was answered, or not.
    pub fn probe_result(&mut self, peer: &str, alive: bool, now: Millis) {
        self.change(peer, now, |homes, index| {
            let (cap, pursuing) = (homes.cap(index), homes.pursuing());
            let home = &mut homes.homes[index];
            home.probe_result(alive, now, cap, &mut homes.prng);
            if alive && pursuing {
                homes.outputs.extend(home.dial_justified(now));
            }
        });
    }

    /// A reservation was granted, refused or lost.
    pub fn reserved(&mut self, peer: &str, ok: bool, now: Millis) {
        self.change(peer, now, |homes, index| {
            homes.homes[index].reserved(ok, now, &mut homes.prng);
        });
    }

    /// The device went online or offline. Offline, nothing is dialled; connections that live all the
    /// same, as over a local network, are checked and go on.
    pub fn network(&mut self, online: bool, now: Millis) {
        self.advance(now);
        self.online = online;
        self.check_connected();
        if online {
            self.retry_absent(now);
        } else {
            self.reason = Some("the device is offline".to_owned());
        }
        self.drive(now);
    }

    /// The tab was shown or hidden.
    pub fn visible(&mut self, visible: bool, now: Millis) {
        self.advance(now);
        let shown = visible && !self.visible;
        self.visible = visible;
        if shown {
            self.retry_absent(now);
        }
        self.drive(now);
    }

    /// The device slept: every connection is suspect.
    pub fn woke(&mut self, now: Millis) {
        self.advance(now);
        self.check_connected();
        self.retry_absent(now);
        self.drive(now);
    }

    /// It is time: call it at [`Self::next_wake`].
    pub fn tick(&mut self, now: Millis) {
        self.advance(now);
        self.drive(now);
    }

    /// What to do next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::tick`] again, if nothing else happens.
    pub fn next_wake(&self) -> Option<Millis> {
        let attempts = self.homes.iter().filter(|home| home.connected.is_none());
        let attempts = attempts.filter(|_| self.pursuing()).map(Home::wake);
        let wanted = self.missing_reservations() > 0;
        let reservations = self
            .homes
            .iter()
            .filter_map(|home| home.reservation.wake(self.now, wanted));
        attempts.chain(reservations).min()
    }

    /// When a relay is tried next, if it is to be.
    pub fn next_attempt(&self, peer: &str) -> Option<Millis> {
        let home = &self.homes[self.find(peer)?];
        (self.pursuing() && home.connected.is_none()).then(|| home.wake())
    }

    /// How the peer is attached.
    pub fn state(&self) -> HomeState {
        self.state
    }

    /// Changes the home of a relay, if it is known, and does what is due.
    fn change(&mut self, peer: &str, now: Millis, change: impl FnOnce(&mut Self, usize)) {
        self.advance(now);
        if let Some(index) = self.find(peer) {
            change(self, index);
        }
        self.drive(now);
    }

    fn find(&self, peer: &str) -> Option<usize> {
        self.homes.iter().position(|home| home.hint.peer == peer)
    }

    fn count(&self) -> usize {
        self.homes
            .iter()
            .filter(|home| home.connected.is_some())
            .count()
    }

    fn pursuing(&self) -> bool {
        self.online && self.count() < self.config.want
    }

    /// All times are kept relative to a clock that may be set back.
    fn advance(&mut self, now: Millis) {
        if let Some(back) = self.now.checked_sub(now).filter(|back| *back > 0) {
            self.homes.iter_mut().for_each(|home| home.shift_back(back));
        }
        self.now = now;
    }

    fn check_connected(&mut self) {
        for home in self.homes.iter().filter(|home| home.connected.is_some()) {
            self.outputs.push_back(Output::Ping {
                peer: home.hint.peer.clone(),
            });
        }
    }

    /// Relays that could wait while another one served are looked for again.
    fn hurry(&mut self, now: Millis) {
        for (rank, index) in self.ranked().into_iter().enumerate() {
            let turn = self.turn(rank, now.saturating_add(HOME_RETRY_VISIBLE));
            self.homes[index].no_later_than(turn);
        }
    }

    fn retry_absent(&mut self, now: Millis) {
        for (rank, index) in self.ranked().into_iter().enumerate() {
            let turn = self.turn(rank, now);
            self.homes[index].try_at_once(now);
            self.homes[index].put_off(turn);
        }
    }

    /// When the relay of this rank may be tried first: the best at once, the others in turn.
    fn turn(&self, rank: usize, now: Millis) -> Millis {
        let behind = (rank + 1).saturating_sub(self.config.eager) as Millis;
        now.saturating_add(HOME_RETRY_VISIBLE * behind)
    }

    /// Absent homes, the best first: those that were a home last, then as they were learned.
    fn ranked(&self) -> Vec<usize> {
        let absent = (0..self.homes.len()).filter(|index| self.homes[*index].connected.is_none());
        let mut absent: Vec<usize> = absent.collect();
        let last = |index: &usize| self.homes[*index].last_connected;
        sort_short(&mut absent, |one, two| last(two).cmp(&last(one)));
        absent
    }

    /// Whether an absent relay is tried every two seconds, so that a person waits no longer: not when
    /// another one serves. Nobody asks relays that have gone for good as often, tab by tab.
    fn urgent(&self, rank: usize) -> bool {
        self.visible && rank < self.config.eager && !self.is_served()
    }

    fn is_served(&self) -> bool {
        self.homes.iter().any(|home| home.connected.is_some())
    }

    fn cap(&self, index: usize) -> Millis {
        let rank = self
            .ranked()
            .iter()
            .position(|other| *other == index)
            .unwrap_or(0);
        self.homes[index].cap(self.urgent(rank), &self.config)
    }

    fn drive(&mut self, now: Millis) {
        self.announce_state();
        if self.pursuing() {
            for (rank, index) in self.ranked().into_iter().enumerate() {
                let urgent = self.urgent(rank);
                let home = &mut self.homes[index];
                let outputs = home.drive(now, urgent, &self.config, &mut self.prng);
                self.outputs.extend(outputs.into_iter().flatten());
            }
        }
        self.reserve(now);
    }

    /// Reservations are kept at as many homes as are wanted, not at surplus ones.
    fn reserve(&mut self, now: Millis) {
        let mut missing = self.missing_reservations();
        for home in &mut self.homes {
            if missing == 0 {
                break;
            }
            let asked = home.reserve(now);
            missing -= usize::from(asked.is_some());
            self.outputs.extend(asked);
        }
    }

    fn missing_reservations(&self) -> usize {
        let wanted = if self.config.reserve {
            self.config.want
        } else {
            0
        };
        wanted.saturating_sub(
            self.homes
                .iter()
                .filter(|home| home.reservation.holds(self.now))
                .count(),
        )
    }

    fn announce_state(&mut self) {
        let state = match (self.online, self.count()) {
            (_, 1..) => HomeState::Joined,
            (false, 0) => HomeState::Offline,
            (true, 0) if self.ever_joined => HomeState::Lost,
            (true, 0) => HomeState::Joining,
        };
        if state == self.state {
            return;
        }
        self.state = state;
        let good = matches!(state, HomeState::Joined | HomeState::Joining);
        let reason = self.reason.clone().filter(|_| !good);
        self.outputs.push_back(Output::State { state, reason });
    }
}

#[cfg(any(test, feature = "selftest"))]
pub mod sim;
#[cfg(test)]
mod tests;
