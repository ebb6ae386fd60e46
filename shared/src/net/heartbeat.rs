//! Notices within seconds that a home relay has gone without a word: a question every moment, and
//! a silence that is too long. Pure bookkeeping; stock ping forgives the first failure and so takes
//! twice as long as a reconnection may.

use libp2p::PeerId;

use crate::limits::{BEAT_EVERY, BEAT_PATIENCE};
use crate::proto::Millis;
use crate::sorted::SortedMap;

/// The homes that are being listened to.
#[derive(Default)]
pub(super) struct Heartbeats {
    beats: SortedMap<PeerId, Beat>,
    now: Millis,
}

#[derive(Clone, Copy)]
enum Beat {
    Resting { until: Millis },
    Asked { at: Millis },
}

/// What is due for one home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask it for a sign of life.
    Ask(PeerId),
    /// It has been silent for too long.
    Silent(PeerId),
}

impl Heartbeats {
    pub fn start(&mut self, peer: PeerId, now: Millis) {
        self.advance(now);
        if !self.beats.contains_key(&peer) {
            let until = now + BEAT_EVERY;
            self.beats.insert(peer, Beat::Resting { until });
        }
    }

    pub fn stop(&mut self, peer: &PeerId) {
        self.beats.remove(peer);
    }

    /// Asks at once, for example because the machine slept.
    pub fn hurry(&mut self, peer: &PeerId, now: Millis) {
        self.advance(now);
        if let Some(beat @ Beat::Resting { .. }) = self.beats.get_mut(peer) {
            *beat = Beat::Resting { until: now };
        }
    }

    /// The home answered; returns how long that took.
    pub fn answered(&mut self, peer: &PeerId, now: Millis) -> Option<Millis> {
        self.advance(now);
        match self.beats.get_mut(peer)? {
            Beat::Resting { .. } => None,
            beat @ Beat::Asked { .. } => {
                let Beat::Asked { at } = *beat else {
                    return None;
                };
                *beat = Beat::Resting {
                    until: now + BEAT_EVERY,
                };
                Some(now.saturating_sub(at))
            }
        }
    }

    /// The next thing that is due, if any.
    pub fn due(&mut self, now: Millis) -> Option<Due> {
        self.advance(now);
        let (peer, beat) = self.beats.iter_mut().find(|(_, beat)| beat.wake() <= now)?;
        let peer = *peer;
        match *beat {
            Beat::Resting { .. } => {
                *beat = Beat::Asked { at: now };
                Some(Due::Ask(peer))
            }
            Beat::Asked { .. } => {
                self.beats.remove(&peer);
                Some(Due::Silent(peer))
            }
        }
    }

    /// All times are kept relative to a clock that may be set back.
    fn advance(&mut self, now: Millis) {
        let back = self.now.saturating_sub(now);
        if back > 0 {
            self.beats
                .values_mut()
                .for_each(|beat| beat.shift_back(back));
        }
        self.now = now;
    }

    pub fn next_wake(&self) -> Option<Millis> {
        self.beats.values().map(|beat| beat.wake()).min()
    }
}

impl Beat {
    fn wake(&self) -> Millis {
        match self {
            Beat::Resting { until } => *until,
            Beat::Asked { at } => at + BEAT_PATIENCE,
        }
    }

    fn shift_back(&mut self, by: Millis) {
        match self {
            Beat::Resting { until: time } | Beat::Asked { at: time } => {
                *time = time.saturating_sub(by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_home_is_noticed_and_an_answering_one_is_left_alone() {
        let mut beats = Heartbeats::default();
        let peer = PeerId::random();
        beats.start(peer, 0);
        assert_eq!(beats.due(BEAT_EVERY - 1), None);
        let mut now = BEAT_EVERY;
        for _ in 0..3 {
            assert_eq!(beats.due(now), Some(Due::Ask(peer)));
            assert_eq!(beats.due(now), None);
            assert_eq!(beats.answered(&peer, now + 7), Some(7));
            now += 7 + BEAT_EVERY;
        }
        assert_eq!(beats.due(now), Some(Due::Ask(peer)));
        assert_eq!(beats.due(now + BEAT_PATIENCE - 1), None);
        assert_eq!(beats.next_wake(), Some(now + BEAT_PATIENCE));
        assert_eq!(beats.due(now + BEAT_PATIENCE), Some(Due::Silent(peer)));
        assert_eq!(beats.next_wake(), None);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_suspend_the_heartbeat() {
        const DAY: Millis = 86_400_000;
        let mut beats = Heartbeats::default();
        let peer = PeerId::random();
        beats.start(peer, DAY);
        assert_eq!(beats.due(1_000), None);
        assert_eq!(beats.due(1_000 + BEAT_EVERY), Some(Due::Ask(peer)));
        assert_eq!(beats.due(500), None);
        assert_eq!(beats.due(500 + BEAT_PATIENCE), Some(Due::Silent(peer)));
    }

    #[test]
    fn a_hurried_home_is_asked_at_once() {
        let mut beats = Heartbeats::default();
        let peer = PeerId::random();
        beats.start(peer, 0);
        beats.hurry(&peer, 1);
        assert_eq!(beats.due(1), Some(Due::Ask(peer)));
        beats.stop(&peer);
        assert_eq!(beats.due(1 << 40), None);
    }
}
