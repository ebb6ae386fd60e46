//! The resolver: from a name to resources with their proof.
//!
//! Knows the cache, the floors, aliases, and how answers that race each other are weighed. Does not
//! ask anybody itself and reads no clock.
//!
//! To drive it: after every input call [`Resolver::poll`] until it gives nothing, do what it says, and
//! call [`Resolver::tick`] at [`Resolver::next_wake`]. Each [`Output::Ask`] and [`Output::FindZone`] is
//! answered by one call with its number, or by nothing. What [`Resolver::floors`] exports is to be kept
//! after each [`Output::FloorsRose`], and restored before the first name is resolved.

pub mod floors;
mod interface;
#[cfg(feature = "server")]
pub mod kept;
mod lookup;
mod query;

pub use interface::{CachedName, Options, Output};

use std::collections::VecDeque;

use super::certificate::Binding;
use super::name::{Name, Root};
use super::resolution::{Proof, Resolution, Unresolved};
use super::set::KnownSets;
use super::view::View;
use super::wire::{Request, Response};
use super::zone::SignedZone;
use crate::limits::{MAX_RESOLUTIONS, MAX_RESOLVED, NAME_MISSING_TTL};
use crate::proto::Millis;
use crate::proto::prng::Prng;
use crate::sorted::SortedMap;
use floors::Floors;
use lookup::{Found, Lookup};

#[derive(Clone, Debug)]
struct Cached {
    binding: Option<Binding>,
    zone: SignedZone,
    fetched: Millis,
    used: Millis,
}

#[derive(Clone, Debug)]
struct Query {
    name: Name,
    /// Where the aliases have led.
    at: Name,
    via: Vec<Name>,
    proofs: Vec<Proof>,
    ttl: Millis,
    options: Options,
    started: Millis,
    waiting: Option<Root>,
}

/// The names that one peer knows.
#[derive(Clone, Debug)]
pub struct Resolver {
    sets: KnownSets,
    floors: Floors,
    cache: SortedMap<Root, Cached>,
    missing: SortedMap<Root, (Unresolved, Millis)>,
    lookups: SortedMap<Root, Lookup>,
    queries: SortedMap<u64, Query>,
    /// Requests that only renew a lease in passing.
    passing: SortedMap<u64, Root>,
    outputs: VecDeque<Output>,
    next_id: u64,
    prng: Prng,
}

