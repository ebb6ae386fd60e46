//! Records: what the network stores for its members, and the rules for believing one.
//!
//! Knows validation, and which of two records wins. Does not know where records are kept
//! (`store`), who holds them (`gather`) or how they travel (`net`).

pub mod peer;
pub mod provider;
mod refusal;
mod value;
pub mod wire;

pub use provider::{Prefix, ProviderEntry, ProviderSet};
pub use refusal::Refusal;
pub use value::{MutableValue, VALUE_DOMAIN, Value, ValueBlock};

use super::Millis;
#[cfg(feature = "apps")]
use super::direct::contact::{CONTACT_DOMAIN, Contact};
use super::envelope::Envelope;
use super::key::{Key, NetworkId, Space};
use super::names::zone::{SignedZone, ZONE_DOMAIN};
use peer::PeerRecord;

/// A record that was validated: it is authentic and belongs to its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Immutable, under its own hash.
    Value(ValueBlock),
    /// Signed, under domain, owner and label.
    Signed(Envelope),
}

impl Record {
    /// Where it lives.
    pub fn key(&self) -> Key {
        match self {
            Record::Value(block) => block.key(),
            Record::Signed(envelope) => envelope.key(),
        }
    }

    /// As it travels and is stored.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Record::Value(block) => block.bytes(),
            Record::Signed(envelope) => envelope.bytes(),
        }
    }

    /// When it stops counting; immutable values never do.
    pub fn expires(&self) -> Option<Millis> {
        match self {
            Record::Value(_) => None,
            Record::Signed(envelope) => Some(envelope.body().expires),
        }
    }

    /// Everything that must hold before bytes are stored or believed.
    pub fn validate(
        key: Key,
        bytes: &[u8],
        network: &NetworkId,
        now: Millis,
    ) -> Result<Record, Refusal> {
        let record = match key.space {
            Space::Value => Record::Value(ValueBlock::open(bytes)?),
            Space::Record => Record::Signed(open_signed(bytes, network, now)?),
            Space::Namespace => return Err(Refusal::Unsupported),
        };
        if record.key() == key {
            Ok(record)
        } else {
            Err(Refusal::WrongKey)
        }
    }
}

fn open_signed(bytes: &[u8], network: &NetworkId, now: Millis) -> Result<Envelope, Refusal> {
    let envelope = Envelope::open(bytes)?;
    if envelope.body().network != *network {
        return Err(Refusal::WrongNetwork);
    }
    envelope.check_time(now)?;
    match envelope.body().domain.as_str() {
        VALUE_DOMAIN => MutableValue::open(&envelope).map(drop)?,
        peer::PEER_DOMAIN => PeerRecord::open(&envelope).map(drop)?,
        #[cfg(feature = "apps")]
        CONTACT_DOMAIN => Contact::open(&envelope).map(drop)?,
        ZONE_DOMAIN => SignedZone::read(envelope.clone()).map(drop)?,
        _ => return Err(Refusal::Unsupported),
    }
    Ok(envelope)
}

/// What to do with a new record when an old one is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The new one wins.
    Store,
    /// They are the same.
    Same,
    /// The old one wins.
    Older,
}

/// Which of two records of one key wins: the higher sequence, then the larger hash, so that
/// everybody comes to the same answer whatever the order of arrival.
pub fn supersedes(old: &Record, new: &Record) -> Decision {
    let (Record::Signed(old), Record::Signed(new)) = (old, new) else {
        return if old == new {
            Decision::Same
        } else {
            Decision::Older
        };
    };
    if old.bytes() == new.bytes() {
        return Decision::Same;
    }
    let rank = |envelope: &Envelope| (envelope.body().seq, envelope.hash());
    if rank(new) > rank(old) {
        Decision::Store
    } else {
        Decision::Older
    }
}

#[cfg(test)]
mod tests;
