//! Canonical CBOR: exactly one byte string per value.
//!
//! Knows that encoding a decoded value again must give the same bytes, which refuses long integer
//! forms, indefinite lengths, unknown trailing elements and trailing bytes in one rule. Does not
//! know any message.

use minicbor::{Decode, Decoder, Encode};

/// The bytes are not the canonical encoding of the wanted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCanonical;

/// Encodes a value.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory cannot fail and our types raise no errors")
}

/// Decodes a value and refuses every encoding but the one [`encode`] gives.
pub fn decode<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, NotCanonical> {
    let value: T = minicbor::decode(bytes).map_err(|_| NotCanonical)?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(NotCanonical)
    }
}

/// Reads the first integer of an array without looking at the rest: a version or a tag.
pub fn first_integer(bytes: &[u8]) -> Result<u64, NotCanonical> {
    let mut decoder = Decoder::new(bytes);
    match decoder.array() {
        Ok(Some(length)) if length > 0 => decoder.u64().map_err(|_| NotCanonical),
        _ => Err(NotCanonical),
    }
}

/// Lists of byte strings, for `#[cbor(with = "cbor::byte_lists")]`.
pub mod byte_lists {
    use minicbor::bytes::{ByteSlice, ByteVec};
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};

    /// Encodes as an array of byte strings.
    pub fn encode<C, W: Write>(
        lists: &[Vec<u8>],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(lists.len() as u64)?;
        for bytes in lists {
            e.encode(<&ByteSlice>::from(bytes.as_slice()))?;
        }
        Ok(())
    }

    /// Decodes an array of byte strings; allocates no more than the input holds.
    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Vec<Vec<u8>>, DecodeError> {
        d.array_iter::<ByteVec>()?
            .map(|bytes| bytes.map(Vec::from))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_other_spellings_of_the_same_value() {
        assert_eq!(decode::<u64>(&[0x05]), Ok(5));
        assert_eq!(decode::<u64>(&[0x18, 0x05]), Err(NotCanonical), "long form");
        assert_eq!(
            decode::<u64>(&[0x05, 0x00]),
            Err(NotCanonical),
            "trailing byte"
        );
        assert_eq!(
            decode::<Vec<u64>>(&[0x9f, 0x05, 0xff]),
            Err(NotCanonical),
            "indefinite"
        );
        assert_eq!(decode::<Vec<u64>>(&[0x81, 0x05]), Ok(vec![5]));
    }

    #[test]
    fn huge_declared_lengths_allocate_nothing() {
        let claim = [0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(decode::<Vec<u64>>(&claim), Err(NotCanonical));
        assert_eq!(first_integer(&claim), Err(NotCanonical));
    }
}
