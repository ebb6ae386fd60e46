//! Messages on a data channel: a length-prefixed protobuf with an optional flag and payload.
//!
//! The decoder treats what arrives as a stream of bytes, because senders may put several frames
//! into one data-channel message or split a frame over two.

use bytes::{Buf, Bytes, BytesMut};

/// Largest data-channel message that every implementation takes.
pub const MAX_MESSAGE: usize = 16 * 1024;
/// Largest frame we accept: what implementations with bigger messages send.
pub const MAX_FRAME: usize = 64 * 1024;
/// Bytes around the payload in the largest frame of ours: length, tag and length of the payload.
const OVERHEAD: usize = 2 + 1 + 2;
/// Largest payload of one frame of ours.
pub const MAX_PAYLOAD: usize = MAX_MESSAGE - OVERHEAD;
/// Largest message for a remote that has not shown that it takes more: the stock Rust transport
/// reads into 8 KiB, and fails on what is longer.
pub const CAUTIOUS_MESSAGE: usize = 8 * 1024;
/// Largest payload of such a message.
pub const CAUTIOUS_PAYLOAD: usize = CAUTIOUS_MESSAGE - OVERHEAD;

const FLAG: u64 = 1 << 3;
const PAYLOAD: u64 = (2 << 3) | 2;
/// Ours: implementations that do not know it skip it.
const LIMIT: u64 = 1000 << 3;

/// What a frame says about its stream beyond the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// The sender will send no more payload.
    Fin,
    /// The sender will not read any more.
    StopSending,
    /// The sender has given up; what it sent before may be discarded.
    Reset,
    /// The sender has received everything up to the other's [`Flag::Fin`].
    FinAck,
}

impl Flag {
    fn number(self) -> u64 {
        match self {
            Flag::Fin => 0,
            Flag::StopSending => 1,
            Flag::Reset => 2,
            Flag::FinAck => 3,
        }
    }

    /// Flags that later versions of the protocol add say nothing to us.
    fn from_number(number: u64) -> Option<Self> {
        [Flag::Fin, Flag::StopSending, Flag::Reset, Flag::FinAck]
            .into_iter()
            .find(|flag| flag.number() == number)
    }
}

/// One message of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// A change of the stream's state.
    pub flag: Option<Flag>,
    /// Bytes of the stream; they come before the flag.
    pub payload: Bytes,
    /// How many bytes of payload the sender of this frame takes in all, counted from the beginning
    /// of the stream. A sender that has seen one never goes beyond.
    pub limit: Option<u64>,
}

impl Frame {
    /// A frame that only says `flag`.
    pub fn flag(flag: Flag) -> Self {
        Frame {
            flag: Some(flag),
            ..Frame::default()
        }
    }

    /// A frame that only allows more payload.
    pub fn limit(limit: u64) -> Self {
        Frame {
            limit: Some(limit),
            ..Frame::default()
        }
    }

    /// The bytes of the frame, length first.
    pub fn encode(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(20);
        if let Some(flag) = self.flag {
            put_varint(&mut head, FLAG);
            put_varint(&mut head, flag.number());
        }
        if let Some(limit) = self.limit {
            put_varint(&mut head, LIMIT);
            put_varint(&mut head, limit);
        }
        if !self.payload.is_empty() {
            put_varint(&mut head, PAYLOAD);
            put_varint(&mut head, self.payload.len() as u64);
        }
        let length = head.len() + self.payload.len();
        let mut bytes = Vec::with_capacity(3 + length);
        put_varint(&mut bytes, length as u64);
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// A frame with only a payload, without a copy in between.
    pub fn encode_payload(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(payload.len() + OVERHEAD);
        let inner = 1 + varint_len(payload.len() as u64) + payload.len();
        put_varint(&mut bytes, inner as u64);
        put_varint(&mut bytes, PAYLOAD);
        put_varint(&mut bytes, payload.len() as u64);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn decode(mut bytes: Bytes) -> Result<Self, BadFrame> {
        let mut frame = Frame::default();
        while bytes.has_remaining() {
            let tag = take_varint(&mut bytes)?;
            match tag {
                FLAG => frame.flag = Flag::from_number(take_varint(&mut bytes)?),
                LIMIT => frame.limit = Some(take_varint(&mut bytes)?),
                PAYLOAD => frame.payload = take_bytes(&mut bytes)?,
                _ => skip(tag, &mut bytes)?,
            }
        }
        Ok(frame)
    }
}

/// What arrived is not a frame of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is longer than allowed")]
    TooLong(u64),
    /// Not a protobuf message.
    #[error("a frame is damaged")]
    Damaged,
}

/// Finds frames in what arrives.
#[derive(Debug, Default)]
pub struct Decoder {
    rest: BytesMut,
    arrived: Bytes,
}

impl Decoder {
    /// Adds what arrived; [`Decoder::next`] must have returned `None` before.
    pub fn push(&mut self, bytes: Bytes) {
        if self.rest.is_empty() && self.arrived.is_empty() {
            self.arrived = bytes;
        } else {
            self.rest
                .extend_from_slice(&std::mem::take(&mut self.arrived));
            self.rest.extend_from_slice(&bytes);
        }
    }

