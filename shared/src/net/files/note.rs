//! What a store keeps with a file: what was said about it, and whether others hear of it.

use minicbor::{Decode, Encode};

use super::entry::About;
use crate::proto::cbor;
use crate::proto::files::kept::MAX_NOTE;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    pub about: About,
    /// Whether it was shared, and is found by its words.
    pub listed: bool,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Wire {
    #[n(0)]
    name: String,
    #[n(1)]
    media: String,
    #[n(2)]
    tags: Vec<String>,
    #[n(3)]
    listed: bool,
}

impl Note {
    /// What does not fit is left out: links may call a file whatever they like.
    pub fn encode(self) -> Vec<u8> {
        let About { name, media, tags } = self.about;
        let listed = self.listed;
        let bytes = cbor::encode(&Wire {
            name,
            media,
            tags,
            listed,
        });
        match bytes.len() <= MAX_NOTE {
            true => bytes,
            false => Note::default().encode(),
        }
    }

    /// Nothing is said by what cannot be read.
    pub fn decode(bytes: &[u8]) -> Note {
        let wire = cbor::decode::<Wire>(bytes).ok();
        let note = wire.map(|wire| Note {
            about: About {
                name: wire.name,
                media: wire.media,
                tags: wire.tags,
            },
            listed: wire.listed,
        });
        note.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_read_back_if_it_fits() {
        let note = |name: &str| Note {
            about: About {
                name: name.to_owned(),
                media: "video/x".to_owned(),
                tags: vec!["red".to_owned(), "blue".to_owned()],
            },
            listed: true,
        };
        let fits = note("Küste.film");
        assert_eq!(Note::decode(&fits.clone().encode()), fits);
        let long = note(&"x".repeat(MAX_NOTE));
        assert_eq!(Note::decode(&long.encode()), Note::default());
        assert_eq!(Note::decode(b"nonsense"), Note::default());
    }
}
