//! Files and directories that a relay keeps for publishers that leave: what is asked, and signed, and what is answered.
//!
//! Knows bytes, signatures and times. Who gets how much room is [`Room`]'s to say; where files are is not known here.

mod extent;
mod not_kept;
mod note;
mod refusal;
mod room;

use minicbor::{Decode, Encode};

pub use self::extent::{Extent, different};
pub use self::not_kept::NotKept;
pub use self::note::{Kept, Note};
pub use self::refusal::KeepRefusal;
pub use self::room::{Admitted, Room, Wish};
use super::cid::{Cid, Kind};
use super::search::{Listing, Signed};
use super::tree::Tree;
use crate::error::{Code, Error, Result};
use crate::limits::{KEEP_LONGEST, MAX_FILE, MAX_KEEP_MESSAGE, MAX_KEEP_REQUEST, MAX_SAFE_INTEGER};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// Domain of requests to keep a file or a directory.
pub const KEEP_DOMAIN: &str = "file-keep";

#[derive(Encode, Decode)]
#[cbor(array)]
struct Payload {
    #[n(0)]
    cid: Cid,
    /// Of a directory: of all its files.
    #[n(1)]
    size: u64,
}

/// The largest that something of a kind is.
fn most(kind: Kind) -> u64 {
    match kind {
        Kind::File => MAX_FILE,
        Kind::Directory => MAX_SAFE_INTEGER,
    }
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct MessageWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    request: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    listing: Vec<u8>,
}

/// What an author wants kept, signed; and what it is to be listed as. Made only by [`KeepRequest::sign`] and
/// [`KeepRequest::open`], so it is authentic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepRequest {
    cid: Cid,
    size: u64,
    envelope: Envelope,
    listing: Option<Signed>,
}

impl KeepRequest {
    /// Signs that this file or directory is to be kept until a time, and found as what it is listed as meanwhile.
    pub fn sign(
        listing: &Listing,
        key: &SigningKey,
        network: &NetworkId,
        (now, until): (Millis, Millis),
    ) -> Result<KeepRequest> {
        if listing.size > most(listing.cid.kind) {
            return Err(Error::new(Code::TooLarge, "no file is so large"));
        }
        if until > now.saturating_add(KEEP_LONGEST) {
            let long = "relays keep files for 90 days at most";
            return Err(Error::new(Code::InvalidArgument, long)
                .with_remedy("Ask for less, and share it again before that is over."));
        }
        let body = Body {
            domain: KEEP_DOMAIN.to_owned(),
            network: network.clone(),
            key: key.public(),
            label: listing.cid.to_string(),
            seq: now,
            issued: now,
            expires: until,
            payload: cbor::encode(&Payload {
                cid: listing.cid,
                size: listing.size,
            }),
        };
        Ok(KeepRequest {
            cid: listing.cid,
            size: listing.size,
            envelope: Envelope::sign(body, key)?,
            listing: Some(listing.sign(key, network, now, (now, until))?),
        })
    }

    /// Reads and verifies what came over the network, as of a time.
    pub fn open(bytes: &[u8], network: &NetworkId, now: Millis) -> Result<KeepRequest, Refusal> {
        KeepRequest::read(bytes, network, |envelope| envelope.check_time(now))
    }

    /// Reads and verifies what was open once, whenever that was.
    pub fn reopen(bytes: &[u8], network: &NetworkId) -> Result<KeepRequest, Refusal> {
        KeepRequest::read(bytes, network, |_| Ok(()))
    }

    fn read(
        bytes: &[u8],
        network: &NetworkId,
        timely: impl Fn(&Envelope) -> Result<(), Refusal>,
    ) -> Result<KeepRequest, Refusal> {
        if bytes.len() > MAX_KEEP_MESSAGE {
            return Err(Refusal::Oversized);
        }
        let wire: MessageWire = cbor::decode(bytes)?;
        if wire.request.len() > MAX_KEEP_REQUEST {
            return Err(Refusal::Oversized);
        }
        let envelope = Envelope::open(&wire.request)?;
        let body = envelope.body();
        if body.domain != KEEP_DOMAIN {
            return Err(Refusal::Unsupported);
        }
        if body.network != *network {
            return Err(Refusal::WrongNetwork);
        }
        timely(&envelope)?;
        let Payload { cid, size } = cbor::decode(&body.payload)?;
        if body.label != cid.to_string() {
            return Err(Refusal::WrongKey);
        }
        if size > most(cid.kind) {
            return Err(Refusal::Malformed);
        }
        let listing = match wire.listing.as_slice() {
            [] => None,
            // A listing may count for less long than the file is kept: as of the moment in which it was signed.
            bytes => Some(Signed::open(bytes, network, body.issued)?),
        };
        let fits = |listing: &Signed| {
            let said = listing.listing();
            listing.author() == body.key && said.cid == cid && said.size == size
        };
        if !listing.as_ref().is_none_or(fits) {
            return Err(Refusal::WrongKey);
        }
        Ok(KeepRequest {
            cid,
            size,
            envelope,
            listing,
        })
    }

