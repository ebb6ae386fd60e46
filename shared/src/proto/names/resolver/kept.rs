//! The cache over a restart: for peers that live shorter than what they resolve.
//!
//! Knows what is kept of a name, and that nothing of it is believed unseen: certificates, zones, floors
//! and times are checked again.

use minicbor::{Decode, Encode};

use super::{Cached, Resolver};
use crate::limits::{CLOCK_TOLERANCE, MAX_KEPT_NAMES};
use crate::proto::key::PublicKey;
use crate::proto::names::certificate::{Binding, Certificate};
use crate::proto::names::claim::Holder;
use crate::proto::names::name::{Name, Root};
use crate::proto::names::set::KnownSets;
use crate::proto::names::zone::SignedZone;
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// What is kept of one name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KeptName {
    /// The name of the zone.
    #[n(0)]
    pub name: String,
    /// The certificate, unless it is the name of a key.
    #[cbor(n(1), with = "minicbor::bytes")]
    certificate: Option<Vec<u8>>,
    #[cbor(n(2), with = "minicbor::bytes")]
    zone: Vec<u8>,
    /// When it was received.
    #[n(3)]
    pub fetched: Millis,
}

/// Reads what was kept.
pub fn read(bytes: &[u8]) -> Result<Vec<KeptName>, Refusal> {
    Ok(cbor::decode(bytes)?)
}

/// Writes what is to be kept.
pub fn write(names: &[KeptName]) -> Vec<u8> {
    cbor::encode(&names.to_vec())
}

impl KeptName {
    /// The zone, authentic if it is one.
    pub fn zone(&self) -> Result<SignedZone, Refusal> {
        SignedZone::decode(&self.zone)
    }

    /// How long all of it may still be given without asking.
    pub fn left(&self, zone: &SignedZone, now: Millis) -> Millis {
        let zone = zone.zone();
        let entries = zone.entries.iter().map(|entry| zone.ttl_of(&entry.sub));
        let ttl = entries.min().unwrap_or(0);
        let ahead = self.fetched > now.saturating_add(CLOCK_TOLERANCE);
        match ahead {
            // The clock went back: nothing can be said.
            true => 0,
            false => ttl.saturating_sub(now.saturating_sub(self.fetched)),
        }
    }

    /// What it proves, if it is to be believed with these witnesses at that time.
    fn open(
        &self,
        sets: &KnownSets,
        now: Millis,
    ) -> Option<(Root, Holder, Option<Binding>, SignedZone)> {
        let root = Name::find(&self.name).ok()?.root().clone();
        let zone = self.zone().ok()?;
        let binding = match (&root, &self.certificate) {
            (Root::Human(name), Some(bytes)) => {
                let binding = Certificate::decode(bytes).ok()?.verify(sets).ok()?;
                let claim = binding.claim();
                if claim.name() != name || claim.released() || !binding.is_live(now) {
                    return None;
                }
                Some(binding)
            }
            (Root::Human(_), None) => return None,
            (Root::Key(_), _) => None,
        };
        let (owner, generation): (PublicKey, u64) = match (&root, &binding) {
            (Root::Key(key), _) => (*key, 0),
            (_, binding) => {
                let claim = binding.as_ref()?.claim();
                (claim.owner(), claim.generation())
            }
        };
        let belongs = zone.belongs(sets.network(), &root, (owner, generation), now);
        let floor = binding.as_ref().map(|it| it.floor(now)).unwrap_or_default();
        let holder = Holder {
            owner,
            released: false,
        };
        (belongs.is_ok() && zone.floor() >= floor).then_some((root, holder, binding, zone))
    }
}

impl Resolver {
    /// What of the cache is worth keeping: the names that were used last.
    pub fn kept(&self) -> Vec<KeptName> {
        let mut rows: Vec<(&Root, &Cached)> = self.cache.iter().collect();
        rows.sort_by_key(|(_, cached)| std::cmp::Reverse(cached.used));
        let kept = rows.into_iter().take(MAX_KEPT_NAMES).map(|(root, cached)| {
            let certificate = cached.binding.as_ref().map(|it| it.certificate().encode());
            KeptName {
                name: root.name().to_string(),
                certificate,
                zone: cached.zone.bytes().to_vec(),
                fetched: cached.fetched,
            }
        });
        kept.collect()
    }

