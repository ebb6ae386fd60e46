//! Messages on a data channel: a length-prefixed protobuf with an optional flag and payload.
//!
//! The decoder treats what arrives as a stream of bytes, because senders may put several frames
//! into one data-channel message or split a frame over two.

use bytes::{Buf, Bytes, BytesMut};

use crate::protobuf::{Damaged, peek_varint, put_varint, skip, take_bytes, take_varint};

/// Largest data-channel message that every implementation takes.
pub const MAX_MESSAGE: usize = 16 * 1024;
/// Largest frame we accept: what implementations with bigger messages send.
pub const MAX_FRAME: usize = 64 * 1024;
/// Bytes around the payload in the largest frame of ours: length, tag and length of the payload.
const OVERHEAD: usize = 2 + 1 + 2;
/// Largest payload of one frame of ours, but for remotes that take more.
pub const MAX_PAYLOAD: usize = MAX_MESSAGE - OVERHEAD;
/// The same around a payload of more than 16 KiB, whose length is longer.
const LARGE_OVERHEAD: usize = 3 + 1 + 3;
/// Largest message for a remote that has not shown that it takes more: the stock Rust transport
/// reads into 8 KiB, and fails on what is longer.
pub const CAUTIOUS_MESSAGE: usize = 8 * 1024;
/// Largest payload of such a message.
pub const CAUTIOUS_PAYLOAD: usize = CAUTIOUS_MESSAGE - OVERHEAD;

/// Largest payload for a remote that reads frames as we do, over channels that carry messages of so many bytes.
pub(super) fn largest_payload(message: usize) -> usize {
    match message.min(MAX_FRAME) {
        message if message > MAX_MESSAGE => message - LARGE_OVERHEAD,
        _ => MAX_PAYLOAD,
    }
}

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
        let mut bytes = Vec::with_capacity(payload.len() + LARGE_OVERHEAD);
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

    /// The same without a hold on the `size` bytes that it was cut from, when it is less than half
    /// of them: a small part of a message must not keep the whole message alive.
    fn unpinned(mut self, size: usize) -> Self {
        if self.payload.len() * 2 < size {
            self.payload = Bytes::copy_from_slice(&self.payload);
        }
        self
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

impl From<Damaged> for BadFrame {
    fn from(_: Damaged) -> Self {
        BadFrame::Damaged
    }
}

/// Finds frames in what arrives.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The message that is being taken apart.
    arrived: Bytes,
    /// How long it was as a whole.
    message: usize,
    /// The beginning of a frame that goes on in later messages; the bytes of those follow it.
    partial: BytesMut,
    failed: bool,
}

impl Decoder {
    /// Adds what arrived; [`Decoder::next`] must have returned `None` before.
    pub fn push(&mut self, bytes: Bytes) {
        debug_assert!(self.arrived.is_empty());
        if self.failed {
            return;
        }
        if self.partial.is_empty() {
            self.message = bytes.len();
            self.arrived = bytes;
        } else {
            self.partial.extend_from_slice(&bytes);
        }
    }

    /// The next whole frame. After an error nothing more is found, and nothing is kept.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Result<Frame, BadFrame>> {
        let found = if self.partial.is_empty() {
            self.next_arrived()
        } else {
            self.next_partial()
        };
        if let Some(Err(_)) = found {
            *self = Decoder {
                failed: true,
                ..Decoder::default()
            };
        }
        found
    }

    /// Bytes that wait for the rest of their frame.
    pub fn held(&self) -> usize {
        self.arrived.len() + self.partial.len()
    }

    fn next_arrived(&mut self) -> Option<Result<Frame, BadFrame>> {
        let (prefix, whole) = match extent(&self.arrived) {
            Ok(Some(found)) => found,
            Ok(None) => {
                // Each byte is moved here once; later messages are put behind it.
                self.partial.extend_from_slice(&self.arrived);
                self.arrived = Bytes::new();
                return None;
            }
            Err(error) => return Some(Err(error)),
        };
        let mut bytes = self.arrived.split_to(whole);
        bytes.advance(prefix);
        Some(Frame::decode(bytes).map(|frame| frame.unpinned(self.message)))
    }

    fn next_partial(&mut self) -> Option<Result<Frame, BadFrame>> {
        let (prefix, whole) = match extent(&self.partial) {
            Ok(found) => found?,
            Err(error) => return Some(Err(error)),
        };
        let bytes = Bytes::copy_from_slice(&self.partial[prefix..whole]);
        self.partial.advance(whole);
        if self.partial.is_empty() {
            // The memory of a large frame is not kept for small ones.
            self.partial = BytesMut::new();
        }
        let pinned = bytes.len();
        Some(Frame::decode(bytes).map(|frame| frame.unpinned(pinned)))
    }
}

/// How long the length of the first frame is, and where the frame ends; nothing when it is not
/// whole.
fn extent(bytes: &[u8]) -> Result<Option<(usize, usize)>, BadFrame> {
    let Some((length, prefix)) = peek_varint(bytes)? else {
        return Ok(None);
    };
    if length > MAX_FRAME as u64 {
        return Err(BadFrame::TooLong(length));
    }
    let whole = prefix + length as usize;
    Ok((whole <= bytes.len()).then_some((prefix, whole)))
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests;