    /// As it travels, and as it is kept.
    pub fn encode(&self) -> Vec<u8> {
        let listing = self.listing.as_ref();
        cbor::encode(&MessageWire {
            request: self.envelope.bytes().to_vec(),
            listing: listing.map_or(Vec::new(), |listing| listing.bytes().to_vec()),
        })
    }

    /// The same, without a listing: others find it by its id only.
    pub fn unlisted(self) -> KeepRequest {
        KeepRequest {
            listing: None,
            ..self
        }
    }

    /// Which file or directory.
    pub fn cid(&self) -> Cid {
        self.cid
    }

    /// How many bytes it has, as the author says; a directory, how many its files have.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The shape of a file, as the author says. That of a directory's list is not said.
    pub fn tree(&self) -> Option<Tree> {
        let tree = Tree::new(self.size);
        tree.filter(|_| self.cid.kind == Kind::File)
    }

    /// Who asks.
    pub fn author(&self) -> PublicKey {
        self.envelope.body().key
    }

    /// Of two requests of one author for one file that with the higher number counts.
    pub fn seq(&self) -> u64 {
        self.envelope.body().seq
    }

    /// Until when it is to be kept, at the longest that is promised to anybody.
    pub fn until(&self) -> Millis {
        let body = self.envelope.body();
        body.expires.min(body.issued.saturating_add(KEEP_LONGEST))
    }

    /// What it is listed as.
    pub fn listing(&self) -> Option<&Signed> {
        self.listing.as_ref()
    }
}

/// What a relay says to a request. Some of the first may come before one of the others, which is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAnswer {
    /// It takes it, and so much of it has come.
    Coming {
        /// Bytes that are there.
        have: u64,
    },
    /// All of it is there, durably.
    Kept {
        /// It stays until then.
        until: Millis,
    },
    /// No.
    Refused {
        /// Why.
        why: NotKept,
    },
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum AnswerWire {
    #[n(0)]
    Coming {
        #[n(0)]
        have: u64,
    },
    #[n(1)]
    Kept {
        #[n(0)]
        until: u64,
    },
    #[n(2)]
    Refused {
        #[n(0)]
        why: KeepRefusal,
    },
    #[n(3)]
    NoRoom {
        #[n(0)]
        why: KeepRefusal,
        #[n(1)]
        need: u64,
        #[n(2)]
        most: u64,
    },
    #[n(4)]
    Unwanted {
        #[n(0)]
        cid: Cid,
    },
}

impl KeepAnswer {
    /// The bytes inside a frame.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&match *self {
            KeepAnswer::Coming { have } => AnswerWire::Coming { have },
            KeepAnswer::Kept { until } => AnswerWire::Kept { until },
            KeepAnswer::Refused { why } => match why {
                NotKept::Why(why) => AnswerWire::Refused { why },
                NotKept::NoRoom { why, need, most } => AnswerWire::NoRoom { why, need, most },
                NotKept::Unwanted(cid) => AnswerWire::Unwanted { cid },
            },
        })
    }

    /// Reads an answer.
    pub fn decode(bytes: &[u8]) -> Result<KeepAnswer, Refusal> {
        let refused = |why| KeepAnswer::Refused { why };
        Ok(match cbor::decode(bytes)? {
            AnswerWire::Coming { have } if have > MAX_SAFE_INTEGER => {
                return Err(Refusal::Malformed);
            }
            AnswerWire::Coming { have } => KeepAnswer::Coming { have },
            AnswerWire::Kept { until } => KeepAnswer::Kept { until },
            AnswerWire::Refused { why } => refused(NotKept::Why(why)),
            AnswerWire::NoRoom { why, need, most } => {
                let sized = matches!(why, KeepRefusal::Full | KeepRefusal::TooLarge);
                if !sized || need.max(most) > MAX_SAFE_INTEGER {
                    return Err(Refusal::Malformed);
                }
                refused(NotKept::NoRoom { why, need, most })
            }
            AnswerWire::Unwanted { cid } => refused(NotKept::Unwanted(cid)),
        })
    }
}

#[cfg(test)]
mod tests;
