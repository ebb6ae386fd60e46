//! How a message travels: signed by its author and, in a private room, sealed inside and signed with
//! the room's key outside, so that relays drop what outsiders send without being able to read anything.
//!
//! Knows bytes, signatures and the seal. Does not know which messages are there already.

use minicbor::{Decode, Encode};

use super::keys::{Inner, RoomKeys, Topic};
use super::message::{Body, VERSION};
use super::seal::{seal, unseal};
use crate::limits::{CLOCK_TOLERANCE, MAX_CHAT_PACKET};
use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// Precedes what an author signs, and what a room's key signs.
const AUTHOR_PREFIX: &[u8] = b"warren-room-author-1\0";
const ROOM_PREFIX: &[u8] = b"warren-room-packet-1\0";

/// Random bytes that seal one packet.
pub type Nonce = [u8; 24];

/// Names a packet: the first 20 bytes of its BLAKE3, as gossipsub does.
pub type PacketId = [u8; 20];

/// The name of a packet.
pub fn packet_id(packet: &[u8]) -> PacketId {
    let mut id = [0; 20];
    id.copy_from_slice(&blake3::hash(packet).as_bytes()[..20]);
    id
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum Wire<'a> {
    /// Everybody can read it.
    #[n(0)]
    Open {
        #[cbor(b(0), with = "minicbor::bytes")]
        body: &'a [u8],
        #[cbor(n(1), with = "minicbor::bytes")]
        signature: [u8; 64],
    },
    /// Members can.
    #[n(1)]
    Sealed {
        /// As inside; relays keep what lasts, in the order of time.
        #[n(0)]
        time: Millis,
        #[n(1)]
        lasts: bool,
        /// Nonce and ciphertext.
        #[cbor(b(2), with = "minicbor::bytes")]
        sealed: &'a [u8],
        #[cbor(n(3), with = "minicbor::bytes")]
        signature: [u8; 64],
    },
}

/// What is inside the seal.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Inside<'a> {
    #[cbor(b(0), with = "minicbor::bytes")]
    body: &'a [u8],
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// What can be seen of a packet without the keys of its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// When it was said, as its author or the room says.
    pub time: Millis,
    /// Whether it is to be kept.
    pub lasts: bool,
    /// What it says, in a public room.
    pub body: Option<Body>,
}

impl Outside {
    /// Who said it, as far as that can be seen.
    pub fn author(&self) -> Option<PublicKey> {
        self.body.as_ref().map(|body| body.author)
    }
}

/// Checks a packet as a relay does: by everything that can be seen without the room's secret.
pub fn inspect(topic: &Topic, packet: &[u8]) -> Result<Outside, Refusal> {
    match parse(packet)? {
        Wire::Open { body, signature } if !topic.sealed => {
            let body = signed_body(topic, body, &signature)?;
            Ok(Outside {
                time: body.time(),
                lasts: body.content.lasts(),
                body: Some(body),
            })
        }
        Wire::Sealed {
            time,
            lasts,
            sealed,
            signature,
        } if topic.sealed => {
            let key = topic.room_key().ok_or(Refusal::WrongKey)?;
            let signed = outer_bytes(topic, time, lasts, sealed);
            if !key.verify(&signed, &signature) {
                return Err(Refusal::BadSignature);
            }
            Ok(Outside {
                time,
                lasts,
                body: None,
            })
        }
        _ => Err(Refusal::Malformed),
    }
}

/// What a packet of a public room says, if it was checked before: no signature is verified.
pub fn peek(topic: &Topic, packet: &[u8]) -> Option<Body> {
    match parse(packet).ok()? {
        Wire::Open { body, .. } if !topic.sealed => cbor::decode(body).ok(),
        _ => None,
    }
}

/// Whether a message of that time can be said now. What is not kept counts at its time only.
pub fn check_time(time: Millis, lasts: bool, now: Millis) -> Result<(), Refusal> {
    if time > now.saturating_add(CLOCK_TOLERANCE) {
        return Err(Refusal::FutureDated);
    }
    if !lasts && time.saturating_add(CLOCK_TOLERANCE) < now {
        return Err(Refusal::Expired);
    }
    Ok(())
}

