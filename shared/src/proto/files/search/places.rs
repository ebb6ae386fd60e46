//! Where those are named who have a file, or files with a word.
//!
//! Knows two derivations. Provider entries are stored there as everywhere.

use crate::proto::NetworkId;
use crate::proto::files::cid::Cid;
use crate::proto::key::{Key, Space};

const HOLDERS: &str = "warren 2026 holders of a file v1";
const WORD: &str = "warren 2026 word of files v1";

/// Where the holders of a file or directory are named, whole or partial ones.
pub fn holders(network: &NetworkId, cid: &Cid) -> Key {
    place(HOLDERS, network, &cid.to_bytes())
}

/// Where those are named who share something with a word.
pub fn word(network: &NetworkId, token: &str) -> Key {
    place(WORD, network, token.as_bytes())
}

fn place(context: &str, network: &NetworkId, what: &[u8]) -> Key {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in [network.as_str().as_bytes(), what] {
        let length = (part.len() as u64).to_be_bytes();
        hasher.update(&length).update(part);
    }
    Key {
        space: Space::Namespace,
        hash: *hasher.finalize().as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_differ() {
        let (one, two): (NetworkId, NetworkId) = ("one".parse().unwrap(), "two".parse().unwrap());
        let (file, folder) = (Cid::file([7; 32]), Cid::directory([7; 32]));
        let places = [
            holders(&one, &file),
            holders(&two, &file),
            holders(&one, &folder),
            word(&one, "a"),
            word(&two, "a"),
            word(&one, "b"),
            Key::namespace(&one, "a").unwrap(),
        ];
        for (index, place) in places.iter().enumerate() {
            assert!(!places[..index].contains(place), "{index}");
        }
        assert_eq!(
            holders(&one, &file).to_string(),
            "bagbibqabdyqlglhcasxasm52yfcjbh6he7a54pyehsflszecrt3fhddf4qyfjsi"
        );
        assert_eq!(
            word(&one, "a").to_string(),
            "bagbibqabdyqmvnz3uxl4aggrru3vnxubjvi33j4pd2qe7mdutdnacwrfi55txhi"
        );
    }
}
