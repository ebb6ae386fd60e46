//! The join document, `/.well-known/warren.json`: all a page needs to join a network.
//!
//! Knows its fields, limits and signature. The readable JSON around the signed part is for people
//! and is never believed. Does not fetch anything, and does not judge its age: a device with a
//! wrong clock must be able to join.

use minicbor::{Decode, Encode};
use multibase::Base;
use serde::{Deserialize, Serialize};

use super::envelope::{Body, Envelope};
use super::key::{NetworkId, PublicKey, SigningKey};
use super::record::Refusal;
use super::{Millis, cbor};
use crate::error::{Code, Error, Result};
use crate::limits::{
    JOIN_LIFETIME, MAX_ADDRESS_TEXT, MAX_HINT_ADDRESSES, MAX_JOIN_ADDRESSES, MAX_JOIN_RELAYS,
    MAX_JOIN_TEXT, MAX_PAYLOAD, MAX_PEER_ID, MAX_SAFE_INTEGER, MAX_VERSION_TEXT, MAX_WITNESSES,
};

/// Domain of join documents.
pub const JOIN_DOMAIN: &str = "join";
/// Peer ids in base 58 are a bit longer than in bytes.
const MAX_PEER_TEXT: usize = 2 * MAX_PEER_ID;

/// How to join a network through one relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Encode, Decode)]
#[cbor(array)]
pub struct JoinDocument {
    /// The network.
    #[n(0)]
    pub network: NetworkId,
    /// The relay's peer id, which contains the key that signs this.
    #[n(1)]
    pub peer: String,
    /// Its multiaddrs, certificate hashes included.
    #[n(2)]
    pub addresses: Vec<String>,
    /// Its HTTP URL, if it serves pages.
    #[n(3)]
    pub http: Option<String>,
    /// Its STUN address, as `stun:host:port`.
    #[n(4)]
    pub stun: Option<String>,
    /// Who may witness names.
    #[n(5)]
    pub witnesses: Option<Witnesses>,
    /// Other relays it knows, best first.
    #[n(6)]
    pub relays: Vec<RelayHint>,
    /// Version of its software.
    #[n(7)]
    pub version: String,
    /// Its clock when it signed.
    #[n(8)]
    pub now: Millis,
}

/// The witness set of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Encode, Decode)]
#[cbor(array)]
pub struct Witnesses {
    /// Number of the set.
    #[n(0)]
    pub epoch: u64,
    /// How many must sign.
    #[n(1)]
    pub quorum: u64,
    /// Who they are.
    #[n(2)]
    pub keys: Vec<PublicKey>,
}

/// Another relay: a hint, to be authenticated when it is dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Encode, Decode)]
#[cbor(array)]
pub struct RelayHint {
    /// Its peer id.
    #[n(0)]
    pub peer: String,
    /// Its multiaddrs.
    #[n(1)]
    pub addresses: Vec<String>,
    /// Its HTTP URL, if it has one: where it is probed.
    #[n(2)]
    pub http: Option<String>,
}

#[derive(Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    document: &'a JoinDocument,
    envelope: String,
}

#[derive(Deserialize)]
struct SignedPart {
    envelope: String,
}

impl JoinDocument {
    /// Signs the document with the relay's transport key. The last of the other relays are left
    /// out when they do not fit.
    pub fn to_json(&self, key: &SigningKey) -> Result<String> {
        let mut document = self.clone();
        while cbor::encode(&document).len() > MAX_PAYLOAD && document.relays.pop().is_some() {}
        let envelope = Base::Base64Url.encode(document.envelope(key)?.bytes());
        serde_json::to_string_pretty(&Page {
            document: &document,
            envelope,
        })
        .map_err(|error| Error::new(Code::Internal, "cannot write JSON").caused_by(error))
    }

    /// The signed part.
    pub fn envelope(&self, key: &SigningKey) -> Result<Envelope> {
        self.check(&key.public()).map_err(|why| {
            Error::new(
                Code::InvalidArgument,
                format!("cannot sign this join document: {why}"),
            )
        })?;
        Envelope::sign(self.body(key.public()), key)
    }

