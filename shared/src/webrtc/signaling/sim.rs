//! Two peers and the streams between them, in virtual time and from a seed. What their WebRTC stacks do is in
//! `stacks.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::Trickled;
use super::{Attempt, End, Failure, Meeting, Output, Verdict};
use crate::proto::Millis;
use crate::proto::prng::Prng;

mod stacks;

pub use stacks::{description, way};

/// What a run is like.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// When each peer dials.
    pub dials: [Option<Millis>; 2],
    /// Which peers know no rule: they take every offer and go on with their own.
    pub stock: [bool; 2],
    /// There is no way between the peers.
    pub apart: bool,
    /// The stream of the first attempt is lost before it has carried so many pieces.
    pub cut: Option<usize>,
    /// That piece arrives damaged.
    pub damaged: Option<usize>,
    /// Longest time that a piece is on its way, and that a stack takes.
    pub slow: Millis,
}

/// Something that happens to one end of a link.
#[derive(Clone, Debug)]
enum Event {
    Dial,
    Arrives(Vec<u8>),
    Ends(End),
    Described(String),
    Accepted,
    Found(Trickled),
    Connects,
    RemoteGone,
    Tick,
}

/// One attempt, seen from outside: a stream, and what two stacks make of it.
struct Link {
    dialler: usize,
    ends: [Option<Attempt>; 2],
    /// What the stack of each end has of it.
    stacks: [Stack; 2],
    /// When the last piece on the way to each end arrives: a stream keeps its order.
    busy: [Millis; 2],
    carried: usize,
    lost: bool,
    met: bool,
}

#[derive(Clone, Copy, Default)]
struct Stack {
    open: bool,
    accepted: bool,
    candidates: usize,
}

pub struct World {
    scene: Scene,
    prng: Prng,
    now: Millis,
    events: BTreeMap<(Millis, u64), (usize, usize, Event)>,
    links: Vec<Link>,
    meetings: [Meeting<usize>; 2],
    /// Connections that each peer has.
    pub live: [BTreeSet<usize>; 2],
    /// Those that there have ever been.
    pub stood: BTreeSet<usize>,
    /// How the attempts of each peer have failed.
    pub failures: [Vec<Failure>; 2],
    /// The most connections that there were at once.
    pub most: [usize; 2],
    /// What has happened, for whoever looks for a fault.
    pub story: Vec<String>,
}

impl World {
    /// Runs until nothing happens any more.
    pub fn run(scene: Scene, seed: u64) -> World {
        let mut world = World {
            prng: Prng::new(seed),
            now: 0,
            events: BTreeMap::new(),
            links: Vec::new(),
            meetings: [Meeting::new(true), Meeting::new(false)],
            live: Default::default(),
            stood: BTreeSet::new(),
            failures: Default::default(),
            most: [0; 2],
            story: Vec::new(),
            scene,
        };
        for side in 0..2 {
            if let Some(when) = world.scene.dials[side] {
                world.at(when, usize::MAX, side, Event::Dial);
            }
        }
        while let Some(((when, _), (link, side, event))) = world.events.pop_first() {
            world.now = when;
            world.happens(link, side, event);
        }
        world
    }

    /// Whether every attempt has said how it ended, and both peers agree on what they have.
    pub fn settled(&self) -> Result<(), String> {
        for (number, link) in self.links.iter().enumerate() {
            for attempt in link.ends.iter().flatten() {
                if attempt.next_wake().is_some() {
                    return Err(format!("attempt {number} has not ended"));
                }
            }
        }
        if self.live[0] != self.live[1] {
            return Err(format!(
                "one has {:?}, the other {:?}",
                self.live[0], self.live[1]
            ));
        }
        match self.live[0].len() {
            0 | 1 => Ok(()),
            many => Err(format!("{many} connections")),
        }
    }

    fn at(&mut self, when: Millis, link: usize, side: usize, event: Event) {
        let number = self.prng.next_u64();
        self.events.insert((when, number), (link, side, event));
    }

    fn soon(&mut self, link: usize, side: usize, event: Event) {
        let when = self.now + 1 + self.prng.below(self.scene.slow);
        self.at(when, link, side, event);
    }

    /// On the stream to an end, behind what is on the way already.
    fn carry(&mut self, link: usize, to: usize, event: Event) {
        let when = self.now + 1 + self.prng.below(self.scene.slow);
        let when = when.max(self.links[link].busy[to] + 1);
        self.links[link].busy[to] = when;
        self.at(when, link, to, event);
    }

    fn happens(&mut self, link: usize, side: usize, event: Event) {
        if let Event::Dial = event {
            return self.dial(side);
        }
        if self.links[link].lost && matches!(event, Event::Arrives(_) | Event::Ends(End::Finished))
        {
            return;
        }
        self.note(link, side, &event);
        let now = self.now;
        match event {
            Event::Arrives(bytes) => self.arrives(link, side, bytes),
            Event::Connects => self.connects(link, side),
            Event::RemoteGone => self.remote_gone(link, side),
            other => {
                let Some(attempt) = &mut self.links[link].ends[side] else {
                    return;
                };
                match other {
                    Event::Ends(end) => attempt.ended(end, now),
                    Event::Described(text) => attempt.described(text),
                    Event::Accepted => attempt.accepted(),
                    Event::Found(trickled) => attempt.found(trickled),
                    _ => attempt.tick(now),
                }
            }
        }
        self.obey(link, side);
    }

