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
    /// What it is for.
    pub part: Part,
}

/// What a kept file is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    /// Itself.
    #[default]
    Own,
    /// The directories that have it.
    Member,
    /// Small files of directories, together.
    Pack,
}

impl Part {
    fn number(self) -> Option<u8> {
        match self {
            Part::Own => None,
            Part::Member => Some(1),
            Part::Pack => Some(2),
        }
    }

    fn of(number: Option<u8>) -> Part {
        match number {
            Some(1) => Part::Member,
            Some(2) => Part::Pack,
            _ => Part::Own,
        }
    }
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
    #[n(4)]
    part: Option<u8>,
}

impl Note {
    /// Of something that nobody asks for by itself.
    pub fn of(part: Part) -> Note {
        Note {
            part,
            ..Note::default()
        }
    }

    /// What does not fit is left out: links may call a file whatever they like.
    pub fn encode(self) -> Vec<u8> {
        let About { name, media, tags } = self.about;
        let (listed, part) = (self.listed, self.part.number());
        let bytes = cbor::encode(&Wire {
            name,
            media,
            tags,
            listed,
            part,
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
            part: Part::of(wire.part),
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
            part: Part::Own,
        };
        let fits = note("Küste.film");
        assert_eq!(Note::decode(&fits.clone().encode()), fits);
        let long = note(&"x".repeat(MAX_NOTE));
        assert_eq!(Note::decode(&long.encode()), Note::default());
        assert_eq!(Note::decode(b"nonsense"), Note::default());
    }

    #[test]
    fn notes_from_before_there_were_directories_are_read() {
        let before = b"\x84\x61x\x60\x80\xf5";
        let note = Note::decode(before);
        assert_eq!((note.about.name.as_str(), note.listed), ("x", true));
        assert_eq!(note.encode(), before);
        for part in [Part::Member, Part::Pack] {
            assert_eq!(Note::decode(&Note::of(part).encode()), Note::of(part));
        }
    }
}
