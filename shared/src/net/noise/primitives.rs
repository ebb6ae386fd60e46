//! What the handshake computes with: X25519, ChaCha20-Poly1305 and SHA-256, and nothing else.
//!
//! Curves are the same everywhere; the platform may have faster ciphers and hashes than the
//! portable ones here.

use sha2::{Digest, Sha256};
use snow::Error;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{BoxedCryptoResolver, CryptoResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use crate::platform;

/// Length of keys, and of what they agree on.
pub(super) const KEY: usize = warren_cipher::KEY;
/// What a cipher adds to each message.
pub(super) const TAG: usize = warren_cipher::TAG;

/// Gives `snow` its primitives.
pub(super) struct Primitives {
    /// Ciphers and hashes to be preferred to the portable ones.
    pub(super) fast: Option<BoxedCryptoResolver>,
}

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Entropy))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::<Exchange>::default() as _)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        if let Some(fast) = &self.fast {
            return fast.resolve_hash(choice);
        }
        matches!(choice, HashChoice::SHA256).then(|| Box::<Sha>::default() as _)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        if let Some(fast) = &self.fast {
            return fast.resolve_cipher(choice);
        }
        matches!(choice, CipherChoice::ChaChaPoly).then(|| Box::<ChaChaPoly>::default() as _)
    }
}

struct Entropy;

impl Random for Entropy {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        for part in bytes.chunks_mut(KEY) {
            let fresh = Zeroizing::new(platform::entropy::<KEY>());
            part.copy_from_slice(&fresh[..part.len()]);
        }
        Ok(())
    }
}

/// X25519, with the key of this side.
#[derive(Default)]
pub(super) struct Exchange {
    private: Zeroizing<[u8; KEY]>,
    public: [u8; KEY],
}

impl Exchange {
    /// A new key.
    pub(super) fn fresh() -> Self {
        let mut exchange = Exchange::default();
        exchange.set(&*Zeroizing::new(platform::entropy::<KEY>()));
        exchange
    }
}

impl Dh for Exchange {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY
    }

    fn priv_len(&self) -> usize {
        KEY
    }

    fn set(&mut self, private: &[u8]) {
        self.private.copy_from_slice(private);
        self.public = x25519(*self.private, X25519_BASEPOINT_BYTES);
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), Error> {
        let mut private = Zeroizing::new([0; KEY]);
        random.try_fill_bytes(&mut *private)?;
        self.set(&*private);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &*self.private
    }

    fn dh(&self, remote: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let remote = remote.get(..KEY).and_then(|key| key.try_into().ok());
        let agreed = Zeroizing::new(x25519(*self.private, remote.ok_or(Error::Dh)?));
        // Points of low order agree on zero with everybody.
        if *agreed == [0; KEY] {
            return Err(Error::Dh);
        }
        out[..KEY].copy_from_slice(&*agreed);
        Ok(())
    }
}

#[derive(Default)]
struct Sha(Sha256);

impl Hash for Sha {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Sha256::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let digest = std::mem::take(&mut self.0).finalize();
        out[..digest.len()].copy_from_slice(&digest);
    }
}

#[derive(Default)]
struct ChaChaPoly(Zeroizing<[u8; KEY]>);

/// Noise puts its counter behind four zeros.
fn nonce_bytes(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; KEY]) {
        *self.0 = *key;
    }

    fn encrypt(&self, counter: u64, header: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        let (body, rest) = out.split_at_mut(plain.len());
        body.copy_from_slice(plain);
        let tag = warren_cipher::seal(&self.0, &nonce_bytes(counter), header, body)
            .expect("noise messages are shorter than what the cipher takes");
        rest[..TAG].copy_from_slice(&tag);
        plain.len() + TAG
    }

    fn decrypt(
        &self,
        counter: u64,
        header: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let length = sealed.len().checked_sub(TAG).ok_or(Error::Decrypt)?;
        let (body, tag) = sealed.split_at(length);
        let out = out.get_mut(..length).ok_or(Error::Input)?;
        out.copy_from_slice(body);
        let tag: [u8; TAG] = tag.try_into().map_err(|_| Error::Decrypt)?;
        if !warren_cipher::open(&self.0, &nonce_bytes(counter), header, out, &tag) {
            // What was copied here is whatever somebody sent.
            out.fill(0);
            return Err(Error::Decrypt);
        }
        Ok(length)
    }
}
