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
mod tests {
    use super::*;
    use crate::limits::DAY;

    const NOW: Millis = 1_700_000_000_000;

    fn key() -> SigningKey {
        SigningKey::from_seed([1; 32])
    }

    fn body() -> Body {
        Body {
            domain: "test".into(),
            network: "net".parse().unwrap(),
            key: key().public(),
            label: "label".into(),
            seq: 1,
            issued: NOW,
            expires: NOW + DAY,
            payload: b"payload".to_vec(),
        }
    }

    #[test]
    fn signs_and_opens() {
        let signed = Envelope::sign(body(), &key()).unwrap();
        let opened = Envelope::open(signed.bytes()).unwrap();
        assert_eq!(opened, signed);
        assert_eq!(opened.key(), Key::record("test", &key().public(), "label"));
    }

    #[test]
    fn largest_fits() {
        let body = Body {
            domain: "d".repeat(MAX_DOMAIN),
            network: "n".repeat(32).parse().unwrap(),
            label: "l".repeat(MAX_LABEL),
            seq: MAX_SAFE_INTEGER,
            issued: MAX_SAFE_INTEGER - 1,
            expires: MAX_SAFE_INTEGER,
            payload: vec![0; MAX_PAYLOAD],
            ..body()
        };
        let signed = Envelope::sign(body, &key()).unwrap();
        assert!(signed.bytes().len() <= MAX_ENVELOPE);
        Envelope::open(signed.bytes()).unwrap();
    }

    #[test]
    fn refuses_to_sign_what_nobody_would_open() {
        let cases: [(Body, Code); 8] = [
            (
                Body {
                    payload: vec![0; MAX_PAYLOAD + 1],
                    ..body()
                },
                Code::TooLarge,
            ),
            (
                Body {
                    label: "l".repeat(MAX_LABEL + 1),
                    ..body()
                },
                Code::TooLarge,
            ),
            (
                Body {
                    domain: "Upper".into(),
                    ..body()
                },
                Code::InvalidArgument,
            ),
            (
                Body {
                    domain: String::new(),
                    ..body()
                },
                Code::InvalidArgument,
            ),
            (
                Body {
                    seq: MAX_SAFE_INTEGER + 1,
                    ..body()
                },
                Code::InvalidArgument,
            ),
            (
                Body {
                    expires: NOW,
                    ..body()
                },
                Code::InvalidArgument,
            ),
            (
                Body {
                    expires: NOW + 401 * DAY,
                    ..body()
                },
                Code::InvalidArgument,
            ),
            (
                Body {
                    key: SigningKey::from_seed([2; 32]).public(),
                    ..body()
                },
                Code::InvalidKey,
            ),
        ];
        for (body, code) in cases {
            assert_eq!(Envelope::sign(body, &key()).unwrap_err().code(), code);
        }
    }

    #[test]
    fn limits_hold_for_properly_signed_envelopes_too() {
        let long = Body {
            expires: NOW + 401 * DAY,
            ..body()
        };
        let big = Body {
            payload: vec![0; MAX_PAYLOAD + 1],
            ..body()
        };
        let far = Body {
            seq: u64::MAX,
            ..body()
        };
        for (body, why) in [
            (long, Refusal::Malformed),
            (big, Refusal::Oversized),
            (far, Refusal::Malformed),
        ] {
            assert_eq!(Envelope::open(&sign_blindly(&body.encode())), Err(why));
        }
        assert_eq!(
            Envelope::open(&[0; MAX_ENVELOPE + 1]),
            Err(Refusal::Oversized)
        );
    }

    #[test]
    fn another_version_is_named_as_such() {
        let mut encoded = body().encode();
        encoded[1] = 2;
        assert_eq!(
            Envelope::open(&sign_blindly(&encoded)),
            Err(Refusal::UnknownVersion)
        );
    }

    #[test]
    fn a_signature_of_other_bytes_is_refused() {
        let encoded = body().encode();
        let unprefixed = EnvelopeWire {
            body: &encoded,
            signature: key().sign(&encoded),
        };
        assert_eq!(
            Envelope::open(&cbor::encode(&unprefixed)),
            Err(Refusal::BadSignature)
        );
        let thief = SigningKey::from_seed([2; 32]).sign(&signing_bytes(&encoded));
        let stolen = EnvelopeWire {
            body: &encoded,
            signature: thief,
        };
        assert_eq!(
            Envelope::open(&cbor::encode(&stolen)),
            Err(Refusal::BadSignature)
        );
    }

    #[test]
    fn time_has_ten_minutes_of_tolerance() {
        let envelope = Envelope::sign(body(), &key()).unwrap();
        assert_eq!(envelope.check_time(NOW - CLOCK_TOLERANCE), Ok(()));
        assert_eq!(
            envelope.check_time(NOW - CLOCK_TOLERANCE - 1),
            Err(Refusal::FutureDated)
        );
        assert_eq!(envelope.check_time(NOW + DAY + CLOCK_TOLERANCE - 1), Ok(()));
        assert_eq!(
            envelope.check_time(NOW + DAY + CLOCK_TOLERANCE),
            Err(Refusal::Expired)
        );
        assert_eq!(envelope.check_time(u64::MAX), Err(Refusal::Expired));
    }

    fn sign_blindly(encoded: &[u8]) -> Vec<u8> {
        let signature = key().sign(&signing_bytes(encoded));
        cbor::encode(&EnvelopeWire {
            body: encoded,
            signature,
        })
    }
}
