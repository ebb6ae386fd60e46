//! Ed25519 keys and their three spellings: hex, libp2p peer id, base-36 CID.
//!
//! Knows strict verification (no small-order keys, no second encoding of a key). Does not know
//! what is signed: callers prefix a domain.

use std::{fmt, str::FromStr};

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use minicbor::{Decode, Decoder, Encode, Encoder, bytes::ByteArray, decode, encode};
use multibase::Base;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::error::{Code, Error, Result};

/// Identity multihash of the protobuf of an Ed25519 key: what libp2p calls a peer id.
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
/// CIDv1 with the codec `libp2p-key` before that multihash.
const CID_PREFIX: [u8; 2] = [0x01, 0x72];
/// No spelling of a key is longer; longer input is not even decoded.
const MAX_TEXT: usize = 128;

/// An Ed25519 public key: a canonical point that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Accepts 32 bytes that are a usable key.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self> {
        #[cfg(test)]
        if super::memo::verdict(&[&bytes], || Self::point(bytes).is_ok()) {
            return Ok(Self(bytes));
        }
        Self::point(bytes)
    }

    fn point(bytes: [u8; 32]) -> Result<Self> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| invalid("not a curve point"))?;
        if key.is_weak() {
            return Err(invalid("a point of small order"));
        }
        if key.to_edwards().compress().0 != bytes {
            return Err(invalid("not the canonical encoding of its point"));
        }
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Verifies a signature strictly: one message has one valid signature encoding per signer.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        #[cfg(test)]
        return super::memo::verdict(&[&self.0, signature, message], || {
            self.check(message, signature)
        });
        #[cfg(not(test))]
        self.check(message, signature)
    }

    fn check(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            key.verify_strict(message, &Signature::from_bytes(signature))
                .is_ok()
        })
    }

    /// The same point for key agreement: the key that [`SigningKey::to_x25519`] belongs to.
    pub fn to_x25519(&self) -> [u8; 32] {
        // Checked when the key was made.
        VerifyingKey::from_bytes(&self.0).map_or([0; 32], |key| key.to_montgomery().to_bytes())
    }

    /// The key as a base-36 libp2p-key CID, `k51…`: a valid DNS label.
    pub fn to_base36(&self) -> String {
        let mut bytes = CID_PREFIX.to_vec();
        bytes.extend(self.to_peer_id_bytes());
        multibase::encode(Base::Base36Lower, bytes)
    }

    /// Reads what [`Self::to_base36`] wrote.
    pub fn from_base36(text: &str) -> Result<Self> {
        let bytes = decode_base(Base::Base36Lower, text.strip_prefix('k'))?;
        match bytes.strip_prefix(&CID_PREFIX) {
            Some(multihash) => Self::from_peer_id_bytes(multihash),
            None => Err(invalid("not a libp2p-key CID")),
        }
    }

    /// The key as a libp2p peer id in bytes.
    pub fn to_peer_id_bytes(&self) -> Vec<u8> {
        [PEER_ID_PREFIX.as_slice(), &self.0].concat()
    }

    /// Reads a peer id that contains its key; RSA and other hashed ids do not.
    pub fn from_peer_id_bytes(bytes: &[u8]) -> Result<Self> {
        match bytes
            .strip_prefix(&PEER_ID_PREFIX)
            .map(<[u8; 32]>::try_from)
        {
            Some(Ok(key)) => Self::from_bytes(key),
            _ => Err(invalid("not the peer id of an Ed25519 key")),
        }
    }

    /// The key as a libp2p peer id, `12D3Koo…`.
    pub fn to_peer_id(&self) -> String {
        Base::Base58Btc.encode(self.to_peer_id_bytes())
    }

    /// Reads what [`Self::to_peer_id`] wrote.
    pub fn from_peer_id(text: &str) -> Result<Self> {
        Self::from_peer_id_bytes(&decode_base(Base::Base58Btc, Some(text))?)
    }
}

fn decode_base(base: Base, text: Option<&str>) -> Result<Vec<u8>> {
    let text = text
        .filter(|text| text.len() <= MAX_TEXT)
        .ok_or_else(|| invalid("not a key"))?;
    base.decode(text)
        .map_err(|error| invalid("not a key").caused_by(error))
}

fn invalid(why: &str) -> Error {
    Error::new(Code::InvalidKey, format!("invalid public key: {why}"))
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Base::Base16Lower.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = decode_base(Base::Base16Lower, Some(text))?;
        Self::from_bytes(bytes.try_into().map_err(|_| invalid("not 32 bytes"))?)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<C> Encode<C> for PublicKey {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PublicKey {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let bytes = ByteArray::<32>::decode(d, c)?;
        Self::from_bytes(bytes.into()).map_err(|_| decode::Error::message("not a public key"))
    }
}

/// An Ed25519 secret key; wiped from memory when dropped, never shown.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key that grows from a seed. Any 32 bytes of entropy will do.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The seed, to be kept secret.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The secret for key agreement.
    pub fn to_x25519(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_scalar_bytes())
    }

    /// Signs bytes as they are: the caller has prefixed a domain.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_round_trip() {
        let key = SigningKey::from_seed([1; 32]).public();
        assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        assert_eq!(PublicKey::from_base36(&key.to_base36()).unwrap(), key);
        assert_eq!(PublicKey::from_peer_id(&key.to_peer_id()).unwrap(), key);
        assert!(key.to_base36().starts_with("k51"), "{}", key.to_base36());
        assert!(key.to_base36().len() <= 63, "must be a DNS label");
        assert!(
            key.to_peer_id().starts_with("12D3KooW"),
            "{}",
            key.to_peer_id()
        );
    }

    #[test]
    fn agrees_with_libp2p_on_peer_ids() {
        let seed = [7; 32];
        let theirs = libp2p::identity::Keypair::ed25519_from_bytes(seed).unwrap();
        let ours = SigningKey::from_seed(seed).public();
        assert_eq!(ours.to_peer_id(), theirs.public().to_peer_id().to_base58());
        assert_eq!(
            ours.to_peer_id_bytes(),
            theirs.public().to_peer_id().to_bytes()
        );
    }

    #[test]
    fn refuses_weak_and_odd_keys() {
        let mut one = [0; 32];
        one[0] = 1;
        let mut one_plus_p = [0xff; 32];
        one_plus_p[0] = 0xee;
        one_plus_p[31] = 0x7f;
        for bytes in [one, one_plus_p, [0; 32], [2; 32]] {
            assert_eq!(
                PublicKey::from_bytes(bytes).unwrap_err().code(),
                Code::InvalidKey
            );
        }
    }

    #[test]
    fn refuses_long_text_without_decoding_it() {
        let long = "k".repeat(100_000);
        assert!(PublicKey::from_base36(&long).is_err());
        assert!(PublicKey::from_peer_id(&long).is_err());
        assert!(long.parse::<PublicKey>().is_err());
    }

    #[test]
    fn debug_hides_the_seed() {
        let key = SigningKey::from_seed([0xab; 32]);
        assert!(!format!("{key:?}").contains("abab"));
    }
}
