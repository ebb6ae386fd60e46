//! What a download does next: whom it asks for what, whom it gives up.
//!
//! Every source is asked for as much as keeps it busy. When all pieces are asked for, those that will take long are
//! asked of others, too, if they are twice as fast; so a slow source costs the end of a download nothing.

use super::interface::{Action, Leaving, RequestId, SourceId};
use super::source::Source;
use super::{Download, Flight};
use crate::limits::{MAX_COPIES, MAX_SOURCES_AT_ONCE, PIECE, SECOND, SHED_EVERY, SOURCE_SHED};
use crate::proto::Millis;

/// How long a source takes that is not known yet.
const HOPED: Millis = SECOND;

impl Download {
    /// Gives up what has been silent for too long, and makes room where slow sources stand in the way of others.
    pub(super) fn review(&mut self, now: Millis) {
        let dead = self.sources.iter();
        let dead: Vec<SourceId> = dead
            .filter(|(_, source)| source.is_dead(now))
            .map(|(id, _)| *id)
            .collect();
        for id in dead {
            let Some(source) = self.sources.get_mut(&id) else {
                continue;
            };
            let hopeless = source.failed(now);
            for request in source.flights.clone() {
                self.cancel(request);
            }
            if hopeless {
                self.leave(id, Leaving::Useless);
            }
        }
        if now >= self.shed {
            self.shed = now + SHED_EVERY;
            self.shed_one(now);
        }
    }

    /// The slowest source makes room for one that waits, if it is much slower than the middle one.
    fn shed_one(&mut self, now: Millis) {
        let active = self.sources.iter();
        let active = active.filter(|(_, source)| !source.flights.is_empty());
        let rates = active.map(|(id, source)| (source.pace.mean(), *id));
        let mut rates: Vec<(Option<u64>, SourceId)> = rates.collect();
        rates.sort_unstable();
        let waits = |source: &Source| {
            source.flights.is_empty() && source.has_room(now) && !source.exhausted
        };
        if rates.len() < MAX_SOURCES_AT_ONCE || !self.sources.values().any(waits) {
            return;
        }
        let middle = rates[rates.len() / 2].0.unwrap_or(0);
        let (slowest, id) = rates[0];
        if slowest.is_none_or(|rate| rate < middle / 4)
            && let Some(source) = self.sources.get_mut(&id)
        {
            source.paused = now + SOURCE_SHED;
        }
    }

    pub(super) fn ask(&mut self, now: Millis) -> Option<Action> {
        let due = |source: &&mut Source| source.asks() && source.ask <= now && source.paused <= now;
        let sources = self.sources.iter_mut();
        let (id, source) = sources.into_iter().find(|(_, source)| due(source))?;
        source.asked(now);
        Some(Action::Ask { source: *id })
    }

    /// A request to the source that has the least to do for what it can.
    pub(super) fn fetch(&mut self, now: Millis) -> Option<Action> {
        if !self.has_budget(now) {
            return None;
        }
        let active = self.sources.values();
        let active = active.filter(|source| !source.flights.is_empty()).count();
        let full = active >= MAX_SOURCES_AT_ONCE;
        let able = self
            .sources
            .iter()
            .filter(|(_, source)| source.has_room(now) && !(full && source.flights.is_empty()));
        let load = |source: &Source| source.flights.len() as u64 * 1_000 / source.pace.window();
        let mut able: Vec<(u64, u64, SourceId)> = able
            .map(|(id, source)| (load(source), 1_000u64.saturating_sub(source.trust), *id))
            .collect();
        able.sort_unstable();
        for (_, _, id) in &able {
            if let Some(piece) = self.missing_piece(*id) {
                return Some(self.send(*id, piece, now));
            }
        }
        let silent = |source: &Source| source.is_silent(now);
        let late = self.map.all_asked() || !self.map.urgent().is_empty();
        if !late && !self.sources.values().any(silent) {
            return None;
        }
        let rescues = able.into_iter();
        let (id, piece) = rescues
            .filter_map(|(_, _, id)| Some((id, self.late_piece(id, now)?)))
            .next()?;
        Some(self.send(id, piece, now))
    }

