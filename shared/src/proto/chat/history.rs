//! Asking for messages that one does not have: one request, one answer.
//!
//! Whoever asks says which messages it has, by the first eight bytes of their names. So anybody can
//! answer, also a relay that cannot read a word, and nothing is sent twice.

use minicbor::{Decode, Encode};

use super::keys::Topic;
use super::packet::PacketId;
use crate::limits::{HISTORY_PAGE, MAX_CHAT_PACKET, MAX_FRAME, MAX_HISTORY_HAVE, MAX_SAFE_INTEGER};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// The beginning of a packet's name.
pub type Short = [u8; 8];

/// The beginning of a packet's name.
pub fn short(id: &PacketId) -> Short {
    let mut short = [0; 8];
    short.copy_from_slice(&id[..8]);
    short
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Request {
    /// Of which room.
    #[n(0)]
    pub topic: Topic,
    /// Only what was said before this time; the newest first.
    #[n(1)]
    pub before: Millis,
    /// What is there already of that: eight bytes each, sorted.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub have: Vec<u8>,
}

/// What the asked one gives.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Answer {
    /// Messages, the newest first.
    #[n(0)]
    Packets {
        /// As they were sent.
        #[cbor(n(0), with = "cbor::byte_lists")]
        packets: Vec<Vec<u8>>,
        /// Whether there is more before the last one.
        #[n(1)]
        more: bool,
    },
    /// No.
    #[n(1)]
    Refused {
        /// Why.
        #[n(0)]
        why: Refusal,
    },
}

impl Request {
    /// Whether the asking one has a packet.
    pub fn has(&self, id: &PacketId) -> bool {
        let (entries, _) = self.have.as_chunks::<8>();
        entries.binary_search(&short(id)).is_ok()
    }

    /// The bytes inside a frame.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a request and checks it.
    pub fn decode(bytes: &[u8]) -> Result<Request, Refusal> {
        let request: Request = cbor::decode(bytes)?;
        let (entries, rest) = request.have.as_chunks::<8>();
        if entries.len() > MAX_HISTORY_HAVE {
            return Err(Refusal::Oversized);
        }
        let sorted = entries.is_sorted_by(|one, two| one < two);
        let fine = rest.is_empty() && sorted && request.before <= MAX_SAFE_INTEGER;
        fine.then_some(request).ok_or(Refusal::Malformed)
    }
}

impl Answer {
    /// The bytes inside a frame.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads an answer; what is in it is still to be verified.
    pub fn decode(bytes: &[u8]) -> Result<Answer, Refusal> {
        let answer: Answer = cbor::decode(bytes)?;
        if let Answer::Packets { packets, more } = &answer {
            if packets.iter().any(|packet| packet.len() > MAX_CHAT_PACKET) {
                return Err(Refusal::Oversized);
            }
            if *more && packets.is_empty() {
                return Err(Refusal::Malformed);
            }
        }
        Ok(answer)
    }
}

/// Fills an answer up to its size.
#[derive(Default)]
pub struct Page {
    packets: Vec<Vec<u8>>,
    bytes: usize,
    full: bool,
}

impl Page {
    /// Takes one more, unless it has no room; then it wants no others.
    pub fn offer(&mut self, packet: &[u8]) -> bool {
        let room = self.bytes + packet.len() <= HISTORY_PAGE;
        if !room || self.full {
            self.full = true;
            return false;
        }
        self.bytes += packet.len() + 4;
        self.packets.push(packet.to_vec());
        true
    }

    /// The answer.
    pub fn answer(self) -> Answer {
        Answer::Packets {
            packets: self.packets,
            more: self.full,
        }
    }
}

const _: () = {
    assert!(MAX_HISTORY_HAVE * 8 + 128 <= MAX_FRAME);
    // The length of each packet takes up to five bytes, and the smallest has about two hundred.
    assert!(HISTORY_PAGE + HISTORY_PAGE / 8 <= MAX_FRAME);
    assert!(HISTORY_PAGE > MAX_CHAT_PACKET);
};

#[cfg(test)]
mod tests {
    use super::super::packet::packet_id;
    use super::*;

    fn request(have: Vec<u8>) -> Request {
        Request {
            topic: Topic {
                sealed: false,
                id: [7; 32],
            },
            before: 9,
            have,
        }
    }

    #[test]
    fn what_one_has_is_found() {
        let ids: Vec<PacketId> = (0..100u8).map(|n| packet_id(&[n])).collect();
        let mut have: Vec<Short> = ids[..50].iter().map(short).collect();
        have.sort_unstable();
        let request = request(have.concat());
        let read = Request::decode(&request.encode()).unwrap();
        assert_eq!(read, request);
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(read.has(id), index < 50);
        }
    }

    #[test]
    fn disorder_and_excess_are_refused() {
        for have in [vec![0; 7], vec![0; 16], [[2; 8], [1; 8]].concat()] {
            let bytes = request(have).encode();
            assert_eq!(Request::decode(&bytes), Err(Refusal::Malformed));
        }
        let many: Vec<u8> = (0..=MAX_HISTORY_HAVE as u64)
            .flat_map(u64::to_be_bytes)
            .collect();
        let bytes = request(many).encode();
        assert_eq!(Request::decode(&bytes), Err(Refusal::Oversized));
    }

    #[test]
    fn a_page_is_filled_and_says_that_there_is_more() {
        let mut page = Page::default();
        let taken = (0..100).filter(|_| page.offer(&[0; 1_000])).count();
        assert!((45..=49).contains(&taken), "{taken}");
        let answer = page.answer();
        assert!(answer.encode().len() <= MAX_FRAME);
        assert!(matches!(&answer, Answer::Packets { more: true, .. }));
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
        let endless = Answer::Packets {
            packets: Vec::new(),
            more: true,
        };
        assert_eq!(Answer::decode(&endless.encode()), Err(Refusal::Malformed));
    }
}
