//! Sees every signature that was ever given, whoever received it, and knows what must never be.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{HOUR, MINUTE, NAME_GRACE, NAME_LEASE, NAME_TERM};
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::proto::names::claim::{Claim, Holder, Right};
use crate::proto::names::resolution::Proof;
use crate::proto::names::wire::Signed;

/// Clocks of witnesses differ from the true time by at most half of this.
const SKEW: Millis = 10 * MINUTE;

#[derive(Clone, Debug)]
struct Signatures {
    claim: Claim,
    /// The latest end of each member's signatures.
    ends: BTreeMap<u64, Millis>,
}

/// All-knowing, for tests.
#[derive(Clone, Debug)]
pub struct Oracle {
    quorum: usize,
    liars: BTreeSet<u64>,
    claims: BTreeMap<[u8; 32], Signatures>,
    /// For each generation, who was certified in it.
    certified: BTreeMap<u64, Holder>,
    /// When a quorum had each generation durably.
    confirmed: BTreeMap<u64, Millis>,
    readers: BTreeMap<usize, (u64, Holder)>,
    zones: BTreeMap<(usize, u64), u64>,
    only: Option<(PublicKey, Millis)>,
}

impl Oracle {
    pub(super) fn new(quorum: usize) -> Oracle {
        Oracle {
            quorum,
            liars: BTreeSet::new(),
            claims: BTreeMap::new(),
            certified: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            readers: BTreeMap::new(),
            zones: BTreeMap::new(),
            only: None,
        }
    }

    /// From now on nobody gets the name without this owner's word, for its term and the grace.
    pub(super) fn only(&mut self, owner: PublicKey, now: Millis) {
        self.only = Some((owner, now + NAME_TERM + NAME_GRACE - HOUR));
    }

    /// A witness signed finally.
    pub(super) fn signed(
        &mut self,
        claim: &Claim,
        signed: &Signed,
        now: Millis,
    ) -> Result<(), String> {
        self.too_soon(claim, signed, now)?;
        let entry = self
            .claims
            .entry(claim.hash())
            .or_insert_with(|| Signatures {
                claim: claim.clone(),
                ends: BTreeMap::new(),
            });
        let end = entry.ends.entry(signed.signature.member).or_insert(0);
        *end = (*end).max(signed.signature.not_after);
        if entry.ends.len() < self.quorum {
            return Ok(());
        }
        let (generation, holder) = (claim.generation(), claim.holder());
        let known = *self.certified.entry(generation).or_insert(holder);
        if known != holder {
            return Err(format!("generation {generation} has two owners"));
        }
        match self.only {
            Some((owner, until)) if holder.owner != owner && now < until => {
                Err("liars took the name".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// A witness gives no free name away that it has signed for another owner less than a lease ago,
    /// unless that was given up.
    fn too_soon(&self, claim: &Claim, signed: &Signed, now: Millis) -> Result<(), String> {
        let member = signed.signature.member;
        if !matches!(claim.right(), Right::Free { .. }) || self.liars.contains(&member) {
            return Ok(());
        }
        let released = |after: u64| {
            let between = |generation: &u64| (after..claim.generation()).contains(generation);
            let mut certified = self.certified.iter();
            certified.any(|(generation, holder)| holder.released && between(generation))
        };
        let barred = self.claims.values().any(|other| {
            let end = other.ends.get(&member).copied().unwrap_or(0);
            let elsewhere = other.claim.owner() != claim.owner();
            elsewhere && end > now && !released(other.claim.generation())
        });
        let renewed = self.claims.contains_key(&claim.hash());
        match barred && !renewed {
            true => Err(format!(
                "witness {member} gave the name away before its lease ended"
            )),
            false => Ok(()),
        }
    }

    /// This witness lies.
    pub(super) fn lies(&mut self, member: u64) {
        self.liars.insert(member);
    }

    /// An owner was told that its claim is confirmed.
    pub(super) fn confirmed(&mut self, claim: &Claim, now: Millis) {
        self.confirmed.entry(claim.generation()).or_insert(now);
    }

    /// The highest that a reader has seen.
    pub(super) fn seen(
        &mut self,
        reader: usize,
        generation: u64,
        holder: Holder,
    ) -> Result<(), String> {
        if self.certified.get(&generation) != Some(&holder) {
            return Err(format!("reader {reader} believes what nobody certified"));
        }
        match self.readers.insert(reader, (generation, holder)) {
            Some(before) if before.0 > generation => Err("a reader went back".to_owned()),
            Some(before) if before.0 == generation && before.1 != holder => {
                Err("a reader saw two owners in one generation".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// What a resolution gave to a reader.
    pub(super) fn read(
        &mut self,
        reader: usize,
        proof: Option<&Proof>,
        now: Millis,
    ) -> Result<(), String> {
        let Some(proof) = proof else {
            return Ok(());
        };
        let holder = Holder {
            owner: proof.owner,
            released: false,
        };
        self.seen(reader, proof.generation, holder)?;
        let newest = self.zones.entry((reader, proof.generation)).or_insert(0);
        if proof.seq < *newest {
            return Err("a reader was given an older zone".to_owned());
        }
        *newest = proof.seq;
        match proof.live_until.is_some_and(|until| until > now) {
            true => Ok(()),
            false => Err("a reader believed a dead certificate".to_owned()),
        }
    }

    /// Until when readers believe a claim at most.
    fn live_until(&self, signatures: &Signatures) -> Millis {
        let mut ends: Vec<Millis> = signatures.ends.values().copied().collect();
        ends.sort_unstable_by(|one, two| two.cmp(one));
        ends.get(self.quorum - 1).copied().unwrap_or(0)
    }

    /// Whatever was replaced stopped counting within one lease.
    pub(super) fn replaced_are_dead(&self) -> Result<(), String> {
        if self.only.is_some() {
            return Ok(());
        }
        for signatures in self.claims.values() {
            let generation = signatures.claim.generation();
            let later = self.confirmed.range(generation + 1..);
            let Some(replaced) = later.map(|(_, at)| *at).min() else {
                continue;
            };
            let end = self.live_until(signatures);
            if end > replaced + NAME_LEASE + SKEW {
                let late = end - replaced - NAME_LEASE;
                return Err(format!("generation {generation} lived {late} ms too long"));
            }
        }
        Ok(())
    }

    /// The highest generation that an owner was told of.
    pub(super) fn shown_generation(&self) -> u64 {
        self.confirmed.keys().next_back().copied().unwrap_or(0)
    }

    /// Whether a generation above the highest that anybody was told of, and below this, was certified.
    pub(super) fn certified_above(&self, shown: u64, below: u64) -> bool {
        self.certified.range(shown + 1..below).next().is_some()
    }

    /// Who holds the name, if a quorum says so and neither term nor grace is over.
    pub(super) fn standing(&self, now: Millis) -> Option<PublicKey> {
        let certified = self.claims.values();
        let certified = certified.filter(|each| each.ends.len() >= self.quorum);
        let highest = certified.max_by_key(|each| each.claim.rank())?;
        let claim = &highest.claim;
        (!claim.released() && now < claim.expires() + NAME_GRACE).then(|| claim.owner())
    }
}
