//! XChaCha20-Poly1305 out of the ChaCha20-Poly1305 that is here anyway: HChaCha20 makes a key of the
//! cipher key and the first 16 bytes of the nonce, and the other 8 bytes are the nonce under that key.
//! A page downloads the cipher once that way.

use warren_cipher::TAG;

use super::packet::Nonce;

/// Nonce, ciphertext and tag.
pub(super) fn seal(key: &[u8; 32], nonce: &Nonce, topic: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let (subkey, short) = under(key, nonce);
    let mut sealed = [nonce.as_slice(), plain].concat();
    let tag = warren_cipher::seal(&subkey, &short, topic, &mut sealed[nonce.len()..])?;
    sealed.extend_from_slice(&tag);
    Some(sealed)
}

/// What [`seal`] was given, if it was sealed with this key for this topic.
pub(super) fn unseal(key: &[u8; 32], topic: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = sealed.split_first_chunk::<24>()?;
    let (text, tag) = rest.split_last_chunk::<TAG>()?;
    let (subkey, short) = under(key, nonce);
    let mut plain = text.to_vec();
    warren_cipher::open(&subkey, &short, topic, &mut plain, tag).then_some(plain)
}

/// The key and the nonce that these two come to.
fn under(key: &[u8; 32], nonce: &Nonce) -> ([u8; 32], [u8; 12]) {
    let (first, last) = nonce.split_at(16);
    let mut short = [0; 12];
    short[4..].copy_from_slice(last);
    (hchacha20(key, first), short)
}

/// Twenty rounds of ChaCha over key and input, without the addition at the end.
fn hchacha20(key: &[u8; 32], input: &[u8]) -> [u8; 32] {
    let mut state = [0u32; 16];
    let bytes = [b"expand 32-byte k", key.as_slice(), input].concat();
    let (words, _) = bytes.as_chunks::<4>();
    for (place, word) in state.iter_mut().zip(words) {
        *place = u32::from_le_bytes(*word);
    }
    for _ in 0..10 {
        for column in 0..4 {
            quarter(&mut state, [0, 1, 2, 3].map(|row| 4 * row + column));
        }
        for column in 0..4 {
            quarter(
                &mut state,
                [0, 1, 2, 3].map(|row| 4 * row + (column + row) % 4),
            );
        }
    }
    let mut subkey = [0; 32];
    let words = state[..4].iter().chain(&state[12..]);
    for (place, word) in subkey.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    subkey
}

fn quarter(state: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    for (sum, by, turned, bits) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        state[sum] = state[sum].wrapping_add(state[by]);
        state[turned] = (state[turned] ^ state[sum]).rotate_left(bits);
    }
}

#[cfg(test)]
mod tests {
    use chacha20poly1305::aead::AeadInOut;
    use chacha20poly1305::{KeyInit, XChaCha20Poly1305};

    use super::*;
    use crate::proto::prng::Prng;

    #[test]
    fn it_is_the_cipher_of_the_library() {
        let mut random = Prng::new(1);
        for length in [0, 1, 63, 64, 65, 1_000] {
            let mut bytes = |length: usize| -> Vec<u8> {
                (0..length).map(|_| random.next_u64() as u8).collect()
            };
            let key: [u8; 32] = bytes(32).try_into().unwrap();
            let nonce: Nonce = bytes(24).try_into().unwrap();
            let (plain, topic) = (bytes(length), bytes(33));
            let sealed = seal(&key, &nonce, &topic, &plain).unwrap();
            let library = XChaCha20Poly1305::new(&key.into());
            let mut text = plain.clone();
            let tag = library
                .encrypt_inout_detached((&nonce).into(), &topic, text.as_mut_slice().into())
                .unwrap();
            assert_eq!(sealed, [nonce.as_slice(), &text, &tag].concat());
            assert_eq!(unseal(&key, &topic, &sealed), Some(plain));
            for place in [0, 20, sealed.len() - 1] {
                let mut changed = sealed.clone();
                changed[place] ^= 1;
                assert_eq!(unseal(&key, &topic, &changed), None);
            }
            assert_eq!(unseal(&key, b"elsewhere", &sealed), None);
        }
        assert_eq!(unseal(&[0; 32], b"", &[0; 39]), None);
    }

    /// The example of draft-irtf-cfrg-xchacha, section 2.2.1.
    #[test]
    fn it_makes_the_key_of_the_draft() {
        let key: [u8; 32] = std::array::from_fn(|place| place as u8);
        let input = [
            0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0, 0x31, 0x41, 0x59, 0x27,
        ];
        let subkey = hchacha20(&key, &input);
        assert_eq!(
            subkey[..8],
            [0x82, 0x41, 0x3b, 0x42, 0x27, 0xb2, 0x7b, 0xfe]
        );
    }
}
