//! What several witnesses say of one name, brought together.
//!
//! Knows that signatures of one claim add up, wherever they come from, and which claim and zone wins.
//! Believes nothing that does not verify. Does not ask anybody.

use std::collections::BTreeMap;

use super::certificate::{Binding, Certificate, Floor, Stage, Tally};
use super::claim::Claim;
use super::name::{Label, Root};
use super::set::KnownSets;
use super::wire::{Known, Signed};
use super::zone::SignedZone;
use crate::limits::NAME_GENERATION_STEP;
use crate::proto::Millis;
use crate::proto::key::{NetworkId, PublicKey};
use crate::sorted::sort_short;

/// Claims weighed at once: liars may send many, the one that counts has the highest rank.
const MAX_TALLIES: usize = 16;
/// Zones weighed at once.
const MAX_ZONES: usize = 16;

/// What is known of one name.
#[derive(Clone, Debug)]
pub struct View {
    name: Label,
    tallies: Vec<Tally>,
    zones: Zones,
    tops: BTreeMap<PublicKey, u64>,
    busy: Option<Millis>,
    newest_epoch: u64,
}

impl View {
    /// Nothing is known yet.
    pub fn new(name: Label) -> View {
        View {
            name,
            tallies: Vec::new(),
            zones: Zones::default(),
            tops: BTreeMap::new(),
            busy: None,
            newest_epoch: 0,
        }
    }

    /// What a witness says.
    pub fn add(&mut self, from: PublicKey, known: &Known, sets: &KnownSets) {
        self.tops.insert(from, known.top);
        self.busy = self.busy.max(known.busy);
        self.newest_epoch = self.newest_epoch.max(known.epoch);
        let certificate = known.certificate.as_deref();
        let certificate = certificate.and_then(|bytes| Certificate::decode(bytes).ok());
        if let Some(certificate) = certificate {
            self.add_certificate(&certificate, sets);
            if let Some(own) = &known.own {
                self.add_signature(&certificate.claim, own, sets);
            }
        }
        if let Some(half) = &known.half
            && let Ok(claim) = Claim::decode(&half.claim)
        {
            self.add_signature(&claim, &half.signed, sets);
        }
        if let Some(zone) = &known.zone {
            self.zones.add(zone);
        }
    }

    /// A certificate, from anywhere.
    pub fn add_certificate(&mut self, certificate: &Certificate, sets: &KnownSets) {
        for signature in &certificate.finals {
            let signed = Signed {
                epoch: certificate.epoch,
                signature: signature.clone(),
            };
            self.add_signature(&certificate.claim, &signed, sets);
        }
    }

    /// One final signature of a claim.
    pub fn add_signature(&mut self, claim: &Claim, signed: &Signed, sets: &KnownSets) {
        if *claim.name() != self.name || claim.network() != sets.network() {
            return;
        }
        let same =
            |tally: &Tally| tally.epoch() == signed.epoch && tally.claim().hash() == claim.hash();
        if let Some(tally) = self.tallies.iter_mut().find(|tally| same(tally)) {
            tally.add(signed.signature.clone(), sets);
            return;
        }
        let mut tally = Tally::new(claim.clone(), signed.epoch, Stage::Final);
        if tally.add(signed.signature.clone(), sets) {
            self.tallies.push(tally);
            self.forget_some(sets);
        }
    }

    /// Of too many claims one that nobody certified goes.
    fn forget_some(&mut self, sets: &KnownSets) {
        if self.tallies.len() > MAX_TALLIES {
            let least = |tally: &Tally| (tally.binding(sets).is_some(), tally.claim().rank());
            let at = (0..self.tallies.len()).min_by_key(|at| least(&self.tallies[*at]));
            self.tallies.remove(at.unwrap_or(0));
        }
    }

    /// The binding of the highest rank that a quorum signed; of its epochs the one that lasts.
    pub fn binding(&self, sets: &KnownSets) -> Option<Binding> {
        let bindings = self.tallies.iter().filter_map(|tally| tally.binding(sets));
        bindings.max_by_key(|binding| (binding.claim().rank(), binding.live_until()))
    }

    /// The generation to claim next: above all that was said, but one liar's number does not count
    /// when it is out of everybody's reach.
    pub fn next_generation(&self) -> u64 {
        let lowest = self.tops.values().min().copied().unwrap_or(0);
        let reach = lowest.saturating_add(NAME_GENERATION_STEP);
        let within = self.tops.values().filter(|top| **top < reach);
        within.max().copied().unwrap_or(lowest) + 1
    }

    /// The latest time until which a witness reserves the name for somebody.
    pub fn busy(&self) -> Option<Millis> {
        self.busy
    }

    /// The zones that came with the answers; others may be added.
    pub fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    /// The newest epoch that a witness signs in.
    pub fn newest_epoch(&self) -> u64 {
        self.newest_epoch
    }
}

/// Zones of one name, from anywhere; whose they are shows later.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    /// In ascending order.
    zones: Vec<SignedZone>,
}

impl Zones {
    /// Takes a zone in, if it is authentic.
    pub fn add(&mut self, bytes: &[u8]) {
        if self.zones.iter().any(|zone| zone.bytes() == bytes) {
            return;
        }
        if let Ok(zone) = SignedZone::decode(bytes) {
            self.zones.push(zone);
            sort_short(&mut self.zones, |one, two| one.floor().cmp(&two.floor()));
            if self.zones.len() > MAX_ZONES {
                self.zones.remove(0);
            }
        }
    }

    /// The newest zone of that owner and generation, or the one that is below the floor.
    pub fn newest(
        &self,
        network: &NetworkId,
        root: &Root,
        owner: (PublicKey, u64),
        floor: Floor,
        now: Millis,
    ) -> Newest<'_> {
        let belongs = |zone: &&SignedZone| zone.belongs(network, root, owner, now).is_ok();
        match self.zones.iter().rev().find(belongs) {
            Some(zone) if zone.floor() < floor => Newest::Below,
            Some(zone) => Newest::Zone(zone),
            None => Newest::None,
        }
    }
}

/// What zones were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newest<'a> {
    /// This one.
    Zone(&'a SignedZone),
    /// Only older ones than must exist.
    Below,
    /// None.
    None,
}
