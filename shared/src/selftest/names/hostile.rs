//! Hostile bytes about names: nothing but the original is accepted, and nothing panics.

use super::samples;
use crate::proto::names::certificate::Certificate;
use crate::proto::names::claim::{Abandon, Claim, Handover};
use crate::proto::names::name::Name;
use crate::proto::names::set::{KnownSets, WitnessSet};
use crate::proto::names::wire::{Answer, Request};
use crate::proto::names::witness::row::Row;
use crate::proto::names::zone::SignedZone;
use crate::proto::prng::Prng;
use crate::selftest::Checked;
use crate::selftest::mutations::{hex, mutate};

/// Whether anything signed is accepted.
fn accepted(bytes: &[u8]) -> bool {
    let certificate = Certificate::decode(bytes);
    SignedZone::decode(bytes).is_ok()
        || Claim::decode(bytes).is_ok()
        || Handover::decode(bytes).is_ok()
        || Abandon::decode(bytes).is_ok()
        || certificate.is_ok_and(|it| it.verify(&samples::sets()).is_ok())
}

/// No mutation of a zone, claim, handover, abandonment or certificate is accepted.
pub fn signed(seed: u64, cases: u64) -> Checked {
    let originals: Vec<Vec<u8>> = vec![
        samples::zone().bytes().to_vec(),
        samples::key_zone().bytes().to_vec(),
        samples::claim().bytes().to_vec(),
        samples::handed().bytes().to_vec(),
        samples::release().bytes().to_vec(),
        samples::handover().bytes().to_vec(),
        samples::abandon().bytes().to_vec(),
        samples::certificate().encode(),
        samples::certificate_of(&samples::handed()).encode(),
        samples::certificate_of(&samples::release()).encode(),
    ];
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let count = originals.len() as u64;
        let original = &originals[prng.below(count) as usize];
        let other = &originals[prng.below(count) as usize];
        let mutant = mutate(original, other, &mut prng);
        if !originals.contains(&mutant) && accepted(&mutant) {
            let mutant = hex(&mutant);
            return Err(format!("seed {seed}, case {case}: accepted {mutant}"));
        }
    }
    Ok(())
}

/// A mutated message, set or row is refused, or is the one encoding of another one.
pub fn messages(seed: u64, cases: u64) -> Checked {
    let requests: Vec<_> = samples::requests().iter().map(Request::encode).collect();
    let answers: Vec<_> = samples::answers().iter().map(Answer::encode).collect();
    let (row, sets) = (samples::row().encode(), samples::two_sets().export());
    let set = samples::sets().current().encode();
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let request = &requests[prng.below(requests.len() as u64) as usize];
        let answer = &answers[prng.below(answers.len() as u64) as usize];
        let mut turn = |bytes: &[u8], other: &[u8], read: fn(&[u8]) -> Option<Vec<u8>>| {
            let mutant = mutate(bytes, other, &mut prng);
            match read(&mutant) {
                Some(again) if again != mutant => {
                    let mutant = hex(&mutant);
                    Err(format!("seed {seed}, case {case}: two encodings: {mutant}"))
                }
                _ => Ok(()),
            }
        };
        turn(request, answer, |it| {
            Some(Request::decode(it).ok()?.encode())
        })?;
        turn(answer, request, |it| {
            Some(Answer::decode(it).ok()?.encode())
        })?;
        turn(&row, answer, |it| Some(Row::decode(it).ok()?.encode()))?;
        turn(&set, &sets, |it| {
            Some(WitnessSet::decode(it).ok()?.encode())
        })?;
        turn(&sets, &set, |it| {
            Some(KnownSets::restore(it).ok()?.export())
        })?;
    }
    Ok(())
}

/// Any text is a name in one spelling, or none.
pub fn names(seed: u64, cases: u64) -> Checked {
    let letters: Vec<char> = "aZ09-._ xn--p2pk51баоüßİıﬀ漢カひ한ไ一\u{300}\u{200d}\u{ad}\u{3002}🎉"
        .chars()
        .collect();
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let length = prng.below(24);
        let text: String = (0..length)
            .map(|_| letters[prng.below(letters.len() as u64) as usize])
            .collect();
        let Ok(name) = Name::find(&text) else {
            continue;
        };
        let normal = name.to_string();
        let plain = normal
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_'));
        if !plain || Name::find(&normal).as_ref() != Ok(&name) {
            return Err(format!(
                "seed {seed}, case {case}: {text:?} gives {normal:?}"
            ));
        }
    }
    Ok(())
}
