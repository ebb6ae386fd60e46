//! Readers that resolve the name, and owners that publish under it.

use super::{Reader, World, retired};
use crate::limits::DAY;
use crate::proto::key::PublicKey;
use crate::proto::names::certificate::Binding;
use crate::proto::names::name::{Name, Root};
use crate::proto::names::publisher::Goal;
use crate::proto::names::resolution::{Resolution, Unresolved};
use crate::proto::names::resolver::{Options, Output};
use crate::proto::names::resource::Resource;
use crate::proto::names::wire::Request;
use crate::proto::names::zone::{Entry, Zone};

impl World {
    /// A reader resolves the name; some witnesses are out of its reach.
    pub(super) fn read(&mut self, reader: usize) -> Result<(), String> {
        let now = self.now.saturating_add_signed(self.readers[reader].skew);
        let name = Name::from(self.name.clone());
        let options = Options {
            fresh: true,
            ..Options::default()
        };
        let held = |reader: &Reader| {
            let seen = reader.resolver.floors().of(name.root());
            seen.is_some_and(|seen| !seen.holder.released)
        };
        let was_held = held(&self.readers[reader]);
        let offline = self.prng.below(4) == 0 && !self.calm;
        let query = self.readers[reader].resolver.start(&name, options, now);
        while let Some(output) = self.readers[reader].resolver.poll() {
            match output {
                Output::Ask { to, id, request } => self.ask(reader, to, id, request)?,
                Output::FindZone { id, .. } if offline => {
                    self.readers[reader].resolver.failed(id, now);
                }
                Output::FindZone { id, .. } => {
                    // The overlay is nobody's friend: it has every zone there ever was.
                    let all = self.zones.clone();
                    self.readers[reader].resolver.zones_found(id, &all, now);
                }
                Output::Done { query: of, result } if of == query => {
                    let still_held = was_held && held(&self.readers[reader]);
                    unknown_is_not_nothing(&result, offline, still_held)?;
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
        let thief = retired::thief().public();
        match seen {
            Some(seen) if seen.holder.owner == thief => {
                Err(format!("reader {reader} believes a set that was replaced"))
            }
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
    pub(super) fn publish(&mut self, binding: &Binding) {
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
}

/// What could not be asked, and what was seen held before, is not reported as nothing.
fn unknown_is_not_nothing(
    result: &Result<Box<Resolution>, Unresolved>,
    offline: bool,
    held: bool,
) -> Result<(), String> {
    match result {
        Err(Unresolved::Empty { .. }) if offline => {
            Err("an overlay that failed was taken for one that has nothing".to_owned())
        }
        Err(Unresolved::Unclaimed) if held => {
            Err("a name that was seen held was called free".to_owned())
        }
        _ => Ok(()),
    }
}