    fn note(&mut self, link: usize, side: usize, event: &Event) {
        let what = match event {
            Event::Arrives(bytes) => format!("{} bytes", bytes.len()),
            Event::Described(_) => "described".to_owned(),
            other => format!("{other:?}"),
        };
        self.story
            .push(format!("{} link {link} end {side}: {what}", self.now));
    }

    fn dial(&mut self, side: usize) {
        let link = self.links.len();
        if !self.is_stock(side) && !self.meetings[side].dial(link) {
            return;
        }
        let mut ends = [None, None];
        ends[side] = Some(Attempt::dial(self.now));
        self.links.push(Link {
            dialler: side,
            ends,
            stacks: Default::default(),
            busy: [0; 2],
            carried: 0,
            lost: false,
            met: false,
        });
        self.links[link].stacks[side].open = true;
        self.obey(link, side);
    }

    fn is_stock(&self, side: usize) -> bool {
        self.scene.stock[side]
    }

    fn arrives(&mut self, link: usize, side: usize, mut bytes: Vec<u8>) {
        let place = &mut self.links[link];
        if link == 0 {
            if self.scene.cut == Some(place.carried) {
                return self.cut(link);
            }
            if self.scene.damaged == Some(place.carried) {
                bytes[0] ^= 0xff;
            }
        }
        place.carried += 1;
        let now = self.now;
        place.ends[side]
            .get_or_insert_with(|| Attempt::answer(now))
            .received(&bytes);
    }

    fn cut(&mut self, link: usize) {
        self.links[link].lost = true;
        for side in 0..2 {
            if self.links[link].ends[side].is_some() {
                self.soon(link, side, Event::Ends(End::Lost));
            }
        }
    }

    fn obey(&mut self, link: usize, side: usize) {
        while let Some(output) = self.links[link].ends[side].as_mut().and_then(Attempt::poll) {
            self.do_it(link, side, output);
        }
        let wake = self.links[link].ends[side]
            .as_ref()
            .and_then(Attempt::next_wake);
        if let Some(wake) = wake {
            self.at(wake, link, side, Event::Tick);
        }
    }

    fn do_it(&mut self, link: usize, side: usize, output: Output) {
        match output {
            Output::Describe => self.soon(link, side, Event::Described(description(link, side))),
            Output::Remote(text) => {
                assert_eq!(text, description(link, 1 - side), "the remote's own");
                self.offered_or_answered(link, side);
            }
            Output::Candidate(candidate) => {
                assert_eq!(
                    candidate,
                    way(link, 1 - side, self.links[link].stacks[side].candidates)
                );
                assert!(
                    self.links[link].stacks[side].accepted,
                    "the description comes first"
                );
                self.links[link].stacks[side].candidates += 1;
                self.meet(link);
            }
            Output::NoMoreCandidates => {}
            Output::Send(bytes) => self.send(link, side, bytes),
            Output::Finish => self.carry(link, 1 - side, Event::Ends(End::Finished)),
            Output::Reset => {
                // It may overtake what was sent before.
                self.links[link].lost = self.prng.below(2) == 0;
                self.carry(link, 1 - side, Event::Ends(End::Lost));
            }
            Output::Connected => self.connected(link, side),
            Output::Failed(failure) => {
                self.story
                    .push(format!("{} link {link} end {side}: {failure}", self.now));
                self.failures[side].push(failure);
                self.close(link, side);
            }
        }
    }

    /// The stack of the first to describe itself begins to look for ways then.
    fn send(&mut self, link: usize, side: usize, bytes: Vec<u8>) {
        let first = self.links[link].busy[1 - side] == 0;
        if first {
            let ways = self.prng.below(4) as usize + 1;
            let mut when = self.now;
            for number in 0..ways {
                when += self.prng.below(self.scene.slow) + 1;
                let found = Trickled::Candidate(way(link, side, number));
                self.at(when, link, side, Event::Found(found));
            }
            self.at(when + 1, link, side, Event::Found(Trickled::End));
            if self.links[link].dialler == side {
                self.meetings[side].offering(link);
            }
        }
        // In two pieces, wherever they are cut.
        let cut = self.prng.below(bytes.len() as u64 - 1) as usize + 1;
        let (one, other) = bytes.split_at(cut);
        self.carry(link, 1 - side, Event::Arrives(one.to_vec()));
        self.carry(link, 1 - side, Event::Arrives(other.to_vec()));
    }

    fn offered_or_answered(&mut self, link: usize, side: usize) {
        let place = &mut self.links[link];
        if !place.stacks[side].open {
            if !self.is_stock(side) {
                match self.meetings[side].offered(link) {
                    Verdict::Refuse => return self.give_way(link, side),
                    Verdict::Take(Some(other)) => self.give_way(other, side),
                    Verdict::Take(None) => {}
                }
            }
            self.links[link].stacks[side].open = true;
        }
        self.links[link].stacks[side].accepted = true;
        self.soon(link, side, Event::Accepted);
        self.meet(link);
    }

    fn give_way(&mut self, link: usize, side: usize) {
        if let Some(attempt) = &mut self.links[link].ends[side] {
            attempt.give_way();
        }
        self.obey(link, side);
    }
}
