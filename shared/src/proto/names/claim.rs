//! What owners sign about their names: claims, handovers, and that a claim was given up.
//!
//! Knows the fields and which of them belong together. Does not know whether a name is free:
//! `witness` does.

mod words;

pub use words::{Abandon, Handover};

use minicbor::{Decode, Encode};

use super::name::Label;
use super::work::{Hardness, Puzzle};
use crate::error::Result;
use crate::limits::{MAX_CLAIM, MAX_SAFE_INTEGER, NAME_GRACE, NAME_TERM};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// Domain of claims.
pub const CLAIM_DOMAIN: &str = "name-claim";
/// Domain of handovers.
pub const HANDOVER_DOMAIN: &str = "name-handover";
/// Domain of abandonments.
pub const ABANDON_DOMAIN: &str = "name-abandon";

/// By what right somebody claims a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// It is free; the number solves the puzzle of this claim.
    Free {
        /// The solution.
        work: u64,
    },
    /// It is theirs already: the same generation for another term.
    Own,
    /// The holder, or its recovery key, handed it over.
    Handed(Box<Handover>),
    /// It is theirs, and nobody's from now on.
    Release {
        /// The generation that ends.
        from: u64,
    },
}

/// A claim: an envelope of the owner for one name. Its `expires` is the end of the term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    envelope: Envelope,
    name: Label,
    generation: u64,
    recovery: Option<PublicKey>,
    right: Right,
}

/// What identifies whoever holds a generation of a name: two of them never get one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Holder {
    /// The owner.
    #[n(0)]
    pub owner: PublicKey,
    /// Whether it gave the name up.
    #[n(1)]
    pub released: bool,
}

const FREE: u64 = 0;
const OWN: u64 = 1;
const HANDED: u64 = 2;
const RELEASE: u64 = 3;

#[derive(Encode, Decode)]
#[cbor(array)]
struct ClaimWire {
    #[n(0)]
    generation: u64,
    #[n(1)]
    right: u64,
    /// The solution, or the generation that ends; 0 elsewhere.
    #[n(2)]
    number: u64,
    #[cbor(n(3), with = "minicbor::bytes")]
    handover: Vec<u8>,
    #[n(4)]
    recovery: Option<PublicKey>,
}

/// What a claim says, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Where it counts.
    pub network: NetworkId,
    /// The name.
    pub name: Label,
    /// Which holder of this name it makes.
    pub generation: u64,
    /// By what right.
    pub right: Right,
    /// Who may hand the name over when the owner's key is lost.
    pub recovery: Option<PublicKey>,
    /// When it is signed; also the number of the attempt.
    pub issued: Millis,
}

impl Draft {
    /// Signs it for the longest term.
    pub fn sign(self, owner: &SigningKey) -> Result<Claim> {
        let end = self.issued.saturating_add(NAME_TERM);
        self.sign_until(owner, end)
    }

    /// Signs it for a term that ends then.
    pub fn sign_until(self, owner: &SigningKey, end: Millis) -> Result<Claim> {
        let (right, number, handover) = match &self.right {
            Right::Free { work } => (FREE, *work, Vec::new()),
            Right::Own => (OWN, 0, Vec::new()),
            Right::Handed(handover) => (HANDED, 0, handover.bytes().to_vec()),
            Right::Release { from } => (RELEASE, *from, Vec::new()),
        };
        let wire = ClaimWire {
            generation: self.generation,
            right,
            number,
            handover,
            recovery: self.recovery,
        };
        let body = Body {
            domain: CLAIM_DOMAIN.to_owned(),
            network: self.network,
            key: owner.public(),
            label: self.name.as_str().to_owned(),
            seq: self.generation,
            issued: self.issued,
            expires: end,
            payload: cbor::encode(&wire),
        };
        Ok(Claim::open(Envelope::sign(body, owner)?)?)
    }
}

impl Claim {
    /// Reads and verifies a claim.
    pub fn decode(bytes: &[u8]) -> Result<Claim, Refusal> {
        if bytes.len() > MAX_CLAIM {
            return Err(Refusal::Oversized);
        }
        Claim::open(Envelope::open(bytes)?)
    }

