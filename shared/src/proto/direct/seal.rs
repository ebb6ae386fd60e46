//! Sealing: only the owner of an Ed25519 key can open what was encrypted to it.
//!
//! Knows keys and bytes. The sender is not proved by a seal: what is inside proves itself.

use warren_cipher::{KEY, TAG};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::record::Refusal;

/// Each seal has a key of its own, which is used once.
const NONCE: [u8; 12] = [0; 12];

/// What a seal adds to the bytes in it.
pub const SEAL: usize = KEY + TAG;

/// Encrypts to an author. `entropy` must be fresh: it becomes the key of this seal.
pub fn seal(to: &PublicKey, plain: &[u8], entropy: [u8; 32]) -> Vec<u8> {
    let secret = Zeroizing::new(entropy);
    let public = x25519(*secret, X25519_BASEPOINT_BYTES);
    // A usable key is no point of small order, so what is agreed on is not zero.
    let agreed = Zeroizing::new(x25519(*secret, to.to_x25519()));
    let mut sealed = Vec::with_capacity(plain.len() + SEAL);
    sealed.extend(public);
    sealed.extend(plain);
    let key = key_of(&agreed, &public, to);
    let tag = warren_cipher::seal(&key, &NONCE, &[], &mut sealed[KEY..])
        .expect("a message is shorter than what the cipher takes");
    sealed.extend_from_slice(&tag);
    sealed
}

/// Decrypts what was sealed to this author.
pub fn open(author: &SigningKey, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (public, rest) = sealed
        .split_first_chunk::<KEY>()
        .ok_or(Refusal::Malformed)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(Refusal::Malformed)?;
    let agreed = Zeroizing::new(x25519(*author.to_x25519(), *public));
    if *agreed == [0; KEY] {
        return Err(Refusal::Malformed);
    }
    let mut plain = body.to_vec();
    let key = key_of(&agreed, public, &author.public());
    match warren_cipher::open(&key, &NONCE, &[], &mut plain, tag) {
        true => Ok(plain),
        false => Err(Refusal::BadSignature),
    }
}

/// Bound to both keys, so that a seal cannot be turned to somebody else.
fn key_of(agreed: &[u8; KEY], public: &[u8; KEY], to: &PublicKey) -> Zeroizing<[u8; KEY]> {
    let mut hasher = blake3::Hasher::new_derive_key("warren 2026 sealed mailbox entry v1");
    hasher.update(agreed).update(public).update(to.as_bytes());
    Zeroizing::new(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_addressee_opens_a_seal() {
        let (to, other) = (
            SigningKey::from_seed([1; 32]),
            SigningKey::from_seed([2; 32]),
        );
        for plain in [&b""[..], b"hello"] {
            let sealed = seal(&to.public(), plain, [3; 32]);
            assert_eq!(sealed.len(), plain.len() + SEAL);
            assert_eq!(open(&to, &sealed).as_deref(), Ok(plain));
            assert!(open(&other, &sealed).is_err());
            for at in 0..sealed.len() {
                let mut broken = sealed.clone();
                broken[at] ^= 1;
                // The highest bit of an X25519 key is not part of it, but it is bound all the same.
                assert!(open(&to, &broken).is_err(), "{at}");
            }
            for length in 0..sealed.len() {
                assert!(open(&to, &sealed[..length]).is_err());
            }
        }
    }

    #[test]
    fn a_point_of_small_order_opens_nothing() {
        let to = SigningKey::from_seed([1; 32]);
        assert_eq!(open(&to, &[0; 64]), Err(Refusal::Malformed));
    }

    #[test]
    fn equal_messages_are_sealed_differently() {
        let to = SigningKey::from_seed([1; 32]).public();
        assert_ne!(
            seal(&to, b"x", [3; 32])[32..],
            seal(&to, b"x", [4; 32])[32..]
        );
    }
}
