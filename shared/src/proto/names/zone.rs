//! Zones: what an owner put under its name.
//!
//! Knows entries, their limits, and which of two zones is the newer one. Does not know who the owner
//! of a human name is: `certificate` does.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::certificate::Floor;
use super::name::{self, Label, Name, Root};
use super::resource::Resource;
use crate::error::{Code, Error, Result};
use crate::limits::{
    MAX_NAME, MAX_SAFE_INTEGER, MAX_ZONE_ENTRIES, MAX_ZONE_RESOURCES, MAX_ZONE_TTL, MIN_ZONE_TTL,
    SECOND, ZONE_TTL,
};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::key::{Key, NetworkId, PublicKey, SigningKey};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};
use crate::sorted::sort_short;

/// Domain of zones.
pub const ZONE_DOMAIN: &str = "zone";

/// What an owner put under its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// The generation of the owner it belongs to; 0 for the name of a key.
    #[n(0)]
    #[serde(default)]
    pub generation: u64,
    /// For how many seconds readers may keep its entries.
    #[n(1)]
    #[serde(default = "standard_ttl")]
    pub ttl: u64,
    /// In ascending order of their sub-names.
    #[n(2)]
    #[serde(default)]
    pub entries: Vec<Entry>,
}

/// What is under one sub-name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Labels before the name, empty for the name itself.
    #[n(0)]
    #[serde(default)]
    pub sub: String,
    /// Seconds, if other than the zone's.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// In the owner's order.
    #[n(2)]
    pub resources: Vec<Resource>,
}

fn standard_ttl() -> u64 {
    ZONE_TTL
}

impl Default for Zone {
    fn default() -> Zone {
        Zone {
            generation: 0,
            ttl: ZONE_TTL,
            entries: Vec::new(),
        }
    }
}

impl Zone {
    /// Replaces what is under a sub-name; nothing at all removes it. The sub-name is normalised.
    pub fn set(&mut self, sub: &str, resources: Vec<Resource>) -> Result<()> {
        let sub = sub_name(sub)?;
        self.entries.retain(|entry| entry.sub != sub);
        if !resources.is_empty() {
            let at = self.entries.partition_point(|entry| entry.sub < sub);
            let ttl = None;
            self.entries.insert(
                at,
                Entry {
                    sub,
                    ttl,
                    resources,
                },
            );
        }
        self.check().map_err(unfit)
    }

    /// Brings sub-names into their one spelling and entries into order, for zones written by people.
    pub fn tidy(mut self) -> Result<Zone> {
        for entry in &mut self.entries {
            entry.sub = sub_name(&entry.sub)?;
        }
        sort_short(&mut self.entries, |one, two| one.sub.cmp(&two.sub));
        self.check().map_err(unfit)?;
        Ok(self)
    }

    /// What is under a sub-name.
    pub fn find(&self, sub: &str) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.sub.as_str().cmp(sub));
        at.ok().map(|at| &self.entries[at])
    }

    /// How long readers may keep an entry, or that there is none.
    pub fn ttl_of(&self, sub: &str) -> Millis {
        let own = self.find(sub).and_then(|entry| entry.ttl);
        own.unwrap_or(self.ttl) * SECOND
    }

    fn check(&self) -> Result<(), &'static str> {
        let ttl_ok = |ttl: &u64| (MIN_ZONE_TTL..=MAX_ZONE_TTL).contains(ttl);
        if self.entries.len() > MAX_ZONE_ENTRIES {
            return Err("more than 256 entries");
        }
        if !self
            .entries
            .windows(2)
            .all(|pair| pair[0].sub < pair[1].sub)
        {
            return Err("two entries of one sub-name");
        }
        if !ttl_ok(&self.ttl) || self.generation > MAX_SAFE_INTEGER {
            return Err("a time to live is 5 to 86,400 seconds");
        }
        for entry in &self.entries {
            if sub_name(&entry.sub).ok().as_deref() != Some(&entry.sub) {
                return Err("not a sub-name");
            }
            if !entry.ttl.iter().all(ttl_ok) {
                return Err("a time to live is 5 to 86,400 seconds");
            }
            if !(1..=MAX_ZONE_RESOURCES).contains(&entry.resources.len()) {
                return Err("an entry has 1 to 16 resources");
            }
            let alias = |resource: &Resource| matches!(resource, Resource::Alias(_));
            if entry.resources.len() > 1 && entry.resources.iter().any(alias) {
                return Err("an alias stands alone in its entry");
            }
            entry.resources.iter().try_for_each(Resource::check)?;
        }
        Ok(())
    }

    /// Signs the zone of a name; `seq` must be above that of every zone before.
    pub fn sign(
        &self,
        owner: &SigningKey,
        network: &NetworkId,
        root: &Root,
        seq: u64,
        (issued, expires): (Millis, Millis),
    ) -> Result<SignedZone> {
        self.check().map_err(unfit)?;
        let body = Body {
            domain: ZONE_DOMAIN.to_owned(),
            network: network.clone(),
            key: owner.public(),
            label: label_of(root),
            seq,
            issued,
            expires,
            payload: cbor::encode(self),
        };
        Ok(SignedZone::read(Envelope::sign(body, owner)?)?)
    }
}

