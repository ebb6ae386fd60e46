//! The steps of an operation, in the order in which they are taken.
//!
//! Knows what each answer means for the next step.

use super::{
    Abandon, Binding, Claim, Draft, Failure, Goal, Kind, NameRefusal, Operation, Output, Progress,
    Request, Right, Stage, Step, Tally, View,
};
use crate::limits::{NAME_ATTEMPTS, NAME_RETRY, SECOND};
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::proto::names::certificate::Certificate;
use crate::proto::names::set::Succession;
use crate::proto::names::wire::Signed;
use crate::proto::names::work::Puzzle;

/// Once a quorum has answered, the others have this long before the next step is taken without them.
const LATECOMERS: Millis = SECOND;

impl Operation {
    /// Asks all witnesses who holds the name.
    pub(super) fn ask(&mut self, now: Millis) {
        self.round += 1;
        self.pending.clear();
        self.answered.clear();
        self.refusals.clear();
        self.provisionals = None;
        self.finals = None;
        self.claim = None;
        self.view = View::new(self.name.clone());
        self.step = Step::Asking;
        self.patience = self.deadline;
        self.progress(Progress::Asking);
        for to in self.members() {
            let name = self.name.clone();
            self.send(to, Kind::Ask, Request::Ask { name }, now);
        }
    }

    /// Takes the next step when the answers allow it.
    pub(super) fn advance(&mut self, now: Millis) {
        match self.step {
            Step::Asking => self.asked(now),
            Step::Reserving => {
                if self.members().len() - self.hopeless(Kind::Propose) < self.quorum() {
                    self.retreat(now);
                }
            }
            Step::Signing => {
                let waiting = self
                    .hopeless(Kind::Finalise)
                    .min(self.hopeless(Kind::Propose));
                if self.members().len() - waiting < self.quorum() {
                    self.retreat(now);
                }
            }
            Step::Confirming => {
                if self.confirmed.len() >= self.quorum() {
                    let binding = self.binding.clone().map(Box::new);
                    self.finish(binding.ok_or(Failure::NotYours));
                } else if self.members().len() - self.hopeless(Kind::Show) < self.quorum() {
                    self.give_up(now);
                }
            }
            Step::Working | Step::Waiting(_) | Step::Over => {}
        }
    }

    fn asked(&mut self, now: Millis) {
        let kinds = [Kind::Ask, Kind::Sets];
        let waiting = self.pending.values().any(|each| kinds.contains(&each.kind));
        if self.answered.len() >= self.quorum() && waiting {
            self.patience = self.patience.min(now.saturating_add(LATECOMERS));
        }
        if waiting && now < self.patience {
            return;
        }
        let known = self.answered.len() - self.refusals.len();
        match known >= self.quorum() {
            true => self.decide(now),
            false => self.give_up(now),
        }
    }

    /// What the answers mean for the goal.
    fn decide(&mut self, now: Millis) {
        self.generation = self.view.next_generation();
        let binding = self.view.believed(&self.sets, now);
        self.follows = binding.clone();
        let held = binding.filter(|binding| {
            let end = binding.claim().held_until();
            // A set that is long over proves nothing but what is known anyway: the witnesses know.
            let said = binding.claim().owner() == self.owner.public() || binding.is_recent(now);
            said && !binding.claim().released() && now < end
        });
        let mine = held
            .as_ref()
            .is_some_and(|held| held.claim().owner() == self.owner.public());
        let issued = now.max(self.last_issued + 1);
        match (self.goal.clone(), held) {
            (Goal::Claim { .. } | Goal::Find | Goal::Recover, Some(held)) if mine => {
                self.confirm(held, now);
            }
            (Goal::Recover, Some(held)) if held.claim().recovery() == Some(self.owner.public()) => {
                self.recover(&held, issued, now);
            }
            (Goal::Claim { .. }, None) => self.work(now),
            (Goal::Extend, Some(held)) if mine => {
                self.generation = held.claim().generation();
                self.propose(Right::Own, issued, now);
            }
            (Goal::Accept(handover), Some(held)) => {
                let from = held.claim().generation();
                if from == handover.from() {
                    self.propose(Right::Handed(handover), issued, now);
                } else if mine && from > handover.from() {
                    self.confirm(held, now);
                } else {
                    self.finish(Err(Failure::NotYours));
                }
            }
            (Goal::Release, Some(held)) if mine => {
                let from = held.claim().generation();
                self.propose(Right::Release { from }, issued, now);
            }
            (Goal::Release, None) => match self.view.believed(&self.sets, now) {
                Some(gone) if gone.claim().owner() == self.owner.public() => {
                    self.confirm(gone, now);
                }
                _ => self.finish(Err(Failure::Unheld)),
            },
            (_, Some(held)) => {
                let end = held.claim().held_until();
                self.taken(&held, end, now);
            }
            (_, None) => {
                self.forget_released(now);
                self.finish(Err(Failure::Unheld));
            }
        }
    }

