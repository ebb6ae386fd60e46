//! When what must not be forgotten is saved, and who waits for it.
//!
//! Knows what is unsaved, how far saving is, and what failed. One is saved after the other: of two that
//! overtake each other the older one would stay. Does not save anything itself.

use std::time::Duration;

use futures::channel::oneshot;

use crate::error::Result;

/// The least time between the end of a save of the floors and the next one: strangers choose how often
/// one rises. After a failure it doubles.
const REST: Duration = Duration::from_secs(1);
/// The longest time until what failed is tried again.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Who the witnesses are.
    Sets,
    /// What was seen of names.
    Floors,
}

/// How far it is. A rest ends early when something must not wait.
#[derive(Default, PartialEq)]
enum State {
    #[default]
    Idle,
    Writing(What),
    Resting,
}

/// Waits for the saves of these numbers, or later ones.
struct Settling {
    sets: u64,
    floors: u64,
    reply: oneshot::Sender<Result<()>>,
}

/// What there is to save.
#[derive(Default)]
pub(super) struct Saving {
    state: State,
    sets: bool,
    floors: bool,
    /// Counts saves: the one under way, or the last.
    number: u64,
    /// How often in a row each has failed, and which was tried last.
    failures: [u32; 2],
    last: Option<What>,
    settling: Vec<Settling>,
}

impl Saving {
    /// This has changed.
    pub fn changed(&mut self, what: What) {
        *self.unsaved(what) = true;
    }

    /// Whether this is unsaved; whoever asks saves it now, or nobody does.
    pub fn take(&mut self, what: What) -> bool {
        std::mem::take(self.unsaved(what))
    }

    /// Whether a save is under way.
    pub fn is_writing(&self) -> bool {
        matches!(self.state, State::Writing(_))
    }

    /// To be told when all that has changed until now is saved, or that it could not be.
    pub fn settle(&mut self, reply: oneshot::Sender<Result<()>>) {
        let needed = |what, unsaved| match unsaved {
            true => self.number + 1,
            false if self.state == State::Writing(what) => self.number,
            false => 0,
        };
        let (sets, floors) = (
            needed(What::Sets, self.sets),
            needed(What::Floors, self.floors),
        );
        if (sets, floors) == (0, 0) {
            let _ = reply.send(Ok(()));
        } else {
            self.settling.push(Settling {
                sets,
                floors,
                reply,
            });
        }
    }

    /// What is to be saved now. The end of it is told by [`Self::ended`].
    pub fn next(&mut self) -> Option<What> {
        let what = self.first()?;
        let urgent = self.is_urgent(what);
        match self.state {
            State::Writing(_) => return None,
            State::Resting if !urgent => return None,
            State::Resting | State::Idle => {}
        }
        self.take(what);
        self.number += 1;
        self.state = State::Writing(what);
        self.last = Some(what);
        Some(what)
    }

    /// What goes first of what is unsaved: the sets, but one that has failed does not keep the other back.
    fn first(&mut self) -> Option<What> {
        let failed = self.last.filter(|last| self.failures[*last as usize] > 0);
        let mut order = [What::Sets, What::Floors];
        if failed == Some(What::Sets) {
            order.reverse();
        }
        order.into_iter().find(|what| *self.unsaved(*what))
    }

    /// Whether somebody waits for just that, or it never waits.
    fn is_urgent(&mut self, what: What) -> bool {
        self.settling.retain(|one| !one.reply.is_canceled());
        let awaited = |one: &Settling| match what {
            What::Sets => one.sets > 0,
            What::Floors => one.floors > 0,
        };
        let at_once = what == What::Sets && self.failures[what as usize] == 0;
        at_once || self.settling.iter().any(awaited)
    }

    /// How the save under way has ended; how long to rest now, until [`Self::rested`] with the number.
    pub fn ended(&mut self, result: Result<()>) -> Option<(u64, Duration)> {
        let State::Writing(what) = self.state else {
            return None;
        };
        self.answer(what, &result);
        let rest = match result {
            Ok(()) => {
                self.failures[what as usize] = 0;
                (what == What::Floors).then_some(REST)
            }
            Err(_) => {
                self.changed(what);
                let failures = &mut self.failures[what as usize];
                let rest = REST * (1 << (*failures).min(6));
                *failures += 1;
                Some(rest.min(LONGEST_REST))
            }
        };
        self.state = rest.map_or(State::Idle, |_| State::Resting);
        rest.map(|rest| (self.number, rest))
    }

    /// The rest after the save of this number is over.
    pub fn rested(&mut self, number: u64) {
        if self.state == State::Resting && number == self.number {
            self.state = State::Idle;
        }
    }

    fn unsaved(&mut self, what: What) -> &mut bool {
        match what {
            What::Sets => &mut self.sets,
            What::Floors => &mut self.floors,
        }
    }

