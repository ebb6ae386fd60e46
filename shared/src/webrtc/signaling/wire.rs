//! One message of the signalling: a length-prefixed protobuf with a kind and a text.
//!
//! The decoder finds messages in a stream of bytes, however they were cut.

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::SIGNALING_MESSAGE;
use crate::protobuf::{Damaged, peek_varint, put_bytes, put_varint, skip, take_bytes, take_varint};

const KIND: u64 = 1 << 3;
const DATA: u64 = (2 << 3) | 2;

/// What the text of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The description of the end that opened the stream.
    Offer,
    /// The description of the other end.
    Answer,
    /// A candidate of either end, or the end of its candidates; see [`super::candidate`].
    Candidate,
}

impl Kind {
    fn number(self) -> u64 {
        match self {
            Kind::Offer => 0,
            Kind::Answer => 1,
            Kind::Candidate => 2,
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        [Kind::Offer, Kind::Answer, Kind::Candidate]
            .into_iter()
            .find(|kind| kind.number() == number)
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What `data` is.
    pub kind: Kind,
    /// The text; empty when the message has none.
    pub data: String,
}

impl Message {
    /// The bytes of the message, length first.
    pub fn encode(&self) -> Vec<u8> {
        let mut inner = Vec::with_capacity(6 + self.data.len());
        // The first kind has the number 0 and is written all the same: js-libp2p takes no message without one.
        put_varint(&mut inner, KIND);
        put_varint(&mut inner, self.kind.number());
        put_bytes(&mut inner, DATA, self.data.as_bytes());
        let mut bytes = Vec::with_capacity(3 + inner.len());
        put_varint(&mut bytes, inner.len() as u64);
        bytes.extend_from_slice(&inner);
        bytes
    }

    fn decode(mut bytes: Bytes) -> Result<Self, BadMessage> {
        let (mut kind, mut data) = (None, Bytes::new());
        while bytes.has_remaining() {
            match take_varint(&mut bytes)? {
                KIND => kind = Some(take_varint(&mut bytes)?),
                DATA => data = take_bytes(&mut bytes)?,
                tag => skip(tag, &mut bytes)?,
            }
        }
        let number = kind.ok_or(BadMessage::NoKind)?;
        let kind = Kind::from_number(number).ok_or(BadMessage::UnknownKind(number))?;
        let data = String::from_utf8(data.into()).map_err(|_| BadMessage::NoText)?;
        Ok(Message { kind, data })
    }
}

/// What arrived is not a message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadMessage {
    /// Longer than [`SIGNALING_MESSAGE`].
    #[error("a message of {0} bytes is longer than allowed")]
    TooLong(u64),
    /// Not a protobuf message.
    #[error("a message is damaged")]
    Damaged,
    /// It does not say what it is.
    #[error("a message does not say what it is")]
    NoKind,
    /// It is something that nobody here knows.
    #[error("a message is of the unknown kind {0}")]
    UnknownKind(u64),
    /// Its text is none.
    #[error("the text of a message is not UTF-8")]
    NoText,
}

impl From<Damaged> for BadMessage {
    fn from(_: Damaged) -> Self {
        BadMessage::Damaged
    }
}

/// Finds messages in what arrives.
#[derive(Debug, Default)]
pub struct Decoder {
    arrived: BytesMut,
    failed: bool,
}

impl Decoder {
    /// Adds what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.failed {
            self.arrived.extend_from_slice(bytes);
        }
    }

    /// The next whole message. After an error nothing more is found, and nothing is kept.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Result<Message, BadMessage>> {
        let found = self.cut().transpose()?.and_then(Message::decode);
        if found.is_err() {
            *self = Decoder {
                failed: true,
                ..Decoder::default()
            };
        }
        Some(found)
    }

    /// Bytes that wait for the rest of their message.
    pub fn held(&self) -> usize {
        self.arrived.len()
    }

    /// The next message without its length; nothing when it is not whole.
    fn cut(&mut self) -> Result<Option<Bytes>, BadMessage> {
        let Some((length, prefix)) = peek_varint(&self.arrived)? else {
            return Ok(None);
        };
        if length > SIGNALING_MESSAGE as u64 {
            return Err(BadMessage::TooLong(length));
        }
        let whole = prefix + length as usize;
        if self.arrived.len() < whole {
            return Ok(None);
        }
        let mut message = self.arrived.split_to(whole).freeze();
        message.advance(prefix);
        Ok(Some(message))
    }
}
