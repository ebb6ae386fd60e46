//! The owner's side of a peer: claims names, publishes zones under them, and hands them on.
//!
//! What it holds is in `held`; that it lasts is the matter of `upkeep`.

mod editing;
mod held;
mod mine;
mod own;
mod saves;
mod upkeep;
mod words;

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use multibase::Base;

pub use self::held::Held;
pub use self::mine::Mine;
use self::saves::Saves;
use self::words::{
    human, is_resolved, leads_on, needs_the_key, not_its_recovery_key, not_yours, owner_of,
};
use super::agent::{Agent, Progressed, Surroundings};
use crate::error::{Code, Error, Result};
use crate::net::overlay::Overlay;
use crate::net::turns::Turns;
use crate::platform;
use crate::proto::Millis;
use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::names::certificate::Binding;
use crate::proto::names::claim::Handover;
use crate::proto::names::name::{Name, Root};
use crate::proto::names::publisher::schedule::{Holdings, ZONE_LIFETIME};
use crate::proto::names::publisher::{Goal, Progress};
use crate::proto::names::resolution::Resolution;
use crate::proto::names::resolver::{CachedName, Options};
use crate::proto::names::verify::Evidence;
use crate::proto::names::zone::SignedZone;
use crate::proto::names::{Label, Zone};
use crate::proto::record::Record;

/// Names as this peer sees and holds them. Cheap to clone.
#[derive(Clone)]
pub struct Names {
    agent: Agent,
    surroundings: Surroundings,
    owner: SigningKey,
    /// Nothing until what was kept has been read.
    holdings: Arc<Mutex<Option<Holdings>>>,
    turns: Turns,
    saves: Saves,
    wake: mpsc::Sender<()>,
}

impl Names {
    /// Starts the agent, and keeps up what `owner` holds.
    pub fn start(surroundings: Surroundings, owner: SigningKey) -> Names {
        let (wake, woken) = mpsc::channel(1);
        let names = Names {
            agent: Agent::start(surroundings.clone()),
            saves: Saves::new(surroundings.keepsakes.clone()),
            surroundings,
            owner,
            holdings: Arc::default(),
            turns: Turns::default(),
            wake,
        };
        platform::spawn(upkeep::keep_up(names.clone(), woken));
        names
    }

    /// The agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Who owns what is claimed here.
    pub fn owner(&self) -> PublicKey {
        self.owner.public()
    }

    /// What a name leads to, with its proof.
    pub async fn resolve(&self, name: &str, options: Options) -> Result<Resolution> {
        self.agent.resolve(Name::parse(name)?, options).await
    }

    /// A word whenever something else is known about a name.
    pub async fn watch(&self, name: &str) -> Result<mpsc::Receiver<()>> {
        self.agent.watch(Name::parse(name)?).await
    }

    /// What was resolved lately.
    pub async fn cached(&self) -> Result<Vec<CachedName>> {
        self.agent.cached().await
    }