fn label_of(root: &Root) -> String {
    match root {
        Root::Human(label) => label.as_str().to_owned(),
        Root::Key(_) => String::new(),
    }
}

fn sub_name(text: &str) -> Result<String> {
    if text.is_empty() || text == "@" {
        return Ok(String::new());
    }
    let labels = text.split('.').map(name::sub_label);
    let sub = labels.collect::<Result<Vec<_>, _>>()?.join(".");
    match sub.len() <= MAX_NAME {
        true => Ok(sub),
        false => Err(Error::new(
            Code::NameInvalid,
            "a sub-name beyond 253 characters",
        )),
    }
}

fn unfit(why: &str) -> Error {
    Error::new(
        Code::InvalidArgument,
        format!("cannot publish this zone: {why}"),
    )
}

/// A zone with the signature of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedZone {
    envelope: Envelope,
    zone: Zone,
}

impl SignedZone {
    /// Reads and verifies a zone; its time is another question.
    pub fn decode(bytes: &[u8]) -> Result<SignedZone, Refusal> {
        Self::read(Envelope::open(bytes)?)
    }

    /// Reads the zone in an authentic envelope.
    pub fn read(envelope: Envelope) -> Result<SignedZone, Refusal> {
        let body = envelope.body();
        if body.domain != ZONE_DOMAIN {
            return Err(Refusal::Unsupported);
        }
        let zone: Zone = cbor::decode(&body.payload)?;
        zone.check().map_err(|_| Refusal::Malformed)?;
        let human = !body.label.is_empty();
        let named = !human || Label::exact(&body.label).is_some();
        match named && human == (zone.generation > 0) {
            true => Ok(SignedZone { envelope, zone }),
            false => Err(Refusal::Malformed),
        }
    }

    /// What it says.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The signed whole.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// As it travels.
    pub fn bytes(&self) -> &[u8] {
        self.envelope.bytes()
    }

    /// Who signed it.
    pub fn owner(&self) -> PublicKey {
        self.envelope.body().key
    }

    /// Its place in the order of the owner's zones: higher sequence, then larger hash.
    pub fn floor(&self) -> Floor {
        Floor {
            seq: self.envelope.body().seq,
            hash: self.envelope.hash(),
        }
    }

    /// When it stops counting.
    pub fn expires(&self) -> Millis {
        self.envelope.body().expires
    }

    /// Where zones of this owner and name are stored.
    pub fn location(owner: &PublicKey, root: &Root) -> Key {
        Key::record(ZONE_DOMAIN, owner, &label_of(root))
    }

    /// Whether it is the zone of that name, owner and generation, in that network and at that time.
    pub fn belongs(
        &self,
        network: &NetworkId,
        root: &Root,
        (owner, generation): (PublicKey, u64),
        now: Millis,
    ) -> Result<(), Refusal> {
        let body = self.envelope.body();
        if body.network != *network {
            return Err(Refusal::WrongNetwork);
        }
        let fits =
            body.key == owner && body.label == label_of(root) && self.zone.generation == generation;
        if !fits {
            return Err(Refusal::WrongKey);
        }
        self.envelope.check_time(now)
    }
}

impl Root {
    /// The name of this root.
    pub fn name(&self) -> Name {
        Name::from(self.clone())
    }
}

#[cfg(test)]
mod tests;
