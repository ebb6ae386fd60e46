//! Contact records: which peers run for an author, and where messages wait for it.
//!
//! A signed record under the author's key, so that somebody who knows the key alone can write to it.
//! Each peer of the author adds itself to what the others have said.

use minicbor::{Decode, Encode};

use crate::error::Result;
use crate::limits::{
    CONTACT_LIFETIME, DEVICE_FORGOTTEN, MAX_DEVICES, MAX_PEER_ID, MAX_PEER_RELAYS, MAX_SAFE_INTEGER,
};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::key::{Key, NetworkId, PublicKey, SigningKey};
use crate::proto::record::Refusal;
use crate::proto::record::peer::bounded;
use crate::proto::{Millis, cbor};
use crate::sorted::sort_short;

/// Domain of contact records.
pub const CONTACT_DOMAIN: &str = "contact";

/// One peer of an author.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Device {
    /// Its peer id, in bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub peer: Vec<u8>,
    /// Peer ids of the relays that keep messages for it.
    #[cbor(n(1), with = "cbor::byte_lists")]
    pub mailboxes: Vec<Vec<u8>>,
    /// When it said so.
    #[n(2)]
    pub seen: Millis,
}

/// All of them, the one seen last first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Contact {
    /// At most eight.
    #[n(0)]
    pub devices: Vec<Device>,
}

impl Contact {
    /// Where the contact record of an author lives.
    pub fn key(author: &PublicKey) -> Key {
        Key::record(CONTACT_DOMAIN, author, "")
    }

    /// Signs the record.
    pub fn sign(
        &self,
        author: &SigningKey,
        network: &NetworkId,
        seq: u64,
        now: Millis,
    ) -> Result<Envelope> {
        let body = Body {
            domain: CONTACT_DOMAIN.to_owned(),
            network: network.clone(),
            key: author.public(),
            label: String::new(),
            seq,
            issued: now,
            expires: now.saturating_add(CONTACT_LIFETIME),
            payload: cbor::encode(self),
        };
        let envelope = Envelope::sign(body, author)?;
        Contact::open(&envelope)?;
        Ok(envelope)
    }

    /// Reads the record in an envelope.
    pub fn open(envelope: &Envelope) -> Result<Contact, Refusal> {
        let body = envelope.body();
        if body.domain != CONTACT_DOMAIN {
            return Err(Refusal::Unsupported);
        }
        if !body.label.is_empty() || body.expires - body.issued > CONTACT_LIFETIME {
            return Err(Refusal::Malformed);
        }
        let contact: Contact = cbor::decode(&body.payload)?;
        contact.check()?;
        Ok(contact)
    }

    fn check(&self) -> Result<(), Refusal> {
        let peers: Vec<&[u8]> = self.devices.iter().map(|one| one.peer.as_slice()).collect();
        bounded(&peers, MAX_DEVICES, MAX_PEER_ID)?;
        for device in &self.devices {
            bounded(&device.mailboxes, MAX_PEER_RELAYS, MAX_PEER_ID)?;
            if device.seen > MAX_SAFE_INTEGER {
                return Err(Refusal::Malformed);
            }
        }
        Ok(())
    }

    /// Adds what a peer says of itself, in the place of what was known of it.
    pub fn add(&mut self, device: Device) {
        self.devices.retain(|known| known.peer != device.peer);
        self.devices.push(device);
        sort_short(&mut self.devices, |one, other| other.seen.cmp(&one.seen));
        self.devices.truncate(MAX_DEVICES);
    }

    /// Adds what else is known, where it is newer, and forgets whom nobody has seen for long.
    pub fn merge(&mut self, other: Contact, now: Millis) {
        for device in other.devices {
            let known = self.devices.iter().find(|known| known.peer == device.peer);
            if known.is_none_or(|known| known.seen < device.seen) {
                self.add(device);
            }
        }
        let alive = |device: &Device| device.seen.saturating_add(DEVICE_FORGOTTEN) > now;
        self.devices.retain(alive);
    }

    /// All mailboxes, those of the peer seen last first.
    pub fn mailboxes(&self) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = Vec::new();
        for mailbox in self.devices.iter().flat_map(|device| &device.mailboxes) {
            if !all.contains(mailbox) {
                all.push(mailbox.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DAY;

    const NOW: Millis = 1_700_000_000_000;

    fn device(number: u8, seen: Millis) -> Device {
        Device {
            peer: vec![number],
            mailboxes: vec![vec![100], vec![number, 1]],
            seen,
        }
    }

    #[test]
    fn a_contact_travels_and_belongs_to_its_author() {
        let author = SigningKey::from_seed([1; 32]);
        let network = "test-net".parse().unwrap();
        let mut contact = Contact::default();
        (0..20).for_each(|number| contact.add(device(number, NOW + u64::from(number))));
        assert_eq!(contact.devices.len(), MAX_DEVICES);
        assert_eq!(contact.devices[0].peer, [19], "the one seen last");
        let envelope = contact.sign(&author, &network, 1, NOW).unwrap();
        assert_eq!(Contact::open(&envelope), Ok(contact.clone()));
        assert_eq!(envelope.key(), Contact::key(&author.public()));
        assert_eq!(contact.mailboxes()[..2], [vec![100], vec![19, 1]]);
        assert_eq!(contact.mailboxes().len(), MAX_DEVICES + 1);
    }

    #[test]
    fn what_is_newer_wins_and_the_long_gone_are_forgotten() {
        let mut contact = Contact::default();
        contact.add(device(1, NOW));
        contact.add(device(2, NOW - 31 * DAY));
        let mut other = Contact::default();
        other.add(device(1, NOW - DAY));
        other.add(device(3, NOW - DAY));
        contact.merge(other, NOW);
        let seen: Vec<_> = contact
            .devices
            .iter()
            .map(|one| (one.peer[0], one.seen))
            .collect();
        assert_eq!(seen, [(1, NOW), (3, NOW - DAY)]);
    }
}