    /// Silent sources hold up nobody else.
    fn has_budget(&self, now: Millis) -> bool {
        let counted = self
            .sources
            .values()
            .filter(|source| !source.is_silent(now));
        let pieces: u64 = counted.map(|source| source.flights.len() as u64).sum();
        pieces == 0 || (pieces + 1) * PIECE <= self.config.in_flight
    }

    fn missing_piece(&mut self, id: SourceId) -> Option<u64> {
        let source = self.sources.get_mut(&id)?;
        if source.exhausted {
            return None;
        }
        let holding = source.holding.as_ref()?;
        if let Some(piece) = self.map.urgent_of(holding) {
            return Some(piece);
        }
        if let Some(piece) = self.map.next_of(&mut source.ready) {
            return Some(piece);
        }
        source.ready = self.map.choose(holding, id);
        let piece = self.map.next_of(&mut source.ready);
        source.exhausted = piece.is_none();
        piece
    }

    /// A piece that is under way, and that this source would bring sooner: of all, when nothing is missing;
    /// otherwise of those that somebody waits for, and of those that silent sources owe.
    fn late_piece(&self, id: SourceId, now: Millis) -> Option<u64> {
        let source = self.sources.get(&id)?;
        let ending = self.map.all_asked();
        let mut latest: Option<(Millis, u64)> = None;
        for (piece, copies) in self.map.flying() {
            let silent = |request: &RequestId| {
                let owner = self.flights.get(request).map(|flight| flight.source);
                let owner = owner.and_then(|owner| self.sources.get(&owner));
                owner.is_none_or(|owner| owner.is_silent(now))
            };
            let counts = ending || self.map.urgent().contains(&piece) || copies.iter().all(silent);
            let speaking = copies.iter().filter(|request| !silent(request)).count();
            if !counts || speaking >= MAX_COPIES || !source.has(piece) {
                continue;
            }
            let mine = |request: &RequestId| source.flights.contains(request);
            if copies.iter().any(mine) {
                continue;
            }
            let expected = copies.iter().map(|request| self.expected(*request, now));
            let expected = expected.min().unwrap_or(Millis::MAX);
            if latest.is_none_or(|(late, _)| expected > late) {
                latest = Some((expected, piece));
            }
        }
        let (expected, piece) = latest?;
        let needs = source.needs(now).unwrap_or(HOPED);
        (needs.saturating_mul(2) < expected).then_some(piece)
    }

    /// How long until a request has brought its piece, as far as one can tell.
    fn expected(&self, request: RequestId, now: Millis) -> Millis {
        let source = self.flights.get(&request);
        let source = source.and_then(|flight| self.sources.get(&flight.source));
        let Some(source) = source.filter(|source| !source.is_silent(now)) else {
            return Millis::MAX;
        };
        let left = |flight: &Flight| PIECE.saturating_sub(flight.came);
        let mut bytes = 0;
        for other in &source.flights {
            bytes += self.flights.get(other).map_or(0, left);
            if *other == request {
                break;
            }
        }
        let waited = now.saturating_sub(source.pace.last);
        source.pace.needs(bytes, now).unwrap_or(HOPED).max(waited)
    }

    fn send(&mut self, source: SourceId, piece: u64, now: Millis) -> Action {
        let request = self.requests;
        self.requests += 1;
        let copies = self.map.asked(piece, request).iter();
        let came = copies.filter_map(|copy| self.flights.get(copy).map(|flight| flight.came));
        let skip = came.max().unwrap_or(0).max(self.map.part(piece));
        if let Some(found) = self.sources.get_mut(&source) {
            let mark = found.pace.sent(found.flights.is_empty(), now);
            found.flights.push(request);
            let flight = Flight {
                source,
                piece,
                mark,
                fresh: true,
                came: skip,
            };
            self.flights.insert(request, flight);
        }
        Action::Fetch {
            request,
            source,
            piece,
            skip,
        }
    }
}
