//! What this peer's owner holds: kept, read back, and told.

use std::sync::{MutexGuard, PoisonError};

use serde::Serialize;

use super::super::agent::Progressed;
use super::Names;
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::proto::names::certificate::Binding;
use crate::proto::names::name::{Name, Root};
use crate::proto::names::publisher::schedule::Holdings;
use crate::proto::names::zone::SignedZone;
use crate::proto::names::{Label, Zone};

/// A name that this peer's owner holds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The name.
    pub name: Name,
    /// Its owner.
    pub owner: PublicKey,
    /// The owner as people write it: the name of its key.
    pub owner_name: String,
    /// Which holder of the name this is.
    pub generation: u64,
    /// The end of the term; nothing for the name of a key.
    pub expires: Option<Millis>,
    /// The key that may take the name over, as people write it; nothing if none was named when it was claimed.
    pub recovery: Option<String>,
    /// Until when the witnesses' signatures count, if nobody renews them.
    pub live_until: Option<Millis>,
    /// What is published.
    pub zone: Option<Zone>,
    /// The version of it.
    pub seq: u64,
}

impl Held {
    /// As its certificate says, before anything is published.
    pub(super) fn certified(name: &Label, binding: &Binding) -> Held {
        Held {
            name: Name::from(name.clone()),
            owner: binding.claim().owner(),
            owner_name: binding.claim().owner().to_base36(),
            generation: binding.claim().generation(),
            expires: Some(binding.claim().expires()),
            recovery: binding.claim().recovery().map(|key| key.to_base36()),
            live_until: Some(binding.live_until()),
            zone: None,
            seq: 0,
        }
    }
}

impl Names {
    /// All that is kept.
    pub(super) fn known(&self) -> Vec<Held> {
        let holdings = self.holdings();
        let rows = holdings.iter().flat_map(|holdings| holdings.rows().iter());
        let own = holdings.iter().filter_map(Holdings::own);
        let own = own.map(|zone| self.held_key(zone));
        let rows = rows.map(|(label, holding)| {
            let claim = &holding.certificate.claim;
            let finals = holding.certificate.finals.iter();
            let zone = holding.zone.as_ref();
            Held {
                name: Name::from(label.clone()),
                owner: claim.owner(),
                owner_name: claim.owner().to_base36(),
                generation: claim.generation(),
                expires: Some(claim.expires()),
                recovery: claim.recovery().map(|key| key.to_base36()),
                live_until: finals.map(|each| each.not_after).min(),
                zone: zone.map(|zone| zone.zone().clone()),
                seq: zone.map_or(0, |zone| zone.floor().seq),
            }
        });
        rows.chain(own).collect()
    }

    /// A certificate that an operation wants kept: the owner's own, or one by which it has lost the name.
    pub(super) fn keep(&self, told: Progressed) {
        if let Progressed::Keep(certificate) = told {
            let (own, now) = (self.owner(), self.now());
            if let Some(holdings) = self.holdings().as_mut() {
                match certificate.claim.owner() == own {
                    true => holdings.keep(*certificate, now),
                    false => holdings.lose(&certificate.claim),
                }
            }
        }
    }

    /// A zone that is published: it stays, unless a newer one is known.
    pub(super) async fn keep_zone(&self, root: &Root, zone: &SignedZone) -> Result<()> {
        let now = self.now();
        if let Some(holdings) = self.holdings().as_mut() {
            match root {
                Root::Human(label) => holdings.publish(label, zone.clone()),
                Root::Key(_) => holdings.publish_own(zone.clone(), now),
            }
        }
        self.save().await
    }

    /// What is kept of an own name's zone.
    pub(super) fn kept(&self, root: &Root) -> Option<SignedZone> {
        let holdings = self.holdings();
        let holdings = holdings.as_ref()?;
        match root {
            Root::Human(label) => holdings.rows().get(label)?.zone.clone(),
            Root::Key(key) => holdings.own().filter(|zone| zone.owner() == *key).cloned(),
        }
    }

    pub(super) fn held_key(&self, signed: &SignedZone) -> Held {
        Held {
            name: Root::Key(signed.owner()).name(),
            owner: signed.owner(),
            owner_name: signed.owner().to_base36(),
            generation: 0,
            expires: None,
            recovery: None,
            live_until: None,
            zone: Some(signed.zone().clone()),
            seq: signed.floor().seq,
        }
    }

    pub(super) fn holdings(&self) -> MutexGuard<'_, Option<Holdings>> {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keepsake(&self) -> String {
        let owner = self.owner.public().to_base36();
        format!("names-held-{}-{owner}", self.surroundings.network)
    }

    /// Reads what was kept, once.
    pub(super) async fn load(&self) -> Result<()> {
        let mut turn = self.turns.take("");
        turn.come().await;
        if self.holdings().is_some() {
            return Ok(());
        }
        let kept = self.surroundings.keepsakes.load(self.keepsake()).await?;
        let seed = u64::from_le_bytes(platform::entropy());
        let restored = match kept {
            None => Holdings::new(seed),
            Some(bytes) => Holdings::restore(&bytes, seed).map_err(|refusal| {
                let what = format!("what was kept of this owner's names ({}) is damaged", self.keepsake());
                Error::new(Code::StorageFailed, what)
                    .caused_by(refusal)
                    .with_remedy(
                        "Restore it from a backup, or move it away (in a browser: that entry of the site's IndexedDB, with \
                         the developer tools) and claim each name again with the same key: nobody else can have it.",
                    )
            })?,
        };
        self.holdings().get_or_insert(restored);
        Ok(())
    }

    pub(super) async fn save(&self) -> Result<()> {
        let holdings = self.holdings.clone();
        let newest = move || {
            let holdings = holdings.lock().unwrap_or_else(PoisonError::into_inner);
            holdings.as_ref().map(Holdings::export)
        };
        self.saves.save(self.keepsake(), newest).await
    }
}
