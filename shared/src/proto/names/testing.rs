//! Three witnesses that answer at once, for tests of owners and readers. Each can be made silent.

use std::collections::BTreeSet;

use super::certificate::{Binding, Certificate};
use super::name::Root;
use super::publisher::{Failure, Goal, Operation, Output, Progress};
use super::resolution::{Resolution, Unresolved};
use super::resolver::{self, Options, Resolver};
use super::wire::{Answer, Request, Response};
use super::witness::row::Row;
use super::witness::{Witness, ZoneWrite};
use super::work::Hardness;
use super::zone::{SignedZone, Zone};
use crate::limits::DAY;
use crate::proto::Millis;
use crate::proto::key::{PublicKey, SigningKey};
use crate::selftest::names::samples::{alice, sets, witnesses};
use crate::selftest::samples::{NOW, network};

type Done = Result<Box<Binding>, Failure>;

pub(super) struct Net {
    pub now: Millis,
    pub silent: BTreeSet<usize>,
    pub rows: Vec<Option<Row>>,
    pub zones: Vec<Option<Vec<u8>>>,
    /// What the overlay has.
    pub overlay: Vec<Vec<u8>>,
    /// Whether the overlay cannot be read.
    pub offline: bool,
    pub asked: usize,
    pub progress: Vec<Progress>,
    pub kept: Vec<Certificate>,
    pub floors_rose: usize,
    witnesses: Vec<Witness>,
}

impl Net {
    pub fn new() -> Net {
        let witness = |key| Witness::new(key, sets(), Hardness::NONE);
        Net {
            now: NOW,
            silent: BTreeSet::new(),
            rows: vec![None; 3],
            zones: vec![None; 3],
            overlay: Vec::new(),
            offline: false,
            asked: 0,
            progress: Vec::new(),
            kept: Vec::new(),
            floors_rose: 0,
            witnesses: witnesses().into_iter().map(witness).collect(),
        }
    }

    pub fn ask(&mut self, to: PublicKey, request: &Request) -> Option<Response> {
        self.asked += 1;
        let at = sets().current().position(&to).expect("a witness") as usize;
        if self.silent.contains(&at) {
            return None;
        }
        let request = Request::decode(&request.encode()).expect("canonical");
        let job = match self.witnesses[at].read(&request, self.now) {
            Ok(job) => job,
            Err(why) => return Some(why.bare()),
        };
        let row = self.rows[at].clone();
        let outcome = self.witnesses[at].work(&job, row, self.zones[at].as_deref(), self.now);
        self.rows[at] = outcome.row.or(self.rows[at].take());
        match outcome.zone {
            ZoneWrite::Keep => {}
            ZoneWrite::Put(zone) => self.zones[at] = Some(zone),
            ZoneWrite::Remove => self.zones[at] = None,
        }
        let (now, response) = (self.now, outcome.response);
        let answer = Answer { now, response };
        Some(
            Answer::decode(&answer.encode())
                .expect("canonical")
                .response,
        )
    }

    /// Runs an operation to its end.
    pub fn run(&mut self, owner: &SigningKey, goal: Goal) -> Done {
        let mut operation = self.start(owner, goal);
        self.finish(&mut operation)
    }

    pub fn start(&mut self, owner: &SigningKey, goal: Goal) -> Operation {
        let seed = (7, self.now);
        Operation::new(sets(), owner.clone(), alice(), goal, Hardness::NONE, seed)
    }

    pub fn finish(&mut self, operation: &mut Operation) -> Done {
        for _ in 0..10_000 {
            while let Some(output) = operation.poll() {
                match output {
                    Output::Send { to, id, request } => match self.ask(to, &request) {
                        Some(response) => operation.answered(id, response, self.now),
                        None => operation.failed(id, self.now),
                    },
                    Output::Solve(puzzle) => {
                        let nonce = puzzle.search(0, 1 << 20).expect("easy");
                        operation.solved(nonce, self.now);
                    }
                    Output::Progress(progress) => self.progress.push(progress),
                    Output::Keep(certificate) => self.kept.push(*certificate),
                    Output::Done(done) => {
                        assert!(operation.is_over() && operation.next_wake().is_none());
                        return done;
                    }
                }
            }
            self.now = operation.next_wake().expect("it goes on").max(self.now);
            operation.tick(self.now);
        }
        panic!("no end in sight");
    }

    pub fn claim(&mut self, owner: &SigningKey) -> Binding {
        let done = self.run(owner, Goal::Claim { recovery: None });
        *done.expect("nobody stands against it")
    }

    /// Signs a zone and publishes it at the witnesses.
    pub fn publish(&mut self, owner: &SigningKey, zone: Zone, binding: &Binding) -> SignedZone {
        let generation = binding.claim().generation();
        let zone = Zone { generation, ..zone };
        let (root, times) = (Root::Human(alice()), (self.now, self.now + 300 * DAY));
        let signed = zone
            .sign(owner, &network(), &root, self.now, times)
            .expect("valid");
        let goal = Goal::Publish(Box::new(signed.clone()), Box::new(binding.clone()));
        self.run(owner, goal).expect("published");
        signed
    }

    /// Resolves a name to the end.
    pub fn resolve(
        &mut self,
        resolver: &mut Resolver,
        name: &str,
        options: Options,
    ) -> Result<Box<Resolution>, Unresolved> {
        let name = name.parse().expect("a name");
        // Nothing that was fetched before is fresh.
        self.now += Millis::from(options.fresh);
        let query = resolver.start(&name, options, self.now);
        let mut result = None;
        while result.is_none() {
            result = self.serve(resolver, query);
            if result.is_none() {
                self.now = resolver.next_wake().expect("it goes on").max(self.now);
                resolver.tick(self.now);
            }
        }
        self.serve(resolver, query);
        result.expect("just seen")
    }

    /// Does all that a resolver wants now.
    pub fn serve(
        &mut self,
        resolver: &mut Resolver,
        query: u64,
    ) -> Option<Result<Box<Resolution>, Unresolved>> {
        let mut found = None;
        while let Some(output) = resolver.poll() {
            match output {
                resolver::Output::Ask { to, id, request } => match self.ask(to, &request) {
                    Some(response) => resolver.answered(id, response, self.now),
                    None => resolver.failed(id, self.now),
                },
                resolver::Output::FindZone { id, .. } if self.offline => {
                    resolver.failed(id, self.now);
                }
                resolver::Output::FindZone { id, .. } => {
                    resolver.zones_found(id, &self.overlay.clone(), self.now);
                }
                resolver::Output::Done { query: of, result } if of == query => found = Some(result),
                resolver::Output::FloorsRose => self.floors_rose += 1,
                _ => {}
            }
        }
        found
    }
}
