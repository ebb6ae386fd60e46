//! An answer with all its proofs, as a relay gives it away over HTTP: one for each zone on the way.
//!
//! Knows how aliases chain the proofs. What holds of each is in `verify`.

use serde::{Deserialize, Serialize};

use super::{Evidence, MAX_TEXT, Verified, invalid};
use crate::error::{Code, Error, Result};
use crate::limits::MAX_ALIASES;
use crate::proto::Millis;
use crate::proto::names::name::Name;
use crate::proto::names::resolution::Resolution;
use crate::proto::names::resource::Resource;
use crate::proto::names::set::KnownSets;

/// What a name leads to, and what proves it.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// As the one who gives it found it.
    #[serde(flatten)]
    pub resolution: Resolution,
    /// For the name, and for each alias on the way.
    pub evidence: Vec<Evidence>,
}

/// What counts of an answer for those who check it: everything else is only said.
#[derive(Deserialize)]
struct Proofs {
    name: String,
    evidence: Vec<Evidence>,
}

/// What a relay answers when it has nothing to prove.
#[derive(Deserialize)]
struct Failed {
    error: Failure,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
    remedy: String,
}

/// Checks a proof, or an answer with all its proofs; what is found in the proofs counts.
pub fn verify(text: &str, trusted: Option<&KnownSets>, now: Millis) -> Result<Verified> {
    if text.len() > (MAX_ALIASES + 1) * MAX_TEXT {
        return Err(invalid("too long"));
    }
    if text.trim().is_empty() {
        return Err(Error::new(
            Code::ProtocolViolation,
            "there is no proof: nothing was given",
        )
        .with_remedy("Look whether the program before the pipe said why."));
    }
    if let Ok(Failed { error }) = serde_json::from_str(text) {
        let what = format!(
            "this is no proof, but the answer that there is none: {}",
            error.message
        );
        return Err(Error::new(Code::ProtocolViolation, what).with_remedy(error.remedy));
    }
    match serde_json::from_str(text) {
        Ok(proofs) => follow(proofs, trusted, now),
        Err(_) => Evidence::from_json(text)?.verify(trusted, now),
    }
}

/// Goes from zone to zone as the proved aliases say.
fn follow(proofs: Proofs, trusted: Option<&KnownSets>, now: Millis) -> Result<Verified> {
    let mut whole: Option<Verified> = None;
    let mut expected = Some(Name::parse(&proofs.name)?);
    if proofs.evidence.len() > MAX_ALIASES + 1 {
        return Err(invalid("more proofs than aliases are followed"));
    }
    let sets = proofs.evidence.first().map(|first| first.sets.clone());
    for evidence in &proofs.evidence {
        let at = Name::parse(&evidence.name)?;
        if expected != Some(at.clone()) {
            return Err(invalid("one proof does not lead to the next"));
        }
        // Otherwise each could bring witnesses of its own.
        if Some(&evidence.sets) != sets.as_ref() {
            return Err(invalid("the proofs name different witnesses"));
        }
        let next = evidence.verify(trusted, now)?;
        expected = match next.resolution.resources.as_slice() {
            [Resource::Alias(target)] => Some(target.clone()),
            _ => None,
        };
        match &mut whole {
            None => whole = Some(next),
            Some(whole) => join(whole, &at, next),
        }
    }
    whole.ok_or_else(|| invalid("no proof in it"))
}

fn join(whole: &mut Verified, at: &Name, next: Verified) {
    whole.witness_set = whole.witness_set.take().or(next.witness_set);
    let (whole, next) = (&mut whole.resolution, next.resolution);
    whole.via.push(at.clone());
    whole.resources = next.resources;
    whole.ttl = whole.ttl.min(next.ttl);
    whole.proofs.extend(next.proofs);
}
