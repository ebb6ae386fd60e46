//! Requests become jobs: bytes are parsed and signatures checked, beside any lock.

use std::collections::BTreeSet;

use super::Witness;
use crate::limits::CLOCK_TOLERANCE;
use crate::proto::Millis;
use crate::proto::names::certificate::{Binding, Certificate, Stage, WitnessSignature};
use crate::proto::names::claim::{Abandon, Claim};
use crate::proto::names::name::Label;
use crate::proto::names::wire::{NameRefusal, Request};
use crate::proto::names::zone::SignedZone;

/// A request whose bytes and signatures were checked.
#[derive(Clone, Debug)]
pub enum Job {
    /// What is known of a name.
    Ask(Label),
    /// A provisional signature.
    Propose(Box<Claim>, Option<Box<Binding>>),
    /// A final signature; the quorum of provisional ones was checked.
    Finalise(Box<Claim>, u64),
    /// A lease.
    Renew(Box<Binding>),
    /// An attempt is given up.
    Abandon(Box<Abandon>),
    /// A zone.
    Publish(Box<SignedZone>, Label, Option<Box<Binding>>),
}

impl Job {
    /// Whose row it works on.
    pub fn name(&self) -> &Label {
        match self {
            Job::Ask(name) | Job::Publish(_, name, _) => name,
            Job::Propose(claim, _) | Job::Finalise(claim, _) => claim.name(),
            Job::Renew(binding) => binding.claim().name(),
            Job::Abandon(abandon) => abandon.name(),
        }
    }

    /// Whether it can change the row; what only reads needs no write transaction.
    pub fn writes(&self) -> bool {
        !matches!(self, Job::Ask(_))
    }
}

impl Witness {
    /// Checks the bytes and signatures of a request; the answer to an error is its
    /// [`NameRefusal::bare`].
    pub fn read(&self, request: &Request, now: Millis) -> Result<Job, NameRefusal> {
        let invalid = |_| NameRefusal::Invalid;
        match request {
            Request::Ask { name } => Ok(Job::Ask(name.clone())),
            Request::Propose { claim, follows } => {
                let claim = self.claim(claim)?;
                let follows = follows.as_deref().map(|bytes| self.binding(bytes));
                let follows = follows.transpose()?;
                let same_name = follows
                    .as_ref()
                    .is_none_or(|binding| binding.claim().name() == claim.name());
                match same_name {
                    true => Ok(Job::Propose(Box::new(claim), follows.map(Box::new))),
                    false => Err(NameRefusal::Invalid),
                }
            }
            Request::Finalise {
                claim,
                epoch,
                provisionals,
            } => {
                let claim = self.claim(claim)?;
                self.check_quorum(&claim, *epoch, provisionals, now)?;
                Ok(Job::Finalise(Box::new(claim), *epoch))
            }
            Request::Renew { certificate } => Ok(Job::Renew(Box::new(self.binding(certificate)?))),
            Request::Abandon { abandon } => {
                let abandon = Abandon::decode(abandon).map_err(invalid)?;
                match abandon.network() == self.sets.network() {
                    true => Ok(Job::Abandon(Box::new(abandon))),
                    false => Err(NameRefusal::WrongNetwork),
                }
            }
            Request::Publish { zone, certificate } => {
                let zone = SignedZone::decode(zone).map_err(invalid)?;
                let name = Label::exact(&zone.envelope().body().label);
                let shown = certificate.as_deref().map(|bytes| self.binding(bytes));
                let shown = shown.transpose()?;
                let same_name = |binding: &Binding| Some(binding.claim().name()) == name.as_ref();
                match shown.as_ref().is_none_or(same_name) {
                    true => Ok(Job::Publish(
                        Box::new(zone),
                        name.ok_or(NameRefusal::Invalid)?,
                        shown.map(Box::new),
                    )),
                    false => Err(NameRefusal::Invalid),
                }
            }
            Request::Sets { .. } => Err(NameRefusal::Invalid),
        }
    }

    fn claim(&self, bytes: &[u8]) -> Result<Claim, NameRefusal> {
        let claim = Claim::decode(bytes).map_err(|_| NameRefusal::Invalid)?;
        match claim.network() == self.sets.network() {
            true => Ok(claim),
            false => Err(NameRefusal::WrongNetwork),
        }
    }

    fn binding(&self, bytes: &[u8]) -> Result<Binding, NameRefusal> {
        let certificate = Certificate::decode(bytes).map_err(|_| NameRefusal::Invalid)?;
        let verified = certificate.verify(&self.sets);
        verified.map_err(|_| NameRefusal::Invalid)
    }

    /// A quorum of provisional signatures. Of others a clock error is tolerated; that the own one
    /// lives is checked with the own clock, at work.
    fn check_quorum(
        &self,
        claim: &Claim,
        epoch: u64,
        provisionals: &[WitnessSignature],
        now: Millis,
    ) -> Result<(), NameRefusal> {
        let set = self.sets.get(epoch).ok_or(NameRefusal::NotWitness)?;
        let counted = |each: &&WitnessSignature| {
            each.not_after.saturating_add(CLOCK_TOLERANCE) > now
                && each.verify(claim, set, Stage::Provisional)
        };
        let members = provisionals.iter().filter(counted).map(|each| each.member);
        match members.collect::<BTreeSet<_>>().len() >= set.quorum() {
            true => Ok(()),
            false => Err(NameRefusal::NoQuorum),
        }
    }
}