    /// Whoever got the name from this owner, or another machine of this owner, has given it up.
    fn forget_released(&mut self, now: Millis) {
        let gone = self.view.believed(&self.sets, now);
        if let Some(gone) = gone.filter(|gone| gone.claim().released() && gone.is_recent(now)) {
            let proof = Box::new(gone.certificate().clone());
            self.outputs.push_back(Output::Keep(proof));
        }
    }

    /// Has the puzzle solved that a free name costs.
    pub(super) fn work(&mut self, now: Millis) {
        self.step = Step::Working;
        let issued = now.max(self.last_issued + 1);
        let owner = self.owner.public();
        let network = self.sets.network();
        let puzzle = Puzzle::new(network, &self.name, &owner, issued, self.hardness);
        self.puzzle = Some((puzzle, issued));
        self.progress(Progress::Working(puzzle));
        self.outputs.push_back(Output::Solve(puzzle));
    }

    pub(super) fn propose(&mut self, right: Right, issued: Millis, now: Millis) {
        let recovery = match (&self.goal, &self.follows) {
            (Goal::Claim { recovery }, _) => *recovery,
            (Goal::Extend, Some(follows)) => follows.claim().recovery(),
            _ => None,
        };
        let draft = Draft {
            network: self.sets.network().clone(),
            name: self.name.clone(),
            generation: self.generation,
            right,
            recovery,
            issued,
        };
        let Ok(claim) = draft.sign(&self.owner) else {
            return self.finish(Err(Failure::Refused(NameRefusal::Invalid)));
        };
        self.last_issued = issued;
        let epoch = self.sets.current().epoch();
        self.provisionals = Some(Tally::new(claim.clone(), epoch, Stage::Provisional));
        self.finals = Some(Tally::new(claim.clone(), epoch, Stage::Final));
        self.refusals.clear();
        self.pending.clear();
        self.step = Step::Reserving;
        self.progress(Progress::Reserving);
        let follows = self.follows.as_ref();
        let follows = follows.map(|binding| binding.certificate().encode());
        for to in self.members() {
            let request = Request::Propose {
                claim: claim.bytes().to_vec(),
                follows: follows.clone(),
            };
            self.send(to, Kind::Propose, request, now);
        }
        self.claim = Some(claim);
    }

    /// A witness reserved the name.
    pub(super) fn provisional(&mut self, from: PublicKey, signed: Signed, now: Millis) {
        let Some(tally) = &mut self.provisionals else {
            return;
        };
        let mine = self.sets.current().position(&from) == Some(signed.signature.member);
        if !mine || signed.epoch != tally.epoch() || !tally.add(signed.signature, &self.sets) {
            self.refusals.insert(from, (NameRefusal::Invalid, None));
            return;
        }
        let enough = tally.count() >= self.sets.current().quorum();
        match self.step {
            Step::Reserving if enough => {
                self.step = Step::Signing;
                self.progress(Progress::Signing);
                for to in self.members() {
                    if self.has_given(Kind::Propose, &to) {
                        self.finalise(to, now);
                    }
                }
            }
            Step::Signing => self.finalise(from, now),
            _ => {}
        }
    }

    fn finalise(&mut self, to: PublicKey, now: Millis) {
        let (Some(claim), Some(tally)) = (&self.claim, &self.provisionals) else {
            return;
        };
        let request = Request::Finalise {
            claim: claim.bytes().to_vec(),
            epoch: tally.epoch(),
            provisionals: tally.signatures(),
        };
        self.send(to, Kind::Finalise, request, now);
    }

    /// A witness signed finally.
    pub(super) fn final_signature(&mut self, signed: Signed, now: Millis) {
        let Some(tally) = &mut self.finals else {
            return;
        };
        if signed.epoch == tally.epoch() {
            tally.add(signed.signature, &self.sets);
        }
        let binding = tally.binding(&self.sets);
        match binding {
            Some(binding) if self.step == Step::Signing => self.confirm(binding, now),
            _ => {}
        }
    }

    /// Shows a certificate to all witnesses, until a quorum has it durably.
    pub(super) fn confirm(&mut self, binding: Binding, now: Millis) {
        let certificate = binding.certificate();
        let bytes = certificate.encode();
        self.outputs
            .push_back(Output::Keep(Box::new(certificate.clone())));
        self.view.add_certificate(certificate, &self.sets);
        self.binding = Some(binding);
        self.confirmed.clear();
        self.refusals.clear();
        self.pending.clear();
        self.step = Step::Confirming;
        self.progress(Progress::Confirming);
        for to in self.members() {
            let request = match &self.goal {
                Goal::Publish(zone, _) => Request::Publish {
                    zone: zone.bytes().to_vec(),
                    certificate: Some(bytes.clone()),
                },
                _ => Request::Renew {
                    certificate: bytes.clone(),
                },
            };
            self.send(to, Kind::Show, request, now);
        }
    }

