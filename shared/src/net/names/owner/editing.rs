//! Changing one entry of a zone, and looking at it: which zone is meant.
//!
//! Knows the owner's copy, what the network has, and what was seen before. A change is never made to a
//! zone that is known to be old: publishing it would take away what a newer one has.

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Held, Names, is_resolved, leads_on, needs_the_key, not_yours};
use crate::error::{Code, Error, Result};
use crate::net::names::agent::Progressed;
use crate::proto::names::certificate::{Binding, Floor};
use crate::proto::names::name::{Label, Name, Root};
use crate::proto::names::publisher::{Failure, Goal};
use crate::proto::names::resolver::Options;
use crate::proto::names::zone::SignedZone;
use crate::proto::names::{Resource, Zone};

impl Names {
    /// Replaces what is under a name or an entry of its zone; nothing at all removes it. The rest of
    /// the zone stays as it is in the newest version: this peer's or the network's.
    pub async fn set(&self, name: &str, resources: Vec<Resource>) -> Result<Held> {
        let name = Name::parse(name)?;
        let root = self.own_root(&name)?;
        let mut turn = self.turns.take(&root.name().to_string());
        turn.come().await;
        let newest = self.newest(root).await;
        let newest = newest.map_err(|error| needs_the_key(error, &name))?;
        let mut zone = newest.map_or(Zone::default(), |zone| zone.zone().clone());
        zone.set(name.sub(), resources)?;
        leads_on(&root.name(), &zone)?;
        self.publish_in_turn(&root.name(), zone).await
    }

    /// What this owner holds and publishes under a name now, whichever of its machines published it.
    pub async fn show(&self, name: &str) -> Result<Held> {
        let name = Name::parse(name)?;
        self.look(&name).await
    }

    /// As [`Self::show`]. One future for all who look: a browser would download each.
    pub(super) fn look<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Held>> {
        self.look_at(name).boxed()
    }

    async fn look_at(&self, name: &Name) -> Result<Held> {
        let root = self.own_root(name)?;
        let mut turn = self.turns.take(&root.name().to_string());
        turn.come().await;
        self.newest(root).await.map_err(is_resolved)?;
        let mut known = self.known().into_iter();
        let held = known.find(|held| held.name.root() == root);
        held.ok_or_else(|| match root {
            Root::Human(_) => not_yours(name),
            Root::Key(_) => Error::new(
                Code::NameNotFound,
                "nothing is published under the name of this key",
            )
            .with_remedy("`names.set` or `warren name set` publishes something."),
        })
    }

    fn own_root<'a>(&self, name: &'a Name) -> Result<&'a Root> {
        match name.root() {
            Root::Key(key) if *key != self.owner.public() => Err(not_yours(&name.root().name())),
            root => Ok(root),
        }
    }

    /// The newest zone of an own name, which is kept from now on; nothing if there never was any.
    pub(super) async fn newest(&self, root: &Root) -> Result<Option<SignedZone>> {
        self.load().await?;
        match self.agent.resolve(root.name(), OWN).await {
            Err(error) if !says_what_is_there(error.code()) => return Err(error),
            _ => {}
        }
        let found = self.agent.evidence(root.clone()).await?;
        let (generation, floor) = match root {
            Root::Key(_) => (0, Floor::default()),
            Root::Human(label) => {
                let binding = found.as_ref().and_then(|(binding, _)| binding.as_ref());
                let binding = self.certified(label, binding).await?;
                (binding.claim().generation(), binding.floor(self.now()))
            }
        };
        let owner = (self.owner.public(), generation);
        let ours = |zone: &SignedZone| (zone.owner(), zone.zone().generation) == owner;
        let found = found.map(|(_, zone)| zone).filter(ours);
        let kept = self.kept(root).filter(ours);
        let newest = newer(kept, found, floor).ok_or_else(|| unknown(&root.name()))?;
        if let Some(zone) = &newest {
            self.keep_zone(root, zone).await?;
        }
        Ok(newest)
    }

    /// The certificate in force, if it is this owner's: the kept one, unless the network has a later.
    async fn certified(&self, label: &Label, found: Option<&Binding>) -> Result<Binding> {
        let kept = {
            let holdings = self.holdings();
            let row = holdings.as_ref().and_then(|held| held.rows().get(label));
            row.map(|row| row.certificate.claim.rank())
        };
        let Some(found) = found else {
            // Nothing is published: only the witnesses know who holds it.
            return self.find(label).await;
        };
        let claim = found.claim();
        if kept.is_some_and(|kept| kept >= claim.rank()) {
            return self.binding(label).await;
        }
        let certificate = Box::new(found.certificate().clone());
        self.keep(Progressed::Keep(certificate));
        if claim.owner() != self.owner.public() {
            self.save().await?;
            let (holder, until) = (Some(claim.owner()), Some(claim.held_until()));
            return Err(Failure::Taken { holder, until }.into());
        }
        Ok(found.clone())
    }

    /// Asks the witnesses for the certificate of an own name.
    pub(super) async fn find(&self, label: &Label) -> Result<Binding> {
        let mut keep = |told| self.keep(told);
        let owner = self.owner.clone();
        let found = self
            .agent
            .operate(owner, label.clone(), Goal::Find, &mut keep)
            .await;
        self.save().await?;
        found
    }
}

