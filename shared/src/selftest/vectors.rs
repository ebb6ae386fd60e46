//! Every encoded and signed format, pinned byte by byte: an accidental change becomes a red test.
//! The specifications show the same vectors.

use std::collections::BTreeMap;

use super::mutations::hex;
use super::{Checked, samples};
use crate::proto::envelope::Envelope;
use crate::proto::key::Key;
use crate::proto::record::peer::PeerRecord;
use crate::proto::record::wire::{Answer, Request, decode_frame, encode_frame};
use crate::proto::record::{ProviderSet, ValueBlock};

const PINNED: &str = include_str!("../../spec/vectors.txt");

/// A pinned encoding: its name, what our sample gives, and what reading bytes gives again.
pub(super) struct Vector {
    pub(super) name: &'static str,
    pub(super) make: fn() -> Vec<u8>,
    pub(super) again: fn(&[u8]) -> Option<Vec<u8>>,
}

/// The pinned lines, by name.
fn pinned() -> BTreeMap<&'static str, &'static str> {
    let lines = PINNED.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ")).collect()
}

fn request(index: usize) -> Vec<u8> {
    samples::requests()[index].encode()
}

fn answer(index: usize) -> Vec<u8> {
    samples::answers()[index].encode()
}

fn envelope_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Envelope::open(bytes).ok()?.bytes().to_vec())
}

fn request_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Request::decode(bytes).ok()?.encode())
}

fn answer_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Answer::decode(bytes).ok()?.encode())
}

fn block_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(ValueBlock::open(bytes).ok()?.bytes().to_vec())
}

fn key_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Key::from_bytes(bytes).ok()?.to_bytes().to_vec())
}

fn set_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(ProviderSet::decode(bytes).ok()?.encode())
}

fn frame_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let (message, used) = decode_frame(bytes).ok()??;
    encode_frame(message)
        .ok()
        .filter(|frame| frame.len() == used)
}

/// The payload alone proves nothing: it is read from its envelope.
fn peer_payload_again(_: &[u8]) -> Option<Vec<u8>> {
    let record = PeerRecord::open(&samples::peer_record()).ok()?;
    let signed = record
        .sign(&samples::transport(), &samples::network(), 1, samples::NOW)
        .ok()?;
    Some(signed.body().payload.clone())
}

/// All binary vectors.
fn vectors() -> Vec<Vector> {
    let vector = |name, make, again| Vector { name, make, again };
    vec![
        vector(
            "value block, JSON",
            || samples::json_block().bytes().to_vec(),
            block_again,
        ),
        vector(
            "value block, bytes",
            || samples::bytes_block().bytes().to_vec(),
            block_again,
        ),
        vector(
            "location of a value",
            || samples::bytes_block().key().to_bytes().to_vec(),
            key_again,
        ),
        vector(
            "location of a record",
            || samples::mutable(1).key().to_bytes().to_vec(),
            key_again,
        ),
        vector(
            "location of a namespace",
            || samples::namespace().to_bytes().to_vec(),
            key_again,
        ),
        vector(
            "envelope of a mutable value",
            || samples::mutable(1).bytes().to_vec(),
            envelope_again,
        ),
        vector(
            "author proof",
            || samples::author_proof().bytes().to_vec(),
            envelope_again,
        ),
        vector(
            "peer record, payload",
            || samples::peer_record().body().payload.clone(),
            peer_payload_again,
        ),
        vector(
            "peer record, envelope",
            || samples::peer_record().bytes().to_vec(),
            envelope_again,
        ),
        vector(
            "join document, envelope",
            || samples::join_envelope().bytes().to_vec(),
            envelope_again,
        ),
        vector(
            "provider set",
            || samples::provider_set().encode(),
            set_again,
        ),
        vector("request Put", || request(0), request_again),
        vector("request Get", || request(1), request_again),
        vector("request Announce", || request(2), request_again),
        vector("request Withdraw", || request(3), request_again),
        vector(
            "request Providers, first page",
            || request(4),
            request_again,
        ),
        vector("request Providers, next page", || request(5), request_again),
        vector("answer Stored", || answer(0), answer_again),
        vector("answer Found", || answer(1), answer_again),
        vector("answer Missing", || answer(2), answer_again),
        vector("answer Announced", || answer(3), answer_again),
        vector("answer Providers", || answer(4), answer_again),
        vector("answer Refused, bad signature", || answer(5), answer_again),
        vector("answer Refused, older", || answer(6), answer_again),
        vector(
            "frame of request Get",
            || encode_frame(&request(1)).unwrap_or_default(),
            frame_again,
        ),
    ]
}

/// All textual vectors: the name, and what our sample gives.
fn texts() -> Vec<(&'static str, String)> {
    let author = samples::author().public();
    vec![
        ("text, public key, hex", author.to_string()),
        ("text, public key, base 36", author.to_base36()),
        ("text, public key, peer id", author.to_peer_id()),
        (
            "text, key of a value",
            samples::bytes_block().key().to_string(),
        ),
        (
            "text, key of a mutable value",
            samples::mutable(1).key().to_string(),
        ),
        (
            "text, key of a peer record",
            PeerRecord::key(&samples::transport().public()).to_string(),
        ),
        ("text, key of a namespace", samples::namespace().to_string()),
        (
            "text, network id from zeros",
            crate::proto::NetworkId::from_entropy([0; 10]).to_string(),
        ),
    ]
}

/// Binary formats.
pub fn check() -> Checked {
    let (mut vectors, pinned) = (vectors(), pinned());
    vectors.extend(super::names::vectors());
    vectors.extend(super::direct::vectors());
    let known = vectors.len() + texts().len();
    let seen = |vector| check_one(vector, &pinned).err();
    let mut seen: Vec<String> = vectors.iter().filter_map(seen).collect();
    if pinned.len() != known {
        seen.push(format!("{} are pinned, {known} are known", pinned.len()));
    }
    match seen.is_empty() {
        true => Ok(()),
        false => Err(seen.join("\n")),
    }
}

fn check_one(vector: &Vector, pinned: &BTreeMap<&str, &str>) -> Checked {
    let made = (vector.make)();
    if pinned.get(vector.name) != Some(&hex(&made).as_str()) {
        return Err(format!("{} is now {}", vector.name, hex(&made)));
    }
    match (vector.again)(&made) {
        Some(again) if again == made => Ok(()),
        _ => Err(format!("{} is not read back", vector.name)),
    }
}

/// Keys as text.
pub fn check_texts() -> Checked {
    let pinned = pinned();
    let changed = |(name, made): &(&str, String)| pinned.get(name) != Some(&made.as_str());
    match texts().into_iter().find(changed) {
        Some((name, made)) => Err(format!("{name} is now {made}")),
        None => Ok(()),
    }
}