    /// A witness has the certificate, and signed its lease.
    pub(super) fn shown(&mut self, from: PublicKey, signed: Signed, now: Millis) {
        let Some(binding) = &self.binding else {
            return;
        };
        let claim = binding.claim().clone();
        let mine = self.sets.current().position(&from) == Some(signed.signature.member);
        let set = self.sets.get(signed.epoch);
        let valid = set.is_some_and(|set| signed.signature.verify(&claim, set, Stage::Final));
        if !mine || !valid {
            self.refusals.insert(from, (NameRefusal::Invalid, None));
            return;
        }
        self.confirmed.insert(from, ());
        self.view.add_signature(&claim, &signed, &self.sets);
        if let Some(better) = self.view.believed(&self.sets, now)
            && better.claim() == binding.claim()
            && better != *binding
        {
            let certificate = Box::new(better.certificate().clone());
            self.outputs.push_back(Output::Keep(certificate));
            self.binding = Some(better);
        }
    }

    /// A certificate that was sent with a refusal.
    pub(super) fn take_evidence(&mut self, certificate: Option<&[u8]>) {
        let certificate = certificate.and_then(|bytes| Certificate::decode(bytes).ok());
        if let Some(certificate) = certificate {
            self.view.add_certificate(&certificate, &self.sets);
        }
    }

    pub(super) fn refused(&mut self, kind: Kind, why: NameRefusal, now: Millis) {
        let newer = |binding: &Binding| {
            let ours = self.binding.as_ref();
            ours.is_none_or(|ours| binding.claim().rank() > ours.claim().rank())
        };
        let stands_against = matches!(why, NameRefusal::Taken | NameRefusal::Older);
        if kind == Kind::Show
            && stands_against
            && let Some(binding) = self.view.believed(&self.sets, now).filter(newer)
        {
            let claim = binding.claim();
            match claim.owner() == self.owner.public() && !claim.released() {
                // A newer claim of the same owner, of which this side knew nothing.
                true => self.confirm(binding, now),
                false => self.taken(&binding, claim.held_until(), now),
            }
        }
    }

    /// New witness sets: everything is asked again.
    pub(super) fn learn(&mut self, sets: Vec<Succession>, now: Millis) {
        let learned = sets
            .into_iter()
            .filter_map(|next| self.sets.learn(next).ok())
            .any(|new| new);
        if learned && self.step == Step::Asking {
            self.ask(now);
        }
    }

    /// This attempt cannot succeed any more: sets the witnesses free and tries again later.
    fn retreat(&mut self, now: Millis) {
        let reasons: Vec<_> = self.refusals.values().copied().collect();
        let with = |wanted: NameRefusal| {
            let matching = reasons.iter().filter(|(why, _)| *why == wanted);
            matching.filter_map(|(_, until)| *until).max()
        };
        let signing = self.step == Step::Signing;
        self.abandon(now);
        if let Some(until) = with(NameRefusal::Barred) {
            return self.finish(Err(Failure::Barred { until }));
        }
        if let Some(until) = with(NameRefusal::Taken).filter(|_| !signing) {
            let theirs = |held: &Binding| held.claim().owner() != self.owner.public();
            if let Some(held) = self.view.believed(&self.sets, now).filter(theirs) {
                return self.taken(&held, until, now);
            }
            let (holder, until) = (None, Some(until));
            return self.finish(Err(Failure::Taken { holder, until }));
        }
        if self.round >= u64::from(NAME_ATTEMPTS) {
            return self.give_up(now);
        }
        let doubled = NAME_RETRY << (self.round - 1).min(4);
        let until = now.saturating_add(self.prng.jitter(doubled) + self.prng.below(NAME_RETRY));
        self.step = Step::Waiting(until);
        self.progress(Progress::Waiting(until));
    }

    fn abandon(&mut self, now: Millis) {
        let claim = self.claim.take();
        let signed = claim.and_then(|claim: Claim| Abandon::sign(&claim, &self.owner, now).ok());
        let Some(abandon) = signed else {
            return;
        };
        self.pending.clear();
        for to in self.members() {
            self.next_id += 1;
            let (id, abandon) = (self.next_id, abandon.bytes().to_vec());
            let request = Request::Abandon { abandon };
            self.outputs.push_back(Output::Send { to, id, request });
        }
    }

    pub(super) fn give_up(&mut self, now: Millis) {
        if matches!(self.step, Step::Reserving | Step::Signing) {
            self.abandon(now);
        }
        let refusal = self.refusals.values().map(|(why, _)| *why).next();
        let failure = if self.answered.len() < self.quorum() {
            Failure::NoQuorum {
                answered: self.answered.keys().copied().collect(),
                wanted: self.quorum(),
            }
        } else {
            refusal.map_or(Failure::TimedOut, Failure::Refused)
        };
        self.finish(Err(failure));
    }
}