    fn open(envelope: Envelope) -> Result<Claim, Refusal> {
        let body = envelope.body();
        if body.domain != CLAIM_DOMAIN {
            return Err(Refusal::Unsupported);
        }
        let name = Label::exact(&body.label).ok_or(Refusal::Malformed)?;
        let wire: ClaimWire = cbor::decode(&body.payload)?;
        let right = read_right(&wire)?;
        let claim = Claim {
            name,
            generation: wire.generation,
            recovery: wire.recovery,
            right,
            envelope,
        };
        claim.check().map(|()| claim)
    }

    fn check(&self) -> Result<(), Refusal> {
        let body = self.envelope.body();
        let lives = body.expires - body.issued <= NAME_TERM;
        let counted = (1..=MAX_SAFE_INTEGER).contains(&self.generation);
        let right = match &self.right {
            Right::Free { .. } | Right::Own => true,
            Right::Release { from } => *from >= 1 && *from < self.generation,
            Right::Handed(handover) => {
                handover.envelope.body().network == body.network
                    && handover.name == self.name
                    && handover.to == body.key
                    && handover.from < self.generation
            }
        };
        let size = self.envelope.bytes().len() <= MAX_CLAIM;
        match lives && counted && right && size && body.seq == self.generation {
            true => Ok(()),
            false => Err(Refusal::Malformed),
        }
    }

    /// As it travels.
    pub fn bytes(&self) -> &[u8] {
        self.envelope.bytes()
    }

    /// BLAKE3 of the whole: what witnesses sign.
    pub fn hash(&self) -> [u8; 32] {
        self.envelope.hash()
    }

    /// Where it counts.
    pub fn network(&self) -> &NetworkId {
        &self.envelope.body().network
    }

    /// The name.
    pub fn name(&self) -> &Label {
        &self.name
    }

    /// Who claims it.
    pub fn owner(&self) -> PublicKey {
        self.envelope.body().key
    }

    /// Who holds the name by it.
    pub fn holder(&self) -> Holder {
        Holder {
            owner: self.owner(),
            released: self.released(),
        }
    }

    /// Which holder of the name it makes.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// By what right.
    pub fn right(&self) -> &Right {
        &self.right
    }

    /// Whether it gives the name up.
    pub fn released(&self) -> bool {
        matches!(self.right, Right::Release { .. })
    }

    /// Who may hand the name over beside the owner.
    pub fn recovery(&self) -> Option<PublicKey> {
        self.recovery
    }

    /// When it was signed.
    pub fn issued(&self) -> Millis {
        self.envelope.body().issued
    }

    /// The end of the term.
    pub fn expires(&self) -> Millis {
        self.envelope.body().expires
    }

    /// Until when nobody else can have the name without its owner's word: the end of the term, and a grace.
    pub fn held_until(&self) -> Millis {
        self.expires().saturating_add(NAME_GRACE)
    }

    /// Of two claims of one name the one of higher rank counts: generation, then time of signing,
    /// then hash.
    pub fn rank(&self) -> (u64, Millis, [u8; 32]) {
        (self.generation, self.issued(), self.hash())
    }

    /// Whether it counts at `now`, with the usual tolerance.
    pub fn check_time(&self, now: Millis) -> Result<(), Refusal> {
        self.envelope.check_time(now)
    }

    /// The puzzle that a claim of a free name must have solved.
    pub fn puzzle(&self, hardness: Hardness) -> Puzzle {
        Puzzle::new(
            self.network(),
            &self.name,
            &self.owner(),
            self.issued(),
            hardness,
        )
    }
}

fn read_right(wire: &ClaimWire) -> Result<Right, Refusal> {
    let bare = wire.handover.is_empty();
    match (wire.right, wire.number) {
        (FREE, work) if bare => Ok(Right::Free { work }),
        (OWN, 0) if bare => Ok(Right::Own),
        (HANDED, 0) => Ok(Right::Handed(Box::new(Handover::decode(&wire.handover)?))),
        (RELEASE, from) if bare => Ok(Right::Release { from }),
        _ => Err(Refusal::Malformed),
    }
}
