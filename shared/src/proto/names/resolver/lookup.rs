//! One name being looked up: whom to ask, and when the answers are enough.
//!
//! Knows the steps: witnesses, then a renewal if the lease is over, then the overlay if no witness has
//! the zone. What is believed at the end has a live quorum and is not below any floor.

use super::{Output, Resolver};
use crate::limits::{LOOKUP_DEADLINE, NAME_ANSWER, NAME_RENEW_BEFORE};
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::proto::names::certificate::{Binding, Certificate, Floor};
use crate::proto::names::claim::Holder;
use crate::proto::names::name::Root;
use crate::proto::names::resolution::Unresolved;
use crate::proto::names::set::KnownSets;
use crate::proto::names::view::{Newest, View, Zones};
use crate::proto::names::wire::{NameRefusal, Request, Response};
use crate::proto::names::zone::SignedZone;
use crate::sorted::SortedMap;

/// Witnesses asked at once beyond a quorum, in large sets.
const SPARE: usize = 2;

/// How a lookup ended.
pub(super) enum Found {
    Zone(Box<(Option<Binding>, SignedZone)>),
    Nothing(Unresolved),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start,
    Asking,
    Renewing,
    Zone,
}

#[derive(Clone, Debug)]
pub(super) struct Lookup {
    root: Root,
    step: Step,
    view: Option<View>,
    zones: Zones,
    pending: SortedMap<u64, (Option<PublicKey>, Millis)>,
    unasked: Vec<PublicKey>,
    answered: SortedMap<PublicKey, Option<Vec<u8>>>,
    denied: SortedMap<PublicKey, ()>,
    ask_sets: Option<PublicKey>,
    asked_sets: bool,
    zone_asked: bool,
    /// The overlay could not be read: what it has is not known.
    zone_unknown: bool,
}

impl Lookup {
    pub(super) fn new(root: Root) -> Lookup {
        let view = match &root {
            Root::Human(label) => Some(View::new(label.clone())),
            Root::Key(_) => None,
        };
        Lookup {
            root,
            step: Step::Start,
            view,
            zones: Zones::default(),
            pending: SortedMap::default(),
            unasked: Vec::new(),
            answered: SortedMap::default(),
            denied: SortedMap::default(),
            ask_sets: None,
            asked_sets: false,
            zone_asked: false,
            zone_unknown: false,
        }
    }

    pub(super) fn waits_for(&self, id: u64) -> bool {
        self.pending.contains_key(&id)
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        self.pending.values().map(|(_, deadline)| *deadline).min()
    }

    pub(super) fn expire(&mut self, now: Millis) {
        let over = |(_, (_, deadline)): &(&u64, &(_, Millis))| *deadline <= now;
        let over: Vec<u64> = self
            .pending
            .iter()
            .filter(over)
            .map(|(id, _)| *id)
            .collect();
        over.into_iter().for_each(|id| self.failed(id));
    }

    pub(super) fn failed(&mut self, id: u64) {
        if let Some((None, _)) = self.pending.remove(&id) {
            self.zone_unknown = true;
        }
    }

    pub(super) fn zones_found(&mut self, id: u64, zones: &[Vec<u8>]) {
        self.pending.remove(&id);
        zones.iter().for_each(|zone| self.zones.add(zone));
    }

    pub(super) fn answered(&mut self, id: u64, response: Response, sets: &KnownSets) {
        let Some((Some(from), _)) = self.pending.remove(&id) else {
            return;
        };
        let Some(view) = &mut self.view else {
            return;
        };
        match response {
            Response::Known { known } => {
                view.add(from, &known, sets);
                known.zone.iter().for_each(|zone| self.zones.add(zone));
                if known.epoch > sets.current().epoch() {
                    self.ask_sets = Some(from);
                }
                self.answered.insert(from, known.certificate);
            }
            Response::Signed { signed } => {
                let claim = view.binding(sets).map(|binding| binding.claim().clone());
                if let Some(claim) = claim {
                    view.add_signature(&claim, &signed, sets);
                }
            }
            Response::Refused {
                why, certificate, ..
            } => {
                let bytes = certificate.as_deref();
                if let Some(found) = bytes.and_then(|bytes| Certificate::decode(bytes).ok()) {
                    view.add_certificate(&found, sets);
                }
                if why == NameRefusal::Denied {
                    self.denied.insert(from, ());
                }
            }
            Response::Abandoned | Response::Sets { .. } => {}
        }
    }

