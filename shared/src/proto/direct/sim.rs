//! Two authors and a mailbox under virtual time: connections are cut, requests and answers are lost or
//! come twice, and programs crash between any two steps.
//!
//! A program is what the driver of a [`Post`] is: it makes the changes of a turn durable, or crashes
//! before it has, or after it has and before it says anything. An application reads one message after
//! the other, and says that it has one when it asks for the next.

mod promises;
mod ways;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

pub use self::promises::{all_faults, promises_hold};
use super::mailbox::MemoryTable;
use super::outbox::{Carried, Errand};
use super::post::{Post, Turn};
use crate::limits::SECOND;
use crate::proto::Millis;
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::prng::Prng;
use crate::proto::record::Value;

/// When every run begins.
pub const START: Millis = 1_700_000_000_000;
/// How often a program does what is due, and reads.
const STEP: Millis = 100;

/// What goes wrong, in percent of the times that it could.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A request or its answer is lost.
    pub loss: u64,
    /// A request comes twice.
    pub twice: u64,
    /// The way between the two is cut, at every step.
    pub cuts: u64,
    /// A turn ends with a crash.
    pub crashes: u64,
    /// The turn, counted from the start, that ends with one in any case: before its changes are durable,
    /// or after.
    pub crash_at: Option<(u64, bool)>,
}

/// What an application has seen: author, session and number of each message, in the order in which it came,
/// and what was in it.
pub type Seen = ((PublicKey, [u8; 16], u64), u64);

#[derive(Debug)]
struct Node {
    key: SigningKey,
    disk: BTreeMap<String, Vec<u8>>,
    post: Option<Post>,
    /// Counts starts.
    life: u64,
    taken: Option<u64>,
    seen: Vec<Seen>,
    /// What its application has sent, as far as that is durable.
    sent: u64,
    after: u64,
}

enum Event {
    Step(usize),
    Fetch(usize),
    Start(usize),
    Heal,
    Carry(usize, u64, Errand),
    Carried(usize, u64, PublicKey, Carried),
}

/// See the module.
pub struct World {
    nodes: [Node; 2],
    mailbox: MemoryTable,
    now: Millis,
    events: BinaryHeap<Reverse<(Millis, u64)>>,
    what: BTreeMap<u64, Event>,
    faults: Faults,
    prng: Prng,
    cut: bool,
    count: u64,
    turns: u64,
    /// How often a program crashed.
    pub crashes: u64,
    wanted: u64,
}

impl World {
    /// Two authors, each of which wants to send so many messages to the other one.
    pub fn new(seed: u64, wanted: u64, faults: Faults) -> World {
        let node = |number: u8| Node {
            key: SigningKey::from_seed([number; 32]),
            disk: BTreeMap::new(),
            post: None,
            life: 0,
            taken: None,
            seen: Vec::new(),
            sent: 0,
            after: 0,
        };
        let mut world = World {
            nodes: [node(1), node(2)],
            mailbox: MemoryTable::default(),
            now: START,
            events: BinaryHeap::new(),
            what: BTreeMap::new(),
            faults,
            prng: Prng::new(seed),
            cut: false,
            count: 0,
            turns: 0,
            crashes: 0,
            wanted,
        };
        (0..2).for_each(|at| world.at(START, Event::Start(at)));
        world
    }

    /// Lets everything happen until all is delivered and read; what both applications have seen. An error
    /// when that does not come to be.
    pub fn run(&mut self) -> Result<[Vec<Seen>; 2], String> {
        // Faults end at some time: nothing can be promised otherwise.
        let (quiet, end) = (START + 300 * SECOND, START + 3_600 * SECOND);
        while let Some(Reverse((at, event))) = self.events.pop() {
            self.now = at;
            if at > quiet {
                self.faults = Faults::default();
                self.cut = false;
            }
            if let Some(event) = self.what.remove(&event) {
                self.happen(event);
            }
            if self.is_over() {
                return Ok(self.nodes.each_ref().map(|node| node.seen.clone()));
            }
            if at > end {
                break;
            }
        }
        let pending = self
            .nodes
            .each_ref()
            .map(|node| node.post.as_ref().map(Post::pending));
        Err(format!("not all was delivered: {pending:?}"))
    }

    fn is_over(&self) -> bool {
        let over = |node: &Node| {
            let idle = |post: &Post| post.pending() == 0 && post.untold(None).is_none();
            node.sent == self.wanted && node.post.as_ref().is_some_and(idle)
        };
        self.nodes.iter().all(over)
    }

    fn at(&mut self, when: Millis, event: Event) {
        self.count += 1;
        self.events.push(Reverse((when, self.count)));
        self.what.insert(self.count, event);
    }

