//! Many peers under virtual time, from a seed: they send as fast as their lines allow, come and go, lie, fall silent
//! and change their files.
//!
//! A piece travels in quarters. What a liar sends is noticed, as the tree makes sure of; what is counted here is time,
//! and that nothing is fetched twice without need.

mod client;
mod line;
mod scenarios;

use std::collections::{BTreeMap, BTreeSet};

use self::line::Line;
use super::*;
use crate::limits::PIECE;
use crate::proto::prng::Prng;

/// Microseconds: a quarter of a piece takes less than a millisecond on a fast line.
type Micros = u64;

pub(super) const MB: u64 = 1_000_000;
const QUARTERS: u64 = 4;
const QUARTER: u64 = PIECE / QUARTERS;

/// What a peer does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    Honest,
    /// Lies in a quarter of its pieces.
    Liar,
    /// Says nothing any more from this time on.
    Silent(Micros),
    /// Its file is another one from this time on.
    Changed(Micros),
}

pub(super) struct Peer {
    pub conduct: Conduct,
    pub online: bool,
    line: Line,
    latency: Micros,
    /// What it has when it does not download.
    pub kept: Pieces,
    pub download: Option<Download>,
    /// Counts its lives: connections of a former one are closed.
    life: u64,
    pub done: Option<Micros>,
    /// Requests that it waits for: of whom, which piece.
    asked: BTreeMap<RequestId, (usize, u64)>,
    pub left: Vec<(usize, Leaving)>,
    /// Quarters of pieces that came, in vain or not.
    pub came: u64,
    /// When it is to be driven next.
    wake: Option<Micros>,
    /// In what order pieces came.
    pub order: Vec<u64>,
    /// Pieces that came from each.
    pub from: BTreeMap<usize, u64>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Asked(usize, usize, u64, RequestId, (u64, u64)),
    Cancelled(usize, usize, u64, RequestId),
    Send(usize),
    Arrives(usize, usize, u64, RequestId, u64),
    Came(usize, usize, u64, RequestId, u64),
    Refused(usize, u64, RequestId, Failure),
    Has(usize, usize),
    Told(usize, usize),
    Closed(usize, u64, SourceId),
    Wake(usize),
}

pub(super) struct Sim {
    pub random: Prng,
    pub now: Micros,
    pub peers: Vec<Peer>,
    pub pieces: u64,
    events: BTreeMap<(Micros, u64), Event>,
    numbered: u64,
    budget: u64,
    connected: BTreeSet<(usize, usize)>,
}

impl Sim {
    pub fn new(seed: u64, pieces: u64) -> Sim {
        Sim {
            random: Prng::new(seed),
            now: 0,
            peers: Vec::new(),
            pieces,
            events: BTreeMap::new(),
            numbered: 0,
            budget: crate::limits::FILES_IN_FLIGHT,
            connected: BTreeSet::new(),
        }
    }

    /// A peer with a line of so many bytes a second up, ten times that down at least, and a way of so many milliseconds.
    pub fn peer(&mut self, rate: u64, latency: Millis, conduct: Conduct) -> usize {
        self.peers.push(Peer {
            conduct,
            online: true,
            line: Line::new(rate, (10 * rate).max(4 * MB)),
            latency: latency * 1_000,
            kept: Pieces::none(self.pieces),
            download: None,
            life: 0,
            done: None,
            asked: BTreeMap::new(),
            left: Vec::new(),
            came: 0,
            wake: None,
            order: Vec::new(),
            from: BTreeMap::new(),
        });
        self.peers.len() - 1
    }

    /// One that has everything.
    pub fn holder(&mut self, rate: u64, latency: Millis, conduct: Conduct) -> usize {
        let peer = self.peer(rate, latency, conduct);
        self.peers[peer].kept = Pieces::all(self.pieces);
        peer
    }

    /// A peer begins to download, or goes on with what it kept.
    pub fn start(&mut self, peer: usize) {
        let config = Config {
            in_flight: self.budget,
            seed: self.random.next_u64(),
        };
        let now = self.now / 1_000;
        let found = &mut self.peers[peer];
        found.online = true;
        found.done = None;
        found.download = Some(Download::new(config, found.kept.clone(), now));
        self.drive(peer);
    }

    /// Both know of each other.
    pub fn connect(&mut self, one: usize, two: usize) {
        if one == two || !self.peers[one].online || !self.peers[two].online {
            return;
        }
        for (here, there) in [(one, two), (two, one)] {
            let (id, now) = (self.id(there), self.now / 1_000);
            if let Some(download) = &mut self.peers[here].download
                && self.connected.insert((here, there))
            {
                download.add(id, 500, now);
                self.drive(here);
            }
        }
    }

