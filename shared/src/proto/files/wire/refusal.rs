//! Why a peer does not give what it is asked for.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::error::{Code, Error};

/// Why. Numbers on the wire are only ever added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileRefusal {
    /// It does not share this.
    NotFound,
    /// It did, and the file has changed or vanished.
    Gone,
    /// It has some of it, and not this.
    NotThere,
    /// It has too much to do; later.
    Busy,
    /// The request cannot be: a range beyond the file, or another size.
    Malformed,
    /// Its owner does not want that.
    Denied,
    /// Its disk failed.
    StorageFailed,
}

impl FileRefusal {
    /// All of them, in the order of their numbers.
    pub const ALL: [FileRefusal; 7] = [
        FileRefusal::NotFound,
        FileRefusal::Gone,
        FileRefusal::NotThere,
        FileRefusal::Busy,
        FileRefusal::Malformed,
        FileRefusal::Denied,
        FileRefusal::StorageFailed,
    ];

    /// The number on the wire.
    pub fn to_u8(self) -> u8 {
        self as u8 + 1
    }

    /// The reason with this number.
    pub fn from_u8(number: u8) -> Option<FileRefusal> {
        let index = usize::from(number).checked_sub(1)?;
        FileRefusal::ALL.get(index).copied()
    }

    fn explained(self) -> (Code, &'static str) {
        match self {
            FileRefusal::NotFound => (Code::NotFound, "the peer does not share this file"),
            FileRefusal::Gone => (
                Code::NotFound,
                "the file has changed or vanished at the peer",
            ),
            FileRefusal::NotThere => (Code::NotFound, "the peer does not have this part yet"),
            FileRefusal::Busy => (Code::Overloaded, "the peer has too much to do"),
            FileRefusal::Malformed => (Code::ProtocolViolation, "the peer did not understand"),
            FileRefusal::Denied => (Code::Refused, "the peer does not give this file"),
            FileRefusal::StorageFailed => (Code::StorageFailed, "the disk of the peer failed"),
        }
    }
}

impl fmt::Display for FileRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explained().1)
    }
}

impl From<FileRefusal> for Error {
    fn from(refusal: FileRefusal) -> Error {
        let (code, message) = refusal.explained();
        let error = Error::new(code, message);
        match refusal {
            FileRefusal::Gone => error
                .with_remedy("Fetch it from another peer, or ask who shared it for its new id."),
            FileRefusal::StorageFailed => error.with_remedy("Fetch it from another peer."),
            _ => error,
        }
    }
}

impl<C> Encode<C> for FileRefusal {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.u8(self.to_u8())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for FileRefusal {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        FileRefusal::from_u8(d.u8()?).ok_or_else(|| decode::Error::message("unknown refusal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_pinned() {
        for (index, refusal) in FileRefusal::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(refusal.to_u8()), index + 1);
            assert_eq!(FileRefusal::from_u8(refusal.to_u8()), Some(refusal));
        }
        assert_eq!(FileRefusal::from_u8(0), None);
        assert_eq!(FileRefusal::from_u8(8), None);
        assert_eq!(FileRefusal::StorageFailed.to_u8(), 7);
    }
}
