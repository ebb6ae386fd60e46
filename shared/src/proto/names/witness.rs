//! The witness: signs who holds a name, and never two owners in one generation.
//!
//! Knows the rules and one name's row at a time. Does not keep rows, read a clock or send anything.
//!
//! To drive it: [`Witness::read`] checks a request and its signatures, beside any lock. Then, inside
//! **one write transaction**, load the row (and the zone) of [`Job::name`], call [`Witness::work`], write what
//! the [`Outcome`] says, commit, and only when that is durable send the response. If the commit
//! fails, answer [`NameRefusal::StorageFailed`] and nothing else. A row that cannot be read is an
//! error, never an empty row: whoever forgets what it has signed becomes a liar.

mod job;
pub mod row;
mod rules;
mod shown;

pub use job::Job;
pub use shown::{Shown, show};

use super::certificate::{Certificate, Stage, WitnessSignature};
use super::claim::Claim;
use super::name::{Label, Root};
use super::set::{KnownSets, WitnessSet};
use super::wire::{HalfFinal, Known, NameRefusal, Response, Signed};
use super::work::Hardness;
use super::zone::SignedZone;
use crate::limits::{CLOCK_TOLERANCE, NAME_LEASE, NAME_LEASE_REUSE, NAME_PROVISIONAL};
use crate::proto::Millis;
use crate::proto::key::SigningKey;
use row::{Adopted, Bound, Half, Row, Top};
use rules::No;

/// What is to be written, then said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The row to write, if it changed.
    pub row: Option<Row>,
    /// What to do with the zone.
    pub zone: ZoneWrite,
    /// What to say once that is durable.
    pub response: Response,
}

/// What to do with the stored zone of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneWrite {
    /// Nothing.
    Keep,
    /// Replace it.
    Put(Vec<u8>),
    /// Remove it: it was a former owner's.
    Remove,
}

/// One witness.
#[derive(Clone, Debug)]
pub struct Witness {
    key: SigningKey,
    sets: KnownSets,
    hardness: Hardness,
    /// A successor that this witness has signed: it stops when that takes over.
    endorsed: Option<WitnessSet>,
}

impl Witness {
    /// A witness with its key, the sets it knows, and the hardness of its network's puzzles.
    pub fn new(key: SigningKey, sets: KnownSets, hardness: Hardness) -> Witness {
        Witness {
            key,
            sets,
            hardness,
            endorsed: None,
        }
    }

    /// The sets it knows; learn new ones here.
    pub fn sets_mut(&mut self) -> &mut KnownSets {
        &mut self.sets
    }

    /// The sets it knows.
    pub fn sets(&self) -> &KnownSets {
        &self.sets
    }

    /// Takes note that it has signed a successor of its set; the caller has made that durable.
    pub fn endorsed(&mut self, next: WitnessSet) {
        self.endorsed = Some(next);
    }

    /// The set it signs in at `now` and its number in it.
    fn seat(&self, now: Millis) -> Result<(u64, u64), No> {
        let chain = std::iter::successors(Some(self.sets.current()), |set| {
            self.sets.get(set.epoch().checked_sub(1)?)
        });
        let set = chain
            .into_iter()
            .find(|set| set.from() <= now)
            .ok_or(No::because(NameRefusal::NotWitness))?;
        let replaced = self
            .endorsed
            .as_ref()
            .is_some_and(|next| next.epoch() > set.epoch() && next.from() <= now);
        match set.position(&self.key.public()) {
            Some(member) if !replaced => Ok((set.epoch(), member)),
            _ => Err(No::because(NameRefusal::NotWitness)),
        }
    }

    /// Whether it joined the set so lately that bindings may live which nobody has shown to it.
    fn is_newcomer(&self, epoch: u64, now: Millis) -> bool {
        let before = epoch
            .checked_sub(1)
            .and_then(|before| self.sets.get(before));
        let veteran = match before {
            Some(set) => set.position(&self.key.public()).is_some(),
            None => epoch <= 1,
        };
        let from = self.sets.get(epoch).map_or(0, WitnessSet::from);
        !veteran && now < from.saturating_add(NAME_LEASE + 2 * CLOCK_TOLERANCE)
    }

    /// The answer to `Request::Sets`, which needs no row.
    pub fn sets_after(&self, epoch: u64) -> Response {
        let sets = self.sets.after(epoch).to_vec();
        Response::Sets { sets }
    }