    /// Reads the signed part of a document and ignores everything around it.
    pub fn from_json(text: &str) -> Result<JoinDocument> {
        if text.len() > MAX_JOIN_TEXT {
            return Err(not_a_document("longer than 64 KiB"));
        }
        let part: SignedPart = serde_json::from_str(text).map_err(not_a_document)?;
        let bytes = Base::Base64Url
            .decode(&part.envelope)
            .map_err(not_a_document)?;
        let envelope = Envelope::open(&bytes).map_err(not_a_document)?;
        Self::open(&envelope)
    }

    fn open(envelope: &Envelope) -> Result<JoinDocument> {
        let body = envelope.body();
        let document: JoinDocument =
            cbor::decode(&body.payload).map_err(|_| not_a_document(Refusal::Malformed))?;
        document.check(&body.key).map_err(not_a_document)?;
        if document.body(body.key) != *body {
            return Err(not_a_document(
                "the signed envelope contradicts the document",
            ));
        }
        Ok(document)
    }

    fn body(&self, key: PublicKey) -> Body {
        Body {
            domain: JOIN_DOMAIN.to_owned(),
            network: self.network.clone(),
            key,
            label: String::new(),
            seq: self.now,
            issued: self.now,
            expires: self.now.saturating_add(JOIN_LIFETIME),
            payload: cbor::encode(self),
        }
    }

    fn check(&self, signer: &PublicKey) -> Result<(), &'static str> {
        let hints_fit = self.relays.len() <= MAX_JOIN_RELAYS && self.relays.iter().all(hint_fits);
        let rules = [
            (
                self.peer == signer.to_peer_id(),
                "its peer id does not contain the key that signs",
            ),
            (
                texts_fit(&self.addresses, MAX_JOIN_ADDRESSES),
                "too many or too long addresses",
            ),
            (hints_fit, "too many relays, or one beyond its limits"),
            (
                self.http.as_deref().is_none_or(is_http_url),
                "its URL is not http or https",
            ),
            (
                self.stun.as_deref().is_none_or(is_stun),
                "its STUN address is not stun:host:port",
            ),
            (
                self.witnesses.as_ref().is_none_or(Witnesses::consistent),
                "impossible witnesses",
            ),
            (self.version.len() <= MAX_VERSION_TEXT, "too long a version"),
            (self.now <= MAX_SAFE_INTEGER, "impossible time"),
        ];
        rules
            .into_iter()
            .find(|(holds, _)| !holds)
            .map_or(Ok(()), |(_, why)| Err(why))
    }
}

impl Witnesses {
    fn consistent(&self) -> bool {
        let count = self.keys.len();
        let distinct = self
            .keys
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            == count;
        let quorum_ok = (1..=count as u64).contains(&self.quorum);
        count <= MAX_WITNESSES && distinct && quorum_ok && self.epoch <= MAX_SAFE_INTEGER
    }
}

fn hint_fits(hint: &RelayHint) -> bool {
    (1..=MAX_PEER_TEXT).contains(&hint.peer.len())
        && texts_fit(&hint.addresses, MAX_HINT_ADDRESSES)
        && hint.http.as_deref().is_none_or(is_http_url)
}

fn texts_fit(texts: &[String], count: usize) -> bool {
    texts.len() <= count
        && texts
            .iter()
            .all(|text| (1..=MAX_ADDRESS_TEXT).contains(&text.len()))
}

fn is_http_url(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let clean = !url.chars().any(|c| c.is_control() || c.is_whitespace());
    url.len() <= MAX_ADDRESS_TEXT && clean && rest.is_some_and(|rest| !rest.is_empty())
}

fn is_stun(address: &str) -> bool {
    address.len() <= MAX_ADDRESS_TEXT
        && address
            .strip_prefix("stun:")
            .is_some_and(|rest| !rest.is_empty())
}

