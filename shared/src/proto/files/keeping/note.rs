//! What is written beside a kept file or directory: who asked for it, in their own signed words.
//!
//! Knows bytes. What a disk made of them is noticed: requests that do not verify any more do not count.

use minicbor::{Decode, Encode};

use super::super::cid::Cid;
use super::KeepRequest;
use crate::limits::{MAX_KEEPERS, MAX_KEPT_NOTE};
use crate::proto::cbor;
use crate::proto::key::NetworkId;
use crate::proto::record::Refusal;

const VERSION: u64 = 1;

/// One request that is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it came from: see [`crate::store::Source`].
    pub source: u64,
    /// What was asked.
    pub request: KeepRequest,
}

/// All requests for one file or directory; at least one, each of another author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub(super) kept: Vec<Kept>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct NoteWire {
    #[n(0)]
    version: u64,
    #[n(1)]
    kept: Vec<KeptWire>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct KeptWire {
    #[n(0)]
    source: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    request: Vec<u8>,
}

impl Note {
    /// Of the first who asks.
    pub fn new(first: Kept) -> Note {
        Note { kept: vec![first] }
    }

    /// Adds a request, in place of that of the same author; nothing when that is newer, or there are too many.
    pub fn add(&mut self, kept: Kept) {
        let author = kept.request.author();
        let known = self
            .kept
            .iter()
            .position(|one| one.request.author() == author);
        match known {
            Some(at) if self.kept[at].request.seq() <= kept.request.seq() => self.kept[at] = kept,
            Some(_) => {}
            None if self.kept.len() < MAX_KEEPERS => self.kept.push(kept),
            None => {}
        }
    }

    /// Which it is. There is always one who asks for it.
    pub fn cid(&self) -> Cid {
        self.kept[0].request.cid()
    }

    /// Its bytes, as all of them say.
    pub fn size(&self) -> u64 {
        self.kept[0].request.size()
    }

    /// Who asks for it.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The same without those of whom it does not hold; nothing when that is nobody.
    pub fn only(mut self, holds: impl Fn(&KeepRequest) -> bool) -> Option<Note> {
        self.kept.retain(|kept| holds(&kept.request));
        (!self.kept.is_empty()).then_some(self)
    }

    /// As it is on the disk.
    pub fn encode(&self) -> Vec<u8> {
        let kept = self.kept.iter().map(|kept| KeptWire {
            source: kept.source,
            request: kept.request.encode(),
        });
        cbor::encode(&NoteWire {
            version: VERSION,
            kept: kept.collect(),
        })
    }

    /// Reads it back. All requests are of this network, about one thing, and verify.
    pub fn decode(bytes: &[u8], network: &NetworkId) -> Result<Note, Refusal> {
        if bytes.len() > MAX_KEPT_NOTE {
            return Err(Refusal::Oversized);
        }
        if cbor::first_integer(bytes)? != VERSION {
            return Err(Refusal::UnknownVersion);
        }
        let wire: NoteWire = cbor::decode(bytes)?;
        if wire.kept.len() > MAX_KEEPERS {
            return Err(Refusal::Oversized);
        }
        let mut kept: Vec<Kept> = Vec::new();
        for KeptWire { source, request } in wire.kept {
            let request = KeepRequest::reopen(&request, network)?;
            let other = |one: &Kept| {
                let same =
                    one.request.cid() == request.cid() && one.request.size() == request.size();
                !same || one.request.author() == request.author()
            };
            if kept.iter().any(other) {
                return Err(Refusal::Malformed);
            }
            kept.push(Kept { source, request });
        }
        match kept.is_empty() {
            true => Err(Refusal::Malformed),
            false => Ok(Note { kept }),
        }
    }
}