/// How owners look at their own names. Whoever an alias leads to must not decide whether it can be
/// changed, and whether its zone is renewed.
pub(super) const OWN: Options = Options {
    fresh: true,
    within: None,
    private: true,
    literal: true,
};

/// Whether a resolution that failed so has heard what there is: nothing at the name itself, or a zone
/// that is over.
fn says_what_is_there(code: Code) -> bool {
    matches!(code, Code::NameNotFound | Code::NameExpired)
}

/// The newer of two; nothing if there was none; an answer only if no newer one is known to exist.
fn newer(
    kept: Option<SignedZone>,
    found: Option<SignedZone>,
    floor: Floor,
) -> Option<Option<SignedZone>> {
    let zones = kept.into_iter().chain(found);
    match zones.max_by_key(SignedZone::floor) {
        Some(zone) if zone.floor() >= floor => Some(Some(zone)),
        None if floor == Floor::default() => Some(None),
        _ => None,
    }
}

fn unknown(name: &Name) -> Error {
    Error::new(
        Code::Older,
        format!(
            "what is published under {name} now was not found, so a change could lose some of it"
        ),
    )
    .with_remedy(
        "Try again in a minute. If it is lost, publish the whole zone: `warren name apply`, \
         or `names.update` with all entries.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key::{NetworkId, SigningKey};

    fn zone(seq: u64, text: &str) -> SignedZone {
        let owner = SigningKey::from_seed([7; 32]);
        let root = Root::Key(owner.public());
        let mut zone = Zone::default();
        zone.set("", vec![Resource::Text(text.to_owned())]).unwrap();
        let network = NetworkId::from_entropy([0; 10]);
        zone.sign(&owner, &network, &root, seq, (0, 1_000)).unwrap()
    }

    #[test]
    fn the_newer_of_two_is_changed_and_never_one_that_is_known_to_be_old() {
        let (old, new) = (zone(1, "old"), zone(2, "new"));
        let none = Floor::default();
        let is_new = |zone: Option<Option<SignedZone>>| zone.flatten().as_ref() == Some(&new);
        assert!(is_new(newer(Some(old.clone()), Some(new.clone()), none)));
        assert!(is_new(newer(Some(new.clone()), Some(old.clone()), none)));
        assert!(is_new(newer(None, Some(new.clone()), new.floor())));
        assert_eq!(newer(Some(old.clone()), None, new.floor()), None);
        assert_eq!(newer(None, None, new.floor()), None);
        assert_eq!(newer(None, None, none), Some(None));
        assert_eq!(unknown(&Root::Key(old.owner()).name()).code(), Code::Older);
    }
}
