//! A network of witnesses, owners and readers in virtual time: one name, many who want it.
//!
//! Knows the faults (lost, late and repeated messages, crashes at every write, liars, old
//! certificates shown again) and what must hold in spite of them. Equal seeds give equal runs.

mod oracle;
mod rogue;
mod witnesses;

pub use oracle::Oracle;
pub use witnesses::{Node, Temper};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::certificate::{Binding, Certificate};
use super::claim::Handover;
use super::name::{Label, Name, Root};
use super::publisher::{Failure, Goal, Operation, Output as Did};
use super::resolver::floors::Floors;
use super::resolver::{Options, Output, Resolver};
use super::resource::Resource;
use super::set::{KnownSets, WitnessSet};
use super::wire::{Request, Response};
use super::work::Hardness;
use super::zone::{Entry, Zone};
use crate::limits::{DAY, HOUR, MINUTE, NAME_LEASE, SECOND};
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
        Plan {
            witnesses,
            liars: prng.below(most as u64 + 1) as usize,
            late_liars,
            owners: 2 + prng.below(3) as usize,
            actions: 4 + prng.below(12),
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
        let publics = keys.iter().map(SigningKey::public);
        let set = WitnessSet::new(1, 0, publics).expect("a valid set");
        let sets = KnownSets::pinned(network, set);
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

    /// The newest certificate that an owner has.
    fn own_certificate(&self, owner: usize) -> Option<Certificate> {
        let key = self.owners[owner].public();
        let mine = self
            .certificates
            .iter()
            .filter(|each| each.claim.owner() == key && !each.claim.released());
        mine.max_by_key(|each| each.claim.rank()).cloned()
    }

    /// Whose certificate is the newest one.
    fn last_holder(&self) -> Option<usize> {
        let newest = self
            .certificates
            .iter()
            .max_by_key(|each| each.claim.rank())?;
        let owner = newest.claim.owner();
        self.owners.iter().position(|key| key.public() == owner)
    }

    /// Something that an owner, a stranger or an enemy does.
    fn act(&mut self) -> Result<(), String> {
        let any = self.prng.below(self.owners.len() as u64) as usize;
        let owner = self.last_holder().filter(|_| any % 2 == 0);
        let owner = owner.unwrap_or(any);
        let recovery = Some(self.recovery.public());
        match self.prng.below(13) {
            0..3 => drop(self.start(owner, Goal::Claim { recovery })),
            3 => drop(self.start(owner, Goal::Extend)),
            // With so many liars a name is safe only while its owner leaves it alone.
            4..7 if self.plan.late_liars && owner == 0 => self.replay(),
            4 => drop(self.start(owner, Goal::Release)),
            5 | 6 => self.hand_over(owner),
            7 => self.renew(owner),
            10 => self.device_dies(),
            8 | 9 => return rogue::claims(self),
            _ => self.replay(),
        }
        Ok(())
    }

    /// Somebody's device goes, in the middle of whatever it was doing.
    fn device_dies(&mut self) {
        let last = self.running.len() as u64;
        let at = self.prng.below(last.max(1)) as usize;
        if let Some(running) = self.running.get_mut(at) {
            running.dead = true;
        }
    }

    fn hand_over(&mut self, owner: usize) {
        let Some(certificate) = self.own_certificate(owner) else {
            return;
        };
        let to = self.prng.below(self.owners.len() as u64) as usize;
        let signer = match self.prng.below(4) {
            0 => self.recovery.clone(),
            _ => self.owners[owner].clone(),
        };
        let from = certificate.claim.generation();
        let (network, receiver) = (self.sets.network(), self.owners[to].public());
        let signed = Handover::sign(network, &self.name, from, receiver, &signer, self.now);
        if let Ok(handover) = signed {
            self.handovers.push(handover.clone());
            self.start(to, Goal::Accept(Box::new(handover)));
            if self.prng.below(3) == 0 {
                self.hand_over(owner);
            }
        }
    }

    fn renew(&mut self, owner: usize) {
        let binding = self
            .own_certificate(owner)
            .and_then(|certificate| certificate.verify(&self.sets).ok());
        if let Some(binding) = binding {
            self.start(owner, Goal::Renew(Box::new(binding)));
        }
    }

    /// Anything that was ever said is said again, to anybody.
    fn replay(&mut self) {
        for _ in 0..=self.prng.below(6) {
            let request = match self.prng.below(2) {
                0 if !self.certificates.is_empty() => {
                    let at = self.prng.below(self.certificates.len() as u64) as usize;
                    let certificate = self.certificates[at].encode();
                    Request::Renew { certificate }
                }
                _ if !self.sent.is_empty() => {
                    let at = self.prng.below(self.sent.len() as u64) as usize;
                    self.sent[at].clone()
                }
                _ => return,
            };
            let at = self.prng.below(self.nodes.len() as u64) as usize;
            let event = Event::ToWitness {
                at,
                reply: None,
                request,
            };
            let delay = self.prng.below(HOUR);
            self.schedule(self.now + delay, event);
        }
    }

    /// A reader resolves the name; some witnesses are out of its reach.
    fn read(&mut self, reader: usize) -> Result<(), String> {
        let now = self.now.saturating_add_signed(self.readers[reader].skew);
        let name = Name::from(self.name.clone());
        let options = Options {
            fresh: true,
            ..Options::default()
        };
        let query = self.readers[reader].resolver.start(&name, options, now);
        while let Some(output) = self.readers[reader].resolver.poll() {
            match output {
                Output::Ask { to, id, request } => self.ask(reader, to, id, request)?,
                Output::FindZone { id, .. } => {
                    // The overlay is nobody's friend: it has every zone there ever was.
                    let all = self.zones.clone();
                    self.readers[reader].resolver.zones_found(id, &all, now);
                }
                Output::Done { query: of, result } if of == query => {
                    let found = result
                        .ok()
                        .and_then(|result| result.proofs.first().cloned());
                    self.oracle.read(reader, found.as_ref(), now)?;
                }
                _ => {}
            }
        }
        let seen = self.readers[reader]
            .resolver
            .floors()
            .of(name.root())
            .copied();
        match seen {
            Some(seen) => self.oracle.seen(reader, seen.generation, seen.holder),
            None => Ok(()),
        }
    }

    fn ask(
        &mut self,
        reader: usize,
        to: PublicKey,
        id: u64,
        request: Request,
    ) -> Result<(), String> {
        let now = self.now.saturating_add_signed(self.readers[reader].skew);
        let at = self.nodes.iter().position(|node| node.public() == to);
        let lost = self.prng.below(4) == 0 && !self.calm;
        let Some(at) = at.filter(|_| !lost) else {
            self.readers[reader].resolver.failed(id, now);
            return Ok(());
        };
        let node = &mut self.nodes[at];
        let (signed, response) = node.handle(&request, self.now, &mut self.prng, self.calm);
        for (claim, signed) in signed {
            self.oracle.signed(&claim, &signed, self.now)?;
        }
        let resolver = &mut self.readers[reader].resolver;
        match response {
            Some(response) => resolver.answered(id, response, now),
            None => resolver.failed(id, now),
        }
        Ok(())
    }

    /// An owner that was told of its success publishes something.
    fn publish(&mut self, binding: &Binding) {
        let owner = binding.claim().owner();
        let key = self.owners.iter().find(|key| key.public() == owner);
        let zone = Zone {
            generation: binding.claim().generation(),
            entries: vec![Entry {
                sub: String::new(),
                ttl: None,
                resources: vec![Resource::Text(format!("at {}", self.now))],
            }],
            ..Zone::default()
        };
        let root = Root::Human(self.name.clone());
        let times = (self.now, self.now + 30 * DAY);
        let (network, seq) = (self.sets.network(), self.now);
        let signed = key.map(|key| zone.sign(key, network, &root, seq, times));
        if let Some(Ok(zone)) = signed {
            self.zones.push(zone.bytes().to_vec());
            let at = self.owners.iter().position(|key| key.public() == owner);
            let goal = Goal::Publish(Box::new(zone), Box::new(binding.clone()));
            self.start(at.unwrap_or(0), goal);
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

/// One run: a race, a fortnight of everything, then peace; and whether all promises were kept.
pub fn promises_hold(seed: u64) -> Result<(), String> {
    let plan = Plan::from_seed(seed);
    run(seed, plan).map_err(|why| format!("seed {seed}, {plan:?}: {why}"))
}

/// As [`promises_hold`], with a plan of one's own.
pub fn run(seed: u64, plan: Plan) -> Result<(), String> {
    let mut world = World::new(seed, plan);
    let recovery = Some(world.recovery.public());
    if plan.late_liars {
        adopt_everywhere(&mut world)?;
    } else {
        for owner in 0..plan.owners {
            let after = world.now + world.prng.below(2 * SECOND);
            world.run_until(after)?;
            world.start(owner, Goal::Claim { recovery });
            if world.prng.below(3) == 0 {
                let at = world.now + world.prng.below(2 * SECOND);
                world.schedule(at, Event::Dies);
            }
        }
        world.run_until(START + 5 * MINUTE)?;
    }
    let fortnight = 14 * DAY;
    for _ in 0..plan.actions {
        let at = world.now + world.prng.below(fortnight);
        world.schedule(at, Event::Act);
    }
    for turn in 0..8 {
        let (at, reader) = (world.now + world.prng.below(fortnight), turn % 3);
        world.schedule(at, Event::Read { reader });
    }
    world.run_until(world.now + fortnight)?;
    if world.prng.below(8) == 0 {
        world.run_until(world.now + 400 * DAY)?;
    }
    peace(&mut world)
}

/// The first owner's name is known to all honest witnesses before anybody lies.
fn adopt_everywhere(world: &mut World) -> Result<(), String> {
    world.calm = true;
    let first = world.start(0, Goal::Claim { recovery: None });
    world.run_until(START + 5 * MINUTE)?;
    match world.result(first) {
        Some(Ok(_)) => {}
        other => return Err(format!("the first claim failed: {other:?}")),
    }
    world.calm = false;
    let liars = world.plan.liars;
    for node in world.nodes.iter_mut().take(liars) {
        node.lies = true;
        let member = world.sets.current().position(&node.public());
        world.oracle.lies(member.unwrap_or(0));
    }
    world.oracle.only(world.owners[0].public(), START);
    Ok(())
}

/// When faults have ended and a lease has passed, the name is somebody's or can be had.
fn peace(world: &mut World) -> Result<(), String> {
    world.calm = true;
    world.events.clear();
    world.queued.clear();
    for node in &mut world.nodes {
        node.recover();
    }
    world.run_until(world.now + NAME_LEASE + HOUR)?;
    world.oracle.replaced_are_dead()?;
    let honest = world.nodes.iter().filter(|node| !node.lies).count();
    if honest < quorum_of(world.plan.witnesses) {
        return Ok(());
    }
    world.owners.push(key(99));
    let stranger = world.owners.len() - 1;
    let certified = world.oracle.standing(world.now);
    let shown = world.oracle.shown_generation();
    let attempt = world.start(stranger, Goal::Claim { recovery: None });
    world.run_until(world.now + 10 * MINUTE)?;
    match (world.result(attempt), certified) {
        (Some(Ok(_)), None) => {}
        (Some(Err(Failure::Taken { holder, .. })), Some(owner)) if *holder == Some(owner) => {}
        // Certified once, shown to nobody: what it replaced is still in force.
        (Some(Err(Failure::Taken { .. })), _) if world.oracle.certified_above(shown, u64::MAX) => {}
        // Certified once, shown to nobody, and free again since: the newcomer may have it.
        (Some(Ok(generation)), Some(_)) if world.oracle.certified_above(shown, *generation) => {}
        (result, certified) => {
            return Err(format!(
                "a stranger got {result:?} while {certified:?} holds it"
            ));
        }
    }
    world.oracle.replaced_are_dead()
}

#[cfg(test)]
mod tests;
