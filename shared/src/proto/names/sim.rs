//! A network of witnesses, owners and readers in virtual time: one name, many who want it.
//!
//! Knows the faults (lost, late and repeated messages, crashes at every write, liars, old
//! certificates shown again, keys of a set that was replaced, lost disks, an overlay that fails) and what must hold in spite of them. Equal seeds give equal runs.

mod actions;
mod oracle;
mod readers;
mod retired;
mod rogue;
mod runs;
mod witnesses;

pub use oracle::Oracle;
pub use runs::{promises_hold, run};
pub use witnesses::{Node, Temper};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::certificate::Certificate;
use super::claim::Handover;
use super::name::Label;
use super::publisher::{Failure, Goal, Operation, Output as Did};
use super::resolver::Resolver;
use super::resolver::floors::Floors;
use super::set::KnownSets;
use super::wire::{Request, Response};
use super::work::Hardness;
use crate::limits::{DAY, MINUTE, SECOND};
use crate::proto::Millis;
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::prng::Prng;

/// When every run begins.
pub const START: Millis = 1_700_000_000_000;

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Witnesses.
    pub witnesses: usize,
    /// Of these, liars.
    pub liars: usize,
    /// Witnesses whose rows are lost; each is as good as a liar.
    pub lost: usize,
    /// Whether liars lie from the beginning, or only when all others know the first owner.
    pub late_liars: bool,
    /// Owners.
    pub owners: usize,
    /// What owners and adversaries do after the first race.
    pub actions: u64,
    /// How they crash and forget.
    pub temper: Temper,
}

impl Plan {
    /// A plan within the limits of what is promised.
    pub fn from_seed(seed: u64) -> Plan {
        let mut prng = Prng::new(seed ^ 0x6e61_6d65);
        let witnesses = [1, 2, 3, 3, 3, 4, 5, 7][prng.below(8) as usize];
        let quorum = quorum_of(witnesses);
        let late_liars = prng.below(4) == 0;
        let most = match late_liars {
            true => quorum - 1,
            false => 2 * quorum - witnesses - 1,
        };
        let faulty = prng.below(most as u64 + 1);
        let (owners, actions) = (2 + prng.below(3) as usize, 4 + prng.below(12));
        let lost = prng.below(faulty + 1);
        Plan {
            witnesses,
            liars: (faulty - lost) as usize,
            lost: lost as usize,
            late_liars,
            owners,
            actions,
            temper: Temper::default(),
        }
    }
}

/// As [`WitnessSet::quorum`], before there is a set.
pub fn quorum_of(witnesses: usize) -> usize {
    match witnesses {
        0..=3 => witnesses / 2 + 1,
        _ => 2 * witnesses / 3 + 1,
    }
}

#[derive(Clone, Debug)]
enum Event {
    ToWitness {
        at: usize,
        reply: Option<(usize, u64)>,
        request: Request,
    },
    ToOwner {
        operation: usize,
        id: u64,
        response: Response,
    },
    Tick {
        operation: usize,
    },
    Act,
    Dies,
    LosesRows {
        at: usize,
    },
    Read {
        reader: usize,
    },
}

struct Running {
    publishing: bool,
    operation: Operation,
    result: Option<Result<u64, Failure>>,
    /// Its device is gone: nothing reaches it any more.
    dead: bool,
}

struct Reader {
    skew: i64,
    resolver: Resolver,
}

/// Everything.
pub struct World {
    pub now: Millis,
    pub nodes: Vec<Node>,
    pub oracle: Oracle,
    plan: Plan,
    name: Label,
    sets: KnownSets,
    owners: Vec<SigningKey>,
    recovery: SigningKey,
    readers: Vec<Reader>,
    running: Vec<Running>,
    events: BinaryHeap<Reverse<(Millis, u64, usize)>>,
    queued: BTreeMap<usize, Event>,
    sent: Vec<Request>,
    handovers: Vec<Handover>,
    certificates: Vec<Certificate>,
    zones: Vec<Vec<u8>>,
    prng: Prng,
    count: u64,
    calm: bool,
}

impl World {
    pub fn new(seed: u64, plan: Plan) -> World {
        let mut prng = Prng::new(seed);
        let network: NetworkId = "sim".parse().expect("a valid id");
        let keys: Vec<SigningKey> = (0..plan.witnesses as u8).map(|at| key(100 + at)).collect();
        let sets = retired::sets(network, keys.iter().map(SigningKey::public));
        let mut nodes: Vec<Node> = keys
            .into_iter()
            .map(|key| Node::new(key, sets.clone(), plan.temper, skew(&mut prng)))
            .collect();
        let from_start = if plan.late_liars { 0 } else { plan.liars };
        let mut oracle = Oracle::new(quorum_of(plan.witnesses));
        for node in nodes.iter_mut().take(from_start) {
            node.lies = true;
            oracle.lies(sets.current().position(&node.public()).unwrap_or(0));
        }
        let readers = (0..3).map(|_| Reader {
            skew: skew(&mut prng),
            resolver: Resolver::new(sets.clone(), Floors::default(), prng.next_u64()),
        });
        World {
            now: START,
            nodes,
            oracle,
            plan,
            name: "alice".parse().expect("a valid name"),
            owners: (0..plan.owners as u8).map(|at| key(1 + at)).collect(),
            recovery: key(50),
            readers: readers.collect(),
            running: Vec::new(),
            events: BinaryHeap::new(),
            queued: BTreeMap::new(),
            sent: Vec::new(),
            handovers: Vec::new(),
            certificates: Vec::new(),
            zones: Vec::new(),
            sets,
            prng,
            count: 0,
            calm: false,
        }
    }