    /// Takes the next step; the end of the lookup, if this is it.
    pub(super) fn next(&mut self, resolver: &mut Resolver, now: Millis) -> Option<Found> {
        if let Root::Key(key) = self.root {
            let holder = Holder {
                owner: key,
                released: false,
            };
            return self.weigh_zone(resolver, None, (0, holder), now);
        }
        if self.step == Step::Start {
            self.begin(resolver, now);
        }
        if let Some(from) = self.ask_sets.take().filter(|_| !self.asked_sets) {
            self.asked_sets = true;
            let after = resolver.sets.current().epoch();
            self.ask(resolver, from, Request::Sets { after }, now);
        }
        let quorum = resolver.sets.current().quorum();
        if self.step == Step::Asking {
            self.ask_more(resolver, quorum, now);
            if self.answered.len() < quorum && !self.pending.is_empty() {
                return None;
            }
        }
        let binding = self
            .view
            .as_ref()
            .and_then(|view| view.believed(&resolver.sets, now));
        match binding {
            Some(binding) => self.weigh(resolver, binding, now),
            None => Some(Found::Nothing(self.nothing(resolver, quorum))),
        }
    }

    fn nothing(&self, resolver: &Resolver, quorum: usize) -> Unresolved {
        if self.answered.len() >= quorum {
            // Witnesses never forget a name: if it was held before, something is held back.
            let seen = resolver.floors.of(&self.root);
            return match seen.is_some_and(|seen| !seen.holder.released) {
                true => Unresolved::RolledBack,
                false => Unresolved::Unclaimed,
            };
        }
        if self.answered.len() + self.denied.len() >= quorum {
            return Unresolved::Denied;
        }
        Unresolved::NoQuorum {
            answered: self.answered.keys().copied().collect(),
            wanted: quorum,
        }
    }

    fn begin(&mut self, resolver: &mut Resolver, now: Millis) {
        self.step = Step::Asking;
        let set = resolver.sets.current();
        let first = (set.quorum() + SPARE).min(set.keys().len());
        self.unasked = set.keys().to_vec();
        for last in (1..self.unasked.len()).rev() {
            let other = resolver.prng.below(last as u64 + 1) as usize;
            self.unasked.swap(last, other);
        }
        for _ in 0..first {
            self.ask_next(resolver, now);
        }
    }

    /// Of a large set not all are asked at once; for each that is silent another one is.
    fn ask_more(&mut self, resolver: &mut Resolver, quorum: usize, now: Millis) {
        while self.answered.len() + self.pending.len() < quorum && !self.unasked.is_empty() {
            self.ask_next(resolver, now);
        }
    }

    fn ask_next(&mut self, resolver: &mut Resolver, now: Millis) {
        let Root::Human(name) = self.root.clone() else {
            return;
        };
        if let Some(to) = self.unasked.pop() {
            self.ask(resolver, to, Request::Ask { name }, now);
        }
    }

    fn ask(&mut self, resolver: &mut Resolver, to: PublicKey, request: Request, now: Millis) {
        resolver.next_id += 1;
        let id = resolver.next_id;
        let deadline = now.saturating_add(NAME_ANSWER);
        self.pending.insert(id, (Some(to), deadline));
        resolver.outputs.push_back(Output::Ask { to, id, request });
    }

    /// A certificate was found: is it the newest, does it count, and where is its zone?
    fn weigh(&mut self, resolver: &mut Resolver, binding: Binding, now: Millis) -> Option<Found> {
        let claim = binding.claim();
        let (generation, holder) = (claim.generation(), claim.holder());
        if !resolver.floors.allows(&self.root, generation, holder) {
            return match self.pending.is_empty() {
                true => Some(Found::Nothing(Unresolved::RolledBack)),
                false => None,
            };
        }
        if binding.counts(now) {
            self.raise(resolver, (generation, holder), None, now);
        }
        if claim.released() {
            return Some(Found::Nothing(Unresolved::Unclaimed));
        }
        if !binding.is_live(now) {
            return self.revive(resolver, &binding, now);
        }
        let seen = (generation, holder);
        self.weigh_zone(resolver, Some(binding), seen, now)
    }

