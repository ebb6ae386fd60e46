//! Hostile bytes: nothing but the original is accepted, and nothing panics.

use multibase::Base;

use super::{Checked, samples};
use crate::proto::envelope::Envelope;
use crate::proto::join::JoinDocument;
use crate::proto::key::Key;
use crate::proto::prng::Prng;
use crate::proto::record::wire::{Answer, Request, decode_frame};
use crate::proto::record::{ProviderSet, Record, ValueBlock};

/// The order of the Ed25519 group, little-endian.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// One to three changes of any kind; `other` is what pieces are spliced in from.
pub fn mutate(bytes: &[u8], other: &[u8], prng: &mut Prng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=prng.below(3) {
        mutate_once(&mut bytes, other, prng);
    }
    bytes
}

fn mutate_once(bytes: &mut Vec<u8>, other: &[u8], prng: &mut Prng) {
    let length = bytes.len() as u64;
    let at = prng.below(length + 1) as usize;
    let end = at + prng.below(length - at as u64 + 1) as usize;
    match prng.below(9) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << prng.below(8),
        2 if at < bytes.len() => bytes[at] = prng.below(256) as u8,
        3 => bytes.truncate(at),
        4 => bytes.insert(at, prng.below(256) as u8),
        5 => drop(bytes.drain(at..end)),
        6 if at < bytes.len() => bytes.swap(at, prng.below(length) as usize),
        7 => bytes
            .splice(at.., other.iter().skip(at).copied())
            .for_each(drop),
        _ => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy).for_each(drop);
        }
    }
}

/// No mutation of a value, a mutable value or a peer record is a valid record.
pub fn records(seed: u64, cases: u64) -> Checked {
    let originals: Vec<(Key, Vec<u8>)> = vec![
        (
            samples::json_block().key(),
            samples::json_block().bytes().to_vec(),
        ),
        (
            samples::mutable(1).key(),
            samples::mutable(1).bytes().to_vec(),
        ),
        (
            samples::mutable(2).key(),
            samples::mutable(2).bytes().to_vec(),
        ),
        (
            samples::peer_record().key(),
            samples::peer_record().bytes().to_vec(),
        ),
    ];
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let pick = |prng: &mut Prng| &originals[prng.below(originals.len() as u64) as usize];
        let (key, bytes) = pick(&mut prng);
        let other = &pick(&mut prng).1;
        let mutant = mutate(bytes, other, &mut prng);
        if originals.iter().any(|(_, original)| *original == mutant) {
            continue;
        }
        let accepted = Record::validate(*key, &mutant, &samples::network(), samples::NOW).is_ok()
            || Envelope::open(&mutant).is_ok();
        if accepted {
            return Err(format!(
                "seed {seed}, case {case}: accepted {}",
                hex(&mutant)
            ));
        }
    }
    Ok(())
}

/// A mutated join document is refused, or still says what the relay signed.
pub fn join_documents(seed: u64, cases: u64) -> Checked {
    let document = samples::join_document();
    let text = document
        .to_json(&samples::transport())
        .map_err(|error| error.to_string())?;
    let envelope = samples::join_envelope();
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let mutant = if case % 2 == 0 {
            let mutant = mutate(text.as_bytes(), envelope.bytes(), &mut prng);
            String::from_utf8_lossy(&mutant).into_owned()
        } else {
            let mutant = mutate(envelope.bytes(), samples::peer_record().bytes(), &mut prng);
            format!("{{\"envelope\":\"{}\"}}", Base::Base64Url.encode(mutant))
        };
        if JoinDocument::from_json(&mutant).is_ok_and(|accepted| accepted != document) {
            return Err(format!("seed {seed}, case {case}: accepted {mutant}"));
        }
    }
    Ok(())
}

/// A mutated message is refused, or is the one encoding of another message.
pub fn messages(seed: u64, cases: u64) -> Checked {
    let requests: Vec<_> = samples::requests().iter().map(Request::encode).collect();
    let answers: Vec<_> = samples::answers().iter().map(Answer::encode).collect();
    let set = samples::provider_set().encode();
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let request = &requests[prng.below(requests.len() as u64) as usize];
        let answer = &answers[prng.below(answers.len() as u64) as usize];
        let mutants = [
            mutate(request, answer, &mut prng),
            mutate(answer, request, &mut prng),
            mutate(&set, answer, &mut prng),
        ];
        let again = [
            Request::decode(&mutants[0]).map(|request| request.encode()),
            Answer::decode(&mutants[1]).map(|answer| answer.encode()),
            ProviderSet::decode(&mutants[2]).map(|set| set.encode()),
        ];
        for (mutant, again) in mutants.iter().zip(again) {
            if again.is_ok_and(|again| again != *mutant) {
                return Err(format!(
                    "seed {seed}, case {case}: two encodings: {}",
                    hex(mutant)
                ));
            }
        }
    }
    Ok(())
}

/// Parsers survive anything.
pub fn random_bytes(seed: u64, cases: u64) -> Checked {
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let length = prng.below(200);
        let mut bytes: Vec<u8> = (0..length).map(|_| prng.below(256) as u8).collect();
        if let Some(first) = bytes.first_mut().filter(|_| case % 2 == 0) {
            *first = 0x80 | (*first & 0x1f);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let accepted = Envelope::open(&bytes).is_ok() || JoinDocument::from_json(&text).is_ok();
        let keys = [
            text.parse::<Key>().is_ok(),
            Key::from_bytes(&bytes).is_ok() && length != 33,
        ];
        if accepted || keys.contains(&true) {
            return Err(format!(
                "seed {seed}, case {case}: accepted {}",
                hex(&bytes)
            ));
        }
        let _ = (
            Request::decode(&bytes),
            Answer::decode(&bytes),
            decode_frame(&bytes),
        );
        let _ = (ValueBlock::open(&bytes), ProviderSet::decode(&bytes));
    }
    Ok(())
}

/// Adding the group order to half a signature gives the same numbers in other bytes.
pub fn malleated_signature() -> Checked {
    let mut bytes = samples::mutable(1).bytes().to_vec();
    let start = bytes.len() - 32;
    let mut carry = 0_u16;
    for (byte, order) in bytes[start..].iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    match Envelope::open(&bytes) {
        Ok(_) => Err("accepted a second signature of one message".to_owned()),
        Err(_) => Ok(()),
    }
}

/// Bytes for messages.
pub fn hex(bytes: &[u8]) -> String {
    Base::Base16Lower.encode(bytes)
}
