//! What a page needs now and then, and therefore does not download to join: Unicode's tables for names, the check of
//! their proofs without being a peer, and a thread's worth of work: for a name, or for the passphrase of a room.
//!
//! Every rule is in `warren-shared`. Texts and numbers cross the boundary, JSON where there is more to
//! say: `{"ok": …}` or `{"error": {code, message, remedy, retryable, cause, details}}`.
#![cfg(target_arch = "wasm32")]

use serde::{Deserialize, Serialize};
use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::proto::chat::keys::secret_text;
use warren_shared::proto::chat::passphrase::secret_of;
use warren_shared::proto::names::verify;
use warren_shared::proto::names::work::Puzzle;
use warren_shared::proto::names::{KnownSets, Name, WitnessSet};
use wasm_bindgen::prelude::*;

/// The one spelling of a name, and how people read it: `{"ok": {name, shown}}`.
#[wasm_bindgen]
pub fn canonical(text: &str) -> String {
    told(Name::parse(text).map(|name| json!({"name": name, "shown": name.to_unicode()})))
}

/// The one spelling of an entry's labels inside a zone: `{"ok": "xn--…"}`.
#[wasm_bindgen]
pub fn entry(text: &str) -> String {
    told(match text {
        "" => Ok(String::new()),
        // Any name will do: what is asked for stands before it.
        _ => Name::parse(&format!("{text}.name.p2p")).map(|name| name.sub().to_owned()),
    })
}

/// Tries so many numbers from one on: the first that solves the puzzle, or -1.
#[wasm_bindgen]
pub fn search(seed: &[u8], bits: u32, from: f64, tries: u32) -> f64 {
    let Ok(seed) = seed.try_into() else {
        return -1.0;
    };
    let found = Puzzle::from_parts(seed, bits).search(from as u64, u64::from(tries));
    found.map_or(-1.0, |nonce| nonce as f64)
}

/// The secret of a room out of words, as it stands in a link: `{"ok": "…"}`. Takes half a second of a worker.
#[wasm_bindgen]
pub fn passphrase(network: &str, room: &str, words: &str) -> String {
    let secret = || {
        let secret = secret_of(&network.parse()?, room, words)?;
        Ok::<_, Error>(secret_text(&secret))
    };
    told(secret())
}

/// Checks a proof as `Names.proof` gives it, or an answer of a relay's `GET /names/NAME` with all its
/// proofs, at a time in milliseconds since 1970.
/// `trusted` is JSON, `{network, witnesses}` of a join document, or empty. Resources that only mean
/// something inside some network are counted and left out, unless `private` is set.
#[wasm_bindgen]
pub fn verify(proof: &str, trusted: &str, now: f64, private: bool) -> String {
    told(checked(proof, trusted, now, private))
}

fn checked(proof: &str, trusted: &str, now: f64, private: bool) -> Result<impl Serialize> {
    let sets = match trusted {
        "" => None,
        text => Some(known(text)?),
    };
    let mut verified = verify::verify(proof, sets.as_ref(), now as u64)?;
    if !private {
        verified.hide_private();
    }
    Ok(verified)
}

/// Witnesses as a join document names them.
#[derive(Deserialize)]
struct Trusted {
    network: String,
    witnesses: Witnesses,
}

#[derive(Deserialize)]
struct Witnesses {
    epoch: u64,
    from: u64,
    keys: Vec<String>,
}

fn known(text: &str) -> Result<KnownSets> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::new(
            Code::InvalidArgument,
            "these are not the witnesses of a network",
        )
        .caused_by(cause)
        .with_remedy("Pass `network` and `witnesses` of a join document, /.well-known/warren.json.")
    };
    let Trusted { network, witnesses } =
        serde_json::from_str(text).map_err(|error| wrong(&error))?;
    let keys = witnesses.keys.iter().map(|key| key.parse());
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let set = WitnessSet::new(witnesses.epoch, witnesses.from, keys);
    let set = set.map_err(|refusal| wrong(&Error::from(refusal)))?;
    Ok(KnownSets::pinned(network.parse()?, set))
}

fn told(result: Result<impl Serialize>) -> String {
    let answer = match &result {
        Ok(value) => serde_json::to_string(&Told::Ok(value)),
        Err(error) => serde_json::to_string(&Told::<()>::Error(error)),
    };
    answer.unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Told<'a, T> {
    Ok(&'a T),
    Error(&'a Error),
}
