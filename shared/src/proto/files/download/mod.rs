//! One download as a machine: which piece is asked of whom, and what happens when nothing comes of it.
//!
//! Knows sources by numbers, pieces by positions, and time as an argument. Knows neither sockets nor disks nor
//! hashes: whoever drives it verifies what comes (`tree`) and writes it.
//!
//! To drive it: after every input call [`Download::poll`] until it gives nothing, and do what it says; call it
//! again at [`Download::wake`], if nothing happens before. Of each [`Action::Fetch`] say one of three things, once:
//! [`Download::arrived`] when the piece is verified and written, [`Download::failed`], or nothing, when it was
//! cancelled or its source left. [`Download::came`] is told when an answer begins, and of what is verified and written, in
//! order: a slow source is not taken for a silent one, and what has come of a piece is not fetched again from the next source.
//! Equal inputs and seeds give equal outputs.

mod choice;
mod interface;
mod map;
mod pace;
mod source;

use std::collections::{BTreeMap, VecDeque};

pub use self::interface::{
    Action, Config, Failure, Holding, Leaving, Progress, RequestId, SourceId, SourceState,
    SourceView,
};
use self::map::Map;
use self::pace::Mark;
use self::source::Source;
use super::pieces::Pieces;
use crate::limits::{MAX_SOURCES, READ_AHEAD, SHED_EVERY};
use crate::proto::Millis;

/// A request that is under way.
#[derive(Clone, Debug)]
struct Flight {
    source: SourceId,
    piece: u64,
    mark: Mark,
    /// Whether nothing has come for it.
    fresh: bool,
    /// Bytes of the piece that are there.
    came: u64,
}

/// A download.
#[derive(Clone, Debug)]
pub struct Download {
    config: Config,
    map: Map,
    sources: BTreeMap<SourceId, Source>,
    flights: BTreeMap<RequestId, Flight>,
    requests: RequestId,
    actions: VecDeque<Action>,
    /// Whether it was said that all is there.
    told: bool,
    shed: Millis,
}

impl Download {
    /// Of a file whose size is proven; goes on where it was, when pieces are there already.
    pub fn new(config: Config, have: Pieces, now: Millis) -> Download {
        Download {
            map: Map::new(have, config.seed),
            config,
            sources: BTreeMap::new(),
            flights: BTreeMap::new(),
            requests: 0,
            actions: VecDeque::new(),
            told: false,
            shed: now + SHED_EVERY,
        }
    }

    /// A source, which is trusted more or less (0 to 1,000). False when there are too many.
    pub fn add(&mut self, source: SourceId, trust: u64, now: Millis) -> bool {
        let room = self.sources.len() < MAX_SOURCES && !self.sources.contains_key(&source);
        if room {
            self.sources.insert(source, Source::new(trust, now));
        }
        room
    }

    /// A source says what it has.
    pub fn holds(&mut self, source: SourceId, holding: Holding) {
        let holding = match holding {
            Holding::Some(pieces) if pieces.is_full() => Holding::All,
            Holding::Some(pieces) if pieces.length() != self.map.have().length() => return,
            other => other,
        };
        let Some(found) = self.sources.get_mut(&source) else {
            return;
        };
        self.map.held(&found.holding, false);
        found.holding = Some(holding);
        self.map.held(&found.holding, true);
        found.look_again();
    }

    /// A source is not connected any more.
    pub fn remove(&mut self, source: SourceId) {
        if let Some(gone) = self.sources.remove(&source) {
            self.map.held(&gone.holding, false);
            gone.flights
                .iter()
                .for_each(|request| self.give_up(*request));
        }
    }

    /// Only these pieces are wanted; at first all are.
    pub fn want(&mut self, pieces: Pieces) {
        if pieces.length() != self.map.have().length() {
            return;
        }
        self.map.want(pieces);
        let unwanted = self.flights.iter();
        let unwanted = unwanted.filter(|(_, flight)| !self.map.needs(flight.piece));
        let unwanted: Vec<RequestId> = unwanted.map(|(request, _)| *request).collect();
        unwanted
            .into_iter()
            .for_each(|request| self.cancel(request));
        self.told = false;
        self.look_again();
    }

    /// Somebody reads at each of these places: the pieces there come before all others, then the next one of each, and so
    /// on as far as it is read ahead. What was said before counts no more.
    pub fn prefer(&mut self, readers: &[u64]) {
        self.map.prefer(ahead(readers));
    }

    /// The answer to a request has begun, with no bytes, or verified bytes of its piece have come.
    pub fn came(&mut self, request: RequestId, bytes: u64, now: Millis) {
        let Some(flight) = self.flights.get_mut(&request) else {
            return;
        };
        if let Some(source) = self.sources.get_mut(&flight.source) {
            source.pace.came(&flight.mark, flight.fresh, bytes, now);
        }
        flight.fresh = false;
        flight.came += bytes;
    }