    /// Those that wait for nothing else are told; of a failure all that wait for what failed.
    fn answer(&mut self, what: What, result: &Result<()>) {
        for mut one in std::mem::take(&mut self.settling) {
            let needed = match what {
                What::Sets => &mut one.sets,
                What::Floors => &mut one.floors,
            };
            let concerned = (1..=self.number).contains(needed);
            if concerned {
                *needed = 0;
            }
            if concerned && (result.is_err() || (one.sets, one.floors) == (0, 0)) {
                let _ = one.reply.send(result.clone());
            } else {
                self.settling.push(one);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    fn full() -> Result<()> {
        Err(Error::new(Code::StorageFailed, "the disk is full"))
    }

    fn asked(saving: &mut Saving) -> oneshot::Receiver<Result<()>> {
        let (reply, answer) = oneshot::channel();
        saving.settle(reply);
        answer
    }

    fn is_ok(answer: &mut oneshot::Receiver<Result<()>>) -> Option<bool> {
        let answer = answer.try_recv().expect("not forgotten");
        answer.map(|result| result.is_ok())
    }

    #[test]
    fn one_after_the_other_and_floors_not_all_the_time() {
        let mut saving = Saving::default();
        assert_eq!(saving.next(), None);
        saving.changed(What::Floors);
        saving.changed(What::Sets);
        assert_eq!(saving.next(), Some(What::Sets));
        assert_eq!(saving.next(), None, "one is under way");
        assert_eq!(saving.ended(Ok(())), None);
        assert_eq!(saving.next(), Some(What::Floors));
        let rest = saving.ended(Ok(()));
        assert_eq!(rest, Some((2, REST)));
        saving.changed(What::Floors);
        assert_eq!(saving.next(), None, "it rests");
        saving.changed(What::Sets);
        assert_eq!(saving.next(), Some(What::Sets), "this does not wait");
        saving.ended(Ok(()));
        assert_eq!(saving.next(), Some(What::Floors));
        saving.ended(Ok(()));
        saving.changed(What::Floors);
        saving.rested(2);
        assert_eq!(saving.next(), None, "that was another rest");
        saving.rested(4);
        assert_eq!(saving.next(), Some(What::Floors));
    }

    #[test]
    fn what_failed_is_saved_again_and_again_after_longer_rests() {
        let mut saving = Saving::default();
        saving.changed(What::Sets);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(saving.next(), Some(What::Sets));
            let (number, rest) = saving.ended(full()).expect("a rest");
            assert_eq!(rest, Duration::from_secs(seconds));
            assert_eq!(saving.next(), None);
            saving.rested(number);
        }
        assert_eq!(saving.next(), Some(What::Sets));
        assert_eq!(saving.ended(Ok(())), None);
        assert_eq!(saving.next(), None);
    }

    #[test]
    fn what_fails_for_good_does_not_keep_the_other_from_being_saved() {
        let mut saving = Saving::default();
        saving.changed(What::Sets);
        assert_eq!(saving.next(), Some(What::Sets));
        saving.changed(What::Floors);
        let mut waiting = asked(&mut saving);
        let (number, _) = saving.ended(full()).expect("a rest");
        assert_eq!(is_ok(&mut waiting), Some(false));
        assert_eq!(saving.next(), None, "nobody waits any more");
        saving.rested(number);
        assert_eq!(saving.next(), Some(What::Floors));
        let (number, _) = saving.ended(Ok(())).expect("a rest");
        assert_eq!(
            saving.next(),
            None,
            "the sets fail: they wait for their turn"
        );
        saving.rested(number);
        assert_eq!(saving.next(), Some(What::Sets));
        let rest = saving.ended(full());
        assert_eq!(rest, Some((3, 2 * REST)), "longer than the first time");
    }

    #[test]
    fn whoever_waits_is_told_what_became_of_what_had_changed_before() {
        let mut saving = Saving::default();
        assert_eq!(
            is_ok(&mut asked(&mut saving)),
            Some(true),
            "nothing is unsaved"
        );
        saving.changed(What::Floors);
        saving.next();
        let mut early = asked(&mut saving);
        saving.changed(What::Floors);
        let mut late = asked(&mut saving);
        saving.ended(Ok(()));
        assert_eq!((is_ok(&mut early), is_ok(&mut late)), (Some(true), None));
        assert_eq!(saving.next(), Some(What::Floors), "somebody waits");
        // Something rises all the time: that must not keep anybody waiting.
        saving.changed(What::Floors);
        saving.ended(Ok(()));
        assert_eq!(is_ok(&mut late), Some(true));
        assert_eq!(saving.next(), None, "nobody waits");
        saving.changed(What::Sets);
        let mut both = asked(&mut saving);
        assert_eq!(saving.next(), Some(What::Sets));
        saving.ended(Ok(()));
        assert_eq!(is_ok(&mut both), None);
        assert_eq!(saving.next(), Some(What::Floors));
        saving.ended(full());
        assert_eq!(is_ok(&mut both), Some(false));
        assert_eq!(saving.next(), None, "it rests");
        let mut again = asked(&mut saving);
        assert_eq!(saving.next(), Some(What::Floors), "tried once more");
        saving.ended(Ok(()));
        assert_eq!(is_ok(&mut again), Some(true));
    }
}
