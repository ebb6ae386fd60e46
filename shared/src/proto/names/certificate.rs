//! What witnesses sign, and what enough of their signatures prove.
//!
//! Knows the bytes that are signed, quorums of signatures, and until when they count. Does not know
//! when a witness may sign: `witness` does.

use minicbor::{Decode, Encode};

use super::claim::Claim;
use super::set::{KnownSets, WitnessSet};
use crate::limits::{
    CLOCK_TOLERANCE, MAX_CERTIFICATE, MAX_SAFE_INTEGER, MAX_WITNESSES, NAME_LEASE,
};
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};
use crate::sorted::{SortedMap, sort_short};

/// Precedes what a witness signs about a name.
const WITNESS_PREFIX: &[u8] = b"warren-witness-1\0";

/// How far a claim has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Reserved for a minute; readers do not count it.
    Provisional,
    /// A lease.
    Final,
}

/// The newest zone that a witness saw: readers take nothing below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Floor {
    /// Its sequence.
    #[n(0)]
    pub seq: u64,
    /// Its hash; zeros when there was none.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: [u8; 32],
}

/// One witness's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WitnessSignature {
    /// Its number in the set.
    #[n(0)]
    pub member: u64,
    /// Until when the signature counts.
    #[n(1)]
    pub not_after: Millis,
    /// The newest zone it saw of this owner and generation.
    #[n(2)]
    pub floor: Floor,
    /// The signature.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

#[derive(Encode)]
#[cbor(array)]
struct Statement<'a> {
    #[n(0)]
    network: &'a NetworkId,
    #[n(1)]
    epoch: u64,
    #[n(2)]
    name: &'a str,
    #[n(3)]
    owner: PublicKey,
    #[n(4)]
    generation: u64,
    #[n(5)]
    stage: u64,
    #[cbor(n(6), with = "minicbor::bytes")]
    claim: [u8; 32],
    #[n(7)]
    floor: Floor,
    #[n(8)]
    not_after: Millis,
}

fn statement(claim: &Claim, epoch: u64, stage: Stage, not_after: Millis, floor: Floor) -> Vec<u8> {
    let body = cbor::encode(&Statement {
        network: claim.network(),
        epoch,
        name: claim.name().as_str(),
        owner: claim.owner(),
        generation: claim.generation(),
        stage: match stage {
            Stage::Provisional => 0,
            Stage::Final => 1,
        },
        claim: claim.hash(),
        floor,
        not_after,
    });
    [WITNESS_PREFIX, &body].concat()
}

impl WitnessSignature {
    /// Signs as member number `member` of the set of `epoch`.
    pub fn sign(
        claim: &Claim,
        (epoch, member): (u64, u64),
        stage: Stage,
        not_after: Millis,
        floor: Floor,
        key: &SigningKey,
    ) -> WitnessSignature {
        WitnessSignature {
            member,
            not_after,
            floor,
            signature: key.sign(&statement(claim, epoch, stage, not_after, floor)),
        }
    }

    /// Whether the member of that set signed this about the claim.
    pub fn verify(&self, claim: &Claim, set: &WitnessSet, stage: Stage) -> bool {
        let signed = || statement(claim, set.epoch(), stage, self.not_after, self.floor);
        let bounded = self.not_after <= MAX_SAFE_INTEGER && self.floor.seq <= MAX_SAFE_INTEGER;
        bounded
            && set
                .member(self.member)
                .is_some_and(|key| key.verify(&signed(), &self.signature))
    }
}

/// A claim with final signatures. Its claim is authentic, its signatures are not checked yet:
/// [`Self::verify`] makes a [`Binding`] of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The claim.
    pub claim: Claim,
    /// Of which witness set the signers are.
    pub epoch: u64,
    /// Final signatures, by member in ascending order.
    pub finals: Vec<WitnessSignature>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct CertificateWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    claim: Vec<u8>,
    #[n(1)]
    epoch: u64,
    #[n(2)]
    finals: Vec<WitnessSignature>,
}

impl Certificate {
    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Certificate, Refusal> {
        if bytes.len() > MAX_CERTIFICATE {
            return Err(Refusal::Oversized);
        }
        let wire: CertificateWire = cbor::decode(bytes)?;
        let ascending = wire
            .finals
            .windows(2)
            .all(|pair| pair[0].member < pair[1].member);
        if !ascending || wire.finals.len() > MAX_WITNESSES || wire.epoch > MAX_SAFE_INTEGER {
            return Err(Refusal::Malformed);
        }
        Ok(Certificate {
            claim: Claim::decode(&wire.claim)?,
            epoch: wire.epoch,
            finals: wire.finals,
        })
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&CertificateWire {
            claim: self.claim.bytes().to_vec(),
            epoch: self.epoch,
            finals: self.finals.clone(),
        })
    }

    /// Checks everything but the time: a quorum of a known set signed, and nobody else.
    pub fn verify(&self, sets: &KnownSets) -> Result<Binding, Refusal> {
        if self.claim.network() != sets.network() {
            return Err(Refusal::WrongNetwork);
        }
        let set = sets.get(self.epoch).ok_or(Refusal::WrongKey)?;
        if self.finals.len() < set.quorum() {
            return Err(Refusal::BadSignature);
        }
        let valid = |each: &WitnessSignature| each.verify(&self.claim, set, Stage::Final);
        if !self.finals.iter().all(valid) {
            return Err(Refusal::BadSignature);
        }
        Ok(Binding {
            certificate: self.clone(),
            quorum: set.quorum(),
            ended: sets.ended(self.epoch),
        })
    }
}

