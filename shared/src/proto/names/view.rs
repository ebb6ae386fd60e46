//! What several witnesses say of one name, brought together.
//!
//! Knows that signatures of one claim add up, wherever they come from, and which claim and zone wins.
//! Believes nothing that does not verify. Does not ask anybody.

use super::certificate::{Binding, Certificate, Floor, Stage, Tally, WitnessSignature};
use super::claim::Claim;
use super::name::{Label, Root};
use super::set::KnownSets;
use super::wire::{Known, Signed};
use super::zone::SignedZone;
use crate::limits::{MAX_WITNESSES, NAME_GENERATION_STEP};
use crate::proto::Millis;
use crate::proto::key::{NetworkId, PublicKey};
use crate::sorted::SortedMap;
use crate::sorted::sort_short;

/// Claims weighed at once: of every witness the one that it says is in force, in two epochs, and the
/// one that it has signed; and a few that come with refusals.
const MAX_TALLIES: usize = 3 * MAX_WITNESSES + 16;
/// Zones weighed at once.
const MAX_ZONES: usize = 16;

/// What is known of one name.
#[derive(Clone, Debug)]
pub struct View {
    name: Label,
    tallies: Vec<Tally>,
    zones: Zones,
    tops: SortedMap<PublicKey, u64>,
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
            tops: SortedMap::default(),
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
        self.add_signatures(
            &certificate.claim,
            certificate.epoch,
            &certificate.finals,
            sets,
        );
    }

    /// One final signature of a claim.
    pub fn add_signature(&mut self, claim: &Claim, signed: &Signed, sets: &KnownSets) {
        let one = std::slice::from_ref(&signed.signature);
        self.add_signatures(claim, signed.epoch, one, sets);
    }

    /// All at once, so that a certificate is not taken for a claim that few have signed.
    fn add_signatures(
        &mut self,
        claim: &Claim,
        epoch: u64,
        signatures: &[WitnessSignature],
        sets: &KnownSets,
    ) {
        if *claim.name() != self.name || claim.network() != sets.network() {
            return;
        }
        let add = |tally: &mut Tally| {
            let added = |each: &WitnessSignature| tally.add(each.clone(), sets);
            signatures
                .iter()
                .map(added)
                .fold(false, |any, added| any | added)
        };
        let same =
            |tally: &&mut Tally| tally.epoch() == epoch && tally.claim().hash() == claim.hash();
        if let Some(tally) = self.tallies.iter_mut().find(same) {
            add(tally);
            return;
        }
        let mut tally = Tally::new(claim.clone(), epoch, Stage::Final);
        if add(&mut tally) {
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

    /// As [`Self::binding`], but what counts goes before what keys of an epoch that is over signed.
    pub fn believed(&self, sets: &KnownSets, now: Millis) -> Option<Binding> {
        let bindings = self.tallies.iter().filter_map(|tally| tally.binding(sets));
        let order = |it: &Binding| (it.counts(now), it.claim().rank(), it.live_until());
        bindings.max_by_key(order)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::NAME_LEASE;
    use crate::proto::key::SigningKey;
    use crate::proto::names::claim::{Draft, Right};
    use crate::proto::names::set::WitnessSet;
    use crate::proto::names::wire::HalfFinal;
    use crate::selftest::names::samples::alice;
    use crate::selftest::samples::{NOW, author, network};

    fn claim(generation: u64, issued: Millis) -> Claim {
        let draft = Draft {
            network: network(),
            name: alice(),
            generation,
            right: Right::Free { work: 0 },
            recovery: None,
            issued,
        };
        draft.sign(&author()).unwrap()
    }

    #[test]
    fn liars_that_are_tolerated_hide_no_certificate() {
        let keys: Vec<_> = (0..64).map(|at| SigningKey::from_seed([at; 32])).collect();
        let set = WitnessSet::new(1, 0, keys.iter().map(SigningKey::public)).unwrap();
        let (quorum, size) = (set.quorum(), keys.len());
        let sets = KnownSets::pinned(network(), set.clone());
        let sign = |key: &SigningKey, claim: &Claim| {
            let member = set.position(&key.public()).unwrap();
            let until = NOW + NAME_LEASE;
            let floor = Floor::default();
            WitnessSignature::sign(claim, (1, member), Stage::Final, until, floor, key)
        };
        let liars = 2 * quorum - size - 1;
        let mut view = View::new(alice());
        for (at, liar) in keys.iter().take(liars).enumerate() {
            let by = |issued| {
                let claim = claim(900, issued);
                let signature = sign(liar, &claim);
                (claim, signature)
            };
            let (first, second) = (by(NOW - 1 - at as Millis), by(NOW + 1 + at as Millis));
            let certificate = Certificate {
                claim: first.0,
                epoch: 1,
                finals: vec![first.1],
            };
            let half = HalfFinal {
                claim: second.0.bytes().to_vec(),
                signed: Signed {
                    epoch: 1,
                    signature: second.1,
                },
            };
            let known = Known {
                certificate: Some(certificate.encode()),
                half: Some(half),
                ..Known::default()
            };
            view.add(liar.public(), &known, &sets);
        }
        let honest = claim(1, NOW);
        let mut finals: Vec<_> = keys
            .iter()
            .skip(liars)
            .take(quorum)
            .map(|key| sign(key, &honest))
            .collect();
        finals.sort_by_key(|each| each.member);
        let certificate = Certificate {
            claim: honest.clone(),
            epoch: 1,
            finals,
        };
        view.add_certificate(&certificate, &sets);
        assert_eq!(
            view.binding(&sets).map(|it| it.claim().clone()),
            Some(honest)
        );
    }
}