impl Resolver {
    /// Knows nothing yet but the witnesses, and what was seen before.
    pub fn new(sets: KnownSets, floors: Floors, seed: u64) -> Resolver {
        Resolver {
            sets,
            floors,
            cache: SortedMap::default(),
            missing: SortedMap::default(),
            lookups: SortedMap::default(),
            queries: SortedMap::default(),
            passing: SortedMap::default(),
            outputs: VecDeque::new(),
            next_id: 0,
            prng: Prng::new(seed),
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What must never be forgotten.
    pub fn floors(&self) -> &Floors {
        &self.floors
    }

    /// The witness sets.
    pub fn sets(&self) -> &KnownSets {
        &self.sets
    }

    /// Takes in witness sets that another machine of this peer has learned.
    pub fn learn(&mut self, sets: &KnownSets) {
        let after = self.sets.current().epoch();
        let newer = sets.after(after).iter().cloned();
        let learned = newer.filter(|next| self.sets.learn(next.clone()) == Ok(true));
        if learned.count() > 0 {
            self.outputs.push_back(Output::SetsGrew);
        }
    }

    /// Begins to resolve a name; [`Output::Done`] with this number ends it, perhaps at once.
    pub fn start(&mut self, name: &Name, options: Options, now: Millis) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        let query = Query {
            name: name.clone(),
            at: name.clone(),
            via: Vec::new(),
            proofs: Vec::new(),
            ttl: Millis::MAX,
            options,
            started: now,
            waiting: None,
        };
        if self.queries.len() >= MAX_RESOLUTIONS {
            self.done(id, Err(Unresolved::Overloaded));
            return id;
        }
        self.queries.insert(id, query);
        self.proceed(id, now);
        id
    }

    /// Nobody waits for it any more.
    pub fn cancel(&mut self, query: u64) {
        self.queries.remove(&query);
    }

    /// A witness answered.
    pub fn answered(&mut self, id: u64, response: Response, now: Millis) {
        if let Some(root) = self.passing.remove(&id) {
            return self.renewed(&root, response);
        }
        let Some(root) = self.lookup_of(id) else {
            return;
        };
        if let Response::Sets { sets } = &response {
            let learned = sets
                .iter()
                .filter(|next| self.sets.learn((*next).clone()) == Ok(true));
            if learned.count() > 0 {
                self.outputs.push_back(Output::SetsGrew);
                let again = Lookup::new(root.clone());
                self.lookups.insert(root.clone(), again);
                return self.drive(&root, now);
            }
        }
        if let Some(lookup) = self.lookups.get_mut(&root) {
            lookup.answered(id, response, &self.sets);
        }
        self.drive(&root, now);
    }

    /// A witness did not answer, or the overlay could not be read.
    pub fn failed(&mut self, id: u64, now: Millis) {
        self.passing.remove(&id);
        if let Some(root) = self.lookup_of(id) {
            if let Some(lookup) = self.lookups.get_mut(&root) {
                lookup.failed(id);
            }
            self.drive(&root, now);
        }
    }

    /// What the overlay has at the location that was asked for.
    pub fn zones_found(&mut self, id: u64, zones: &[Vec<u8>], now: Millis) {
        if let Some(root) = self.lookup_of(id) {
            if let Some(lookup) = self.lookups.get_mut(&root) {
                lookup.zones_found(id, zones);
            }
            self.drive(&root, now);
        }
    }

    /// A name that has changed, by this peer's own doing: what is known of it counts no more, nor do
    /// answers to what was asked before.
    pub fn forget(&mut self, root: &Root, now: Millis) {
        self.cache.remove(root);
        self.missing.remove(root);
        if let Some(lookup) = self.lookups.get_mut(root) {
            *lookup = Lookup::new(root.clone());
            self.drive(root, now);
        }
        self.outputs.push_back(Output::Changed(root.name()));
    }

    /// Empties the cache. What was seen stays seen.
    pub fn flush(&mut self) {
        self.cache.clear();
        self.missing.clear();
    }

    /// What is in the cache.
    pub fn cached(&self, now: Millis) -> Vec<CachedName> {
        let rows = self.cache.iter().map(|(root, cached)| CachedName {
            proof: self.proof(root, cached, now),
            entries: cached.zone.zone().entries.len(),
        });
        rows.collect()
    }

    /// The binding and zone in the cache, to be shown to others as a proof.
    pub fn evidence(&self, root: &Root) -> Option<(Option<&Binding>, &SignedZone)> {
        let cached = self.cache.get(root)?;
        Some((cached.binding.as_ref(), &cached.zone))
    }

    /// When [`Self::tick`] is due.
    pub fn next_wake(&self) -> Option<Millis> {
        self.lookups.values().filter_map(Lookup::deadline).min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Millis) {
        let roots: Vec<Root> = self.lookups.keys().cloned().collect();
        for root in roots {
            if let Some(lookup) = self.lookups.get_mut(&root) {
                lookup.expire(now);
            }
            self.drive(&root, now);
        }
    }

    fn lookup_of(&self, id: u64) -> Option<Root> {
        let mut lookups = self.lookups.iter();
        lookups
            .find(|(_, lookup)| lookup.waits_for(id))
            .map(|(root, _)| root.clone())
    }

    fn done(&mut self, query: u64, result: Result<Box<Resolution>, Unresolved>) {
        self.queries.remove(&query);
        self.outputs.push_back(Output::Done { query, result });
    }

    fn look_up(&mut self, root: &Root, now: Millis) {
        if !self.lookups.contains_key(root) {
            self.lookups.insert(root.clone(), Lookup::new(root.clone()));
            self.drive(root, now);
        }
    }

    /// Does what a lookup wants next, and ends it when it is over.
    fn drive(&mut self, root: &Root, now: Millis) {
        let Some(mut lookup) = self.lookups.remove(root) else {
            return;
        };
        let found = lookup.next(self, now);
        match found {
            None => {
                self.lookups.insert(root.clone(), lookup);
            }
            Some(Found::Zone(found)) => {
                let (binding, zone) = *found;
                self.pass_on(root, &lookup, binding.as_ref(), now);
                self.keep(root, binding, zone, now);
                self.wake(root, None, now);
            }
            Some(Found::Nothing(why)) => {
                if matches!(why, Unresolved::Unclaimed | Unresolved::Empty { .. }) {
                    if self.cache.remove(root).is_some() {
                        self.outputs.push_back(Output::Changed(root.name()));
                    }
                    let until = now.saturating_add(NAME_MISSING_TTL);
                    self.missing.insert(root.clone(), (why.clone(), until));
                    make_room(&mut self.missing, |(_, until)| *until);
                }
                self.wake(root, Some(why), now);
            }
        }
    }

    fn keep(&mut self, root: &Root, binding: Option<Binding>, zone: SignedZone, now: Millis) {
        self.missing.remove(root);
        let cached = Cached {
            binding,
            zone,
            fetched: now,
            used: now,
        };
        let before = self.cache.insert(root.clone(), cached);
        let after = self.cache.get(root).map(|cached| cached.zone.floor());
        if before.map(|cached| cached.zone.floor()) != after {
            self.outputs.push_back(Output::Changed(root.name()));
        }
        make_room(&mut self.cache, |cached| cached.used);
    }

    /// Queries that waited for a name go on, or end with what went wrong.
    fn wake(&mut self, root: &Root, why: Option<Unresolved>, now: Millis) {
        let waiting =
            |(id, query): (&u64, &Query)| (query.waiting.as_ref() == Some(root)).then_some(*id);
        let waiting: Vec<u64> = self.queries.iter().filter_map(waiting).collect();
        for id in waiting {
            match &why {
                Some(why) => self.done(id, Err(why.clone())),
                None => {
                    if let Some(query) = self.queries.get_mut(&id) {
                        query.waiting = None;
                        // What came is as fresh as it gets, however long it took.
                        query.started = query.started.min(now);
                    }
                    self.proceed(id, now);
                }
            }
        }
    }

    /// Shows a certificate to witnesses that do not have it, and has a lease renewed before it ends.
    fn pass_on(&mut self, root: &Root, lookup: &Lookup, binding: Option<&Binding>, now: Millis) {
        let Some(binding) = binding else {
            return;
        };
        let certificate = binding.certificate().encode();
        for to in lookup.to_be_shown(binding, &self.sets, now) {
            self.next_id += 1;
            let (id, certificate) = (self.next_id, certificate.clone());
            self.passing.insert(id, root.clone());
            let request = Request::Renew { certificate };
            self.outputs.push_back(Output::Ask { to, id, request });
        }
        while self.passing.len() > MAX_RESOLUTIONS {
            self.passing.pop_first();
        }
    }

    /// A lease was renewed in passing.
    fn renewed(&mut self, root: &Root, response: Response) {
        let (Root::Human(name), Response::Signed { signed }) = (root, response) else {
            return;
        };
        let Some(cached) = self.cache.get_mut(root) else {
            return;
        };
        if let Some(binding) = &cached.binding {
            let mut view = View::new(name.clone());
            view.add_certificate(binding.certificate(), &self.sets);
            view.add_signature(binding.claim(), &signed, &self.sets);
            cached.binding = view.binding(&self.sets).or(cached.binding.take());
        }
    }
}

/// Of too many names the one with the earliest time goes.
fn make_room<V>(names: &mut SortedMap<Root, V>, time: impl Fn(&V) -> Millis) {
    if names.len() > MAX_RESOLVED {
        let first = names.iter().min_by_key(|(_, value)| time(value));
        let first = first.map(|(root, _)| root.clone());
        first.and_then(|root| names.remove(&root));
    }
}

#[cfg(test)]
mod tests;
