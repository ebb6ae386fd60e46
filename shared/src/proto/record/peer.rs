//! Peer records: where a peer can be reached now, signed by its transport key.
//!
//! Knows the fields and their limits, and the proof of which author a peer runs for. Does not
//! parse addresses: multiaddrs stay bytes here.

use minicbor::{Decode, Encode};

use super::Refusal;
use crate::error::Result;
use crate::limits::{
    AUTHOR_PROOF_LIFETIME, MAX_ADDRESS, MAX_CAPABILITIES, MAX_CAPABILITY, MAX_PEER_ADDRESSES,
    MAX_PEER_ID, MAX_PEER_RELAYS, PEER_RECORD_LIFETIME,
};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::key::{Key, NetworkId, PublicKey, SigningKey};
use crate::proto::{Millis, cbor};

/// Domain of peer records.
pub const PEER_DOMAIN: &str = "peer";
/// Domain of author proofs.
pub const AUTHOR_PROOF_DOMAIN: &str = "author-proof";

/// Where a peer can be reached, and what it can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRecord {
    /// Multiaddrs in bytes, at most 16.
    pub addresses: Vec<Vec<u8>>,
    /// Peer ids of its home relays, in bytes.
    pub relays: Vec<Vec<u8>>,
    /// Peer ids of the relays that keep messages for it, in bytes.
    pub mailboxes: Vec<Vec<u8>>,
    /// Features it offers, as short tokens.
    pub capabilities: Vec<String>,
    /// Who it runs for, if it says so.
    pub author: Option<AuthorProof>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct PeerRecordWire {
    #[cbor(n(0), with = "cbor::byte_lists")]
    addresses: Vec<Vec<u8>>,
    #[cbor(n(1), with = "cbor::byte_lists")]
    relays: Vec<Vec<u8>>,
    #[cbor(n(2), with = "cbor::byte_lists")]
    mailboxes: Vec<Vec<u8>>,
    #[n(3)]
    capabilities: Vec<String>,
    /// Empty when absent.
    #[cbor(n(4), with = "minicbor::bytes")]
    author: Vec<u8>,
}

impl PeerRecord {
    /// Where the record of a peer lives.
    pub fn key(transport: &PublicKey) -> Key {
        Key::record(PEER_DOMAIN, transport, "")
    }

    /// Signs the record for the next 30 minutes.
    pub fn sign(
        &self,
        transport: &SigningKey,
        network: &NetworkId,
        seq: u64,
        now: Millis,
    ) -> Result<Envelope> {
        let body = Body {
            domain: PEER_DOMAIN.to_owned(),
            network: network.clone(),
            key: transport.public(),
            label: String::new(),
            seq,
            issued: now,
            expires: now.saturating_add(PEER_RECORD_LIFETIME),
            payload: self.encode(),
        };
        let envelope = Envelope::sign(body, transport)?;
        PeerRecord::open(&envelope)?;
        Ok(envelope)
    }

    /// Reads the record in an envelope and verifies the author's proof.
    pub fn open(envelope: &Envelope) -> Result<PeerRecord, Refusal> {
        let body = envelope.body();
        if body.domain != PEER_DOMAIN {
            return Err(Refusal::Unsupported);
        }
        if !body.label.is_empty() || body.expires - body.issued > PEER_RECORD_LIFETIME {
            return Err(Refusal::Malformed);
        }
        let wire: PeerRecordWire = cbor::decode(&body.payload)?;
        wire.check()?;
        let author = match wire.author.as_slice() {
            [] => None,
            proof => Some(AuthorProof::open(proof, body)?),
        };
        Ok(PeerRecord {
            addresses: wire.addresses,
            relays: wire.relays,
            mailboxes: wire.mailboxes,
            capabilities: wire.capabilities,
            author,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let author = self.author.as_ref().map(|proof| proof.0.bytes().to_vec());
        cbor::encode(&PeerRecordWire {
            addresses: self.addresses.clone(),
            relays: self.relays.clone(),
            mailboxes: self.mailboxes.clone(),
            capabilities: self.capabilities.clone(),
            author: author.unwrap_or_default(),
        })
    }
}

impl PeerRecordWire {
    fn check(&self) -> Result<(), Refusal> {
        bounded(&self.addresses, MAX_PEER_ADDRESSES, MAX_ADDRESS)?;
        bounded(&self.relays, MAX_PEER_RELAYS, MAX_PEER_ID)?;
        bounded(&self.mailboxes, MAX_PEER_RELAYS, MAX_PEER_ID)?;
        bounded(&self.capabilities, MAX_CAPABILITIES, MAX_CAPABILITY)
    }
}

/// At most `count` items, each of 1 to `size` bytes.
pub(in crate::proto) fn bounded<T: AsRef<[u8]>>(
    items: &[T],
    count: usize,
    size: usize,
) -> Result<(), Refusal> {
    if items.len() > count || items.iter().any(|item| item.as_ref().len() > size) {
        return Err(Refusal::Oversized);
    }
    if items.iter().any(|item| item.as_ref().is_empty()) {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

/// An author's signature that a transport key runs for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorProof(Envelope);

impl AuthorProof {
    /// Signs for one transport key, for one day.
    pub fn sign(
        author: &SigningKey,
        transport: &PublicKey,
        network: &NetworkId,
        now: Millis,
    ) -> Result<AuthorProof> {
        let body = Body {
            domain: AUTHOR_PROOF_DOMAIN.to_owned(),
            network: network.clone(),
            key: author.public(),
            label: transport.to_string(),
            seq: now,
            issued: now,
            expires: now.saturating_add(AUTHOR_PROOF_LIFETIME),
            payload: Vec::new(),
        };
        Envelope::sign(body, author).map(AuthorProof)
    }

    /// Who the peer runs for.
    pub fn author(&self) -> PublicKey {
        self.0.body().key
    }

    /// The envelope as it travels.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// When the proof ends; a peer record it is part of must end before.
    pub fn expires(&self) -> Millis {
        self.0.body().expires
    }

    /// Whom a peer runs for, by a proof that stands for itself.
    pub fn check(
        bytes: &[u8],
        transport: &PublicKey,
        network: &NetworkId,
        now: Millis,
    ) -> Result<PublicKey, Refusal> {
        let proof = AuthorProof::read(bytes, transport, network)?;
        proof.0.check_time(now)?;
        Ok(proof.author())
    }

    fn read(
        bytes: &[u8],
        transport: &PublicKey,
        network: &NetworkId,
    ) -> Result<AuthorProof, Refusal> {
        let envelope = Envelope::open(bytes)?;
        let body = envelope.body();
        if body.domain != AUTHOR_PROOF_DOMAIN || !body.payload.is_empty() {
            return Err(Refusal::Malformed);
        }
        if body.label != transport.to_string() {
            return Err(Refusal::WrongKey);
        }
        if body.network != *network {
            return Err(Refusal::WrongNetwork);
        }
        Ok(AuthorProof(envelope))
    }

    /// A proof holds inside `record` when it names its key and network and covers its whole life.
    fn open(bytes: &[u8], record: &Body) -> Result<AuthorProof, Refusal> {
        let proof = AuthorProof::read(bytes, &record.key, &record.network)?;
        let body = proof.0.body();
        if body.issued > record.issued || body.expires < record.expires {
            return Err(Refusal::Expired);
        }
        Ok(proof)
    }
}
