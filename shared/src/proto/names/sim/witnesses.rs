//! Witnesses with a disk, crashes and, some of them, lies.

use crate::limits::{DAY, MINUTE, NAME_LEASE, NAME_PROVISIONAL};
use crate::proto::Millis;
use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::names::certificate::{Certificate, Floor, Stage, WitnessSignature};
use crate::proto::names::claim::Claim;
use crate::proto::names::set::KnownSets;
use crate::proto::names::wire::{Known, Request, Response, Signed};
use crate::proto::names::witness::row::Row;
use crate::proto::names::witness::{Witness, ZoneWrite};
use crate::proto::names::work::Hardness;
use crate::proto::prng::Prng;

/// How a witness fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct Temper {
    /// Sends before it writes, and forgets when it crashes: nothing of ours does, but the simulation
    /// must notice it.
    pub forgets: bool,
    /// Signs on when its rows are lost. As above.
    pub unaware: bool,
}

/// One witness and its disk.
#[derive(Clone, Debug)]
pub struct Node {
    pub lies: bool,
    key: SigningKey,
    witness: Witness,
    temper: Temper,
    skew: i64,
    row: Option<Vec<u8>>,
    zone: Option<Vec<u8>>,
    down_until: Millis,
    /// What a liar has collected.
    loot: Vec<Certificate>,
}

/// Final signatures that came into the world, and the answer if it was sent.
type Said = (Vec<(Claim, Signed)>, Option<Response>);

impl Node {
    pub(super) fn new(key: SigningKey, sets: KnownSets, temper: Temper, skew: i64) -> Node {
        Node {
            lies: false,
            witness: Witness::new(key.clone(), sets, Hardness::NONE),
            key,
            temper,
            skew,
            row: None,
            zone: None,
            down_until: 0,
            loot: Vec::new(),
        }
    }

    pub(super) fn public(&self) -> PublicKey {
        self.key.public()
    }

    pub(super) fn recover(&mut self) {
        self.down_until = 0;
    }

    /// Its disk goes, and it is started with an empty one.
    pub(super) fn lose_rows(&mut self, now: Millis) {
        (self.row, self.zone) = (None, None);
        if !self.temper.unaware {
            self.witness.lost_rows(now.saturating_add_signed(self.skew));
        }
    }

    /// Handles a request as the relay does: read, work, write, then answer; and may crash at each
    /// point between.
    pub(super) fn handle(
        &mut self,
        request: &Request,
        now: Millis,
        prng: &mut Prng,
        calm: bool,
    ) -> Said {
        if now < self.down_until {
            return (Vec::new(), None);
        }
        let own_now = now.saturating_add_signed(self.skew);
        if self.lies {
            return self.lie(request, own_now, prng);
        }
        let crash = if calm { 99 } else { prng.below(20) };
        if crash < 2 {
            self.down_until = now + prng.below(3 * MINUTE);
        }
        let job = match self.witness.read(request, own_now) {
            Ok(job) => job,
            Err(why) => return (Vec::new(), Some(why.bare())),
        };
        let row = self
            .row
            .as_deref()
            .map(|bytes| Row::decode(bytes).expect("our own row"));
        let outcome = self.witness.work(&job, row, self.zone.as_deref(), own_now);
        if crash == 0 && !self.temper.forgets {
            return (Vec::new(), None);
        }
        let signed = finals(request, &outcome.response);
        if !(crash <= 1 && self.temper.forgets) {
            self.row = outcome.row.map(|row| row.encode()).or(self.row.take());
            match outcome.zone {
                ZoneWrite::Keep => {}
                ZoneWrite::Put(bytes) => self.zone = Some(bytes),
                ZoneWrite::Remove => self.zone = None,
            }
        }
        let response = (crash != 1 || self.temper.forgets).then_some(outcome.response);
        (signed, response)
    }

    /// Signs whatever is asked, for whomever, and answers questions with old certificates.
    fn lie(&mut self, request: &Request, now: Millis, prng: &mut Prng) -> Said {
        let sets = self.witness.sets().clone();
        let Some(member) = sets.current().position(&self.key.public()) else {
            return (Vec::new(), None);
        };
        let seat = (sets.current().epoch(), member);
        let floor = Floor::default();
        let sign = |claim: &Claim, stage, life| {
            let signature =
                WitnessSignature::sign(claim, seat, stage, now + life, floor, &self.key);
            let signed = Signed {
                epoch: seat.0,
                signature,
            };
            let given = (stage == Stage::Final).then(|| (claim.clone(), signed.clone()));
            (
                given.into_iter().collect(),
                Some(Response::Signed { signed }),
            )
        };
        match request {
            Request::Propose { claim, .. } => match Claim::decode(claim) {
                Ok(claim) => sign(&claim, Stage::Provisional, NAME_PROVISIONAL),
                Err(_) => (Vec::new(), None),
            },
            Request::Finalise { claim, .. } => match Claim::decode(claim) {
                Ok(claim) => sign(&claim, Stage::Final, NAME_LEASE + prng.below(DAY)),
                Err(_) => (Vec::new(), None),
            },
            Request::Renew { certificate } => match Certificate::decode(certificate) {
                Ok(certificate) => {
                    let said = sign(&certificate.claim, Stage::Final, NAME_LEASE);
                    self.loot.push(certificate);
                    said
                }
                Err(_) => (Vec::new(), None),
            },
            _ => (Vec::new(), Some(self.pretend(prng))),
        }
    }

    /// Has one more certificate to show to those that ask.
    pub(super) fn loot(&mut self, certificate: Certificate) {
        self.loot.push(certificate);
    }

    fn pretend(&self, prng: &mut Prng) -> Response {
        let at = prng.below(self.loot.len() as u64 + 1) as usize;
        let certificate = self.loot.get(at).map(Certificate::encode);
        let known = Known {
            epoch: self.witness.sets().current().epoch(),
            top: prng.below(500),
            certificate,
            ..Known::default()
        };
        Response::Known {
            known: Box::new(known),
        }
    }
}

fn finals(request: &Request, response: &Response) -> Vec<(Claim, Signed)> {
    let Response::Signed { signed } = response else {
        return Vec::new();
    };
    let claim = match request {
        Request::Finalise { claim, .. } => Claim::decode(claim).ok(),
        Request::Renew { certificate } => Certificate::decode(certificate).ok().map(|it| it.claim),
        Request::Publish { certificate, .. } => {
            let bytes = certificate.as_deref();
            bytes
                .and_then(|it| Certificate::decode(it).ok())
                .map(|it| it.claim)
        }
        _ => None,
    };
    claim
        .map(|claim| (claim, signed.clone()))
        .into_iter()
        .collect()
}
