//! The envelope: everything that is signed travels in one.
//!
//! Knows the signed bytes, the signature, the limits and the times. Does not know what a domain
//! means or whether its payload is sensible: `record` and `join` do.

use minicbor::{Decode, Encode};

use super::key::{Key, NetworkId, PublicKey, SigningKey};
use super::record::Refusal;
use super::{Millis, cbor};
use crate::error::{Code, Error, Result};
use crate::limits::{
    CLOCK_TOLERANCE, MAX_DOMAIN, MAX_ENVELOPE, MAX_LABEL, MAX_LIFETIME, MAX_PAYLOAD,
    MAX_SAFE_INTEGER,
};

/// Precedes the body in the signed bytes: a signature made for anything else is useless here.
const SIGNING_PREFIX: &[u8] = b"warren-envelope-1\0";
const VERSION: u64 = 1;

/// What an envelope says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Which protocol gives the payload its meaning: 1 to 32 of `[a-z0-9-]`.
    pub domain: String,
    /// The only network where it counts.
    pub network: NetworkId,
    /// Who signs it.
    pub key: PublicKey,
    /// Which of the owner's records this is; at most 128 bytes, may be empty.
    pub label: String,
    /// Version of the record; the higher one wins.
    pub seq: u64,
    /// When it was signed.
    pub issued: Millis,
    /// When it stops counting.
    pub expires: Millis,
    /// At most 8 KiB of content.
    pub payload: Vec<u8>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct BodyWire<'a> {
    #[n(0)]
    version: u64,
    #[b(1)]
    domain: &'a str,
    #[n(2)]
    network: NetworkId,
    #[n(3)]
    key: PublicKey,
    #[b(4)]
    label: &'a str,
    #[n(5)]
    seq: u64,
    #[n(6)]
    issued: u64,
    #[n(7)]
    expires: u64,
    #[cbor(b(8), with = "minicbor::bytes")]
    payload: &'a [u8],
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct EnvelopeWire<'a> {
    #[cbor(b(0), with = "minicbor::bytes")]
    body: &'a [u8],
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl Body {
    /// The record location this body belongs to.
    pub fn location(&self) -> Key {
        Key::record(&self.domain, &self.key, &self.label)
    }

    fn encode(&self) -> Vec<u8> {
        cbor::encode(&BodyWire {
            version: VERSION,
            domain: &self.domain,
            network: self.network.clone(),
            key: self.key,
            label: &self.label,
            seq: self.seq,
            issued: self.issued,
            expires: self.expires,
            payload: &self.payload,
        })
    }

    fn decode(bytes: &[u8]) -> Result<Body, Refusal> {
        if cbor::first_integer(bytes)? != VERSION {
            return Err(Refusal::UnknownVersion);
        }
        let wire: BodyWire<'_> = cbor::decode(bytes)?;
        let body = Body {
            domain: wire.domain.to_owned(),
            network: wire.network,
            key: wire.key,
            label: wire.label.to_owned(),
            seq: wire.seq,
            issued: wire.issued,
            expires: wire.expires,
            payload: wire.payload.to_vec(),
        };
        body.check().map(|()| body).map_err(|(refusal, _)| refusal)
    }

    fn check(&self) -> Result<(), (Refusal, &'static str)> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let domain_ok = !self.domain.is_empty() && self.domain.bytes().all(allowed);
        let numbers = [self.seq, self.issued, self.expires];
        let rules = [
            (
                self.payload.len() <= MAX_PAYLOAD,
                Refusal::Oversized,
                "payload beyond 8 KiB",
            ),
            (
                self.domain.len() <= MAX_DOMAIN,
                Refusal::Oversized,
                "domain beyond 32 bytes",
            ),
            (
                self.label.len() <= MAX_LABEL,
                Refusal::Oversized,
                "label beyond 128 bytes",
            ),
            (domain_ok, Refusal::Malformed, "domain not of [a-z0-9-]"),
            (
                !self.label.chars().any(char::is_control),
                Refusal::Malformed,
                "label with control characters",
            ),
            (
                numbers.iter().all(|number| *number <= MAX_SAFE_INTEGER),
                Refusal::Malformed,
                "number beyond 2^53-1",
            ),
            (
                self.issued < self.expires,
                Refusal::Malformed,
                "expires before it is issued",
            ),
            (
                self.expires.saturating_sub(self.issued) <= MAX_LIFETIME,
                Refusal::Malformed,
                "lives longer than 400 days",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, refusal, why)) => Err((refusal, why)),
            None => Ok(()),
        }
    }
}

/// A signed body. Made only by [`Envelope::sign`] and [`Envelope::open`], so it is authentic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    body: Body,
    bytes: Vec<u8>,
}

impl Envelope {
    /// Signs a body; `body.key` must be the signer's public key.
    pub fn sign(body: Body, key: &SigningKey) -> Result<Envelope> {
        if body.key != key.public() {
            return Err(Error::new(
                Code::InvalidKey,
                "the body names another signer",
            ));
        }
        body.check()
            .map_err(|(refusal, why)| cannot_sign(refusal, why))?;
        let encoded = body.encode();
        let signature = key.sign(&signing_bytes(&encoded));
        let bytes = cbor::encode(&EnvelopeWire {
            body: &encoded,
            signature,
        });
        if bytes.len() > MAX_ENVELOPE {
            return Err(cannot_sign(Refusal::Oversized, "envelope beyond 10 KiB"));
        }
        Ok(Envelope { body, bytes })
    }

    /// Reads and verifies an envelope; every accepted envelope has exactly one encoding.
    pub fn open(bytes: &[u8]) -> Result<Envelope, Refusal> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(Refusal::Oversized);
        }
        let wire: EnvelopeWire<'_> = cbor::decode(bytes)?;
        let body = Body::decode(wire.body)?;
        if !body.key.verify(&signing_bytes(wire.body), &wire.signature) {
            return Err(Refusal::BadSignature);
        }
        Ok(Envelope {
            body,
            bytes: bytes.to_vec(),
        })
    }

    /// What it says.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The whole envelope as it travels.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The record location it belongs to.
    pub fn key(&self) -> Key {
        self.body.location()
    }

    /// BLAKE3 of the whole envelope: of two with equal sequence the larger hash wins.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.bytes).as_bytes()
    }

    /// Whether it counts at `now`, with ten minutes of tolerance in either direction.
    pub fn check_time(&self, now: Millis) -> Result<(), Refusal> {
        if self.body.issued > now.saturating_add(CLOCK_TOLERANCE) {
            return Err(Refusal::FutureDated);
        }
        if self.body.expires.saturating_add(CLOCK_TOLERANCE) <= now {
            return Err(Refusal::Expired);
        }
        Ok(())
    }
}

fn signing_bytes(body: &[u8]) -> Vec<u8> {
    [SIGNING_PREFIX, body].concat()
}

fn cannot_sign(refusal: Refusal, why: &str) -> Error {
    let code = if refusal == Refusal::Oversized {
        Code::TooLarge
    } else {
        Code::InvalidArgument
    };
    Error::new(code, format!("cannot sign this: {why}"))
}

#[cfg(test)]
mod tests;