    /// Does the job on the row of its name, and the zone that is stored beside it.
    pub fn work(&self, job: &Job, row: Option<Row>, zone: Option<&[u8]>, now: Millis) -> Outcome {
        let before = row.unwrap_or_default();
        if let Job::Ask(name) = job {
            return Outcome {
                row: None,
                zone: ZoneWrite::Keep,
                response: self.known(name, &before, zone, now),
            };
        }
        let mut row = before.clone();
        row.settle(now);
        let mut zone = ZoneWrite::Keep;
        let response = match self.decide(job, &mut row, &mut zone, now) {
            Ok(response) => response,
            Err(no) => no.answer(&row),
        };
        if zone == ZoneWrite::Keep {
            zone = shown::zone_after(&before, &row);
        }
        Outcome {
            row: (row != before).then_some(row),
            zone,
            response,
        }
    }

    fn decide(
        &self,
        job: &Job,
        row: &mut Row,
        zone: &mut ZoneWrite,
        now: Millis,
    ) -> Result<Response, No> {
        if row.denied.is_some() {
            return Err(No::because(NameRefusal::Denied));
        }
        match job {
            Job::Ask(_) => Err(No::because(NameRefusal::Invalid)),
            Job::Propose(claim, follows) => {
                if let Some(follows) = follows {
                    row.adopt(follows);
                }
                self.propose(row, claim, now)
            }
            Job::Finalise(claim, epoch) => self.finalise(row, claim, *epoch, now),
            Job::Renew(binding) => match row.adopt(binding) {
                Adopted::InForce => self.lease(row, now),
                Adopted::Older => Err(No::because(NameRefusal::Older)),
                Adopted::Conflict => Err(No::because(NameRefusal::Taken)),
            },
            Job::Abandon(abandon) => {
                let given_up = |half: &mut Half| {
                    half.claim.hash() == abandon.claim() && half.claim.owner() == abandon.owner()
                };
                row.provisional.take_if(given_up);
                Ok(Response::Abandoned)
            }
            Job::Publish(signed, name, shown) => {
                if let Some(shown) = shown {
                    row.adopt(shown);
                }
                self.publish(row, signed, name, zone, now)
            }
        }
    }

    fn propose(&self, row: &mut Row, claim: &Claim, now: Millis) -> Result<Response, No> {
        let (epoch, member) = self.seat(now)?;
        if let Some(reserved) = row.reserved(now) {
            if reserved.claim.hash() == claim.hash() && reserved.signed.epoch == epoch {
                let signed = reserved.signed.clone();
                return Ok(Response::Signed { signed });
            }
            if reserved.claim.owner() != claim.owner() {
                let until = reserved.signed.signature.not_after;
                return Err(No::until(NameRefusal::Busy, until));
            }
        }
        rules::attempt(row, claim, now)?;
        let newcomer = self.is_newcomer(epoch, now);
        rules::right(row, claim, newcomer, self.hardness, now)?;
        let not_after = now.saturating_add(NAME_PROVISIONAL);
        let signed = self.sign(claim, (epoch, member), Stage::Provisional, not_after, row);
        row.bar(claim.owner()).issued = claim.issued();
        row.provisional = Some(Half {
            claim: claim.clone(),
            signed: signed.clone(),
        });
        Ok(Response::Signed { signed })
    }

    fn finalise(
        &self,
        row: &mut Row,
        claim: &Claim,
        epoch: u64,
        now: Millis,
    ) -> Result<Response, No> {
        let seat = self.seat(now)?;
        if seat.0 != epoch {
            return Err(No::because(NameRefusal::NotWitness));
        }
        let again = |half: &&Half| half.claim.hash() == claim.hash() && half.signed.epoch == epoch;
        if let Some(half) = row.half.as_ref().filter(again) {
            let signed = half.signed.clone();
            return Ok(Response::Signed { signed });
        }
        let here = |half: &&Half| half.claim.hash() == claim.hash() && half.signed.epoch == epoch;
        if row.reserved(now).filter(here).is_none() {
            return Err(No::because(NameRefusal::NotProvisional));
        }
        let newcomer = self.is_newcomer(epoch, now);
        rules::right(row, claim, newcomer, self.hardness, now)?;
        let not_after = now.saturating_add(NAME_LEASE).min(claim.expires());
        let signed = self.sign(claim, seat, Stage::Final, not_after, row);
        let top = Top {
            generation: claim.generation(),
            holder: claim.holder(),
        };
        if row.top_generation() <= top.generation {
            row.top = Some(top);
        }
        row.latest = row.latest.max(not_after);
        row.provisional = None;
        row.bar(claim.owner()).strikes = 0;
        row.half = Some(Half {
            claim: claim.clone(),
            signed: signed.clone(),
        });
        Ok(Response::Signed { signed })
    }

