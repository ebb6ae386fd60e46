//! Messages of the record protocol: one request, one answer, each a length-prefixed CBOR frame.
//!
//! Knows bytes and limits. Reading from and writing to streams is `net`'s; validating the records
//! inside is [`super::Record`]'s.

use minicbor::{Decode, Encode};

use super::Refusal;
use super::peer::bounded;
use super::provider::ProviderEntry;
use crate::limits::{
    MAX_ADDRESS, MAX_ENVELOPE, MAX_FRAME, MAX_FRAME_PREFIX, MAX_PEER_ID, MAX_PROVIDER_ADDRESSES,
    MAX_SAFE_INTEGER, PROVIDER_PAGE,
};
use crate::proto::key::Key;
use crate::proto::{Millis, cbor};

/// What a peer asks of one that stores records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Request {
    /// Store a record.
    #[n(0)]
    Put {
        /// Where.
        #[n(0)]
        key: Key,
        /// The whole record.
        #[cbor(n(1), with = "minicbor::bytes")]
        record: Vec<u8>,
    },
    /// Give the record of a key.
    #[n(1)]
    Get {
        /// Which.
        #[n(0)]
        key: Key,
    },
    /// List the sender as a provider.
    #[n(2)]
    Announce {
        /// Of what.
        #[n(0)]
        key: Key,
        /// Where the sender can be reached, at most two.
        #[cbor(n(1), with = "cbor::byte_lists")]
        addresses: Vec<Vec<u8>>,
        /// For how long; cut to 30 minutes.
        #[n(2)]
        ttl_ms: u64,
    },
    /// Stop listing the sender.
    #[n(3)]
    Withdraw {
        /// Under which key.
        #[n(0)]
        key: Key,
    },
    /// Give providers, ordered by peer id.
    #[n(4)]
    Providers {
        /// Of what.
        #[n(0)]
        key: Key,
        /// Those after this peer id; absent: from the first.
        #[cbor(n(1), with = "minicbor::bytes")]
        after: Option<Vec<u8>>,
    },
}

/// What the asked peer says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Response {
    /// The record is stored durably, or the provider is withdrawn.
    #[n(0)]
    Stored,
    /// The record.
    #[n(1)]
    Found {
        /// The whole record.
        #[cbor(n(0), with = "minicbor::bytes")]
        record: Vec<u8>,
    },
    /// No such record here.
    #[n(2)]
    Missing,
    /// The sender is listed.
    #[n(3)]
    Announced {
        /// Until when.
        #[n(0)]
        expires: Millis,
    },
    /// A page of providers.
    #[n(4)]
    Providers {
        /// At most 64.
        #[n(0)]
        entries: Vec<ProviderEntry>,
        /// Whether to ask again after the last one.
        #[n(1)]
        more: bool,
    },
    /// No.
    #[n(5)]
    Refused {
        /// The reason.
        #[n(0)]
        why: Refusal,
        /// With [`Refusal::Older`]: the newer record.
        #[cbor(n(1), with = "minicbor::bytes")]
        newer: Option<Vec<u8>>,
    },
}

/// A response with the responder's clock.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Answer {
    /// The responder's wall clock.
    #[n(0)]
    pub now: Millis,
    /// What it says.
    #[n(1)]
    pub response: Response,
}

impl Request {
    /// The key it is about.
    pub fn key(&self) -> Key {
        match self {
            Request::Put { key, .. }
            | Request::Get { key }
            | Request::Announce { key, .. }
            | Request::Withdraw { key }
            | Request::Providers { key, .. } => *key,
        }
    }