impl RoomKeys {
    /// Signs what an author says, and seals it in a private room.
    pub fn write(
        &self,
        body: &Body,
        author: &SigningKey,
        nonce: &Nonce,
    ) -> Result<Vec<u8>, Refusal> {
        if body.author != author.public() || body.topic != self.topic() {
            return Err(Refusal::WrongKey);
        }
        body.check()?;
        let encoded = cbor::encode(body);
        let signature = author.sign(&[AUTHOR_PREFIX, &encoded].concat());
        let packet = match &self.inner {
            None => cbor::encode(&Wire::Open {
                body: &encoded,
                signature,
            }),
            Some(inner) => {
                let inside = Inside {
                    body: &encoded,
                    signature,
                };
                let lasts = body.content.lasts();
                sealed(&self.topic(), inner, &inside, (body.time(), lasts), nonce)?
            }
        };
        match packet.len() <= MAX_CHAT_PACKET {
            true => Ok(packet),
            false => Err(Refusal::Oversized),
        }
    }

    /// Reads and verifies a packet of this room.
    pub fn read(&self, packet: &[u8]) -> Result<Body, Refusal> {
        let topic = self.topic();
        let outside = inspect(&topic, packet)?;
        let Some(inner) = &self.inner else {
            return outside.body.ok_or(Refusal::Malformed);
        };
        let Wire::Sealed { sealed, .. } = parse(packet)? else {
            return Err(Refusal::Malformed);
        };
        let plain = unseal(&inner.cipher, &topic.to_bytes(), sealed);
        let plain = plain.ok_or(Refusal::BadSignature)?;
        let inside: Inside<'_> = cbor::decode(&plain)?;
        let body = signed_body(&topic, inside.body, &inside.signature)?;
        let same = body.time() == outside.time && body.content.lasts() == outside.lasts;
        same.then_some(body).ok_or(Refusal::Malformed)
    }
}

fn parse(packet: &[u8]) -> Result<Wire<'_>, Refusal> {
    match packet.len() <= MAX_CHAT_PACKET {
        true => Ok(cbor::decode(packet)?),
        false => Err(Refusal::Oversized),
    }
}

fn signed_body(topic: &Topic, bytes: &[u8], signature: &[u8; 64]) -> Result<Body, Refusal> {
    if cbor::first_integer(bytes)? != VERSION {
        return Err(Refusal::UnknownVersion);
    }
    let body: Body = cbor::decode(bytes)?;
    body.check()?;
    if body.topic != *topic {
        return Err(Refusal::WrongKey);
    }
    let signed = [AUTHOR_PREFIX, bytes].concat();
    match body.author.verify(&signed, signature) {
        true => Ok(body),
        false => Err(Refusal::BadSignature),
    }
}

fn outer_bytes(topic: &Topic, time: Millis, lasts: bool, sealed: &[u8]) -> Vec<u8> {
    let (time, lasts) = (time.to_be_bytes(), [u8::from(lasts)]);
    [ROOM_PREFIX, &topic.to_bytes(), &time, &lasts, sealed].concat()
}

fn sealed(
    topic: &Topic,
    inner: &Inner,
    inside: &Inside<'_>,
    (time, lasts): (Millis, bool),
    nonce: &Nonce,
) -> Result<Vec<u8>, Refusal> {
    let sealed = seal(
        &inner.cipher,
        nonce,
        &topic.to_bytes(),
        &cbor::encode(inside),
    );
    let sealed = sealed.ok_or(Refusal::Oversized)?;
    let signature = inner.key.sign(&outer_bytes(topic, time, lasts, &sealed));
    Ok(cbor::encode(&Wire::Sealed {
        time,
        lasts,
        sealed: &sealed,
        signature,
    }))
}

#[cfg(test)]
mod tests;
