//! One relay as a possible home: its connection, its attempts and their timers.
//!
//! Knows when the next attempt is due and of what kind. Does not know the other homes, nor whether
//! another connection is wanted at all.

use super::reservation::Reservation;
use super::{HomesConfig, Output};
use crate::limits::{
    HOME_ATTEMPT_DEADLINE, HOME_BLIND_DIAL, HOME_RETRY_FIRST, HOME_RETRY_HIDDEN,
    HOME_RETRY_VISIBLE, HOME_STABLE, HOME_UNWELCOME,
};
use crate::proto::Millis;
use crate::proto::join::RelayHint;
use crate::proto::prng::Prng;

/// An attempt under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    started: Millis,
}

impl Attempt {
    fn deadline(self) -> Millis {
        self.started.saturating_add(HOME_ATTEMPT_DEADLINE)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Home {
    pub hint: RelayHint,
    /// Since when it is connected.
    pub connected: Option<Millis>,
    pub last_connected: Option<Millis>,
    pub reservation: Reservation,
    /// Failed dials since it was last connected.
    pub failures: u32,
    /// A dial that a probe justified, or of a relay that cannot be probed.
    dial: Option<Attempt>,
    /// A dial in the dark, beside the probes: one may hang while a probe is answered.
    blind: Option<Attempt>,
    probe: Option<Attempt>,
    /// When to try next.
    next: Millis,
    /// Whether that is a dial at once instead of a probe.
    direct: bool,
    next_blind: Millis,
    backoff: Millis,
    dials: u32,
    /// Failed dials since, although the probe had answered.
    unwelcome: u32,
    /// Whether its URL ever answered.
    probe_works: bool,
}

impl Home {
    pub fn new(hint: RelayHint, now: Millis) -> Self {
        Home {
            hint,
            connected: None,
            last_connected: None,
            reservation: Reservation::default(),
            failures: 0,
            dial: None,
            blind: None,
            probe: None,
            next: now,
            direct: true,
            next_blind: now,
            backoff: HOME_RETRY_FIRST,
            dials: 0,
            unwelcome: 0,
            probe_works: false,
        }
    }

    /// Forgets what was learned from failures and tries at once.
    pub fn try_at_once(&mut self, now: Millis) {
        self.next = now;
        self.next_blind = now.saturating_add(HOME_BLIND_DIAL);
        self.direct = true;
        self.backoff = HOME_RETRY_FIRST;
        self.dials = 0;
        self.unwelcome = 0;
        self.dial = None;
        self.probe = None;
    }

    /// Puts off a first attempt that is not urgent.
    pub fn put_off(&mut self, until: Millis) {
        if self.direct && self.dials == 0 {
            self.next = self.next.max(until);
        }
    }

    /// Brings the next attempt forward.
    pub fn no_later_than(&mut self, until: Millis) {
        self.next = self.next.min(until);
        self.next_blind = self.next_blind.min(until);
    }

    pub fn connected(&mut self, now: Millis) {
        self.connected.get_or_insert(now);
        self.last_connected = Some(now);
        (self.dial, self.blind, self.probe) = (None, None, None);
        (self.failures, self.dials, self.unwelcome) = (0, 0, 0);
    }

    /// A connection that lived is tried again at once, a brief one with backoff.
    pub fn disconnected(&mut self, now: Millis, prng: &mut Prng) {
        let Some(since) = self.connected.take() else {
            return;
        };
        self.reservation = Reservation::default();
        if now.saturating_sub(since) >= HOME_STABLE {
            self.try_at_once(now);
        } else {
            self.next_blind = now.saturating_add(HOME_BLIND_DIAL);
            self.direct = false;
            self.retry(now, now, HOME_RETRY_VISIBLE, prng);
        }
    }

    /// When several dials are under way, the failure is taken for that of the justified one:
    /// trying again too early is harmless, waiting for a dead dial is not.
    pub fn dial_failed(&mut self, now: Millis, cap: Millis, prng: &mut Prng) {
        self.failures = self.failures.saturating_add(1);
        if let Some(attempt) = self.dial.take() {
            self.unwelcome = self
                .unwelcome
                .saturating_add(u32::from(self.hint.http.is_some()));
            self.retry(attempt.started, now, cap, prng);
        } else {
            self.blind = None;
        }
    }

    /// A probe that was answered leaves the next attempt due; one that was not is repeated later.
    pub fn probe_result(&mut self, alive: bool, now: Millis, cap: Millis, prng: &mut Prng) {
        let Some(attempt) = self.probe.take() else {
            return;
        };
        self.probe_works |= alive;
        if !alive {
            self.unwelcome = 0;
            self.retry(attempt.started, now, cap, prng);
        }
    }

    /// The dial that an answered probe justifies.
    pub fn dial_justified(&mut self, now: Millis) -> Option<Output> {
        if self.connected.is_some() || self.busy() {
            return None;
        }
        self.dial = Some(Attempt { started: now });
        Some(self.dial(now))
    }

    /// Waits are counted from the start of an attempt, so that slow failures do not add up.
    fn retry(&mut self, started: Millis, now: Millis, cap: Millis, prng: &mut Prng) {
        let delay = prng.jitter(self.backoff.min(cap));
        let least = now.saturating_add(prng.jitter(HOME_RETRY_FIRST / 2));
        self.next = started.saturating_add(delay).max(least);
        self.backoff = (self.backoff * 8 / 5).min(HOME_RETRY_HIDDEN);
    }

    /// The longest wait, given whether it is one of the best three and the user looks.
    pub fn cap(&self, urgent: bool, config: &HomesConfig) -> Millis {
        let spent = self.hint.http.is_none() && self.dials >= config.dial_budget;
        if urgent && !spent && self.unwelcome < HOME_UNWELCOME {
            HOME_RETRY_VISIBLE
        } else {
            HOME_RETRY_HIDDEN
        }
    }

    /// Starts what is due. Called only while a connection is wanted and there is a network.
    pub fn drive(
        &mut self,
        now: Millis,
        urgent: bool,
        config: &HomesConfig,
        prng: &mut Prng,
    ) -> [Option<Output>; 2] {
        let cap = self.cap(urgent, config);
        self.give_up_silent(now, cap, prng);
        let attempt = if self.busy() || now < self.next {
            None
        } else {
            Some(self.attempt(now, cap, prng))
        };
        [attempt, self.dial_blind(now, urgent, config, prng)]
    }

    fn busy(&self) -> bool {
        self.dial.is_some() || self.probe.is_some()
    }

    fn attempt(&mut self, now: Millis, cap: Millis, prng: &mut Prng) -> Output {
        match self.hint.http.clone() {
            None => self.dial = Some(Attempt { started: now }),
            Some(_) if self.direct => {
                self.blind = Some(Attempt { started: now });
                self.retry(now, now, cap, prng);
            }
            Some(url) => {
                self.probe = Some(Attempt { started: now });
                return Output::Probe {
                    peer: self.hint.peer.clone(),
                    url,
                };
            }
        }
        self.dial(now)
    }

    fn give_up_silent(&mut self, now: Millis, cap: Millis, prng: &mut Prng) {
        let silent = |attempt: &Option<Attempt>| attempt.is_some_and(|a| now >= a.deadline());
        if silent(&self.dial) {
            self.dial_failed(now, cap, prng);
        }
        if silent(&self.probe) {
            self.probe_result(false, now, cap, prng);
        }
        if silent(&self.blind) {
            self.blind = None;
        }
    }

    fn dial(&mut self, now: Millis) -> Output {
        self.direct = false;
        self.dials = self.dials.saturating_add(1);
        self.next_blind = self.next_blind.max(now.saturating_add(HOME_BLIND_DIAL));
        Output::Dial {
            peer: self.hint.peer.clone(),
            addresses: self.hint.addresses.clone(),
            websocket: true,
        }
    }

    /// For relays whose port for HTTP is closed to us: WebRTC may be open.
    fn dial_blind(
        &mut self,
        now: Millis,
        urgent: bool,
        config: &HomesConfig,
        prng: &mut Prng,
    ) -> Option<Output> {
        if !self.may_dial_blind() || now < self.next_blind {
            return None;
        }
        self.dials = self.dials.saturating_add(1);
        let rare = self.probe_works || !urgent || self.dials >= config.dial_budget;
        let wait = if rare {
            HOME_RETRY_HIDDEN
        } else {
            HOME_BLIND_DIAL
        };
        self.next_blind = now.saturating_add(prng.jitter(wait));
        self.blind = Some(Attempt { started: now });
        let addresses = self
            .hint
            .addresses
            .iter()
            .filter(|text| !is_websocket(text));
        Some(Output::Dial {
            peer: self.hint.peer.clone(),
            addresses: addresses.cloned().collect(),
            websocket: false,
        })
    }

    fn may_dial_blind(&self) -> bool {
        let probing = self.hint.http.is_some() && !self.direct;
        let idle = self.dial.is_none() && self.blind.is_none();
        probing && idle && self.hint.addresses.iter().any(|text| !is_websocket(text))
    }

    /// When [`Self::drive`] has something to do.
    pub fn wake(&self) -> Millis {
        let deadlines = [self.dial, self.probe, self.blind].into_iter().flatten();
        let next = (!self.busy()).then_some(self.next);
        let blind = self.may_dial_blind().then_some(self.next_blind);
        let timers = deadlines.map(Attempt::deadline).chain(next).chain(blind);
        timers.min().unwrap_or(self.next)
    }

    /// Asks for a reservation, unless it has one or was refused just now.
    pub fn reserve(&mut self, now: Millis) -> Option<Output> {
        let asks = self.connected.is_some() && self.reservation.ask(now);
        asks.then(|| Output::Reserve {
            peer: self.hint.peer.clone(),
        })
    }

    pub fn reserved(&mut self, ok: bool, now: Millis, prng: &mut Prng) {
        if self.connected.is_some() {
            self.reservation.answered(ok, now, prng);
        }
    }

    /// Moves all times after the clock was set back.
    pub fn shift_back(&mut self, by: Millis) {
        let shift = |time: &mut Millis| *time = time.saturating_sub(by);
        shift(&mut self.next);
        shift(&mut self.next_blind);
        let attempts = [&mut self.dial, &mut self.blind, &mut self.probe];
        attempts
            .into_iter()
            .flatten()
            .for_each(|attempt| shift(&mut attempt.started));
        [&mut self.connected, &mut self.last_connected]
            .into_iter()
            .flatten()
            .for_each(shift);
        self.reservation.shift_back(by);
    }
}

fn is_websocket(address: &str) -> bool {
    address.split('/').any(|part| matches!(part, "ws" | "wss"))
}
