//! The witness role of a relay: which set it belongs to, and from when on it may sign.

use std::sync::Arc;

use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::{CLOCK_TOLERANCE, NAME_LEASE};
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

/// The role, if this relay has it; and the sets it tells others.
pub(super) struct Role {
    pub service: Option<Arc<NameService>>,
    /// For the operator, also while the role must not sign.
    pub registry: Registry,
    pub sets: KnownSets,
}

/// What the relay starts from.
pub(super) struct Start<'a> {
    pub data: &'a DataDir,
    pub network: &'a NetworkId,
    pub key: &'a SigningKey,
    /// What the join documents of others said.
    pub told: Option<WitnessSet>,
    /// Witnesses that the operator names beside this one.
    pub named: &'a [PublicKey],
    pub store: Arc<RedbStore>,
}

impl Start<'_> {
    pub async fn role(self) -> Result<Role> {
        let mut sets = self.known_sets()?;
        let endorsed = self.hand_over(&mut sets)?;
        self.data.save(SETS, &sets.export())?;
        let rows = RedbNames::new(self.store.clone());
        let may_sign = self.remembers_everything(&rows).await?;
        let mut witness = Witness::new(self.key.clone(), sets.clone(), Hardness::STANDARD);
        if let Some(next) = endorsed {
            witness.endorsed(next);
        }
        let ledger: Arc<dyn NameLedger> = Arc::new(rows);
        Ok(Role {
            registry: Registry::new(ledger.clone()),
            service: may_sign.then(|| Arc::new(NameService::new(witness, ledger))),
            sets,
        })
    }

    /// The sets that were kept, or those that others name, or, in a network of its own, the first one.
    fn known_sets(&self) -> Result<KnownSets> {
        if let Some(sets) = kept_sets(self.data)? {
            return Ok(sets);
        }
        let set = match &self.told {
            Some(set) => set.clone(),
            None => self.all_named(1, 0)?,
        };
        Ok(KnownSets::pinned(self.network.clone(), set))
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

    /// Rows that were lost with the store make a witness that would sign twice: until all that it may
    /// have signed has ended, it stays silent.
    async fn remembers_everything(&self, rows: &RedbNames) -> Result<bool> {
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
                self.data.save(BEGUN, since.to_string().as_bytes())?;
                since
            }
        };
        let silent_until = since.saturating_add(NAME_LEASE + 2 * CLOCK_TOLERANCE);
        let remembers = begun >= since || now >= silent_until;
        if !remembers {
            tracing::warn!(
                until = silent_until,
                "the store is younger than this witness: it does not sign names until all that it has signed has ended"
            );
        }
        Ok(remembers)
    }
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
