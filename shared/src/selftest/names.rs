//! Names: examples of everything signed or encoded, pinned bytes, and hostile changes.

pub mod hostile;
pub mod samples;

use super::vectors::Vector;
use crate::proto::names::certificate::Certificate;
use crate::proto::names::claim::{Abandon, Claim, Handover};
use crate::proto::names::resolver::floors::Floors;
use crate::proto::names::set::{KnownSets, WitnessSet};
use crate::proto::names::wire::{Answer, Request};
use crate::proto::names::witness::row::Row;
use crate::proto::names::zone::SignedZone;

fn request(index: usize) -> Vec<u8> {
    samples::requests()[index].encode()
}

fn answer(index: usize) -> Vec<u8> {
    samples::answers()[index].encode()
}

fn request_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Request::decode(bytes).ok()?.encode())
}

fn answer_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Answer::decode(bytes).ok()?.encode())
}

fn claim_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Claim::decode(bytes).ok()?.bytes().to_vec())
}

fn handover_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Handover::decode(bytes).ok()?.bytes().to_vec())
}

fn abandon_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Abandon::decode(bytes).ok()?.bytes().to_vec())
}

fn certificate_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::decode(bytes).ok()?;
    certificate.verify(&samples::sets()).ok()?;
    Some(certificate.encode())
}

fn zone_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(SignedZone::decode(bytes).ok()?.bytes().to_vec())
}

fn set_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(WitnessSet::decode(bytes).ok()?.encode())
}

fn sets_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(KnownSets::restore(bytes).ok()?.export())
}

fn row_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Row::decode(bytes).ok()?.encode())
}

fn floors_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut floors = Floors::default();
    floors.restore(bytes).ok()?;
    Some(floors.export())
}

/// A name and how its bytes are made.
type Made = (&'static str, fn() -> Vec<u8>);

/// All binary vectors of names.
pub(super) fn vectors() -> Vec<Vector> {
    let vector = |name, make, again| Vector { name, make, again };
    let mut vectors = vec![
        vector(
            "witness set",
            || samples::sets().current().encode(),
            set_again,
        ),
        vector(
            "witness sets, exported",
            || samples::two_sets().export(),
            sets_again,
        ),
        vector(
            "claim of a free name",
            || samples::claim().bytes().to_vec(),
            claim_again,
        ),
        vector(
            "handover",
            || samples::handover().bytes().to_vec(),
            handover_again,
        ),
        vector(
            "claim of a name handed over",
            || samples::handed().bytes().to_vec(),
            claim_again,
        ),
        vector(
            "claim of release",
            || samples::release().bytes().to_vec(),
            claim_again,
        ),
        vector(
            "abandonment",
            || samples::abandon().bytes().to_vec(),
            abandon_again,
        ),
        vector(
            "certificate",
            || samples::certificate().encode(),
            certificate_again,
        ),
        vector(
            "zone of a human name",
            || samples::zone().bytes().to_vec(),
            zone_again,
        ),
        vector(
            "zone of a key",
            || samples::key_zone().bytes().to_vec(),
            zone_again,
        ),
        vector("row of a witness", || samples::row().encode(), row_again),
        vector(
            "floors of a reader",
            || samples::floors().export(),
            floors_again,
        ),
    ];
    let requests: [Made; 7] = [
        ("names request Ask", || request(0)),
        ("names request Propose", || request(1)),
        ("names request Finalise", || request(2)),
        ("names request Renew", || request(3)),
        ("names request Abandon", || request(4)),
        ("names request Publish", || request(5)),
        ("names request Sets", || request(6)),
    ];
    let answers: [Made; 6] = [
        ("names answer Known", || answer(0)),
        ("names answer Known, nothing", || answer(1)),
        ("names answer Signed", || answer(2)),
        ("names answer Abandoned", || answer(3)),
        ("names answer Sets", || answer(4)),
        ("names answer Refused, taken", || answer(5)),
    ];
    vectors.extend(requests.map(|(name, make)| vector(name, make, request_again)));
    vectors.extend(answers.map(|(name, make)| vector(name, make, answer_again)));
    vectors
}