    /// The canonical bytes, without a length prefix.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads canonical bytes within the limits.
    pub fn decode(bytes: &[u8]) -> Result<Request, Refusal> {
        let request: Request = decode_frame_body(bytes)?;
        match &request {
            Request::Announce {
                addresses, ttl_ms, ..
            } => {
                bounded(addresses, MAX_PROVIDER_ADDRESSES, MAX_ADDRESS)?;
                check_integer(*ttl_ms)?;
            }
            Request::Providers {
                after: Some(peer), ..
            } => {
                bounded(std::slice::from_ref(peer), 1, MAX_PEER_ID)?;
            }
            // A record that is too large is refused with a reason, as every other bad record is; the
            // frame has bounded it.
            Request::Put { .. }
            | Request::Get { .. }
            | Request::Withdraw { .. }
            | Request::Providers { .. } => {}
        }
        Ok(request)
    }
}

impl Answer {
    /// The canonical bytes, without a length prefix.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads canonical bytes within the limits.
    pub fn decode(bytes: &[u8]) -> Result<Answer, Refusal> {
        let answer: Answer = decode_frame_body(bytes)?;
        check_integer(answer.now)?;
        match &answer.response {
            Response::Found { record } => check_record(record)?,
            Response::Refused {
                newer: Some(record),
                ..
            } => check_record(record)?,
            Response::Announced { expires } => check_integer(*expires)?,
            Response::Providers { entries, .. } => {
                if entries.len() > PROVIDER_PAGE {
                    return Err(Refusal::Oversized);
                }
                entries.iter().try_for_each(ProviderEntry::check)?;
            }
            Response::Stored | Response::Missing | Response::Refused { .. } => {}
        }
        Ok(answer)
    }
}

fn decode_frame_body<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, Refusal> {
    if bytes.len() > MAX_FRAME {
        return Err(Refusal::Oversized);
    }
    Ok(cbor::decode(bytes)?)
}

fn check_record(record: &[u8]) -> Result<(), Refusal> {
    if record.len() > MAX_ENVELOPE {
        Err(Refusal::Oversized)
    } else {
        Ok(())
    }
}

fn check_integer(number: u64) -> Result<(), Refusal> {
    if number > MAX_SAFE_INTEGER {
        Err(Refusal::Malformed)
    } else {
        Ok(())
    }
}

/// Prefixes a message with its length.
pub fn encode_frame(message: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut frame = Vec::new();
    add_frame(&mut frame, &[message])?;
    Ok(frame)
}

/// Puts a message, which is in several parts, behind what is there, with its length before it.
pub fn add_frame(out: &mut Vec<u8>, message: &[&[u8]]) -> Result<(), Refusal> {
    let length = message.iter().map(|part| part.len()).sum();
    if length > MAX_FRAME {
        return Err(Refusal::Oversized);
    }
    let mut buffer = unsigned_varint::encode::usize_buffer();
    let prefix = unsigned_varint::encode::usize(length, &mut buffer);
    out.reserve(prefix.len() + length);
    out.extend_from_slice(prefix);
    message.iter().for_each(|part| out.extend_from_slice(part));
    Ok(())
}

/// Reads one frame from the front of `bytes`: the message and how many bytes it took; `None` when
/// more bytes are needed.
pub fn decode_frame(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Refusal> {
    let Some((length, start)) = decode_length(bytes)? else {
        return Ok(None);
    };
    Ok(bytes
        .get(start..start + length)
        .map(|message| (message, start + length)))
}

/// Reads the length of a frame from its first bytes, and how many of them it took; `None` when more
/// are needed. A length beyond 64 KiB or in a longer form than needed is refused at once, before
/// anything is buffered for it.
pub fn decode_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Refusal> {
    let head = &bytes[..bytes.len().min(MAX_FRAME_PREFIX)];
    let (length, rest) = match unsigned_varint::decode::usize(head) {
        Ok(read) => read,
        Err(unsigned_varint::decode::Error::Insufficient) if head.len() < MAX_FRAME_PREFIX => {
            return Ok(None);
        }
        Err(unsigned_varint::decode::Error::Insufficient) => return Err(Refusal::Oversized),
        Err(_) => return Err(Refusal::Malformed),
    };
    if length > MAX_FRAME {
        return Err(Refusal::Oversized);
    }
    Ok(Some((length, head.len() - rest.len())))
}

#[cfg(test)]
mod tests;
