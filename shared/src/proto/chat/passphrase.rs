//! The secret of a private room out of words that people agree on. Slow on purpose: whoever guesses has to work as
//! hard for every guess. Random secrets of links are better where a link can be sent.
//!
//! Pure, and takes a third of a second or more: pages do it in a worker.

use argon2::{Algorithm, Argon2, Params, Version};
use icu_normalizer::ComposingNormalizerBorrowed;

use super::keys::{Secret, derive};
use crate::error::{Code, Error, Result};
use crate::limits::MAX_PASSPHRASE;
use crate::proto::NetworkId;

const SALT: &str = "warren 2026 room passphrase v1";
/// Argon2id: KiB of memory, passes over it, lanes.
const COST: (u32, u32, u32) = (64 * 1024, 3, 1);

/// The secret of the room of this name. Blanks at the ends do not count, nor how accents are typed.
pub fn secret_of(network: &NetworkId, room: &str, passphrase: &str) -> Result<Secret> {
    let typed = ComposingNormalizerBorrowed::new_nfkc().normalize(passphrase.trim());
    if typed.is_empty() || typed.len() > MAX_PASSPHRASE {
        return Err(Error::new(Code::InvalidArgument, "invalid passphrase")
            .with_remedy("Use 1 to 1,024 bytes of text; several words that nobody guesses."));
    }
    let salt = derive(SALT, &[network.as_str().as_bytes(), room.as_bytes()]);
    let failed =
        |error| Error::new(Code::Internal, "the passphrase cannot be used").caused_by(error);
    let (memory, passes, lanes) = COST;
    let mut secret = Secret::default();
    let params = Params::new(memory, passes, lanes, Some(secret.len())).map_err(failed)?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let stretched = argon.hash_password_into(typed.as_bytes(), &salt, &mut secret);
    stretched.map_err(failed)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::chat::keys::secret_text;

    fn secret(network: &str, room: &str, passphrase: &str) -> String {
        let network = network.parse().unwrap();
        secret_text(&secret_of(&network, room, passphrase).unwrap())
    }

    #[test]
    fn the_same_words_are_the_same_secret_in_one_room_of_one_network_only() {
        let first = secret("test", "club", "correct horse bättery");
        assert_eq!(
            first,
            secret("test", "club", " correct horse ba\u{308}ttery\n")
        );
        assert_ne!(first, secret("test", "pub", "correct horse bättery"));
        assert_ne!(first, secret("other", "club", "correct horse bättery"));
        assert_ne!(first, secret("test", "club", "correct horse battery"));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let network = "test".parse().unwrap();
        for wrong in ["", "  ", &"x".repeat(MAX_PASSPHRASE + 1)] {
            let error = secret_of(&network, "club", wrong).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
        }
    }
}
