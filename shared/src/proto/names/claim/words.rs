//! What owners sign beside claims: that a name is handed over, and that a claim is given up.
//!
//! Knows their fields. Does not know whether they are obeyed: `witness` does.

use super::{ABANDON_DOMAIN, Claim, HANDOVER_DOMAIN};
use crate::error::Result;
use crate::limits::{MAX_CLAIM, NAME_TERM};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::names::name::Label;
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// The right to a name, passed on: signed by its owner or by its recovery key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub(super) envelope: Envelope,
    pub(super) name: Label,
    pub(super) from: u64,
    pub(super) to: PublicKey,
}

impl Handover {
    /// Signs the name over to `to`; it counts for a year, and while `from` is the generation in force.
    pub fn sign(
        network: &NetworkId,
        name: &Label,
        from: u64,
        to: PublicKey,
        key: &SigningKey,
        now: Millis,
    ) -> Result<Handover> {
        let body = Body {
            domain: HANDOVER_DOMAIN.to_owned(),
            network: network.clone(),
            key: key.public(),
            label: name.as_str().to_owned(),
            seq: from,
            issued: now,
            expires: now.saturating_add(NAME_TERM),
            payload: cbor::encode(&to),
        };
        Ok(Handover::open(Envelope::sign(body, key)?)?)
    }

    /// Reads and verifies one.
    pub fn decode(bytes: &[u8]) -> Result<Handover, Refusal> {
        Handover::open(Envelope::open(bytes)?)
    }

    fn open(envelope: Envelope) -> Result<Handover, Refusal> {
        let body = envelope.body();
        if body.domain != HANDOVER_DOMAIN {
            return Err(Refusal::Unsupported);
        }
        let name = Label::exact(&body.label).ok_or(Refusal::Malformed)?;
        let to: PublicKey = cbor::decode(&body.payload)?;
        let (from, envelope) = (body.seq, envelope);
        match from >= 1 && envelope.bytes().len() <= MAX_CLAIM / 2 {
            true => Ok(Handover {
                envelope,
                name,
                from,
                to,
            }),
            false => Err(Refusal::Malformed),
        }
    }

    /// As it travels.
    pub fn bytes(&self) -> &[u8] {
        self.envelope.bytes()
    }

    /// The name.
    pub fn name(&self) -> &Label {
        &self.name
    }

    /// The generation that ends.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Who may claim the next one.
    pub fn to(&self) -> PublicKey {
        self.to
    }

    /// Who signed it.
    pub fn signer(&self) -> PublicKey {
        self.envelope.body().key
    }

    /// Whether it counts at `now`.
    pub fn check_time(&self, now: Millis) -> Result<(), Refusal> {
        self.envelope.check_time(now)
    }
}

/// An owner's word that it does not pursue a claim: witnesses forget their provisional signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandon {
    envelope: Envelope,
    name: Label,
    claim: [u8; 32],
}

impl Abandon {
    /// Gives a claim up.
    pub fn sign(claim: &Claim, owner: &SigningKey, now: Millis) -> Result<Abandon> {
        let body = Body {
            domain: ABANDON_DOMAIN.to_owned(),
            network: claim.network().clone(),
            key: owner.public(),
            label: claim.name().as_str().to_owned(),
            seq: claim.generation(),
            issued: now,
            expires: now.saturating_add(NAME_TERM),
            payload: cbor::encode(&minicbor::bytes::ByteArray::from(claim.hash())),
        };
        Ok(Abandon::open(Envelope::sign(body, owner)?)?)
    }

    /// Reads and verifies one.
    pub fn decode(bytes: &[u8]) -> Result<Abandon, Refusal> {
        if bytes.len() > MAX_CLAIM {
            return Err(Refusal::Oversized);
        }
        Abandon::open(Envelope::open(bytes)?)
    }

    fn open(envelope: Envelope) -> Result<Abandon, Refusal> {
        let body = envelope.body();
        if body.domain != ABANDON_DOMAIN {
            return Err(Refusal::Unsupported);
        }
        let name = Label::exact(&body.label).ok_or(Refusal::Malformed)?;
        let claim: minicbor::bytes::ByteArray<32> = cbor::decode(&body.payload)?;
        Ok(Abandon {
            name,
            claim: claim.into(),
            envelope,
        })
    }

    /// As it travels.
    pub fn bytes(&self) -> &[u8] {
        self.envelope.bytes()
    }

    /// The name.
    pub fn name(&self) -> &Label {
        &self.name
    }

    /// Where it counts.
    pub fn network(&self) -> &NetworkId {
        &self.envelope.body().network
    }

    /// Who signed it.
    pub fn owner(&self) -> PublicKey {
        self.envelope.body().key
    }

    /// Hash of the claim that is given up.
    pub fn claim(&self) -> [u8; 32] {
        self.claim
    }
}
