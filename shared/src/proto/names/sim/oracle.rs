//! Sees every signature that was ever given, whoever received it, and knows what must never be.

use std::collections::BTreeMap;

use crate::limits::{HOUR, MINUTE, NAME_GRACE, NAME_LEASE, NAME_TERM};
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::proto::names::claim::{Claim, Holder};
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
    claims: BTreeMap<[u8; 32], Signatures>,
    /// For each generation, who was certified in it.
    certified: BTreeMap<u64, Holder>,
    /// When a quorum had each generation durably.
    confirmed: BTreeMap<u64, Millis>,
    readers: BTreeMap<usize, (u64, Holder)>,
    only: Option<(PublicKey, Millis)>,
}

impl Oracle {
    pub(super) fn new(quorum: usize) -> Oracle {
        Oracle {
            quorum,
            claims: BTreeMap::new(),
            certified: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            readers: BTreeMap::new(),
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
        let entry = self.claims.entry(claim.hash()).or_insert_with(|| Signatures {
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

    /// An owner was told that its claim is confirmed.
    pub(super) fn confirmed(&mut self, claim: &Claim, now: Millis) {
        self.confirmed.entry(claim.generation()).or_insert(now);
    }

    /// A reader sees this binding.
    pub(super) fn believed(
        &mut self,
        reader: usize,
        claim: &Claim,
        _live: bool,
    ) -> Result<(), String> {
        let found = (claim.generation(), claim.holder());
        match self.readers.insert(reader, found) {
            Some(before) if before.0 > found.0 => Err("a reader went back".to_owned()),
            Some(before) if before.0 == found.0 && before.1 != found.1 => {
                Err("a reader saw two owners in one generation".to_owned())
            }
            _ => Ok(()),
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
