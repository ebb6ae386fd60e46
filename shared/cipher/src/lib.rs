//! ChaCha20-Poly1305: what connections, direct messages and rooms are sealed with.
//!
//! It is a crate of its own because pages get everything compiled for size, and this for speed: a third of what a page did
//! while it fetched a file was to open what came. The cipher of the library is generic, so it is compiled where it is used.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};

/// Length of keys.
pub const KEY: usize = 32;
/// Length of the number of a message under its key.
pub const NONCE: usize = 12;
/// Length of what proves that nothing was changed.
pub const TAG: usize = 16;

/// Seals in place. A key seals one message with each nonce. Nothing when there are more bytes than the cipher takes, which
/// are 256 GiB.
#[inline(never)]
pub fn seal(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    beside: &[u8],
    bytes: &mut [u8],
) -> Option<[u8; TAG]> {
    let cipher = ChaCha20Poly1305::new(key.into());
    let tag = cipher.encrypt_inout_detached(nonce.into(), beside, bytes.into());
    tag.ok().map(Into::into)
}

/// Opens in place what was sealed. What does not verify stays as it was, and is not to be used.
#[inline(never)]
pub fn open(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    beside: &[u8],
    bytes: &mut [u8],
    tag: &[u8; TAG],
) -> bool {
    let cipher = ChaCha20Poly1305::new(key.into());
    let opened = cipher.decrypt_inout_detached(nonce.into(), beside, bytes.into(), tag.into());
    opened.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, 2.8.2.
    #[test]
    fn it_is_the_cipher_of_the_standard() {
        let key: [u8; KEY] = std::array::from_fn(|at| 0x80 + at as u8);
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let beside = [
            0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
        ];
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let mut bytes = plain.to_vec();
        let tag = seal(&key, &nonce, &beside, &mut bytes).expect("it is short");
        assert_eq!(bytes[..4], [0xd3, 0x1a, 0x8d, 0x34]);
        let expected = [
            0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60,
            0x06, 0x91,
        ];
        assert_eq!(tag, expected);
        assert!(open(&key, &nonce, &beside, &mut bytes, &tag));
        assert_eq!(bytes, plain);
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let (key, nonce) = ([1; KEY], [2; NONCE]);
        let mut bytes = b"hello".to_vec();
        let tag = seal(&key, &nonce, b"topic", &mut bytes).expect("it is short");
        let refused = |nonce: &[u8; NONCE], beside: &[u8], bytes: &[u8], tag: &[u8; TAG]| {
            let mut opened = bytes.to_vec();
            !open(&key, nonce, beside, &mut opened, tag)
        };
        let mut other = bytes.clone();
        other[4] ^= 1;
        let mut wrong = tag;
        wrong[15] ^= 1;
        assert!(!refused(&nonce, b"topic", &bytes, &tag));
        assert!(refused(&[3; NONCE], b"topic", &bytes, &tag));
        assert!(refused(&nonce, b"elsewhere", &bytes, &tag));
        assert!(refused(&nonce, b"topic", &other, &tag));
        assert!(refused(&nonce, b"topic", &bytes, &wrong));
    }
}
