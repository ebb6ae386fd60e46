//! Following a query through the cache: from name to name, as far as it goes.

use super::{Cached, Options, Query, Resolver};
use crate::limits::{CLOCK_TOLERANCE, MAX_ALIASES, NAME_MISSING_TTL, NAME_STALE};
use crate::proto::Millis;
use crate::proto::names::name::Root;
use crate::proto::names::resolution::{Proof, Resolution, Unresolved};
use crate::proto::names::resource::Resource;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    Fresh,
    Stale,
    Gone,
}

impl Resolver {
    /// Follows a query from name to name, as far as the cache goes.
    pub(super) fn proceed(&mut self, id: u64, now: Millis) {
        while let Some(query) = self.queries.get(&id).cloned() {
            let root = query.at.root().clone();
            let freshness = self.freshness(&root, &query, now);
            if let Some(why) = self.missed(&root, query.options, now) {
                return self.done(id, Err(why));
            }
            if freshness != Freshness::Fresh {
                self.look_up(&root, now);
            }
            if freshness == Freshness::Gone {
                if let Some(query) = self.queries.get_mut(&id) {
                    query.waiting = Some(root);
                }
                return;
            }
            if self.hop(id, &root, freshness, now) {
                return;
            }
        }
    }

    /// Why a name is known not to exist, as long as that is remembered.
    fn missed(&self, root: &Root, options: Options, now: Millis) -> Option<Unresolved> {
        let (why, until) = self.missing.get(root)?;
        let left = until.saturating_sub(now);
        let known = NAME_MISSING_TTL.saturating_sub(left);
        let recent = options.within.is_none_or(|within| known < within);
        (left > 0 && recent && !options.fresh).then(|| why.clone())
    }

    fn freshness(&self, root: &Root, query: &Query, now: Millis) -> Freshness {
        let Some(cached) = self.cache.get(root) else {
            return Freshness::Gone;
        };
        let ttl = cached.zone.zone().ttl_of(query.at.sub());
        let live = cached.binding.as_ref().is_none_or(|it| it.is_live(now));
        let dated = cached.zone.envelope().check_time(now).is_ok();
        let waited = query.started.saturating_sub(cached.fetched);
        let wanted = match query.options {
            Options { fresh: true, .. } => cached.fetched >= query.started,
            Options { within, .. } => within.is_none_or(|within| waited < within),
        };
        // A clock that went back a long way must not keep old answers alive.
        let ahead = cached.fetched > now.saturating_add(CLOCK_TOLERANCE);
        let age = now.saturating_sub(cached.fetched);
        match live && dated && wanted && !ahead {
            true if age <= ttl => Freshness::Fresh,
            true if age <= ttl.saturating_add(NAME_STALE) => Freshness::Stale,
            _ => Freshness::Gone,
        }
    }

    /// Takes the cached zone of a hop: an end, or the next name. True when the query has ended.
    fn hop(&mut self, id: u64, root: &Root, freshness: Freshness, now: Millis) -> bool {
        let (Some(cached), Some(query)) = (self.cache.get(root), self.queries.get(&id)) else {
            return true;
        };
        let mut proof = self.proof(root, cached, now);
        proof.cached = cached.fetched < query.started || freshness == Freshness::Stale;
        proof.stale = freshness == Freshness::Stale;
        let zone = cached.zone.zone();
        let ttl = zone.ttl_of(query.at.sub()).saturating_sub(proof.age);
        let found = zone
            .find(query.at.sub())
            .map(|entry| entry.resources.clone());
        if let Some(cached) = self.cache.get_mut(root) {
            cached.used = now;
        }
        let Some(query) = self.queries.get_mut(&id) else {
            return true;
        };
        query.ttl = query.ttl.min(ttl);
        let owner = proof.owner;
        query.proofs.push(proof);
        match found.as_deref() {
            None => self.done(id, Err(Unresolved::Empty { owner })),
            Some([Resource::Alias(target)]) if !query.options.literal => {
                let seen = query.via.contains(target) || *target == query.name;
                if seen || query.via.len() >= MAX_ALIASES {
                    let target = target.clone();
                    self.done(id, Err(Unresolved::AliasLoop(target)));
                    return true;
                }
                query.via.push(target.clone());
                query.at = target.clone();
                return false;
            }
            Some(resources) => {
                let all = resources.len();
                let private = query.options.private;
                let shown = resources.iter().filter(|it| private || it.is_public());
                let shown: Vec<Resource> = shown.cloned().collect();
                let resolution = Resolution {
                    name: query.name.clone(),
                    via: std::mem::take(&mut query.via),
                    hidden: all - shown.len(),
                    resources: shown,
                    ttl: query.ttl,
                    proofs: std::mem::take(&mut query.proofs),
                };
                self.done(id, Ok(Box::new(resolution)));
            }
        }
        true
    }

    pub(super) fn proof(&self, root: &Root, cached: &Cached, now: Millis) -> Proof {
        let mut proof = Proof::new(root, cached.binding.as_ref(), &cached.zone, &self.sets, now);
        proof.age = now.saturating_sub(cached.fetched);
        proof.cached = true;
        proof
    }
}
