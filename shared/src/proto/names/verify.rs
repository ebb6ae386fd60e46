//! Checks a proof that stands for itself: no peer, no network, no cache.
//!
//! Knows the JSON form in which a relay gives proofs away, and what holds if one is valid. Does not
//! know whether a newer zone or a higher generation exists: only witnesses and floors can tell.

mod answer;

pub use answer::{Answer, verify};

use multibase::Base;
use serde::{Deserialize, Serialize};

use super::certificate::{Binding, Certificate, Floor};
use super::name::{Name, Root};
use super::resolution::{Proof, Resolution, expired};
use super::resource::Resource;
use super::set::KnownSets;
use super::zone::SignedZone;
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_CERTIFICATE, MAX_ENVELOPE, MAX_WITNESS_SET, MAX_WITNESS_SETS};
use crate::proto::Millis;
use crate::proto::record::Refusal;

/// Longest JSON that is read.
const MAX_TEXT: usize = 2 * (MAX_WITNESS_SETS * MAX_WITNESS_SET + MAX_CERTIFICATE + MAX_ENVELOPE);

/// A name's zone with everything that proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Evidence {
    /// The name.
    pub name: String,
    /// The witness sets, from one that can be pinned to the newest: base64url of
    /// [`KnownSets::export`]. It says which network.
    pub sets: String,
    /// The certificate, base64url; absent for the name of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The zone, base64url.
    pub zone: String,
}

/// What a valid proof says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// What the name leads to; aliases are not followed.
    pub resolution: Resolution,
    /// Whether the witnesses follow from a set that was pinned. If not, the proof is as good as the
    /// place it came from.
    pub pinned: bool,
    /// BLAKE3 of the witness set that signed, in hex: for comparison with one from elsewhere.
    pub witness_set: Option<String>,
}

impl Verified {
    /// Leaves out what only means something inside some network or device, as readers do.
    pub fn hide_private(&mut self) {
        let found = &mut self.resolution;
        let all = found.resources.len();
        found.resources.retain(Resource::is_public);
        found.hidden += all - found.resources.len();
    }
}

impl Evidence {
    /// Puts a proof together.
    pub fn new(
        name: &Name,
        sets: &KnownSets,
        binding: Option<&Binding>,
        zone: &SignedZone,
    ) -> Evidence {
        let text = |bytes: &[u8]| Base::Base64Url.encode(bytes);
        Evidence {
            name: name.to_string(),
            sets: text(&sets.export()),
            certificate: binding.map(|binding| text(&binding.certificate().encode())),
            zone: text(zone.bytes()),
        }
    }

    /// Reads the JSON form.
    pub fn from_json(text: &str) -> Result<Evidence> {
        if text.len() > MAX_TEXT {
            return Err(invalid("too long"));
        }
        serde_json::from_str(text).map_err(invalid)
    }

    /// Checks it at `now`, against witnesses that are trusted already, if there are any.
    pub fn verify(&self, trusted: Option<&KnownSets>, now: Millis) -> Result<Verified> {
        let name = Name::parse(&self.name)?;
        let given = KnownSets::restore(&bytes(&self.sets)?).map_err(invalid)?;
        let sets = match trusted {
            Some(trusted) => follow(trusted.clone(), &given)?,
            None => given,
        };
        let zone = SignedZone::decode(&bytes(&self.zone)?).map_err(Error::from)?;
        let binding = match (name.root(), &self.certificate) {
            (Root::Human(_), Some(text)) => Some(self.binding(&name, &bytes(text)?, &sets, now)?),
            (Root::Human(_), None) => return Err(invalid("a human name needs a certificate")),
            (Root::Key(_), _) => None,
        };
        let owner = match (name.root(), &binding) {
            (Root::Key(key), _) => (*key, 0),
            (_, Some(binding)) => (binding.claim().owner(), binding.claim().generation()),
            (_, None) => return Err(invalid("no owner")),
        };
        zone.belongs(sets.network(), name.root(), owner, now)
            .map_err(Error::from)?;
        let floor = binding.as_ref().map(|it| it.floor(now));
        if zone.floor() < floor.unwrap_or(Floor::default()) {
            return Err(Error::from(Refusal::Older));
        }
        let epoch = binding.as_ref().map(|binding| binding.certificate().epoch);
        let set = epoch.and_then(|epoch| sets.get(epoch));
        let hash = set.map(|set| blake3::hash(&set.encode()).to_hex().to_string());
        Ok(Verified {
            resolution: resolution(&name, binding.as_ref(), &zone, &sets, now)?,
            pinned: trusted.is_some(),
            witness_set: hash,
        })
    }

    fn binding(&self, name: &Name, bytes: &[u8], sets: &KnownSets, now: Millis) -> Result<Binding> {
        let certificate = Certificate::decode(bytes).map_err(Error::from)?;
        let binding = certificate.verify(sets).map_err(Error::from)?;
        let claim = binding.claim();
        if Name::from(claim.name().clone()).root() != name.root() {
            return Err(invalid("the certificate is for another name"));
        }
        if claim.released() {
            return Err(Error::new(
                Code::NameNotFound,
                "its owner has given this name up",
            ));
        }
        match binding.is_live(now) {
            true => Ok(binding),
            false => Err(expired(binding.live_until())),
        }
    }
}

/// The trusted sets, grown by those that follow from them.
fn follow(mut trusted: KnownSets, given: &KnownSets) -> Result<KnownSets> {
    if trusted.network() != given.network() {
        return Err(Error::from(Refusal::WrongNetwork));
    }
    let after = trusted.current().epoch();
    for next in given.after(after) {
        trusted.learn(next.clone()).map_err(Error::from)?;
    }
    Ok(trusted)
}

fn resolution(
    name: &Name,
    binding: Option<&Binding>,
    zone: &SignedZone,
    sets: &KnownSets,
    now: Millis,
) -> Result<Resolution> {
    let entry = zone.zone().find(name.sub());
    let entry = entry.ok_or(Error::new(
        Code::NameNotFound,
        "its owner published nothing under this name",
    ))?;
    Ok(Resolution {
        name: name.clone(),
        via: Vec::new(),
        resources: entry.resources.clone(),
        hidden: 0,
        ttl: zone.zone().ttl_of(name.sub()),
        proofs: vec![Proof::new(name.root(), binding, zone, sets, now)],
    })
}

fn bytes(text: &str) -> Result<Vec<u8>> {
    Base::Base64Url.decode(text).map_err(invalid)
}

fn invalid(cause: impl std::fmt::Display) -> Error {
    Error::new(Code::ProtocolViolation, "not a proof of a name")
        .caused_by(cause)
        .with_remedy("Fetch the proof again, whole, from a relay of the same version.")
}

#[cfg(test)]
mod tests;
