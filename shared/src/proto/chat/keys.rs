//! Where a room is and who may speak in it: topic and keys, out of the network, the room's name and,
//! for a private room, its secret.
//!
//! Knows derivations and spellings. Does not know what is said in a room.

use std::fmt;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use multibase::Base;

use crate::error::{Code, Error, Result};
use crate::limits::MAX_NAMESPACE;
use crate::proto::NetworkId;
use crate::proto::key::{PublicKey, SigningKey};

const OPEN_TOPIC: &str = "warren 2026 room topic v1";
const ROOM_KEY: &str = "warren 2026 room key v1";
const CIPHER_KEY: &str = "warren 2026 room cipher v1";

/// The secret of a private room.
pub type Secret = [u8; 16];

/// What a person names to enter a room: its name and, for a private one, its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomRef {
    /// 1 to 128 bytes of text without control characters.
    pub name: String,
    /// Who has it is a member.
    pub secret: Option<Secret>,
}

impl RoomRef {
    /// A room by its name.
    pub fn new(name: &str, secret: Option<Secret>) -> Result<RoomRef> {
        if name.is_empty() || name.len() > MAX_NAMESPACE || name.chars().any(char::is_control) {
            return Err(Error::new(Code::InvalidArgument, "invalid name of a room")
                .with_remedy("Use 1 to 128 bytes of text without control characters."));
        }
        let name = name.to_owned();
        Ok(RoomRef { name, secret })
    }

    /// Reads a name, or a link that ends in what [`Self::fragment`] gives.
    pub fn parse(text: &str) -> Result<RoomRef> {
        let Some((_, rest)) = text.split_once("#room=") else {
            return RoomRef::new(text, None);
        };
        let (name, secret) = match rest.split_once("&secret=") {
            Some((name, secret)) => (name, Some(read_secret(secret)?)),
            None => (rest, None),
        };
        let name = unescaped(name).ok_or_else(not_a_link)?;
        RoomRef::new(&name, secret)
    }

    /// The end of a link to this room, from the `#` on. With the secret, if it has one.
    pub fn fragment(&self) -> String {
        let mut text = format!("#room={}", escaped(&self.name));
        if let Some(secret) = &self.secret {
            text.push_str("&secret=");
            text.push_str(&secret_text(secret));
        }
        text
    }

    /// Its keys in a network.
    pub fn keys(&self, network: &NetworkId) -> RoomKeys {
        let Some(secret) = &self.secret else {
            let id = derive(
                OPEN_TOPIC,
                &[network.as_str().as_bytes(), self.name.as_bytes()],
            );
            let topic = Topic { sealed: false, id };
            return RoomKeys { topic, inner: None };
        };
        let parts = [network.as_str().as_bytes(), self.name.as_bytes(), secret];
        let key = SigningKey::from_seed(derive(ROOM_KEY, &parts));
        RoomKeys {
            topic: Topic {
                sealed: true,
                id: *key.public().as_bytes(),
            },
            inner: Some(Inner {
                key,
                cipher: derive(CIPHER_KEY, &parts),
            }),
        }
    }
}

impl fmt::Debug for RoomRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.secret.is_some() {
            "private"
        } else {
            "public"
        };
        write!(f, "RoomRef({:?}, {kind})", self.name)
    }
}

/// A secret as text: 26 characters.
pub fn secret_text(secret: &Secret) -> String {
    Base::Base32Lower.encode(secret)
}

/// Reads what [`secret_text`] wrote.
pub fn read_secret(text: &str) -> Result<Secret> {
    let short = (text.len() <= 32).then_some(text);
    let bytes = short.and_then(|text| Base::Base32Lower.decode(text).ok());
    let secret = bytes.and_then(|bytes| Secret::try_from(bytes).ok());
    let whole = secret.filter(|secret| secret_text(secret) == text);
    whole.ok_or_else(not_a_link)
}

fn not_a_link() -> Error {
    Error::new(Code::InvalidArgument, "this is not a link to a room")
        .with_remedy("Check that the link was copied whole: its secret has 26 characters.")
}

pub(super) fn derive(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher
            .update(&(part.len() as u64).to_be_bytes())
            .update(part);
    }
    *hasher.finalize().as_bytes()
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte as char),
            _ => {
                out.push('%');
                out.push_str(&Base::Base16Upper.encode([byte]));
            }
        }
    }
    out
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let pair = std::str::from_utf8(rest.get(..2)?).ok()?;
            out.push(u8::from_str_radix(pair, 16).ok()?);
            rest = &rest[2..];
        } else {
            out.push(*first);
        }
    }
    String::from_utf8(out).ok()
}

/// Where a room is: all that relays and strangers know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// Whether it is private.
    pub sealed: bool,
    /// Of a private room the public half of its key, of others a hash of network and name.
    pub id: [u8; 32],
}

