//! The witness role of a relay: which set it belongs to, and from when on it may sign.

use std::sync::Arc;

use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::NAME_LEASE;
use warren_shared::net::names::{NameLedger, NameService, Registry};
use warren_shared::platform;
use warren_shared::proto::key::{PublicKey, SigningKey};
use warren_shared::proto::names::set::{Endorsement, Succession};
use warren_shared::proto::names::witness::Witness;
use warren_shared::proto::names::work::Hardness;
use warren_shared::proto::names::{KnownSets, WitnessSet};
use warren_shared::proto::{Millis, NetworkId};

use crate::identity::DataDir;
use crate::store::{RedbNames, RedbStore};

/// The sets that this relay knows, in its data directory.
const SETS: &str = "witness-sets";
/// When it began to keep rows: rows that are younger have forgotten something.
const BEGUN: &str = "witness-since";

/// The role, and the sets it tells others. Without sets it has no role: it does not know yet who the
/// witnesses of its network are, and names none.
pub(super) struct Role {
    pub service: Option<Arc<NameService>>,
    /// For the operator.
    pub registry: Registry,
    pub sets: Option<KnownSets>,
}

/// What the relay starts from.
pub(super) struct Start<'a> {
    pub data: &'a DataDir,
    pub network: &'a NetworkId,
    pub key: &'a SigningKey,
    /// What the join documents of others said.
    pub told: Option<WitnessSet>,
    /// Whether there are no others to ask: then it is the first relay of its network.
    pub first: bool,
    /// Witnesses that the operator names beside this one.
    pub named: &'a [PublicKey],
    pub store: Arc<RedbStore>,
}

impl Start<'_> {
    pub async fn role(self) -> Result<Role> {
        let rows = RedbNames::new(self.store.clone());
        let Some(mut sets) = self.known_sets()? else {
            tracing::warn!(
                "no relay has said yet who the witnesses of this network are: it is none of them"
            );
            let registry = Registry::new(Arc::new(rows));
            let (service, sets) = (None, None);
            return Ok(Role {
                service,
                registry,
                sets,
            });
        };
        let lost = self.lost_rows(&rows, &sets).await?;
        let endorsed = self.hand_over(&mut sets)?;
        self.data.save(SETS, &sets.export())?;
        let mut witness = Witness::new(self.key.clone(), sets.clone(), Hardness::STANDARD);
        if let Some(next) = endorsed {
            witness.endorsed(next);
        }
        if let Some(since) = lost {
            let until = witness.lost_rows(since);
            if platform::now() < until {
                tracing::warn!(
                    until,
                    "the store is younger than this witness: it does not sign names until all that it has signed has ended"
                );
            }
        }
        let ledger: Arc<dyn NameLedger> = Arc::new(rows);
        Ok(Role {
            registry: Registry::new(ledger.clone()),
            service: Some(Arc::new(NameService::new(witness, ledger))),
            sets: Some(sets),
        })
    }

    /// The sets that were kept, or those that others name, or, in a network of its own, the first one.
    fn known_sets(&self) -> Result<Option<KnownSets>> {
        if let Some(sets) = kept_sets(self.data)? {
            return Ok(Some(sets));
        }
        let set = match &self.told {
            Some(set) => set.clone(),
            None if self.first => self.all_named(1, 0)?,
            None => return Ok(None),
        };
        Ok(Some(KnownSets::pinned(self.network.clone(), set)))
    }

    /// Those that the operator names, and this one.
    fn all_named(&self, epoch: u64, from: Millis) -> Result<WitnessSet> {
        let all = self.named.iter().copied().chain([self.key.public()]);
        WitnessSet::new(epoch, from, all).map_err(|refusal| {
            Error::new(Code::ConfigInvalid, "these witnesses make no set")
                .caused_by(refusal)
                .with_remedy("Name at most 63 other relays with --witness.")
        })
    }

    /// A witness that is alone hands over to those that its operator names, itself among them.
    fn hand_over(&self, sets: &mut KnownSets) -> Result<Option<WitnessSet>> {
        let own = self.key.public();
        let current = sets.current();
        let alone = current.keys() == [own];
        let next = self.all_named(current.epoch() + 1, platform::now())?;
        if self.named.is_empty() || next.keys() == current.keys() {
            return Ok(None);
        }
        if !alone {
            return Err(Error::new(
                Code::ConfigInvalid,
                "the witnesses of this network cannot be changed by one of them",
            )
            .with_remedy(
                "Leave --witness out: a quorum of the witnesses must sign the next set.",
            ));
        }
        let signature = current.endorse(self.network, &next, self.key);
        let signature = signature
            .try_into()
            .map_err(|_| Error::new(Code::Internal, "a signature does not have 64 bytes"))?;
        let succession = Succession {
            set: next.clone(),
            signatures: vec![Endorsement {
                member: 0,
                signature,
            }],
        };
        sets.learn(succession).map_err(|refusal| {
            Error::new(Code::Internal, "the next witness set does not follow").caused_by(refusal)
        })?;
        Ok(Some(next))
    }

    /// Since when there are rows, if there were others before that: they are lost with the store, or the
    /// identity alone came back from a backup, and its witness would sign twice.
    async fn lost_rows(&self, rows: &RedbNames, sets: &KnownSets) -> Result<Option<Millis>> {
        let now = platform::now();
        let since = rows.since(now).await.map_err(|error| {
            Error::new(
                Code::StorageFailed,
                "the rows of the witness cannot be used",
            )
            .caused_by(error)
        })?;
        let begun = match self.data.load(BEGUN)? {
            Some(bytes) => String::from_utf8_lossy(&bytes).trim().parse().unwrap_or(0),
            None => {
                let begun = begun(sets, &self.key.public(), since);
                self.data.save(BEGUN, begun.to_string().as_bytes())?;
                begun
            }
        };
        Ok((begun < since).then_some(since))
    }
}

