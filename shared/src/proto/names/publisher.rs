//! The owner's side: an operation on one name, from the first question to the confirmed end.
//!
//! Knows the stages of a claim, and what to do when others race for the name or witnesses are silent.
//! Does not send, solve puzzles, or read a clock.
//!
//! To drive it: after every input call [`Operation::poll`] until it gives nothing, do what it says,
//! and call [`Operation::tick`] at [`Operation::next_wake`]. Each [`Output::Send`] is answered by one
//! [`Operation::answered`] or [`Operation::failed`], or by nothing. Success means that a quorum has
//! the certificate durably: whatever it replaced ends within one lease.

mod interface;
pub mod schedule;
mod steps;

pub use interface::{Failure, Goal, Output, Progress};

use std::collections::VecDeque;

use super::certificate::{Binding, Stage, Tally};
use super::claim::{Abandon, Claim, Draft, Handover, Right};
use super::name::Label;
use super::set::KnownSets;
use super::view::View;
use super::wire::{NameRefusal, Request, Response};
use super::work::{Hardness, Puzzle};
use crate::limits::{HOUR, NAME_ANSWER, NAME_OPERATION};
use crate::proto::Millis;
use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::prng::Prng;
use crate::sorted::SortedMap;

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Asking,
    Working,
    Reserving,
    Signing,
    Confirming,
    Waiting(Millis),
    Over,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ask,
    Propose,
    Finalise,
    Show,
    Sets,
}

#[derive(Clone, Debug)]
struct Pending {
    to: PublicKey,
    kind: Kind,
    round: u64,
    deadline: Millis,
    tries: u32,
    request: Request,
}

/// One operation of one owner on one name.
#[derive(Clone, Debug)]
pub struct Operation {
    sets: KnownSets,
    owner: SigningKey,
    name: Label,
    goal: Goal,
    hardness: Hardness,
    prng: Prng,
    outputs: VecDeque<Output>,
    pending: SortedMap<u64, Pending>,
    next_id: u64,
    /// Counts attempts, so that answers to earlier ones are recognised.
    round: u64,
    step: Step,
    deadline: Millis,
    /// When witnesses that have not answered no longer hold up the next step.
    patience: Millis,
    view: View,
    answered: SortedMap<PublicKey, ()>,
    refusals: SortedMap<PublicKey, (NameRefusal, Option<Millis>)>,
    claim: Option<Claim>,
    last_issued: Millis,
    puzzle: Option<(Puzzle, Millis)>,
    generation: u64,
    follows: Option<Binding>,
    provisionals: Option<Tally>,
    finals: Option<Tally>,
    binding: Option<Binding>,
    confirmed: SortedMap<PublicKey, ()>,
}

