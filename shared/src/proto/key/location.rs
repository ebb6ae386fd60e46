//! Where something lives: a hash in one of three spaces, written as a CID.
//!
//! Knows how locations are derived. The spaces never mix: a value, a record and a namespace with
//! equal hashes are three different keys, in bytes and in text.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Decoder, Encode, Encoder, bytes::ByteArray, decode, encode};
use multibase::Base;
use serde::{Serialize, Serializer};

use super::{NetworkId, PublicKey};
use crate::error::{Code, Error, Result};
use crate::limits::MAX_NAMESPACE;

const RECORD_CONTEXT: &str = "warren 2026 record location v1";
const NAMESPACE_CONTEXT: &str = "warren 2026 namespace location v1";
/// `b`, then a 5- or 8-byte CID head and 32 bytes of hash in base 32.
const MAX_TEXT: usize = 80;

/// What kind of thing lives at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// An immutable value, under the hash of its block.
    Value,
    /// A signed record, under the hash of domain, owner and label.
    Record,
    /// Providers of a namespace, under the hash of network and name.
    Namespace,
}

impl Space {
    const ALL: [Space; 3] = [Space::Value, Space::Record, Space::Namespace];

    fn tag(self) -> u8 {
        match self {
            Space::Value => 0,
            Space::Record => 1,
            Space::Namespace => 2,
        }
    }

    /// CIDv1, codec, BLAKE3, 32 bytes. Codecs: `cbor`, and two of the private-use range.
    fn cid_head(self) -> &'static [u8] {
        match self {
            Space::Value => &[0x01, 0x51, 0x1e, 0x20],
            Space::Record => &[0x01, 0x81, 0x80, 0xc0, 0x01, 0x1e, 0x20],
            Space::Namespace => &[0x01, 0x82, 0x80, 0xc0, 0x01, 0x1e, 0x20],
        }
    }
}

/// A place in the key space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What kind of thing lives there.
    pub space: Space,
    /// Its hash; Kademlia distance is measured from it.
    pub hash: [u8; 32],
}

impl Key {
    /// The key of an immutable value: the plain BLAKE3 of its block, as any CID tool computes it.
    pub fn value(block: &[u8]) -> Key {
        Key {
            space: Space::Value,
            hash: *blake3::hash(block).as_bytes(),
        }
    }

    /// The key of a signed record. Each part is length-prefixed, so parts cannot slide.
    pub fn record(domain: &str, owner: &PublicKey, label: &str) -> Key {
        let parts = [domain.as_bytes(), owner.as_bytes(), label.as_bytes()];
        Key {
            space: Space::Record,
            hash: hash_parts(RECORD_CONTEXT, &parts),
        }
    }

    /// The key of a namespace: 1 to 128 bytes of text without control characters.
    pub fn namespace(network: &NetworkId, name: &str) -> Result<Key> {
        if name.is_empty() || name.len() > MAX_NAMESPACE || name.chars().any(char::is_control) {
            return Err(Error::new(Code::InvalidArgument, "invalid namespace")
                .with_remedy("Use 1 to 128 bytes of text without control characters."));
        }
        let parts = [network.as_str().as_bytes(), name.as_bytes()];
        Ok(Key {
            space: Space::Namespace,
            hash: hash_parts(NAMESPACE_CONTEXT, &parts),
        })
    }

    /// A tag byte and the hash: the form used on the wire and in stores.
    pub fn to_bytes(&self) -> [u8; 33] {
        let mut bytes = [0; 33];
        bytes[0] = self.space.tag();
        bytes[1..].copy_from_slice(&self.hash);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Key> {
        let (tag, hash) = bytes.split_first().ok_or_else(invalid)?;
        let space = Space::ALL
            .into_iter()
            .find(|space| space.tag() == *tag)
            .ok_or_else(invalid)?;
        Ok(Key {
            space,
            hash: hash.try_into().map_err(|_| invalid())?,
        })
    }
}

fn hash_parts(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher
            .update(&(part.len() as u64).to_be_bytes())
            .update(part);
    }
    *hasher.finalize().as_bytes()
}

fn invalid() -> Error {
    Error::new(Code::InvalidKey, "invalid key")
        .with_remedy("Keys begin with \"baf\" or \"bag\"; check that this one was copied whole.")
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.space.cid_head(), &self.hash].concat();
        f.write_str(&multibase::encode(Base::Base32Lower, bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl FromStr for Key {
    type Err = Error;

    /// Reads the canonical text only, so that equal keys are equal text everywhere.
    fn from_str(text: &str) -> Result<Key> {
        let body = text
            .strip_prefix('b')
            .filter(|_| text.len() <= MAX_TEXT)
            .ok_or_else(invalid)?;
        let bytes = Base::Base32Lower.decode(body).map_err(|_| invalid())?;
        let key = Space::ALL.into_iter().find_map(|space| {
            let hash = bytes.strip_prefix(space.cid_head())?.try_into().ok()?;
            Some(Key { space, hash })
        });
        key.filter(|key| key.to_string() == text)
            .ok_or_else(invalid)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<C> Encode<C> for Key {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Key {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let bytes: [u8; 33] = ByteArray::decode(d, c)?.into();
        Self::from_bytes(&bytes).map_err(|_| decode::Error::message("not a key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key::SigningKey;

    fn network() -> NetworkId {
        "test".parse().unwrap()
    }

    fn samples() -> [Key; 3] {
        let owner = SigningKey::from_seed([1; 32]).public();
        [
            Key::value(b"block"),
            Key::record("value", &owner, "label"),
            Key::namespace(&network(), "global-chat").unwrap(),
        ]
    }

    #[test]
    fn round_trips() {
        for key in samples() {
            assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
            assert_eq!(Key::from_bytes(&key.to_bytes()).unwrap(), key);
            assert!(key.to_string().len() <= MAX_TEXT);
        }
    }

    #[test]
    fn parts_cannot_slide() {
        let owner = SigningKey::from_seed([1; 32]).public();
        assert_ne!(Key::record("ab", &owner, ""), Key::record("a", &owner, "b"));
        assert_ne!(
            Key::record("a", &owner, "b"),
            Key::record("a", &owner, "b\0")
        );
        let other = "tes".parse().unwrap();
        assert_ne!(
            Key::namespace(&network(), "x").unwrap(),
            Key::namespace(&other, "tx").unwrap()
        );
    }

    #[test]
    fn refuses_other_spellings() {
        let text = samples()[0].to_string();
        for bad in [
            text.to_uppercase(),
            format!(" {text}"),
            format!("{text}a"),
            text[..text.len() - 1].to_owned(),
            String::new(),
            "b".to_owned(),
            "b".repeat(100_000),
        ] {
            assert_eq!(bad.parse::<Key>().unwrap_err().code(), Code::InvalidKey);
        }
        assert!(Key::from_bytes(&[]).is_err());
        assert!(Key::from_bytes(&[3; 33]).is_err());
        assert!(Key::from_bytes(&[0; 32]).is_err());
    }

    #[test]
    fn namespace_names_are_bounded() {
        for bad in [String::new(), "x".repeat(129), "a\nb".to_owned()] {
            assert!(Key::namespace(&network(), &bad).is_err());
        }
        assert!(Key::namespace(&network(), "Straße 🎉").is_ok());
    }
}
