//! What owners, strangers and enemies do.

use super::{Event, World, retired, rogue};
use crate::limits::HOUR;
use crate::proto::names::certificate::Certificate;
use crate::proto::names::claim::Handover;
use crate::proto::names::publisher::Goal;
use crate::proto::names::wire::Request;

impl World {
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
    pub(super) fn act(&mut self) -> Result<(), String> {
        let any = self.prng.below(self.owners.len() as u64) as usize;
        let owner = self.last_holder().filter(|_| any.is_multiple_of(2));
        let owner = owner.unwrap_or(any);
        let recovery = Some(self.recovery.public());
        match self.prng.below(14) {
            0..3 => drop(self.start(owner, Goal::Claim { recovery })),
            3 => drop(self.start(owner, Goal::Extend)),
            // With so many liars a name is safe only while its owner leaves it alone.
            4..7 if self.plan.late_liars && owner == 0 => self.replay(),
            4 => drop(self.start(owner, Goal::Release)),
            5 | 6 => self.hand_over(owner),
            7 => self.renew(owner),
            10 => self.device_dies(),
            8 | 9 => return rogue::claims(self),
            13 => return retired::leak(self),
            _ => self.replay(),
        }
        Ok(())
    }

    /// Somebody's device goes, in the middle of whatever it was doing.
    pub(super) fn device_dies(&mut self) {
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
}