    /// A peer vanishes, with what it owes; others notice after its latency.
    pub fn vanish(&mut self, peer: usize) {
        let found = &mut self.peers[peer];
        if let Some(download) = found.download.take() {
            found.kept = download.have().clone();
        }
        found.asked.clear();
        found.online = false;
        found.line.clear();
        let (id, latency) = (self.id(peer), self.peers[peer].latency);
        self.peers[peer].life += 1;
        let others: Vec<usize> = (0..self.peers.len()).collect();
        for other in others {
            self.connected.remove(&(peer, other));
            if self.connected.remove(&(other, peer)) {
                let life = self.peers[other].life;
                self.after(latency, Event::Closed(other, life, id));
            }
        }
    }

    /// Lets things happen until a time, or until there is nothing more.
    pub fn run(&mut self, until: Micros) {
        while let Some(((at, _), _)) = self.events.first_key_value() {
            if *at > until {
                break;
            }
            if let Some(((at, _), event)) = self.events.pop_first() {
                self.now = at;
                self.happen(event);
            }
        }
        self.now = self.now.max(until.min(self.now + 3_600 * MB));
    }

    /// Lets things happen until something is the case; false when it never is.
    pub fn run_until(&mut self, limit: Micros, is: impl Fn(&Sim) -> bool) -> bool {
        while !is(self) {
            match self.events.pop_first() {
                Some(((at, _), event)) if at <= limit => {
                    self.now = at;
                    self.happen(event);
                }
                _ => return false,
            }
        }
        true
    }

    /// Quarters of pieces that came in vain.
    pub fn vain(&self, peer: usize) -> u64 {
        let peer = &self.peers[peer];
        peer.came - peer.order.len() as u64 * QUARTERS
    }

    pub fn have(&self, peer: usize) -> &Pieces {
        let peer = &self.peers[peer];
        peer.download
            .as_ref()
            .map_or(&peer.kept, |download| download.have())
    }

    pub fn id(&self, peer: usize) -> SourceId {
        self.peers[peer].life << 32 | peer as u64
    }

    fn after(&mut self, time: Micros, event: Event) {
        self.numbered += 1;
        self.events.insert((self.now + time, self.numbered), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Asked(server, client, life, request, piece) => {
                self.asked(server, client, life, request, piece);
            }
            Event::Cancelled(server, client, life, request) => {
                self.peers[server].line.drop(client, life, request);
            }
            Event::Send(server) => self.send(server),
            Event::Arrives(client, server, life, request, quarter) => {
                let wait = self.peers[client].line.receive(self.now, QUARTER) - self.now;
                self.after(wait, Event::Came(client, server, life, request, quarter));
            }
            Event::Came(client, server, life, request, quarter) => {
                self.came(client, server, life, request, quarter);
            }
            Event::Refused(client, life, request, failure) => {
                self.failed(client, life, request, failure);
            }
            Event::Has(server, client) => {
                if self.peers[server].online {
                    let latency = self.way(server, client);
                    self.after(latency, Event::Told(client, server));
                }
            }
            Event::Told(client, server) => {
                let (have, id) = (self.have(server).clone(), self.id(server));
                if let Some(download) = &mut self.peers[client].download {
                    download.holds(id, Holding::Some(have));
                }
                self.drive(client);
            }
            Event::Closed(peer, life, source) => {
                let found = &mut self.peers[peer];
                if let Some(download) = found.download.as_mut().filter(|_| found.life == life) {
                    download.remove(source);
                    let gone = (source & 0xffff_ffff) as usize;
                    found.asked.retain(|_, (server, _)| *server != gone);
                }
                self.drive(peer);
            }
            Event::Wake(peer) => {
                if self.peers[peer].wake.is_some_and(|wake| wake <= self.now) {
                    self.peers[peer].wake = None;
                    self.drive(peer);
                }
            }
        }
    }

    fn way(&self, one: usize, two: usize) -> Micros {
        self.peers[one].latency + self.peers[two].latency
    }

    fn asked(
        &mut self,
        server: usize,
        client: usize,
        life: u64,
        request: RequestId,
        (piece, first): (u64, u64),
    ) {
        let way = self.way(server, client);
        let has = self.have(server).has(piece);
        let peer = &mut self.peers[server];
        let failure = match peer.conduct {
            _ if !peer.online => return,
            Conduct::Silent(from) if self.now >= from => return,
            Conduct::Changed(from) if self.now >= from => Failure::Gone,
            _ if !has => Failure::NotThere,
            _ => {
                if peer.line.queue(client, life, request, first) {
                    self.after(0, Event::Send(server));
                }
                return;
            }
        };
        self.after(way, Event::Refused(client, life, request, failure));
    }

    /// The next quarter of a piece goes out, of one client after the other.
    fn send(&mut self, server: usize) {
        let peer = &mut self.peers[server];
        let silent = matches!(peer.conduct, Conduct::Silent(from) if self.now >= from);
        let Some((client, life, request, quarter)) = peer.line.next().filter(|_| !silent) else {
            return;
        };
        let took = QUARTER * MB / peer.line.up;
        let way = self.way(server, client);
        let arrives = Event::Arrives(client, server, life, request, quarter);
        self.after(took + way, arrives);
        self.after(took, Event::Send(server));
    }
}
