//! The circuit reservation at one home: asked for, held, or refused and asked for again later.

use crate::limits::{HOME_ATTEMPT_DEADLINE, HOME_RESERVE_RETRY, HOME_RETRY_HIDDEN};
use crate::proto::Millis;
use crate::proto::prng::Prng;

#[derive(Clone, Debug)]
pub(super) struct Reservation {
    state: State,
    backoff: Millis,
}

#[derive(Clone, Copy, Debug)]
enum State {
    None,
    Asked { deadline: Millis },
    Held,
    Refused { retry: Millis },
}

impl Default for Reservation {
    fn default() -> Self {
        Reservation {
            state: State::None,
            backoff: HOME_RESERVE_RETRY,
        }
    }
}

impl Reservation {
    /// Whether it is held, or may be soon.
    pub fn holds(&self, now: Millis) -> bool {
        match self.state {
            State::Held => true,
            State::Asked { deadline } => now < deadline,
            State::None | State::Refused { .. } => false,
        }
    }

    /// Whether to ask now; if so it counts as asked.
    pub fn ask(&mut self, now: Millis) -> bool {
        let refused = matches!(self.state, State::Refused { retry } if now < retry);
        let asks = !refused && !self.holds(now);
        if asks {
            self.state = State::Asked {
                deadline: now.saturating_add(HOME_ATTEMPT_DEADLINE),
            };
        }
        asks
    }

    /// Granted, refused or lost.
    pub fn answered(&mut self, ok: bool, now: Millis, prng: &mut Prng) {
        if ok {
            *self = Reservation {
                state: State::Held,
                ..Reservation::default()
            };
            return;
        }
        self.state = State::Refused {
            retry: now.saturating_add(prng.jitter(self.backoff)),
        };
        self.backoff = (self.backoff * 2).min(HOME_RETRY_HIDDEN);
    }

    /// When [`Self::ask`] may change something, given whether another one is wanted.
    pub fn wake(&self, now: Millis, wanted: bool) -> Option<Millis> {
        match self.state {
            State::Asked { deadline } => (wanted || now < deadline).then_some(deadline),
            State::Refused { retry } => wanted.then_some(retry),
            State::None | State::Held => None,
        }
    }

    pub fn shift_back(&mut self, by: Millis) {
        match &mut self.state {
            State::Asked { deadline: time } | State::Refused { retry: time } => {
                *time = time.saturating_sub(by);
            }
            State::None | State::Held => {}
        }
    }
}