impl Topic {
    /// As gossipsub knows it.
    pub fn text(&self, network: &NetworkId) -> String {
        let kind = if self.sealed { 's' } else { 'o' };
        format!("/warren/{network}/room/1/{kind}{}", self.hex())
    }

    /// Reads what [`Self::text`] wrote.
    pub fn parse(network: &NetworkId, text: &str) -> Option<Topic> {
        let prefix = format!("/warren/{network}/room/1/");
        let rest = text.strip_prefix(prefix.as_str())?;
        let sealed = match rest.as_bytes().first()? {
            b's' => true,
            b'o' => false,
            _ => return None,
        };
        let hex = rest.get(1..).filter(|hex| hex.len() == 64)?;
        let id = Base::Base16Lower.decode(hex).ok()?.try_into().ok()?;
        let topic = Topic { sealed, id };
        (topic.hex() == hex).then_some(topic)
    }

    /// Its id as text.
    pub fn hex(&self) -> String {
        Base::Base16Lower.encode(self.id)
    }

    /// One byte for the kind, and the id.
    pub fn to_bytes(&self) -> [u8; 33] {
        let mut bytes = [0; 33];
        bytes[0] = u8::from(self.sealed);
        bytes[1..].copy_from_slice(&self.id);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; 33]) -> Option<Topic> {
        let (kind, id) = bytes.split_first()?;
        let id = id.try_into().ok()?;
        (*kind < 2).then_some(Topic {
            sealed: *kind == 1,
            id,
        })
    }

    /// Who signs the outside of packets in a private room.
    pub(super) fn room_key(&self) -> Option<PublicKey> {
        PublicKey::from_bytes(self.id).ok().filter(|_| self.sealed)
    }
}

impl<C> Encode<C> for Topic {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Topic {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let bytes: [u8; 33] = ByteArray::decode(d, c)?.into();
        Topic::from_bytes(&bytes).ok_or_else(|| decode::Error::message("not a topic"))
    }
}

/// What it takes to read and to write in a room.
#[derive(Clone)]
pub struct RoomKeys {
    topic: Topic,
    pub(super) inner: Option<Inner>,
}

/// What only members of a private room have.
#[derive(Clone)]
pub(super) struct Inner {
    /// Signs the outside of every packet.
    pub key: SigningKey,
    /// Seals the inside.
    pub cipher: [u8; 32],
}

impl RoomKeys {
    /// Where the room is.
    pub fn topic(&self) -> Topic {
        self.topic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> NetworkId {
        "test".parse().unwrap()
    }

    #[test]
    fn links_are_read_back() {
        for (name, secret) in [
            ("general", None),
            ("#general", None),
            ("Küche & Bad / 100 %", Some([7; 16])),
        ] {
            let room = RoomRef::new(name, secret).unwrap();
            let link = format!("https://example.org/page{}", room.fragment());
            assert_eq!(RoomRef::parse(&link).unwrap(), room);
        }
        assert_eq!(RoomRef::parse("#general").unwrap().name, "#general");
        for bad in ["", "a\nb", "#room=x&secret=abc", "#room=%zz", "#room=%e4"] {
            assert!(RoomRef::parse(bad).is_err(), "{bad}");
        }
        assert!(RoomRef::new(&"x".repeat(129), None).is_err());
    }

    #[test]
    fn rooms_differ_by_network_name_and_secret() {
        let room = |name: &str, secret| RoomRef::new(name, secret).unwrap();
        let other: NetworkId = "other".parse().unwrap();
        let topics = [
            room("a", None).keys(&network()).topic(),
            room("b", None).keys(&network()).topic(),
            room("a", None).keys(&other).topic(),
            room("a", Some([1; 16])).keys(&network()).topic(),
            room("a", Some([2; 16])).keys(&network()).topic(),
            room("a", Some([1; 16])).keys(&other).topic(),
        ];
        for (index, topic) in topics.iter().enumerate() {
            assert!(!topics[..index].contains(topic), "{topic:?}");
            assert_eq!(topic.sealed, index >= 3);
        }
    }

    #[test]
    fn topics_have_one_spelling() {
        let topic = RoomRef::new("a", Some([1; 16])).unwrap().keys(&network());
        let text = topic.topic().text(&network());
        assert_eq!(Topic::parse(&network(), &text), Some(topic.topic()));
        assert_eq!(Topic::parse(&"other".parse().unwrap(), &text), None);
        for bad in [
            text.to_uppercase(),
            format!("{text}0"),
            text[..20].to_owned(),
        ] {
            assert_eq!(Topic::parse(&network(), &bad), None, "{bad}");
        }
        assert_eq!(Topic::from_bytes(&[2; 33]), None);
    }
}