/// A certificate that was verified: a quorum bound the name to its owner. Whether it still counts is
/// a question of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    certificate: Certificate,
    quorum: usize,
    /// When the next witness set took over.
    ended: Option<Millis>,
}

impl Binding {
    /// The claim.
    pub fn claim(&self) -> &Claim {
        &self.certificate.claim
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// How many signatures it takes.
    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// Until when one signature counts: no longer than a lease after its epoch ended, nor than the
    /// term.
    fn end_of(&self, signature: &WitnessSignature) -> Millis {
        let epoch_end = self
            .ended
            .map_or(Millis::MAX, |at| at.saturating_add(NAME_LEASE));
        signature
            .not_after
            .min(epoch_end)
            .min(self.claim().expires())
    }

    /// Until when a quorum of its signatures counts.
    pub fn live_until(&self) -> Millis {
        let finals = self.certificate.finals.iter();
        let mut ends: Vec<Millis> = finals.map(|each| self.end_of(each)).collect();
        sort_short(&mut ends, |one, two| two.cmp(one));
        ends.get(self.quorum - 1).copied().unwrap_or(0)
    }

    /// Whether readers believe it at `now`. A lease that is longer than any lease was signed by liars.
    pub fn is_live(&self, now: Millis) -> bool {
        let far = now
            .saturating_add(NAME_LEASE)
            .saturating_add(CLOCK_TOLERANCE);
        let counted = |each: &&WitnessSignature| self.end_of(each) > now && each.not_after <= far;
        self.certificate.finals.iter().filter(counted).count() >= self.quorum
    }

    /// Whether it says who holds the name: it is live, or a lease that ran out in an epoch that lasts.
    /// What else the keys of an epoch that is over signed, they may have signed after their time.
    pub fn counts(&self, now: Millis) -> bool {
        self.is_current(now) || self.is_live(now)
    }

    /// Whether no other witness set has taken over at `now`.
    pub fn is_current(&self, now: Millis) -> bool {
        self.ended.is_none_or(|at| now < at)
    }

    /// Whether its epoch lasts, or was over so lately that leases of it may live, by any clock.
    pub fn is_recent(&self, now: Millis) -> bool {
        let grace = NAME_LEASE + 2 * CLOCK_TOLERANCE;
        self.ended.is_none_or(|at| now < at.saturating_add(grace))
    }

    /// The floor that a quorum of the live signatures agrees is not too high: some liars can neither
    /// raise it, nor hide a zone that a quorum has stored.
    pub fn floor(&self, now: Millis) -> Floor {
        let live = |each: &&WitnessSignature| self.end_of(each) > now;
        let finals = self.certificate.finals.iter().filter(live);
        let mut floors: Vec<Floor> = finals.map(|each| each.floor).collect();
        sort_short(&mut floors, Ord::cmp);
        floors.get(self.quorum - 1).copied().unwrap_or_default()
    }

    /// Who signed, and until when each signature counts.
    pub fn signers<'a>(
        &'a self,
        set: &'a WitnessSet,
    ) -> impl Iterator<Item = (PublicKey, Millis)> + 'a {
        self.certificate
            .finals
            .iter()
            .filter_map(|each| Some((*set.member(each.member)?, self.end_of(each))))
    }
}

/// Collects signatures of one claim until they are a certificate: each is checked when it comes.
#[derive(Clone, Debug)]
pub struct Tally {
    claim: Claim,
    epoch: u64,
    stage: Stage,
    signatures: SortedMap<u64, WitnessSignature>,
}

impl Tally {
    /// Nothing is signed yet.
    pub fn new(claim: Claim, epoch: u64, stage: Stage) -> Tally {
        Tally {
            claim,
            epoch,
            stage,
            signatures: SortedMap::default(),
        }
    }

    /// The claim.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The epoch of the signers.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes a signature if it is valid; of one witness the one that counts longest stays.
    pub fn add(&mut self, signature: WitnessSignature, sets: &KnownSets) -> bool {
        let known = self.signatures.get(&signature.member);
        let better = known.is_none_or(|known| {
            (known.not_after, known.floor) < (signature.not_after, signature.floor)
        });
        if !better {
            return known == Some(&signature);
        }
        let valid = sets
            .get(self.epoch)
            .is_some_and(|set| signature.verify(&self.claim, set, self.stage));
        if valid {
            self.signatures.insert(signature.member, signature);
        }
        valid
    }

    /// How many witnesses signed.
    pub fn count(&self) -> usize {
        self.signatures.len()
    }

    /// The signatures, by member.
    pub fn signatures(&self) -> Vec<WitnessSignature> {
        self.signatures.values().cloned().collect()
    }

    /// The binding, as soon as a quorum has signed.
    pub fn binding(&self, sets: &KnownSets) -> Option<Binding> {
        let set = sets.get(self.epoch)?;
        (self.stage == Stage::Final && self.count() >= set.quorum()).then(|| Binding {
            certificate: Certificate {
                claim: self.claim.clone(),
                epoch: self.epoch,
                finals: self.signatures(),
            },
            quorum: set.quorum(),
            ended: sets.ended(self.epoch),
        })
    }
}

#[cfg(test)]
mod tests;