/// When this witness began, as far as others or an earlier start know: a set that it has belonged to for
/// longer than a lease it has signed in. The first set of a network is as old as the network: what is
/// known of its age is that it is older than the one that followed.
fn begun(known: &KnownSets, own: &PublicKey, since: Millis) -> Millis {
    let all: Vec<&WitnessSet> = known.all().collect();
    let own_ones = all.iter().enumerate();
    let own_ones = own_ones.filter(|(_, set)| set.position(own).is_some());
    let mut signed_in = own_ones.filter_map(|(index, set)| match set.from() {
        0 => all.get(index + 1).map(|next| next.from()),
        from => (from.saturating_add(NAME_LEASE) < since).then_some(from),
    });
    signed_in.next().map_or(since, |began| began.min(since))
}

/// The sets that were kept in a data directory; none before the relay's first start.
pub(crate) fn kept_sets(data: &DataDir) -> Result<Option<KnownSets>> {
    let sets = data.load(SETS)?.map(|bytes| KnownSets::restore(&bytes));
    sets.transpose().map_err(|refusal| {
        Error::new(
            Code::StorageFailed,
            "the witness sets of this relay are damaged",
        )
        .caused_by(refusal)
        .with_remedy("Restore the data directory from a backup.")
    })
}

#[cfg(test)]
mod tests {
    use warren_shared::limits::DAY;

    use super::*;

    #[test]
    fn an_identity_that_came_back_alone_has_signed_before_its_rows() {
        let key = SigningKey::from_seed([1; 32]);
        let (own, other) = (key.public(), SigningKey::from_seed([2; 32]).public());
        let network = NetworkId::from_entropy([1; 10]);
        let set = |epoch, from, keys: &[PublicKey]| {
            WitnessSet::new(epoch, from, keys.iter().copied()).unwrap()
        };
        let known = |set: &WitnessSet| KnownSets::pinned(network.clone(), set.clone());
        let since = 100 * NAME_LEASE;
        let old = set(2, since - NAME_LEASE - 1, &[own]);
        assert_eq!(begun(&known(&old), &own, since), old.from());
        let without_it = set(2, old.from(), &[other]);
        let new = set(2, since - NAME_LEASE, &[own]);
        let first = set(1, 0, &[own]);
        for set in [&without_it, &new, &first] {
            assert_eq!(begun(&known(set), &own, since), since);
        }
        // The newest set is a day old, but it has signed in the one before.
        let follow = |earlier: &WitnessSet| {
            let next = set(earlier.epoch() + 1, since - DAY, &[own, other]);
            let signature = earlier.endorse(&network, &next, &key);
            let signatures = vec![Endorsement {
                member: 0,
                signature: signature.try_into().unwrap(),
            }];
            let mut sets = known(earlier);
            let next = Succession {
                set: next,
                signatures,
            };
            assert!(sets.learn(next).unwrap());
            sets
        };
        assert_eq!(begun(&follow(&old), &own, since), old.from());
        assert_eq!(begun(&follow(&first), &own, since), since - DAY);
    }
}