    /// The next whole frame. After an error nothing more can be found.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Result<Frame, BadFrame>> {
        if !self.rest.is_empty() {
            self.arrived = self.rest.split().freeze();
        }
        let (length, prefix) = match peek_varint(&self.arrived) {
            Ok(Some(found)) => found,
            Ok(None) => return None,
            Err(error) => return Some(Err(error)),
        };
        if length > MAX_FRAME as u64 {
            return Some(Err(BadFrame::TooLong(length)));
        }
        let whole = prefix + length as usize;
        if self.arrived.len() < whole {
            return None;
        }
        let mut frame = self.arrived.split_to(whole);
        frame.advance(prefix);
        Some(Frame::decode(frame))
    }
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn put_varint(bytes: &mut Vec<u8>, value: u64) {
    let mut buffer = unsigned_varint::encode::u64_buffer();
    bytes.extend_from_slice(unsigned_varint::encode::u64(value, &mut buffer));
}

/// The number at the beginning and its length; nothing when more bytes are needed.
fn peek_varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, BadFrame> {
    match unsigned_varint::decode::u64(bytes) {
        Ok((value, rest)) => Ok(Some((value, bytes.len() - rest.len()))),
        Err(unsigned_varint::decode::Error::Insufficient) => Ok(None),
        Err(_) => Err(BadFrame::Damaged),
    }
}

fn take_varint(bytes: &mut Bytes) -> Result<u64, BadFrame> {
    let (value, length) = peek_varint(bytes)?.ok_or(BadFrame::Damaged)?;
    bytes.advance(length);
    Ok(value)
}

fn take_bytes(bytes: &mut Bytes) -> Result<Bytes, BadFrame> {
    let length = take_varint(bytes)?;
    match usize::try_from(length) {
        Ok(length) if length <= bytes.len() => Ok(bytes.split_to(length)),
        _ => Err(BadFrame::Damaged),
    }
}

/// Passes over a field of a later version.
fn skip(tag: u64, bytes: &mut Bytes) -> Result<(), BadFrame> {
    let length = match tag & 7 {
        0 => return take_varint(bytes).map(drop),
        2 => return take_bytes(bytes).map(drop),
        1 => 8,
        5 => 4,
        _ => return Err(BadFrame::Damaged),
    };
    if bytes.len() < length {
        return Err(BadFrame::Damaged);
    }
    bytes.advance(length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder) -> Vec<Result<Frame, BadFrame>> {
        std::iter::from_fn(|| decoder.next()).collect()
    }

    #[test]
    fn wire_form_is_pinned() {
        let data = Frame {
            payload: Bytes::from_static(b"hi"),
            ..Frame::default()
        };
        assert_eq!(data.encode(), [4, 0x12, 2, b'h', b'i']);
        assert_eq!(Frame::encode_payload(b"hi"), data.encode());
        assert_eq!(Frame::flag(Flag::Fin).encode(), [2, 8, 0]);
        assert_eq!(Frame::flag(Flag::StopSending).encode(), [2, 8, 1]);
        assert_eq!(Frame::flag(Flag::Reset).encode(), [2, 8, 2]);
        assert_eq!(Frame::flag(Flag::FinAck).encode(), [2, 8, 3]);
        assert_eq!(Frame::limit(300).encode(), [4, 0xc0, 0x3e, 0xac, 2]);
        assert_eq!(Frame::default().encode(), [0]);
    }

    #[test]
    fn largest_frame_fits_the_largest_message() {
        assert_eq!(Frame::encode_payload(&[7; MAX_PAYLOAD]).len(), MAX_MESSAGE);
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let frames = [
            Frame::flag(Flag::FinAck),
            Frame {
                flag: Some(Flag::Fin),
                payload: vec![9; 300].into(),
                limit: Some(1 << 40),
            },
            Frame::default(),
            Frame::limit(0),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        for size in [1, 2, 3, 7, 100, bytes.len()] {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.push(Bytes::copy_from_slice(piece));
                found.extend(all(&mut decoder).into_iter().map(Result::unwrap));
            }
            assert_eq!(found, frames, "pieces of {size}");
        }
    }

    #[test]
    fn unknown_fields_and_flags_are_skipped() {
        let mut decoder = Decoder::default();
        let inner = [
            0x18, 5, // field 3, a number
            0x22, 2, 1, 2, // field 4, bytes
            0x2d, 0, 0, 0, 0, // field 5, four bytes
            0x31, 0, 0, 0, 0, 0, 0, 0, 0, // field 6, eight bytes
            0x08, 77, // an unknown flag
            0x12, 1, 42,
        ];
        let mut bytes = vec![inner.len() as u8];
        bytes.extend_from_slice(&inner);
        decoder.push(bytes.into());
        let frame = decoder.next().unwrap().unwrap();
        assert_eq!((frame.flag, &frame.payload[..]), (None, &[42][..]));
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        for bad in [
            &[3, 0x12, 9, 1][..], // payload longer than the frame
            &[1, 0x0b],           // a group
            &[1, 0x80],           // half a number
            &[2, 0x2d, 0],        // half a fixed field
            &[0xff; 12],          // a length without end
        ] {
            let mut decoder = Decoder::default();
            decoder.push(Bytes::copy_from_slice(bad));
            assert_eq!(decoder.next(), Some(Err(BadFrame::Damaged)), "{bad:?}");
        }
        let mut decoder = Decoder::default();
        decoder.push(Bytes::from_static(&[0x81, 0x80, 0x04]));
        assert_eq!(decoder.next(), Some(Err(BadFrame::TooLong(65_537))));
    }
}