impl Operation {
    /// Begins. `last_issued` is the time of the owner's last claim of this name, if it is known:
    /// claims must not go back.
    pub fn new(
        sets: KnownSets,
        owner: SigningKey,
        name: Label,
        goal: Goal,
        hardness: Hardness,
        (seed, now): (u64, Millis),
    ) -> Operation {
        let mut operation = Operation {
            view: View::new(name.clone()),
            sets,
            owner,
            name,
            hardness,
            prng: Prng::new(seed),
            outputs: VecDeque::new(),
            pending: SortedMap::default(),
            next_id: 0,
            round: 0,
            step: Step::Asking,
            deadline: now.saturating_add(NAME_OPERATION),
            patience: now,
            answered: SortedMap::default(),
            refusals: SortedMap::default(),
            claim: None,
            last_issued: 0,
            puzzle: None,
            generation: 0,
            follows: None,
            provisionals: None,
            finals: None,
            binding: None,
            confirmed: SortedMap::default(),
            goal,
        };
        match operation.goal.clone() {
            Goal::Renew(binding) | Goal::Publish(_, binding) => operation.confirm(*binding, now),
            _ => operation.ask(now),
        }
        operation
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether it has come to an end.
    pub fn is_over(&self) -> bool {
        self.step == Step::Over
    }

    /// The witness sets, which may have grown; to be kept.
    pub fn sets(&self) -> &KnownSets {
        &self.sets
    }

    /// When [`Self::tick`] is due.
    pub fn next_wake(&self) -> Option<Millis> {
        if self.is_over() {
            return None;
        }
        let step = match self.step {
            Step::Waiting(until) => until,
            Step::Asking => self.patience,
            _ => self.deadline,
        };
        let deadlines = self.pending.values().map(|pending| pending.deadline);
        deadlines.chain([step, self.deadline]).min()
    }

    /// A witness answered.
    pub fn answered(&mut self, id: u64, response: Response, now: Millis) {
        let Some(pending) = self.pending.remove(&id) else {
            return;
        };
        if self.is_over() || pending.round != self.round {
            return;
        }
        if self.sets.current().position(&pending.to).is_none() {
            return;
        }
        self.answered.insert(pending.to, ());
        match (pending.kind, response) {
            (Kind::Ask, Response::Known { known }) => {
                self.view.add(pending.to, &known, &self.sets);
                if known.epoch > self.sets.current().epoch() {
                    let after = self.sets.current().epoch();
                    self.send(pending.to, Kind::Sets, Request::Sets { after }, now);
                }
            }
            (Kind::Sets, Response::Sets { sets }) => self.learn(sets, now),
            (Kind::Propose, Response::Signed { signed }) => {
                self.provisional(pending.to, signed, now);
            }
            (Kind::Finalise, Response::Signed { signed }) => self.final_signature(signed, now),
            (Kind::Show, Response::Signed { signed }) => self.shown(pending.to, signed, now),
            (
                kind,
                Response::Refused {
                    why,
                    until,
                    certificate,
                    ..
                },
            ) => {
                self.take_evidence(certificate.as_deref());
                self.refusals.insert(pending.to, (why, until));
                self.refused(kind, why, now);
            }
            _ => {
                let why = (NameRefusal::Invalid, None);
                self.refusals.insert(pending.to, why);
            }
        }
        self.advance(now);
    }

    /// A request did not reach its witness, or the answer never came.
    pub fn failed(&mut self, id: u64, now: Millis) {
        if let Some(pending) = self.pending.remove(&id) {
            self.again(pending, now);
            self.advance(now);
        }
    }

    /// The puzzle was solved by this number.
    pub fn solved(&mut self, nonce: u64, now: Millis) {
        let Some((puzzle, issued)) = self.puzzle.filter(|_| self.step == Step::Working) else {
            return;
        };
        let hour_end = issued - issued % HOUR + HOUR - 1;
        let issued = now.clamp(issued, hour_end);
        if !puzzle.solved_by(nonce) || now.saturating_sub(hour_end) > HOUR / 12 {
            return self.work(now);
        }
        self.puzzle = None;
        self.propose(Right::Free { work: nonce }, issued, now);
        self.advance(now);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Millis) {
        if self.is_over() {
            return;
        }
        let late = |(id, pending): (&u64, &Pending)| (pending.deadline <= now).then_some(*id);
        let late: Vec<u64> = self.pending.iter().filter_map(late).collect();
        for id in late {
            if let Some(pending) = self.pending.remove(&id) {
                self.again(pending, now);
            }
        }
        if now >= self.deadline {
            return self.give_up(now);
        }
        if matches!(self.step, Step::Waiting(until) if until <= now) {
            self.ask(now);
        }
        self.advance(now);
    }

    /// The recovery key signs the name over to itself.
    fn recover(&mut self, held: &Binding, issued: Millis, now: Millis) {
        let (network, from) = (self.sets.network(), held.claim().generation());
        let to = self.owner.public();
        match Handover::sign(network, &self.name, from, to, &self.owner, now) {
            Ok(handover) => self.propose(Right::Handed(Box::new(handover)), issued, now),
            Err(_) => self.finish(Err(Failure::Refused(NameRefusal::Invalid))),
        }
    }

    /// A silent witness is asked again, a few times.
    fn again(&mut self, pending: Pending, now: Millis) {
        let worth_it = !self.is_over() && pending.round == self.round && pending.tries < 3;
        if worth_it {
            let tries = pending.tries + 1;
            let (to, kind, request) = (pending.to, pending.kind, pending.request);
            self.send_try(to, kind, request, tries, now);
        }
    }

    fn send(&mut self, to: PublicKey, kind: Kind, request: Request, now: Millis) {
        self.send_try(to, kind, request, 0, now);
    }

    fn send_try(&mut self, to: PublicKey, kind: Kind, request: Request, tries: u32, now: Millis) {
        self.next_id += 1;
        let pending = Pending {
            to,
            kind,
            round: self.round,
            deadline: now.saturating_add(NAME_ANSWER),
            tries,
            request: request.clone(),
        };
        self.pending.insert(self.next_id, pending);
        let id = self.next_id;
        self.outputs.push_back(Output::Send { to, id, request });
    }

    fn progress(&mut self, progress: Progress) {
        self.outputs.push_back(Output::Progress(progress));
    }

    fn finish(&mut self, result: Result<Box<Binding>, Failure>) {
        self.step = Step::Over;
        self.pending.clear();
        self.outputs.push_back(Output::Done(result));
    }

    /// Somebody else has it, and this proves it: a word alone takes no name from its owner.
    fn taken(&mut self, by: &Binding, until: Millis, now: Millis) {
        if by.is_recent(now) {
            let proof = Box::new(by.certificate().clone());
            self.outputs.push_back(Output::Keep(proof));
        }
        let (holder, until) = (Some(by.claim().owner()), Some(until));
        self.finish(Err(Failure::Taken { holder, until }));
    }

    fn members(&self) -> Vec<PublicKey> {
        self.sets.current().keys().to_vec()
    }

    fn quorum(&self) -> usize {
        self.sets.current().quorum()
    }

    /// Witnesses from which nothing of that kind can be hoped for any more in this round.
    fn hopeless(&self, kind: Kind) -> usize {
        let waiting: Vec<PublicKey> = self
            .pending
            .values()
            .filter(|pending| pending.kind == kind && pending.round == self.round)
            .map(|pending| pending.to)
            .collect();
        let members = self.sets.current().keys().iter();
        let hopeless = |key: &&PublicKey| {
            let refused = self.refusals.contains_key(*key);
            refused || (!waiting.contains(*key) && !self.has_given(kind, key))
        };
        members.filter(hopeless).count()
    }

    fn has_given(&self, kind: Kind, key: &PublicKey) -> bool {
        let position = self.sets.current().position(key);
        let in_tally = |tally: &Option<Tally>| {
            let tally = tally.as_ref();
            tally.is_some_and(|tally| {
                let mut signatures = tally.signatures().into_iter();
                signatures.any(|each| Some(each.member) == position)
            })
        };
        match kind {
            Kind::Propose => in_tally(&self.provisionals),
            Kind::Finalise => in_tally(&self.finals),
            Kind::Show => self.confirmed.contains_key(key),
            Kind::Ask | Kind::Sets => self.answered.contains_key(key),
        }
    }
}

#[cfg(test)]
mod tests;
