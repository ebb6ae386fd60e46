//! Three witnesses with their rows, which go through their bytes each time.

use crate::proto::Millis;
use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::names::certificate::{Certificate, Stage, Tally};
use crate::proto::names::claim::{Claim, Draft, Handover, Right};
use crate::proto::names::wire::{NameRefusal, Request, Response};
use crate::proto::names::witness::row::Row;
use crate::proto::names::witness::{Witness, ZoneWrite};
use crate::proto::names::work::Hardness;
use crate::selftest::names::samples::{alice, sets, witnesses};
use crate::selftest::samples::{NOW, network};

pub(super) struct Three {
    witnesses: Vec<Witness>,
    pub(super) rows: Vec<Option<Row>>,
    pub(super) zones: Vec<Option<Vec<u8>>>,
    pub(super) now: Millis,
}

impl Three {
    pub(super) fn new() -> Three {
        let witness = |key| Witness::new(key, sets(), Hardness::NONE);
        Three {
            witnesses: witnesses().into_iter().map(witness).collect(),
            rows: vec![None; 3],
            zones: vec![None; 3],
            now: NOW,
        }
    }

    /// One of them loses its disk; until when it signs nothing.
    pub(super) fn loses_rows(&mut self, at: usize, since: Millis) -> Millis {
        self.rows[at] = None;
        self.zones[at] = None;
        self.witnesses[at].lost_rows(since)
    }

    pub(super) fn ask(&mut self, at: usize, request: &Request) -> Response {
        let job = match self.witnesses[at].read(request, self.now) {
            Ok(job) => job,
            Err(why) => return why.bare(),
        };
        // As after a restart: the row comes from its bytes.
        let row = self.rows[at]
            .as_ref()
            .map(|row| Row::decode(&row.encode()).unwrap());
        let outcome = self.witnesses[at].work(&job, row, self.zones[at].as_deref(), self.now);
        if let Some(row) = outcome.row {
            self.rows[at] = Some(row);
        }
        match outcome.zone {
            ZoneWrite::Keep => {}
            ZoneWrite::Put(zone) => self.zones[at] = Some(zone),
            ZoneWrite::Remove => self.zones[at] = None,
        }
        outcome.response
    }

    pub(super) fn propose(
        &mut self,
        at: usize,
        claim: &Claim,
        follows: Option<&Certificate>,
    ) -> Response {
        let claim = claim.bytes().to_vec();
        let follows = follows.map(Certificate::encode);
        self.ask(at, &Request::Propose { claim, follows })
    }

    pub(super) fn provisionals(&mut self, claim: &Claim, follows: Option<&Certificate>) -> Tally {
        let mut tally = Tally::new(claim.clone(), 1, Stage::Provisional);
        for at in 0..3 {
            if let Response::Signed { signed } = self.propose(at, claim, follows) {
                assert!(tally.add(signed.signature, &sets()));
            }
        }
        tally
    }

    pub(super) fn finalise(&mut self, at: usize, provisionals: &Tally) -> Response {
        let request = Request::Finalise {
            claim: provisionals.claim().bytes().to_vec(),
            epoch: 1,
            provisionals: provisionals.signatures(),
        };
        self.ask(at, &request)
    }

    /// The whole way; the certificate is shown to nobody.
    pub(super) fn certify(&mut self, claim: &Claim, follows: Option<&Certificate>) -> Certificate {
        let provisionals = self.provisionals(claim, follows);
        let mut finals = Tally::new(claim.clone(), 1, Stage::Final);
        for at in 0..3 {
            if let Response::Signed { signed } = self.finalise(at, &provisionals) {
                assert!(finals.add(signed.signature, &sets()));
            }
        }
        let binding = finals.binding(&sets()).expect("a quorum");
        binding.certificate().clone()
    }

    pub(super) fn renew(&mut self, at: usize, certificate: &Certificate) -> Response {
        let certificate = certificate.encode();
        self.ask(at, &Request::Renew { certificate })
    }

    pub(super) fn show(&mut self, certificate: &Certificate) {
        for at in 0..3 {
            assert!(matches!(
                self.renew(at, certificate),
                Response::Signed { .. }
            ));
        }
    }
}

pub(super) fn draft(generation: u64, right: Right, issued: Millis) -> Draft {
    Draft {
        network: network(),
        name: alice(),
        generation,
        right,
        recovery: Some(recovery().public()),
        issued,
    }
}

pub(super) fn recovery() -> SigningKey {
    SigningKey::from_seed([5; 32])
}

pub(super) fn free(owner: &SigningKey, generation: u64, issued: Millis) -> Claim {
    draft(generation, Right::Free { work: 0 }, issued)
        .sign(owner)
        .unwrap()
}

pub(super) fn handed(from: u64, to: &SigningKey, by: &SigningKey, issued: Millis) -> Claim {
    let handover = Handover::sign(&network(), &alice(), from, to.public(), by, issued).unwrap();
    let right = Right::Handed(Box::new(handover));
    draft(from + 1, right, issued).sign(to).unwrap()
}

pub(super) fn why(response: &Response) -> Option<NameRefusal> {
    match response {
        Response::Refused { why, .. } => Some(*why),
        _ => None,
    }
}

pub(super) fn holder(row: &Option<Row>) -> PublicKey {
    row.as_ref()
        .unwrap()
        .bound
        .as_ref()
        .unwrap()
        .certificate
        .claim
        .owner()
}
