//! Why a relay does not keep something.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::error::{Code, Error};
use crate::proto::record::Refusal;

/// Why. Numbers on the wire are only ever added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeepRefusal {
    /// The request cannot be, or what it is about is something else: of another size, or no directory.
    Malformed,
    /// The signature does not verify, or is somebody else's.
    BadSignature,
    /// The request is past its time, or made for another network.
    NotNow,
    /// The operator does not want this file or directory, or this author's.
    Denied,
    /// There is no room, and nothing that may go.
    Full,
    /// One author never gets so much.
    TooLarge,
    /// It has too much to do, or fetches this file already; later.
    Busy,
    /// Nobody gave it the file.
    NotFetched,
    /// Its disk failed.
    StorageFailed,
    /// It keeps no such things. Relays of before said so of directories.
    Unsupported,
}

impl KeepRefusal {
    /// All of them, in the order of their numbers.
    pub const ALL: [KeepRefusal; 10] = [
        KeepRefusal::Malformed,
        KeepRefusal::BadSignature,
        KeepRefusal::NotNow,
        KeepRefusal::Denied,
        KeepRefusal::Full,
        KeepRefusal::TooLarge,
        KeepRefusal::Busy,
        KeepRefusal::NotFetched,
        KeepRefusal::StorageFailed,
        KeepRefusal::Unsupported,
    ];

    /// The number on the wire.
    pub fn to_u8(self) -> u8 {
        self as u8 + 1
    }

    /// The reason with this number.
    pub fn from_u8(number: u8) -> Option<KeepRefusal> {
        let index = usize::from(number).checked_sub(1)?;
        KeepRefusal::ALL.get(index).copied()
    }

    fn explained(self) -> (Code, &'static str) {
        match self {
            KeepRefusal::Malformed => (
                Code::ProtocolViolation,
                "the relay did not understand, or what came has another size",
            ),
            KeepRefusal::BadSignature => (
                Code::BadSignature,
                "the signature of the request does not verify",
            ),
            KeepRefusal::NotNow => (
                Code::Expired,
                "the request does not count there, or not now",
            ),
            KeepRefusal::Denied => (
                Code::Refused,
                "the relay's operator does not want this, or anything of this author",
            ),
            KeepRefusal::Full => (
                Code::Overloaded,
                "the relay has no room for it, and nothing there may go yet",
            ),
            KeepRefusal::TooLarge => (
                Code::TooLarge,
                "it is larger than what the relay keeps for one author",
            ),
            KeepRefusal::Busy => (Code::Overloaded, "the relay has too much to do"),
            KeepRefusal::NotFetched => (
                Code::NotFound,
                "the relay could not fetch it from here, nor from others",
            ),
            KeepRefusal::StorageFailed => (Code::StorageFailed, "the disk of the relay failed"),
            KeepRefusal::Unsupported => (Code::Unsupported, "the relay keeps no such things"),
        }
    }
}

impl From<Refusal> for KeepRefusal {
    fn from(refusal: Refusal) -> KeepRefusal {
        match refusal {
            Refusal::BadSignature | Refusal::WrongKey => KeepRefusal::BadSignature,
            Refusal::WrongNetwork | Refusal::Expired | Refusal::FutureDated => KeepRefusal::NotNow,
            Refusal::Unsupported => KeepRefusal::Unsupported,
            _ => KeepRefusal::Malformed,
        }
    }
}

impl fmt::Display for KeepRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explained().1)
    }
}

impl From<KeepRefusal> for Error {
    fn from(refusal: KeepRefusal) -> Error {
        let (code, message) = refusal.explained();
        let error = Error::new(code, message);
        match refusal {
            KeepRefusal::Full | KeepRefusal::TooLarge => {
                error.with_remedy("Ask another relay, or its operator for a larger --pin-quota.")
            }
            KeepRefusal::NotNow => {
                error.with_remedy("Check this machine's clock, then share it again.")
            }
            KeepRefusal::StorageFailed => error.with_remedy("Ask another relay."),
            KeepRefusal::Unsupported => error
                .with_remedy("Ask a relay of a later version, or pack a directory into one file."),
            _ => error,
        }
    }
}

impl<C> Encode<C> for KeepRefusal {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.u8(self.to_u8())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for KeepRefusal {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        KeepRefusal::from_u8(d.u8()?).ok_or_else(|| decode::Error::message("unknown refusal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_pinned() {
        for (index, refusal) in KeepRefusal::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(refusal.to_u8()), index + 1);
            assert_eq!(KeepRefusal::from_u8(refusal.to_u8()), Some(refusal));
        }
        assert_eq!(KeepRefusal::from_u8(0), None);
        assert_eq!(KeepRefusal::from_u8(11), None);
        assert_eq!(KeepRefusal::Unsupported.to_u8(), 10);
    }
}
