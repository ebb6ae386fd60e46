//! The few pieces of protobuf that messages of libp2p need: numbers, bytes, and fields of later
//! versions that are passed over.

use bytes::{Buf, Bytes};

/// What arrived is not a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is damaged")]
pub(crate) struct Damaged;

pub(crate) fn put_varint(bytes: &mut Vec<u8>, value: u64) {
    let mut buffer = unsigned_varint::encode::u64_buffer();
    bytes.extend_from_slice(unsigned_varint::encode::u64(value, &mut buffer));
}

/// A field that holds bytes; `tag` says which.
pub(crate) fn put_bytes(bytes: &mut Vec<u8>, tag: u64, value: &[u8]) {
    put_varint(bytes, tag);
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

/// The number at the beginning and its length; nothing when more bytes are needed.
pub(crate) fn peek_varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, Damaged> {
    match unsigned_varint::decode::u64(bytes) {
        Ok((value, rest)) => Ok(Some((value, bytes.len() - rest.len()))),
        Err(unsigned_varint::decode::Error::Insufficient) => Ok(None),
        Err(_) => Err(Damaged),
    }
}

pub(crate) fn take_varint(bytes: &mut Bytes) -> Result<u64, Damaged> {
    let (value, length) = peek_varint(bytes)?.ok_or(Damaged)?;
    bytes.advance(length);
    Ok(value)
}

pub(crate) fn take_bytes(bytes: &mut Bytes) -> Result<Bytes, Damaged> {
    let length = take_varint(bytes)?;
    match usize::try_from(length) {
        Ok(length) if length <= bytes.len() => Ok(bytes.split_to(length)),
        _ => Err(Damaged),
    }
}

/// Passes over the value of a field that nobody here knows.
pub(crate) fn skip(tag: u64, bytes: &mut Bytes) -> Result<(), Damaged> {
    let length = match tag & 7 {
        0 => return take_varint(bytes).map(drop),
        2 => return take_bytes(bytes).map(drop),
        1 => 8,
        5 => 4,
        _ => return Err(Damaged),
    };
    if bytes.len() < length {
        return Err(Damaged);
    }
    bytes.advance(length);
    Ok(())
}