    /// Takes in what was kept, as far as it is fresh, true, and not below any floor.
    pub fn restore(&mut self, names: &[KeptName], now: Millis) {
        for kept in names.iter().take(MAX_KEPT_NAMES) {
            let Some((root, holder, binding, zone)) = kept.open(&self.sets, now) else {
                continue;
            };
            let generation = zone.zone().generation;
            let above = self.floors.allows(&root, generation, holder)
                && zone.floor() >= self.floors.zone(&root, generation, holder.owner);
            if above && kept.left(&zone, now) > 0 {
                let fetched = kept.fetched;
                let cached = Cached {
                    binding,
                    zone,
                    fetched,
                    used: fetched,
                };
                if !self.cache.contains_key(&root) {
                    self.cache.insert(root, cached);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MINUTE, NAME_LEASE};
    use crate::proto::names::resolver::{Options, floors::Floors};
    use crate::proto::names::resource::Resource;
    use crate::proto::names::testing::Net;
    use crate::proto::names::zone::Zone;
    use crate::selftest::names::samples::sets;
    use crate::selftest::samples::author;

    /// Alice's zone, resolved and kept; and the floors that were seen with it.
    fn kept(net: &mut Net, text: &str) -> (Vec<KeptName>, Vec<u8>) {
        let binding = net.claim(&author());
        let mut zone = Zone::default();
        zone.set("", vec![Resource::Text(text.to_owned())]).unwrap();
        net.publish(&author(), zone, &binding);
        let mut resolver = Resolver::new(sets(), Floors::default(), 1);
        let found = net.resolve(&mut resolver, "alice.p2p", Options::default());
        found.unwrap();
        let kept = resolver.kept();
        assert_eq!(read(&write(&kept)).unwrap(), kept);
        (kept, resolver.floors().export())
    }

    /// How many names are believed after a restart.
    fn believed(kept: &[KeptName], floors: &[u8], now: Millis) -> usize {
        let mut known = Floors::default();
        known.restore(floors).unwrap();
        let mut resolver = Resolver::new(sets(), known, 2);
        resolver.restore(kept, now);
        resolver.cached(now).len()
    }

    #[test]
    fn a_restart_costs_no_question_while_the_name_is_fresh() {
        let mut net = Net::new();
        let (kept, floors) = kept(&mut net, "one");
        let asked = net.asked;
        net.now += 4 * MINUTE;
        let mut resolver = Resolver::new(sets(), Floors::default(), 2);
        resolver.restore(&kept, net.now);
        let found = net.resolve(&mut resolver, "alice.p2p", Options::default());
        let found = found.unwrap();
        assert!(found.proofs[0].cached && !found.proofs[0].stale);
        assert_eq!((found.ttl, net.asked), (MINUTE, asked));
        for (later, names) in [(0, 1), (MINUTE, 0), (NAME_LEASE, 0)] {
            assert_eq!(believed(&kept, &floors, net.now + later), names, "{later}");
        }
        let back = net.now - 20 * MINUTE;
        assert_eq!(believed(&kept, &floors, back), 0, "a clock that went back");
    }

    #[test]
    fn nothing_below_a_floor_or_forged_is_believed() {
        let mut net = Net::new();
        let (old, _) = kept(&mut net, "one");
        net.now += 1;
        let (new, floors) = kept(&mut net, "two");
        assert_eq!(believed(&old, &floors, net.now), 0);
        assert_eq!(believed(&new, &floors, net.now), 1);
        for at in [10, 60, 120, 160] {
            let mut forged = new.clone();
            forged[0].zone[at] ^= 1;
            assert_eq!(believed(&forged, &[0x80], net.now), 0, "zone, byte {at}");
            let mut forged = new.clone();
            forged[0].certificate.as_mut().unwrap()[at] ^= 1;
            assert_eq!(
                believed(&forged, &[0x80], net.now),
                0,
                "certificate, byte {at}"
            );
        }
        let bare = KeptName {
            certificate: None,
            ..new[0].clone()
        };
        assert_eq!(believed(&[bare], &[0x80], net.now), 0);
    }
}