    fn schedule(&mut self, at: Millis, event: Event) {
        self.count += 1;
        self.events
            .push(Reverse((at, self.count, self.count as usize)));
        self.queued.insert(self.count as usize, event);
    }

    /// Starts an operation of an owner.
    pub fn start(&mut self, owner: usize, goal: Goal) -> usize {
        let seed = (self.prng.next_u64(), self.now);
        let key = self.owners[owner].clone();
        let publishing = matches!(goal, Goal::Publish(..));
        let operation = Operation::new(
            self.sets.clone(),
            key,
            self.name.clone(),
            goal,
            Hardness::NONE,
            seed,
        );
        self.running.push(Running {
            publishing,
            operation,
            result: None,
            dead: false,
        });
        let at = self.running.len() - 1;
        self.obey(at);
        at
    }

    /// Lets time pass until `end`, or an invariant breaks.
    pub fn run_until(&mut self, end: Millis) -> Result<(), String> {
        while let Some(Reverse((at, _, key))) = self.events.peek().copied() {
            if at > end {
                break;
            }
            self.events.pop();
            self.now = self.now.max(at);
            if let Some(event) = self.queued.remove(&key) {
                self.happen(event)?;
            }
        }
        self.now = self.now.max(end);
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::ToWitness { at, reply, request } => return self.arrive(at, reply, request),
            Event::ToOwner {
                operation,
                id,
                response,
            } => {
                let now = self.now;
                let running = &mut self.running[operation];
                if !running.dead {
                    running.operation.answered(id, response, now);
                    self.obey(operation);
                }
            }
            Event::Tick { operation } => {
                let now = self.now;
                let running = &mut self.running[operation];
                if !running.dead && running.operation.next_wake().is_some_and(|at| at <= now) {
                    running.operation.tick(now);
                    self.obey(operation);
                }
            }
            Event::Act => return self.act(),
            Event::Dies => self.device_dies(),
            Event::LosesRows { at } => self.nodes[at].lose_rows(self.now),
            Event::Read { reader } => return self.read(reader),
        }
        Ok(())
    }

    fn arrive(
        &mut self,
        at: usize,
        reply: Option<(usize, u64)>,
        request: Request,
    ) -> Result<(), String> {
        let bytes = request.encode();
        let request = Request::decode(&bytes).map_err(|why| format!("not readable: {why}"))?;
        let answer = self.nodes[at].handle(&request, self.now, &mut self.prng, self.calm);
        let (signed, response) = answer;
        for (claim, signed) in signed {
            self.oracle.signed(&claim, &signed, self.now)?;
        }
        let (Some(response), Some((operation, id))) = (response, reply) else {
            return Ok(());
        };
        for delay in self.delays() {
            let response = response.clone();
            let event = Event::ToOwner {
                operation,
                id,
                response,
            };
            self.schedule(self.now + delay, event);
        }
        Ok(())
    }

    /// When copies of a message arrive: mostly one, soon.
    fn delays(&mut self) -> Vec<Millis> {
        let soon = 5 + self.prng.below(200);
        if self.calm {
            return vec![soon];
        }
        match self.prng.below(100) {
            0..8 => vec![],
            8..12 => vec![soon, soon + self.prng.below(MINUTE)],
            12..16 => vec![self.prng.below(20 * MINUTE)],
            16..19 => vec![self.prng.below(3 * SECOND)],
            19 => vec![soon, self.prng.below(8 * DAY)],
            _ => vec![soon],
        }
    }

    fn obey(&mut self, at: usize) {
        while let Some(output) = self.running[at].operation.poll() {
            match output {
                Did::Send { to, id, request } => self.send(at, to, id, request),
                Did::Solve(_) => {
                    let now = self.now;
                    self.running[at].operation.solved(0, now);
                }
                Did::Keep(certificate) => self.certificates.push(*certificate),
                Did::Progress(_) => {}
                Did::Done(result) => {
                    let publishing = self.running[at].publishing;
                    let result = result.map(|binding| {
                        self.oracle.confirmed(binding.claim(), self.now);
                        if !publishing && !binding.claim().released() {
                            self.publish(&binding);
                        }
                        binding.claim().generation()
                    });
                    self.running[at].result = Some(result);
                }
            }
        }
        if let Some(wake) = self.running[at].operation.next_wake() {
            self.schedule(wake.max(self.now), Event::Tick { operation: at });
        }
    }

    fn send(&mut self, at: usize, to: PublicKey, id: u64, request: Request) {
        let Some(node) = self.nodes.iter().position(|node| node.public() == to) else {
            return;
        };
        if self.sent.len() < 4_000 {
            self.sent.push(request.clone());
        }
        for delay in self.delays() {
            let event = Event::ToWitness {
                at: node,
                reply: Some((at, id)),
                request: request.clone(),
            };
            self.schedule(self.now + delay, event);
        }
    }

    fn result(&self, at: usize) -> Option<&Result<u64, Failure>> {
        self.running[at].result.as_ref()
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

/// A clock that is off, so that no two differ by more than the tolerance.
fn skew(prng: &mut Prng) -> i64 {
    prng.below(10 * MINUTE) as i64 - 5 * MINUTE as i64
}

#[cfg(test)]
mod tests;