    /// Claims a human name, or says why not. `recovery` may take it over when the owner's key is lost.
    /// A name that this owner holds already is found again, with what is published under it.
    pub async fn claim(
        &self,
        name: &str,
        recovery: Option<PublicKey>,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Held> {
        let name = human(name)?;
        let mut claimed = false;
        let mut told = |step| {
            claimed |= matches!(step, Progress::Working(_));
            progress(step);
        };
        let goal = Goal::Claim { recovery };
        let held = self.operate(&name, goal, &mut told).await?;
        self.recovers(&name, recovery)?;
        match held.zone.is_some() || claimed {
            true => Ok(held),
            // It is held, whether or not its zone can be found now.
            false => Ok(self.show(name.as_str()).await.unwrap_or(held)),
        }
    }

    /// Whether this key may recover a name, as was wished. It is settled when a name is claimed first.
    fn recovers(&self, name: &Label, wished: Option<PublicKey>) -> Result<()> {
        let holdings = self.holdings();
        let row = holdings.as_ref().and_then(|held| held.rows().get(name));
        let known = row.and_then(|row| row.certificate.claim.recovery());
        match wished.is_none() || wished == known {
            true => Ok(()),
            false => Err(Error::new(
                Code::InvalidArgument,
                format!("{name} was claimed before, and not with this recovery key"),
            )
            .with_remedy("It stays yours as it was. A recovery key is named with the first claim; release the name and claim it anew to have one.")),
        }
    }

    /// Takes over a name whose recovery key is this owner's.
    pub async fn recover(
        &self,
        name: &str,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Held> {
        let name = human(name)?;
        let recovered = self.operate(&name, Goal::Recover, &mut progress).await;
        recovered.map_err(not_its_recovery_key)
    }

    /// Keeps a name for another term.
    pub async fn renew(
        &self,
        name: &str,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Held> {
        let name = human(name)?;
        let renewed = self.operate(&name, Goal::Extend, &mut progress).await;
        renewed.map_err(|error| needs_the_key(error, &name.into()))
    }

    /// Signs a name over to another owner, who takes it with [`Self::accept`]. Until then nothing has
    /// changed.
    pub async fn transfer(&self, name: &str, to: &str) -> Result<String> {
        let name = human(name)?;
        let to = owner_of(to)?;
        let binding = self.binding(&name).await;
        let binding = binding.map_err(|error| needs_the_key(error, &name.clone().into()))?;
        let network = &self.surroundings.network;
        let generation = binding.claim().generation();
        let handover = Handover::sign(network, &name, generation, to, &self.owner, self.now())?;
        Ok(Base::Base64Url.encode(handover.bytes()))
    }

    /// Takes a name over that was signed over to this owner.
    pub async fn accept(
        &self,
        handover: &str,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Held> {
        let unreadable = || {
            Error::new(Code::InvalidArgument, "this is no handover of a name")
                .with_remedy("Copy what `transfer` gave, whole.")
        };
        let bytes = Base::Base64Url
            .decode(handover.trim())
            .map_err(|_| unreadable())?;
        let handover = Handover::decode(&bytes).map_err(|_| unreadable())?;
        if handover.to() != self.owner() {
            let to = handover.to().to_base36();
            let what = format!("this handover is for {to}, not for this key");
            return Err(Error::new(Code::PermissionDenied, what)
                .with_remedy("Use that key, or have the name signed over to this one."));
        }
        let name = handover.name().clone();
        self.operate(&name, Goal::Accept(Box::new(handover)), &mut progress)
            .await
    }

    /// Gives a name up.
    pub async fn release(
        &self,
        name: &str,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<()> {
        let name = human(name)?;
        let released = self.operate(&name, Goal::Release, &mut progress).await;
        let released = released.map(drop);
        released.map_err(|error| needs_the_key(error, &name.into()))
    }

    /// Publishes what is under a name of this owner: at the witnesses and in the network.
    pub async fn publish(&self, name: &str, zone: Zone) -> Result<Held> {
        let name = Name::parse(name)?;
        if !name.sub().is_empty() {
            return Err(Error::new(
                Code::NameInvalid,
                format!("{name} is an entry in a zone, not a name of its own"),
            )
            .with_remedy("Publish the whole zone, with an entry of that sub-name."));
        }
        let mut turn = self.turns.take(&name.to_string());
        turn.come().await;
        let zone = zone.tidy()?;
        leads_on(&name, &zone)?;
        let published = self.publish_in_turn(&name, zone).await;
        published.map_err(|error| needs_the_key(error, &name))
    }

    async fn publish_in_turn(&self, name: &Name, zone: Zone) -> Result<Held> {
        match name.root().clone() {
            Root::Human(label) => {
                let binding = self.binding(&label).await?;
                let signed = self.sign(name.root(), Some(&binding), zone).await?;
                self.put(&label, signed, binding).await
            }
            Root::Key(key) if key == self.owner.public() => {
                self.load().await?;
                let signed = self.sign(name.root(), None, zone).await?;
                self.store(&signed).await?;
                self.keep_zone(name.root(), &signed).await?;
                self.agent.forget(name.root().clone()).await?;
                let _ = self.wake.clone().try_send(());
                Ok(self.held_key(&signed))
            }
            Root::Key(_) => Err(not_yours(name)),
        }
    }

    /// The names that this owner holds, as far as this peer knows without asking.
    pub async fn mine(&self) -> Result<Vec<Held>> {
        self.load().await?;
        Ok(self.known())
    }

    /// A proof of a name that stands for itself.
    pub async fn evidence(&self, name: &str) -> Result<Evidence> {
        let name = Name::parse(name)?;
        self.agent.resolve(name.clone(), Options::default()).await?;
        let found = self.agent.evidence(name.root().clone()).await?;
        let (binding, zone) = found
            .ok_or_else(|| Error::new(Code::NameNotFound, "the name was forgotten meanwhile"))?;
        let sets = self.agent.sets().await?;
        Ok(Evidence::new(&name, &sets, binding.as_ref(), &zone))
    }

    fn operate<'a>(
        &'a self,
        name: &'a Label,
        goal: Goal,
        progress: &'a mut (dyn FnMut(Progress) + Send),
    ) -> BoxFuture<'a, Result<Held>> {
        self.operation(name, goal, progress).boxed()
    }

    async fn operation(
        &self,
        name: &Label,
        goal: Goal,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Held> {
        self.load().await?;
        let mut turn = self.turns.take(&Name::from(name.clone()).to_string());
        turn.come().await;
        let mut told = |told| match told {
            Progressed::Progress(step) => progress(step),
            told => self.keep(told),
        };
        let owner = self.owner.clone();
        let done = self
            .agent
            .operate(owner, name.clone(), goal, &mut told)
            .await;
        self.save().await?;
        self.agent.forget(Root::Human(name.clone())).await?;
        let binding = done?;
        let held = self
            .known()
            .into_iter()
            .find(|held| held.name == Name::from(name.clone()));
        let _ = self.wake.clone().try_send(());
        Ok(held.unwrap_or_else(|| Held::certified(name, &binding)))
    }

    /// The certificate of a name of this owner: the kept one, or, where none is kept, what the
    /// witnesses have.
    async fn binding(&self, name: &Label) -> Result<Binding> {
        self.load().await?;
        let sets = self.agent.sets().await?;
        let certificate = {
            let holdings = self.holdings();
            let rows = holdings.as_ref().map(Holdings::rows);
            rows.and_then(|rows| rows.get(name))
                .map(|held| held.certificate.clone())
        };
        let Some(certificate) = certificate else {
            return self.find(name).await;
        };
        let binding = certificate.verify(&sets);
        binding.map_err(|refusal| {
            Error::new(
                Code::Internal,
                "the kept certificate of the name is damaged",
            )
            .caused_by(refusal)
            .with_remedy("Claim the name again with the same key.")
        })
    }

    async fn sign(
        &self,
        root: &Root,
        binding: Option<&Binding>,
        mut zone: Zone,
    ) -> Result<SignedZone> {
        let now = self.now();
        zone.generation = binding.map_or(0, |binding| binding.claim().generation());
        let zone = zone.tidy()?;
        let location = SignedZone::location(&self.owner.public(), root);
        let known = match self.surroundings.overlay.record_at(location).await {
            Ok(Some(Record::Signed(envelope))) => envelope.body().seq,
            _ => 0,
        };
        let floor = binding.map_or(0, |binding| binding.floor(now).seq);
        let kept = self.kept(root).map_or(0, |zone| zone.floor().seq);
        let seq = known.max(floor).max(kept).saturating_add(1).max(now);
        let network = &self.surroundings.network;
        zone.sign(&self.owner, network, root, seq, (now, now + ZONE_LIFETIME))
    }

    /// Gives a signed zone to the witnesses and to the network.
    async fn put(&self, label: &Label, signed: SignedZone, binding: Binding) -> Result<Held> {
        let goal = Goal::Publish(Box::new(signed.clone()), Box::new(binding));
        let mut keep = |told| self.keep(told);
        let owner = self.owner.clone();
        let published = self
            .agent
            .operate(owner, label.clone(), goal, &mut keep)
            .await;
        if published.is_err() {
            // What proved that the name is lost stays known.
            self.save().await?;
        }
        let binding = published?;
        self.keep_zone(&Root::Human(label.clone()), &signed).await?;
        if let Err(error) = self.store(&signed).await {
            // The witnesses have it; the network gets it with the next renewal.
            tracing::debug!(%error, "the zone was not stored in the network");
        }
        self.agent.forget(Root::Human(label.clone())).await?;
        let mut held = Held::certified(label, &binding);
        (held.seq, held.zone) = (signed.floor().seq, Some(signed.zone().clone()));
        Ok(held)
    }

    async fn store(&self, signed: &SignedZone) -> Result<()> {
        let record = Record::Signed(signed.envelope().clone());
        self.surroundings.overlay.store(record).await.map(drop)
    }

    fn now(&self) -> Millis {
        self.surroundings.overlay.client().now_for_names()
    }
}
