//! The id of a network: part of every protocol name and of everything signed.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use multibase::Base;
use serde::{Serialize, Serializer};

use crate::error::{Code, Error, Result};
use crate::limits::MAX_NETWORK_ID;

/// 1 to 32 characters of `[a-z0-9-]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(String);

impl NetworkId {
    /// A fresh id of 16 characters from 80 random bits.
    pub fn from_entropy(entropy: [u8; 10]) -> Self {
        Self(Base::Base32Lower.encode(entropy))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetworkId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if (1..=MAX_NETWORK_ID).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(Code::InvalidArgument, "invalid network id")
            .with_remedy("Use 1 to 32 characters of a-z, 0-9 and hyphen."))
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkId({})", self.0)
    }
}

impl Serialize for NetworkId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<C> Encode<C> for NetworkId {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for NetworkId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        d.str()?
            .parse()
            .map_err(|_| decode::Error::message("not a network id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_and_refuses() {
        for good in ["a", "test-net-1", &"z".repeat(32)] {
            assert_eq!(good.parse::<NetworkId>().unwrap().as_str(), good);
        }
        for bad in ["", "A", "a b", "a/b", "ä", &"z".repeat(33)] {
            assert!(bad.parse::<NetworkId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn entropy_gives_a_valid_id() {
        let id = NetworkId::from_entropy([0xff; 10]);
        assert_eq!(id.as_str().len(), 16);
        assert_eq!(id.as_str().parse::<NetworkId>().unwrap(), id);
    }
}
