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
            Request::Put { record, .. } => check_record(record)?,
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
            Request::Get { .. } | Request::Withdraw { .. } | Request::Providers { .. } => {}
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
    if message.len() > MAX_FRAME {
        return Err(Refusal::Oversized);
    }
    let mut buffer = unsigned_varint::encode::usize_buffer();
    let prefix = unsigned_varint::encode::usize(message.len(), &mut buffer);
    Ok([prefix, message].concat())
}

/// Reads one frame from the front of `bytes`: the message and how many bytes it took; `None` when
/// more bytes are needed. A length beyond 64 KiB or in a longer form than needed is refused at
/// once, before anything is buffered for it.
pub fn decode_frame(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Refusal> {
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
    let start = head.len() - rest.len();
    Ok(bytes
        .get(start..start + length)
        .map(|message| (message, start + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::value(b"x")
    }

    fn requests() -> Vec<Request> {
        vec![
            Request::Put {
                key: key(),
                record: vec![1; MAX_ENVELOPE],
            },
            Request::Get { key: key() },
            Request::Announce {
                key: key(),
                addresses: vec![vec![4; 256]; 2],
                ttl_ms: 5,
            },
            Request::Withdraw { key: key() },
            Request::Providers {
                key: key(),
                after: None,
            },
            Request::Providers {
                key: key(),
                after: Some(vec![1; 38]),
            },
        ]
    }

    fn responses() -> Vec<Response> {
        let entry = ProviderEntry {
            peer: vec![1; 64],
            addresses: vec![vec![2; 256]; 2],
            expires: 9,
        };
        vec![
            Response::Stored,
            Response::Found {
                record: vec![3; 100],
            },
            Response::Missing,
            Response::Announced { expires: 10 },
            Response::Providers {
                entries: vec![entry; PROVIDER_PAGE],
                more: true,
            },
            Response::Refused {
                why: Refusal::Older,
                newer: Some(vec![1]),
            },
            Response::Refused {
                why: Refusal::Full,
                newer: None,
            },
        ]
    }

    #[test]
    fn every_message_round_trips_within_a_frame() {
        for request in requests() {
            let frame = encode_frame(&request.encode()).unwrap();
            let (message, used) = decode_frame(&frame).unwrap().unwrap();
            assert_eq!(used, frame.len());
            assert_eq!(Request::decode(message).unwrap(), request);
        }
        for response in responses() {
            let answer = Answer { now: 7, response };
            let frame = encode_frame(&answer.encode()).unwrap();
            let (message, _) = decode_frame(&frame).unwrap().unwrap();
            assert_eq!(Answer::decode(message).unwrap(), answer);
        }
    }

    #[test]
    fn limits_hold() {
        for bad in [
            Request::Put {
                key: key(),
                record: vec![1; MAX_ENVELOPE + 1],
            },
            Request::Announce {
                key: key(),
                addresses: vec![vec![4]; 3],
                ttl_ms: 5,
            },
            Request::Providers {
                key: key(),
                after: Some(vec![1; 65]),
            },
        ] {
            assert_eq!(Request::decode(&bad.encode()), Err(Refusal::Oversized));
        }
        let late = Answer {
            now: u64::MAX,
            response: Response::Stored,
        };
        assert_eq!(Answer::decode(&late.encode()), Err(Refusal::Malformed));
        assert_eq!(
            Request::decode(&vec![0; MAX_FRAME + 1]),
            Err(Refusal::Oversized)
        );
        assert_eq!(
            encode_frame(&vec![0; MAX_FRAME + 1]),
            Err(Refusal::Oversized)
        );
    }

    #[test]
    fn frames_arrive_in_pieces() {
        let frame = encode_frame(&[7; 300]).unwrap();
        for cut in 0..frame.len() {
            assert_eq!(decode_frame(&frame[..cut]), Ok(None));
        }
        let two = [frame.clone(), vec![1, 2]].concat();
        assert_eq!(decode_frame(&two), Ok(Some((&[7; 300][..], frame.len()))));
        assert_eq!(decode_frame(&[0]), Ok(Some((&[][..], 1))));
    }

    #[test]
    fn bad_lengths_are_refused_early() {
        assert_eq!(decode_frame(&[0xff, 0xff, 0xff]), Err(Refusal::Oversized));
        assert_eq!(decode_frame(&[0x81, 0x80, 0x04]), Err(Refusal::Oversized));
        assert_eq!(decode_frame(&[0x80, 0x00]), Err(Refusal::Malformed));
        assert!(decode_frame(&[0x80, 0x80, 0x04]).unwrap().is_none());
    }
}
