//! What a file is called everywhere: the BLAKE3 of its content, as a CIDv1.
//!
//! Knows the two kinds and their one spelling. Does not know how content is hashed or found.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Decoder, Encode, Encoder, bytes::ByteArray, decode, encode};
use multibase::Base;
use serde::{Serialize, Serializer};

use crate::error::{Code, Error, Result};

/// Bytes of a content id.
pub const CID_BYTES: usize = 36;
/// `b`, and that in base 32.
const CID_TEXT: usize = 59;

/// BLAKE3 of the whole content.
pub type Root = [u8; 32];

/// What the content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Bytes.
    File,
    /// A list of files, as [`super::directory::Directory`] writes it.
    Directory,
}

impl Kind {
    /// CIDv1; the codec: `raw` or `dag-cbor`; BLAKE3; 32 bytes.
    const fn head(self) -> [u8; 4] {
        match self {
            Kind::File => [0x01, 0x55, 0x1e, 0x20],
            Kind::Directory => [0x01, 0x71, 0x1e, 0x20],
        }
    }
}

/// A content id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    /// What it is.
    pub kind: Kind,
    /// Its hash.
    pub root: Root,
}

impl Cid {
    /// A file.
    pub fn file(root: Root) -> Cid {
        let kind = Kind::File;
        Cid { kind, root }
    }

    /// A directory.
    pub fn directory(root: Root) -> Cid {
        let kind = Kind::Directory;
        Cid { kind, root }
    }

    /// The binary form.
    pub fn to_bytes(&self) -> [u8; CID_BYTES] {
        let mut bytes = [0; CID_BYTES];
        bytes[..4].copy_from_slice(&self.kind.head());
        bytes[4..].copy_from_slice(&self.root);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Cid> {
        let root = bytes.get(4..)?.try_into().ok()?;
        let mut kinds = [Kind::File, Kind::Directory].into_iter();
        let kind = kinds.find(|kind| bytes.starts_with(&kind.head()))?;
        Some(Cid { kind, root })
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&multibase::encode(Base::Base32Lower, self.to_bytes()))
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl FromStr for Cid {
    type Err = Error;

    /// Reads the canonical text only, so that equal files are equal text everywhere.
    fn from_str(text: &str) -> Result<Cid> {
        let body = text.strip_prefix('b').filter(|_| text.len() == CID_TEXT);
        let bytes = body.and_then(|body| Base::Base32Lower.decode(body).ok());
        let cid = bytes.and_then(|bytes| Cid::from_bytes(&bytes));
        cid.filter(|cid| cid.to_string() == text).ok_or_else(|| {
            Error::new(Code::InvalidArgument, "this is not the id of a file").with_remedy(
                "Ids of files begin with \"bafkr4i\", of directories with \"bafyr4i\", and have 59 characters; copy it whole.",
            )
        })
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<C> Encode<C> for Cid {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Cid {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let bytes: [u8; CID_BYTES] = ByteArray::decode(d, c)?.into();
        Cid::from_bytes(&bytes).ok_or_else(|| decode::Error::message("not a content id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::cbor;

    #[test]
    fn ids_are_those_of_other_tools() {
        let empty = *blake3::hash(b"").as_bytes();
        let file = Cid::file(empty);
        assert_eq!(
            file.to_string(),
            "bafkr4ifpcne3t5pzugtkaqcn5i3nzskjtpfslsnnyejlpte2spfoihzsmi"
        );
        assert!(Cid::directory(empty).to_string().starts_with("bafyr4i"));
    }

    #[test]
    fn there_is_one_spelling() {
        for cid in [Cid::file([7; 32]), Cid::directory([9; 32])] {
            let text = cid.to_string();
            assert_eq!(text.parse::<Cid>().unwrap(), cid);
            assert_eq!(Cid::from_bytes(&cid.to_bytes()), Some(cid));
            assert_eq!(cbor::decode(&cbor::encode(&cid)), Ok(cid));
            for bad in [
                text.to_uppercase(),
                format!("{text}a"),
                text[..58].to_owned(),
                format!("f{}", Base::Base16Lower.encode(cid.to_bytes())),
                format!("{}b", &text[..58]),
                String::new(),
                "b".repeat(59),
            ] {
                assert!(bad.parse::<Cid>().is_err(), "{bad}");
            }
        }
        let value = crate::proto::key::Key::value(b"x").to_string();
        assert!(value.parse::<Cid>().is_err(), "a value is no file");
        assert_eq!(Cid::from_bytes(&[1, 0x55, 0x1e, 0x20]), None);
        assert_eq!(Cid::from_bytes(&[]), None);
    }
}
