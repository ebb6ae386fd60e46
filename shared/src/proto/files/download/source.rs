//! One source of a download.

use super::interface::{Holding, RequestId, SourceState};
use super::pace::Pace;
use crate::limits::{
    GROUP, PIECE, SECOND, SOURCE_ASKED_EVERY, SOURCE_BUSY_ASKED_EVERY, SOURCE_DEAD,
    SOURCE_FAILURES, SOURCE_PAUSE, SOURCE_SILENT, SOURCE_UNEASY,
};
use crate::proto::Millis;

/// What is known of it.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// What it has; nothing before it was asked.
    pub holding: Option<Holding>,
    /// How far it is trusted, from what others downloads have shown.
    pub trust: u64,
    pub pace: Pace,
    /// What is asked of it, in its order.
    pub flights: Vec<RequestId>,
    /// Pieces to ask of it next, the first one last.
    pub ready: Vec<u64>,
    /// It has nothing that is missing, unless something changes.
    pub exhausted: bool,
    /// It is left alone until then.
    pub paused: Millis,
    /// When it is to be asked what it has.
    pub ask: Millis,
    /// Failures since the last piece.
    pub failures: u32,
    /// How often it had too much to do since then.
    pub busy: u32,
}

impl Source {
    pub fn new(trust: u64, now: Millis) -> Source {
        Source {
            holding: None,
            trust,
            pace: Pace::default(),
            flights: Vec::new(),
            ready: Vec::new(),
            exhausted: false,
            paused: 0,
            ask: now,
            failures: 0,
            busy: 0,
        }
    }

    pub fn has(&self, piece: u64) -> bool {
        match &self.holding {
            Some(Holding::All) => true,
            Some(Holding::Some(pieces)) => pieces.has(piece),
            None => false,
        }
    }

    /// Something may be missing that was not, or it may have something that it had not.
    pub fn look_again(&mut self) {
        self.ready.clear();
        self.exhausted = false;
    }

    /// Whether another piece may be asked of it.
    pub fn has_room(&self, now: Millis) -> bool {
        let room = (self.flights.len() as u64) < self.pace.window();
        room && self.paused <= now && !self.is_silent(now) && self.holding.is_some()
    }

    /// Whether it owes something and is not counted on.
    pub fn is_silent(&self, now: Millis) -> bool {
        self.since_news(now) >= self.patience()
    }

    /// How long it may say nothing: several times what it usually takes, within bounds.
    fn patience(&self) -> Millis {
        let trips = 4 * self.pace.latency.unwrap_or(SOURCE_SILENT);
        let groups = self.pace.mean();
        let groups = groups.map_or(SOURCE_SILENT, |rate| 16 * GROUP * SECOND / rate.max(1));
        (trips + groups).clamp(SOURCE_UNEASY, SOURCE_SILENT)
    }

    /// Whether what it owes is given up.
    pub fn is_dead(&self, now: Millis) -> bool {
        self.since_news(now) >= SOURCE_DEAD
    }

    fn since_news(&self, now: Millis) -> Millis {
        match self.flights.is_empty() {
            true => 0,
            false => now.saturating_sub(self.pace.last),
        }
    }

    /// It failed: it is left alone, longer each time. Whether it has failed too often.
    pub fn failed(&mut self, now: Millis) -> bool {
        let pause = SOURCE_PAUSE << self.failures.min(SOURCE_FAILURES);
        self.failures += 1;
        self.paused = self.paused.max(now + pause);
        self.failures >= SOURCE_FAILURES
    }

    /// It has too much to do: it is left alone, longer each time, and not given up for that.
    pub fn is_busy(&mut self, now: Millis) {
        let pause = SOURCE_PAUSE << self.busy.min(SOURCE_FAILURES);
        self.busy += 1;
        self.paused = self.paused.max(now + pause);
    }

    /// It gave a whole piece.
    pub fn gave(&mut self) {
        (self.failures, self.busy) = (0, 0);
    }

    /// When to ask it again what it has; never one that has everything.
    pub fn asked(&mut self, now: Millis) {
        let useful = self.holding.is_some() && !self.exhausted;
        self.ask = match useful {
            true => now + SOURCE_BUSY_ASKED_EVERY,
            false => now + SOURCE_ASKED_EVERY,
        };
    }

    pub fn asks(&self) -> bool {
        self.holding != Some(Holding::All)
    }

    pub fn state(&self, now: Millis) -> SourceState {
        if self.paused > now {
            SourceState::Paused
        } else if self.is_silent(now) {
            SourceState::Silent
        } else if self.flights.is_empty() {
            SourceState::Idle
        } else {
            SourceState::Sending
        }
    }

    /// When something is to be looked at again.
    pub fn wake(&self, now: Millis) -> Option<Millis> {
        let news = |after: Millis| (!self.flights.is_empty()).then_some(self.pace.last + after);
        let times = [
            news(self.patience()),
            news(SOURCE_DEAD),
            Some(self.paused),
            self.asks().then_some(self.ask),
        ];
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// How long it would take for one more piece.
    pub fn needs(&self, now: Millis) -> Option<Millis> {
        let bytes = (self.flights.len() as u64 + 1) * PIECE;
        Some(self.pace.needs(bytes, now)? + self.pace.latency.unwrap_or(0))
    }
}
