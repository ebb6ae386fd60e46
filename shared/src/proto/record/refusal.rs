//! Why a record or request was refused, as one byte on the wire.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::error::{Code, Error};
use crate::proto::cbor::NotCanonical;

/// A reason to refuse. Numbers on the wire are only ever added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Not the canonical encoding of anything we know, or a field breaks a rule.
    Malformed,
    /// Beyond a size limit.
    Oversized,
    /// A version of the envelope that this node does not know.
    UnknownVersion,
    /// The signature does not verify.
    BadSignature,
    /// Authentic, but it does not belong to that key.
    WrongKey,
    /// Made for another network.
    WrongNetwork,
    /// Past its time.
    Expired,
    /// Issued in the future, beyond the tolerance.
    FutureDated,
    /// A newer record is stored.
    Older,
    /// No room.
    Full,
    /// Too many requests.
    RateLimited,
    /// This node does not store such records.
    Unsupported,
    /// The node's disk failed.
    StorageFailed,
}

impl Refusal {
    /// All reasons, in the order of their numbers, which begin at 1.
    pub const ALL: [Refusal; 13] = [
        Refusal::Malformed,
        Refusal::Oversized,
        Refusal::UnknownVersion,
        Refusal::BadSignature,
        Refusal::WrongKey,
        Refusal::WrongNetwork,
        Refusal::Expired,
        Refusal::FutureDated,
        Refusal::Older,
        Refusal::Full,
        Refusal::RateLimited,
        Refusal::Unsupported,
        Refusal::StorageFailed,
    ];

    /// The number on the wire.
    pub fn to_u8(self) -> u8 {
        self as u8 + 1
    }

    /// The reason with this number.
    pub fn from_u8(number: u8) -> Option<Refusal> {
        Refusal::ALL
            .get(usize::from(number).checked_sub(1)?)
            .copied()
    }

    /// A short word for logs and counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::Oversized => "oversized",
            Refusal::UnknownVersion => "unknown-version",
            Refusal::BadSignature => "bad-signature",
            Refusal::WrongKey => "wrong-key",
            Refusal::WrongNetwork => "wrong-network",
            Refusal::Expired => "expired",
            Refusal::FutureDated => "future-dated",
            Refusal::Older => "older",
            Refusal::Full => "full",
            Refusal::RateLimited => "rate-limited",
            Refusal::Unsupported => "unsupported",
            Refusal::StorageFailed => "storage-failed",
        }
    }

    fn explained(self) -> (Code, &'static str) {
        match self {
            Refusal::Malformed => (Code::ProtocolViolation, "the record is malformed"),
            Refusal::Oversized => (Code::TooLarge, "the record is too large"),
            Refusal::UnknownVersion => (Code::Unsupported, "the record has an unknown version"),
            Refusal::BadSignature => (Code::BadSignature, "the signature does not verify"),
            Refusal::WrongKey => (Code::InvalidKey, "the record does not belong to this key"),
            Refusal::WrongNetwork => (Code::WrongNetwork, "the record is of another network"),
            Refusal::Expired => (Code::Expired, "the record has expired"),
            Refusal::FutureDated => (Code::Refused, "the record is dated in the future"),
            Refusal::Older => (Code::Older, "a newer record is stored"),
            Refusal::Full => (Code::Overloaded, "the store has no room"),
            Refusal::RateLimited => (Code::Overloaded, "too many requests"),
            Refusal::Unsupported => (Code::Unsupported, "such records are not stored here"),
            Refusal::StorageFailed => (Code::StorageFailed, "the node's store failed"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explained().1)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        let (code, message) = refusal.explained();
        let error = Error::new(code, message);
        match refusal {
            Refusal::FutureDated => {
                error.with_remedy("Set the clock of the device that signed it, and sign it again.")
            }
            Refusal::StorageFailed => error.with_remedy(
                "Try another relay; the operator of this one finds the cause in its log.",
            ),
            Refusal::Full => error.with_remedy("Try another relay, or wait until records expire."),
            _ => error,
        }
    }
}

impl From<NotCanonical> for Refusal {
    fn from(_: NotCanonical) -> Refusal {
        Refusal::Malformed
    }
}

impl<C> Encode<C> for Refusal {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.u8(self.to_u8())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Refusal {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Refusal::from_u8(d.u8()?).ok_or_else(|| decode::Error::message("unknown refusal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_pinned() {
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(refusal.to_u8()), index + 1);
            assert_eq!(Refusal::from_u8(refusal.to_u8()), Some(refusal));
        }
        assert_eq!(Refusal::from_u8(0), None);
        assert_eq!(Refusal::from_u8(14), None);
        assert_eq!(Refusal::Unsupported.to_u8(), 12);
    }
}