    fn raise(
        &self,
        resolver: &mut Resolver,
        holder: (u64, Holder),
        zone: Option<Floor>,
        now: Millis,
    ) {
        if resolver.floors.raise(&self.root, holder, zone, now) {
            resolver.outputs.push_back(Output::FloorsRose);
        }
    }

    /// A lease that is over is signed again for anyone who shows the certificate.
    fn revive(&mut self, resolver: &mut Resolver, binding: &Binding, now: Millis) -> Option<Found> {
        let in_term = now < binding.claim().expires();
        if self.step == Step::Asking && in_term {
            self.step = Step::Renewing;
            self.pending.clear();
            let certificate = binding.certificate().encode();
            for to in resolver.sets.current().keys().to_vec() {
                let certificate = certificate.clone();
                self.ask(resolver, to, Request::Renew { certificate }, now);
            }
        }
        if self.step == Step::Renewing && !self.pending.is_empty() {
            return None;
        }
        Some(Found::Nothing(Unresolved::Expired {
            owner: binding.claim().owner(),
            until: binding.live_until(),
        }))
    }

    fn weigh_zone(
        &mut self,
        resolver: &mut Resolver,
        binding: Option<Binding>,
        (generation, holder): (u64, Holder),
        now: Millis,
    ) -> Option<Found> {
        let owner = holder.owner;
        let signed = binding.as_ref().map(|binding| binding.floor(now));
        let known = resolver.floors.zone(&self.root, generation, owner);
        let floor = signed.unwrap_or_default().max(known);
        let network = resolver.sets.network().clone();
        let newest = self
            .zones
            .newest(&network, &self.root, (owner, generation), floor, now);
        // The name of a key has nobody but the overlay to say that there is no newer zone.
        let settled = self.zone_asked && (self.step != Step::Zone || self.pending.is_empty());
        match newest {
            Newest::Zone(zone) if binding.is_some() || settled => {
                let zone = zone.clone();
                self.raise(resolver, (generation, holder), Some(zone.floor()), now);
                Some(Found::Zone(Box::new((binding, zone))))
            }
            _ if !self.zone_asked => {
                self.zone_asked = true;
                self.step = Step::Zone;
                self.pending.clear();
                resolver.next_id += 1;
                let (id, key) = (resolver.next_id, SignedZone::location(&owner, &self.root));
                let patience = LOOKUP_DEADLINE.as_millis() as Millis + NAME_ANSWER;
                let deadline = now.saturating_add(patience);
                self.pending.insert(id, (None, deadline));
                resolver.outputs.push_back(Output::FindZone { id, key });
                None
            }
            _ if !settled => None,
            _ if self.zone_unknown => Some(Found::Nothing(Unresolved::TimedOut)),
            Newest::Below => Some(Found::Nothing(Unresolved::RolledBack)),
            // There was one: that none is found does not mean that there is none.
            _ if floor.seq > 0 => Some(Found::Nothing(Unresolved::RolledBack)),
            _ => Some(Found::Nothing(Unresolved::Empty { owner })),
        }
    }

    /// Witnesses that should see the certificate: those that do not have it, and all of them when its
    /// lease is nearing its end.
    pub(super) fn to_be_shown(
        &self,
        binding: &Binding,
        sets: &KnownSets,
        now: Millis,
    ) -> Vec<PublicKey> {
        let hash = binding.claim().hash();
        let ending = binding.live_until() < now.saturating_add(NAME_RENEW_BEFORE);
        let old_epoch = binding.certificate().epoch < sets.current().epoch();
        if ending || old_epoch {
            return sets.current().keys().to_vec();
        }
        let has_it = |bytes: &Option<Vec<u8>>| {
            let certificate = bytes.as_deref().map(Certificate::decode);
            matches!(certificate, Some(Ok(certificate)) if certificate.claim.hash() == hash)
        };
        let lacking = self.answered.iter().filter(|(_, bytes)| !has_it(bytes));
        lacking.map(|(key, _)| *key).collect()
    }
}