fn not_a_document(cause: impl std::fmt::Display) -> Error {
    Error::new(Code::JoinFailed, "not a valid join document")
        .caused_by(cause)
        .with_remedy("Check that the URL is that of a Warren relay of the same version.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed([1; 32])
    }

    fn hint(number: usize) -> RelayHint {
        RelayHint {
            peer: SigningKey::from_seed([number as u8; 32])
                .public()
                .to_peer_id(),
            addresses: vec![format!("/ip4/192.0.2.{number}/tcp/4001")],
            http: Some(format!("http://192.0.2.{number}:8080")),
        }
    }

    fn document() -> JoinDocument {
        JoinDocument {
            network: "net".parse().unwrap(),
            peer: key().public().to_peer_id(),
            addresses: vec!["/ip4/192.0.2.1/tcp/4001".into()],
            http: Some("http://192.0.2.1:8080".into()),
            stun: Some("stun:192.0.2.1:4002".into()),
            witnesses: Some(Witnesses {
                epoch: 1,
                quorum: 1,
                keys: vec![key().public()],
            }),
            relays: vec![hint(2), hint(3)],
            version: "0.1.0".into(),
            now: 1_700_000_000_000,
        }
    }

    #[test]
    fn round_trips() {
        let bare = JoinDocument {
            http: None,
            stun: None,
            witnesses: None,
            relays: vec![],
            addresses: vec![],
            ..document()
        };
        for document in [document(), bare] {
            let text = document.to_json(&key()).unwrap();
            assert_eq!(JoinDocument::from_json(&text).unwrap(), document);
        }
    }

    #[test]
    fn believes_only_the_signed_part() {
        let text = document().to_json(&key()).unwrap();
        let edited = text
            .replace("192.0.2.1", "203.0.113.66")
            .replace("\"net\"", "\"evil\"");
        assert_ne!(edited, text);
        assert_eq!(JoinDocument::from_json(&edited).unwrap(), document());
    }

    #[test]
    fn the_signer_must_be_the_peer() {
        let thief = SigningKey::from_seed([9; 32]);
        assert!(document().to_json(&thief).is_err());
        let body = Body {
            key: thief.public(),
            ..document().body(key().public())
        };
        let envelope = Envelope::sign(body, &thief).unwrap();
        let text = format!(
            "{{\"envelope\":\"{}\"}}",
            Base::Base64Url.encode(envelope.bytes())
        );
        let error = JoinDocument::from_json(&text).unwrap_err();
        assert_eq!(error.code(), Code::JoinFailed);
        assert!(error.cause().unwrap().contains("peer id"));
    }

    #[test]
    fn other_envelopes_of_the_relay_are_no_documents() {
        let body = Body {
            domain: "value".into(),
            ..document().body(key().public())
        };
        let envelope = Envelope::sign(body, &key()).unwrap();
        assert!(JoinDocument::open(&envelope).is_err());
    }

    #[test]
    fn leaves_out_relays_that_do_not_fit() {
        let long = "/dns4/".to_owned() + &"x".repeat(500);
        let relays = (2..10)
            .map(|number| RelayHint {
                addresses: vec![long.clone(); 8],
                ..hint(number)
            })
            .collect();
        let text = JoinDocument {
            relays,
            ..document()
        }
        .to_json(&key())
        .unwrap();
        assert_eq!(JoinDocument::from_json(&text).unwrap().relays.len(), 1);
    }

    #[test]
    fn limits_hold() {
        let many = vec!["/ip4/192.0.2.1".to_owned(); 17];
        for bad in [
            JoinDocument {
                addresses: many,
                ..document()
            },
            JoinDocument {
                http: Some("javascript:alert(1)".into()),
                ..document()
            },
            JoinDocument {
                http: Some("http://a b".into()),
                ..document()
            },
            JoinDocument {
                stun: Some("turn:a".into()),
                ..document()
            },
            JoinDocument {
                version: "v".repeat(65),
                ..document()
            },
            JoinDocument {
                now: u64::MAX,
                ..document()
            },
            JoinDocument {
                witnesses: Some(Witnesses {
                    epoch: 1,
                    quorum: 2,
                    keys: vec![key().public()],
                }),
                ..document()
            },
        ] {
            assert!(bad.to_json(&key()).is_err(), "{bad:?}");
        }
        for bad in [
            "",
            "{}",
            "[]",
            "{\"envelope\":\"!\"}",
            "{\"envelope\":\"\"}",
        ] {
            assert_eq!(
                JoinDocument::from_json(bad).unwrap_err().code(),
                Code::JoinFailed
            );
        }
    }
}