    fn soon(&mut self, event: Event) {
        let when = self.now + 1 + self.prng.below(50);
        self.at(when, event);
    }

    fn chance(&mut self, percent: u64) -> bool {
        percent > 0 && self.prng.below(100) < percent
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(at) => self.start(at),
            Event::Heal => self.cut = false,
            Event::Step(at) => self.step(at),
            Event::Fetch(at) => self.fetch(at),
            Event::Carry(at, life, errand) => self.carry(at, life, errand),
            Event::Carried(at, life, to, carried) => {
                let now = self.now;
                if self.nodes[at].life == life {
                    self.turn(at, |post, turn| post.carried(&to, carried, now, turn));
                }
            }
        }
    }

    fn start(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.post.is_some() {
            return;
        }
        node.life += 1;
        let mut post = Post::new(node.key.clone(), network(), self.prng.next_u64());
        for beginning in Post::NEEDED {
            let rows = node
                .disk
                .iter()
                .filter(|(key, _)| key.starts_with(beginning));
            for (key, row) in rows {
                post.restore(key, row).expect("what was stored can be read");
            }
        }
        post.set_reading(true);
        node.post = Some(post);
        node.taken = None;
        node.after = 0;
        self.soon(Event::Step(at));
        self.soon(Event::Fetch(at));
    }

    /// One turn of a program. Nothing comes of it when the program crashes.
    fn turn<T>(&mut self, at: usize, work: impl FnOnce(&mut Post, &mut Turn) -> T) -> Option<T> {
        self.turns += 1;
        let random = self.chance(self.faults.crashes).then(|| self.chance(50));
        let planned = self.faults.crash_at.filter(|(turn, _)| *turn == self.turns);
        let crash = random.or(planned.map(|(_, durable)| durable));
        let node = &mut self.nodes[at];
        let mut turn = Turn::default();
        let done = work(node.post.as_mut()?, &mut turn);
        if crash != Some(false) {
            for change in turn.changes {
                match change.value {
                    Some(row) => drop(node.disk.insert(change.key, row)),
                    None => drop(node.disk.remove(&change.key)),
                }
            }
        }
        if crash.is_some() {
            node.post = None;
            self.crashes += 1;
            let when = self.now + self.prng.below(20 * SECOND);
            self.at(when, Event::Start(at));
            return None;
        }
        Some(done)
    }

    fn step(&mut self, at: usize) {
        let now = self.now;
        if self.nodes[at].post.is_none() {
            return;
        }
        if self.chance(self.faults.cuts) && !self.cut {
            self.cut = true;
            let when = now + self.prng.below(10 * SECOND);
            self.at(when, Event::Heal);
        }
        self.write(at);
        self.read(at);
        self.turn(at, |post, turn| post.expire(now, turn));
        let life = self.nodes[at].life;
        let errands = self.nodes[at].post.as_mut().map(|post| post.due(now, true));
        for errand in errands.unwrap_or_default() {
            self.soon(Event::Carry(at, life, errand));
        }
        if self.nodes[at].post.is_some() {
            self.at(now + STEP, Event::Step(at));
        }
    }

    /// The application sends what it has not sent yet, a few at a time.
    fn write(&mut self, at: usize) {
        let to = self.nodes[1 - at].key.public();
        for _ in 0..self.prng.below(4) {
            if self.nodes[at].sent == self.wanted {
                return;
            }
            let (now, entropy) = (self.now, self.prng.next_u64());
            let body = Value::Json((self.nodes[at].sent + 1).to_string());
            let mut session = [0; 16];
            session[..8].copy_from_slice(&entropy.to_be_bytes());
            let rows = self.nodes[at].disk.len();
            let sent = self.turn(at, |post, turn| {
                post.send(to, &body, session, now, turn).map(drop)
            });
            // A crash after the commit loses the answer, and the application sees it in the history.
            let durable = self.nodes[at].disk.len() > rows;
            if sent == Some(Ok(())) || (sent.is_none() && durable) {
                self.nodes[at].sent += 1;
            }
            if sent.is_none() {
                return;
            }
        }
    }

    fn read(&mut self, at: usize) {
        for _ in 0..4 {
            if let Some(taken) = self.nodes[at].taken.take()
                && self.turn(at, |post, turn| post.told(taken, turn)).is_none()
            {
                return;
            }
            let node = &mut self.nodes[at];
            let next = node.post.as_ref().and_then(|post| post.untold(None));
            let Some(received) = next else { return };
            let message = &received.message;
            let Value::Json(text) = &message.body else {
                return;
            };
            let what = (message.author, message.session, message.number);
            node.seen.push((what, text.parse().unwrap_or(0)));
            node.taken = Some(received.arrival);
        }
    }
}

fn network() -> NetworkId {
    "test-net".parse().expect("a valid id")
}