    /// A lease of the claim in force: the old one while it is fresh, or a new one.
    fn lease(&self, row: &mut Row, now: Millis) -> Result<Response, No> {
        let seat = self.seat(now)?;
        let floor = row.floor;
        let bound = row
            .bound
            .as_ref()
            .ok_or(No::because(NameRefusal::Unbound))?;
        let claim = bound.certificate.claim.clone();
        if now >= claim.expires() {
            return Err(No::because(NameRefusal::BadTime));
        }
        let not_after = now.saturating_add(NAME_LEASE).min(claim.expires());
        let fresh = |own: &&Signed| {
            let far = own.signature.not_after.saturating_add(NAME_LEASE_REUSE) >= not_after;
            own.epoch == seat.0 && own.signature.floor == floor && far
        };
        if let Some(own) = bound.own.as_ref().filter(fresh) {
            let signed = own.clone();
            return Ok(Response::Signed { signed });
        }
        let signed = self.sign(&claim, seat, Stage::Final, not_after, row);
        row.latest = row.latest.max(not_after);
        if let Some(bound) = &mut row.bound {
            bound.own = Some(signed.clone());
        }
        Ok(Response::Signed { signed })
    }

    fn publish(
        &self,
        row: &mut Row,
        signed: &SignedZone,
        name: &Label,
        zone: &mut ZoneWrite,
        now: Millis,
    ) -> Result<Response, No> {
        let bound = row
            .bound
            .as_ref()
            .ok_or(No::because(NameRefusal::Unbound))?;
        let claim = &bound.certificate.claim;
        if claim.released() {
            return Err(No::because(NameRefusal::Unbound));
        }
        let root = Root::Human(name.clone());
        let owner = (claim.owner(), claim.generation());
        signed
            .belongs(self.sets.network(), &root, owner, now)
            .map_err(No::about_zone)?;
        if signed.floor() < row.floor {
            return Err(No::because(NameRefusal::Older));
        }
        if signed.floor() > row.floor {
            row.floor = signed.floor();
            *zone = ZoneWrite::Put(signed.bytes().to_vec());
        }
        self.lease(row, now)
    }

    fn sign(
        &self,
        claim: &Claim,
        seat: (u64, u64),
        stage: Stage,
        not_after: Millis,
        row: &Row,
    ) -> Signed {
        let floor = match &row.bound {
            Some(bound) if key_of(&bound.certificate) == (claim.owner(), claim.generation()) => {
                row.floor
            }
            _ => Default::default(),
        };
        Signed {
            epoch: seat.0,
            signature: WitnessSignature::sign(claim, seat, stage, not_after, floor, &self.key),
        }
    }

    fn known(&self, name: &Label, row: &Row, zone: Option<&[u8]>, now: Millis) -> Response {
        if row.denied.is_some() {
            return No::because(NameRefusal::Denied).answer(row);
        }
        let bound = row.bound.as_ref();
        let (epoch, _) = match self.seat(now) {
            Ok(seat) => seat,
            Err(no) => return no.answer(row),
        };
        let half = row.half.as_ref().map(|half| HalfFinal {
            claim: half.claim.bytes().to_vec(),
            signed: half.signed.clone(),
        });
        let belongs = |bytes: &&[u8]| {
            let root = Root::Human(name.clone());
            bound.is_some_and(|bound| {
                let owner = key_of(&bound.certificate);
                SignedZone::decode(bytes)
                    .is_ok_and(|zone| zone.belongs(self.sets.network(), &root, owner, now).is_ok())
            })
        };
        let known = Known {
            epoch,
            top: row.top_generation(),
            certificate: bound.map(|bound| bound.certificate.encode()),
            own: bound.and_then(|bound: &Bound| bound.own.clone()),
            half,
            busy: row
                .reserved(now)
                .map(|reserved| reserved.signed.signature.not_after),
            zone: zone.filter(belongs).map(<[u8]>::to_vec),
        };
        Response::Known {
            known: Box::new(known),
        }
    }
}

/// Whose zone belongs to a certificate.
fn key_of(certificate: &Certificate) -> (crate::proto::key::PublicKey, u64) {
    (certificate.claim.owner(), certificate.claim.generation())
}

#[cfg(test)]
mod tests;
