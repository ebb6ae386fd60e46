//! By what right a claim may follow what a row says.
//!
//! Knows generations, terms, leases, penalties and handovers. Does not sign, and changes no row.

use super::row::Row;
use crate::limits::{CLOCK_TOLERANCE, NAME_GENERATION_STEP};
use crate::proto::Millis;
use crate::proto::names::certificate::Certificate;
use crate::proto::names::claim::{Claim, Handover, Right};
use crate::proto::names::wire::{NameRefusal, Response};
use crate::proto::names::work::Hardness;
use crate::proto::record::Refusal;

/// A refusal, with what the asker can make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct No {
    why: NameRefusal,
    until: Option<Millis>,
}

impl No {
    pub(super) fn because(why: NameRefusal) -> No {
        No { why, until: None }
    }

    pub(super) fn until(why: NameRefusal, until: Millis) -> No {
        let until = Some(until);
        No { why, until }
    }

    pub(super) fn about_zone(refusal: Refusal) -> No {
        No::because(match refusal {
            Refusal::WrongNetwork => NameRefusal::WrongNetwork,
            Refusal::Expired | Refusal::FutureDated => NameRefusal::BadTime,
            Refusal::WrongKey => NameRefusal::NoRight,
            _ => NameRefusal::Invalid,
        })
    }

    /// The answer, with the certificate that stands against the request.
    pub(super) fn answer(self, row: &Row) -> Response {
        use NameRefusal::*;
        let telling = matches!(self.why, Taken | Older | NoRight | BadTime);
        let bound = row.bound.as_ref().filter(|_| telling);
        Response::Refused {
            why: self.why,
            until: self.until,
            top: row.top_generation(),
            certificate: bound.map(|bound| bound.certificate.encode()),
        }
    }
}

/// Whether this is a fresh attempt of a key that may try.
pub(super) fn attempt(row: &Row, claim: &Claim, now: Millis) -> Result<(), No> {
    if claim.issued().abs_diff(now) > CLOCK_TOLERANCE || claim.expires() <= now {
        return Err(No::because(NameRefusal::BadTime));
    }
    let Some(bar) = row.bars.iter().find(|bar| bar.key == claim.owner()) else {
        return Ok(());
    };
    if claim.issued() <= bar.issued {
        return Err(No::because(NameRefusal::Replayed));
    }
    match now < bar.until {
        true => Err(No::until(NameRefusal::Barred, bar.until)),
        false => Ok(()),
    }
}

/// Whether the claim may be signed: first the generation, which alone keeps two owners apart, then
/// the right.
pub(super) fn right(
    row: &Row,
    claim: &Claim,
    newcomer: bool,
    hardness: Hardness,
    now: Millis,
) -> Result<(), No> {
    // The end of what bars others never comes nearer.
    if let Some(half) = &row.half
        && claim.expires() < half.signed.signature.not_after
        && now < half.signed.signature.not_after
    {
        return Err(No::because(NameRefusal::BadTime));
    }
    let held = row.held(now);
    if matches!(claim.right(), Right::Own) {
        return own(held.map(|(certificate, _)| certificate), claim);
    }
    generation(row, claim)?;
    if let Some((other, until)) = row.maybe_held(now)
        && other.owner() != claim.owner()
    {
        return Err(No::until(NameRefusal::Taken, until));
    }
    let no_right = Err(No::because(NameRefusal::NoRight));
    match (held, claim.right()) {
        (Some((_, until)), Right::Free { .. }) => Err(No::until(NameRefusal::Taken, until)),
        (Some((held, _)), Right::Handed(handover)) => handed(held, handover, now),
        (Some((held, _)), Right::Release { from }) => {
            let held = &held.claim;
            match held.generation() == *from && held.owner() == claim.owner() {
                true => Ok(()),
                false => no_right,
            }
        }
        (None, Right::Free { work }) => {
            if newcomer && row.top.is_none() {
                return Err(No::because(NameRefusal::NotWitness));
            }
            match claim.puzzle(hardness).solved_by(*work) {
                true => Ok(()),
                false => Err(No::because(NameRefusal::NoWork)),
            }
        }
        (None, _) | (_, Right::Own) => no_right,
    }
}

/// The invariant: final signatures of one witness rise in generation, or are for the same holder.
fn generation(row: &Row, claim: &Claim) -> Result<(), No> {
    let Some(top) = row.top else {
        return match claim.generation() <= NAME_GENERATION_STEP {
            true => Ok(()),
            false => Err(No::because(NameRefusal::Older)),
        };
    };
    let rises = claim.generation() > top.generation
        && claim.generation() - top.generation <= NAME_GENERATION_STEP;
    let same = claim.generation() == top.generation && claim.holder() == top.holder;
    match rises || same {
        true => Ok(()),
        false => Err(No::because(NameRefusal::Older)),
    }
}

/// The same holder for another term: certified in this generation already, so no generation is at
/// stake. The recovery key stays what it was.
fn own(held: Option<&Certificate>, claim: &Claim) -> Result<(), No> {
    let Some(held) = held.map(|held| &held.claim) else {
        return Err(No::because(NameRefusal::NoRight));
    };
    if (held.owner(), held.generation()) != (claim.owner(), claim.generation()) {
        return Err(No::because(NameRefusal::NoRight));
    }
    match held.recovery() == claim.recovery() && claim.issued() > held.issued() {
        true => Ok(()),
        false => Err(No::because(NameRefusal::Older)),
    }
}

fn handed(held: &Certificate, handover: &Handover, now: Millis) -> Result<(), No> {
    let held = &held.claim;
    let signer = handover.signer();
    let entitled = signer == held.owner() || Some(signer) == held.recovery();
    if handover.from() != held.generation() || !entitled {
        return Err(No::because(NameRefusal::NoRight));
    }
    let timely = handover.check_time(now);
    timely.map_err(|_| No::because(NameRefusal::BadTime))
}