    /// A piece is verified and written.
    pub fn arrived(&mut self, request: RequestId, now: Millis) {
        let Some(flight) = self.land(request) else {
            return;
        };
        if let Some(source) = self.sources.get_mut(&flight.source) {
            source.pace.ended(&flight.mark, now);
            source.gave();
        }
        let others = self.map.arrived(flight.piece);
        for other in others.into_iter().filter(|other| *other != request) {
            self.outrun(other, now);
        }
    }

    /// Another source was faster. One that has been silent all the time is left alone for a while.
    fn outrun(&mut self, request: RequestId, now: Millis) {
        let id = self.flights.get(&request).map(|flight| flight.source);
        let owner = id.and_then(|id| self.sources.get_mut(&id));
        let silent = owner.filter(|owner| owner.is_silent(now) && owner.paused <= now);
        let hopeless = silent.is_some_and(|owner| owner.failed(now));
        self.cancel(request);
        if let Some(id) = id.filter(|_| hopeless) {
            self.leave(id, Leaving::Useless);
        }
    }

    /// Nothing came of a request, or nothing more.
    pub fn failed(&mut self, request: RequestId, failure: Failure, now: Millis) {
        let Some(flight) = self.land(request) else {
            return;
        };
        self.missing_again(flight.piece, request);
        let (id, piece) = (flight.source, flight.piece);
        let Some(source) = self.sources.get_mut(&id) else {
            return;
        };
        match failure {
            Failure::Lied => self.leave(id, Leaving::Lied),
            Failure::Gone => self.leave(id, Leaving::Gone),
            Failure::NotThere => {
                if let Some(Holding::Some(pieces)) = &mut source.holding
                    && pieces.remove(piece)
                {
                    self.map.held_one(piece, false);
                }
                let whole = source.holding == Some(Holding::All);
                if source.failed(now) || whole {
                    self.leave(id, Leaving::Useless);
                }
            }
            Failure::Busy => source.is_busy(now),
            Failure::Broken => {
                if source.failed(now) {
                    self.leave(id, Leaving::Useless);
                }
            }
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self, now: Millis) -> Option<Action> {
        if self.actions.is_empty() {
            self.review(now);
        }
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        if self.map.is_done() {
            let news = !self.told;
            self.told = true;
            return news.then_some(Action::Done);
        }
        let ask = self.ask(now);
        ask.or_else(|| self.fetch(now))
    }

    /// When to call [`Self::poll`] again if nothing happens; never once all is there.
    pub fn wake(&self, now: Millis) -> Option<Millis> {
        if self.told {
            return None;
        }
        let sources = self.sources.values().filter_map(|source| source.wake(now));
        sources.min()
    }

    /// What is there.
    pub fn have(&self) -> &Pieces {
        self.map.have()
    }

    /// How far it is.
    pub fn progress(&self, now: Millis) -> Progress {
        let sending = self.sources.values();
        let sending = sending.filter(|source| source.state(now) == SourceState::Sending);
        Progress {
            pieces: self.map.got(),
            wanted: self.map.wanted(),
            rate: sending.filter_map(|source| source.pace.mean()).sum(),
        }
    }

    /// How many wanted pieces no source has: with more than none it cannot be completed for now.
    pub fn nowhere(&self) -> u64 {
        let holdings = self.sources.values();
        self.map
            .nowhere(holdings.filter_map(|source| source.holding.as_ref()))
    }

    /// The sources, as they are now.
    pub fn sources(&self, now: Millis) -> impl Iterator<Item = SourceView> {
        self.sources.iter().map(move |(id, source)| SourceView {
            source: *id,
            state: source.state(now),
            bytes: source.pace.delivered,
            rate: source.pace.mean().unwrap_or(0),
            latency: source.pace.latency,
            asked: source.flights.len(),
        })
    }

    fn look_again(&mut self) {
        self.sources.values_mut().for_each(Source::look_again);
    }

    /// A request is over; what has come for it stays.
    fn land(&mut self, request: RequestId) -> Option<Flight> {
        let flight = self.flights.remove(&request)?;
        if let Some(source) = self.sources.get_mut(&flight.source) {
            source.flights.retain(|other| *other != request);
        }
        self.map.came(flight.piece, flight.came);
        Some(flight)
    }

    fn missing_again(&mut self, piece: u64, request: RequestId) {
        if self.map.failed(piece, request) {
            self.look_again();
        }
    }

    /// A request of a source that is not there any more.
    fn give_up(&mut self, request: RequestId) {
        if let Some(flight) = self.land(request) {
            self.missing_again(flight.piece, request);
        }
    }

    fn cancel(&mut self, request: RequestId) {
        if let Some(flight) = self.land(request) {
            let source = flight.source;
            self.missing_again(flight.piece, request);
            self.actions.push_back(Action::Cancel { request, source });
        }
    }

    fn leave(&mut self, source: SourceId, why: Leaving) {
        self.remove(source);
        self.actions.push_back(Action::Leave { source, why });
    }
}

/// What readers at these places read next, in the order in which they want it.
fn ahead(readers: &[u64]) -> impl Iterator<Item = u64> {
    let step = |step| readers.iter().map(move |at| at.saturating_add(step));
    (0..READ_AHEAD).flat_map(step)
}

#[cfg(test)]
mod reading;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
