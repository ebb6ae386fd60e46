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
use super::names::WitnessSet;
use super::record::Refusal;
use super::{Millis, cbor};
use crate::error::{Code, Error, Result};
use crate::limits::{
    JOIN_LIFETIME, MAX_ADDRESS_TEXT, MAX_HINT_ADDRESSES, MAX_JOIN_ADDRESSES, MAX_JOIN_RELAYS,
    MAX_JOIN_TEXT, MAX_PAYLOAD, MAX_PEER_ID, MAX_SAFE_INTEGER, MAX_VERSION_TEXT,
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
    pub witnesses: Option<WitnessSet>,
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
            (
                self.witnesses
                    .as_ref()
                    .is_none_or(|set| set.check().is_ok()),
                "impossible witnesses",
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
            (self.version.len() <= MAX_VERSION_TEXT, "too long a version"),
            (self.now <= MAX_SAFE_INTEGER, "impossible time"),
        ];
        rules
            .into_iter()
            .find(|(holds, _)| !holds)
            .map_or(Ok(()), |(_, why)| Err(why))
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
mod tests;
