//! What travels: deliveries to a peer, and requests to a mailbox.
//!
//! Knows bytes and limits. Whether a message is authentic is decided by whoever takes it.

use minicbor::{Decode, Encode};

use super::message::Id;
use crate::limits::{
    DIRECT_BATCH, MAILBOX_PAGE, MAX_ENVELOPE, MAX_FRAME, MAX_SAFE_INTEGER, MAX_SEALED,
    MAX_SIGNED_MESSAGE,
};
use crate::proto::cbor;
use crate::proto::key::PublicKey;
use crate::proto::record::Refusal;

/// What a peer brings another one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Delivery {
    /// Messages of one session, in their order.
    #[n(0)]
    Messages {
        /// The author waits for nothing below this number any more.
        #[n(0)]
        settled: u64,
        /// Each with its signature.
        #[cbor(n(1), with = "cbor::byte_lists")]
        messages: Vec<Vec<u8>>,
    },
    /// What was stored of the asked peer's own messages.
    #[n(1)]
    Receipt {
        /// With its signature.
        #[cbor(n(0), with = "minicbor::bytes")]
        receipt: Vec<u8>,
    },
}

/// What the other one says to it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Taken {
    /// All messages of that session below this number are stored.
    #[n(0)]
    Until {
        /// The number that is expected next.
        #[n(0)]
        next: u64,
    },
    /// They are not taken.
    #[n(1)]
    Refused {
        /// Why.
        #[n(0)]
        why: NotTaken,
    },
}

/// Why a delivery is not taken. Numbers on the wire are only ever added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum NotTaken {
    /// It cannot be understood, is not authentic, or is too old.
    #[n(1)]
    Invalid,
    /// The recipient does not want to hear from this author.
    #[n(2)]
    Blocked,
    /// Nobody reads messages there now.
    #[n(3)]
    NotReading,
    /// This peer runs for somebody else.
    #[n(4)]
    NotMine,
    /// There is no room until the recipient has read some.
    #[n(5)]
    Full,
    /// The recipient could not store it.
    #[n(6)]
    Failed,
}

/// What lies in a mailbox, inside its seal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Parcel {
    /// A message.
    #[n(0)]
    Message {
        /// As in [`Delivery::Messages`], when it was left there.
        #[n(0)]
        settled: u64,
        /// With its signature.
        #[cbor(n(1), with = "minicbor::bytes")]
        message: Vec<u8>,
    },
    /// What was stored of the mailbox owner's messages.
    #[n(1)]
    Receipt {
        /// With its signature.
        #[cbor(n(0), with = "minicbor::bytes")]
        receipt: Vec<u8>,
    },
}

/// What is asked of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum MailboxRequest {
    /// Keep something for an author.
    #[n(0)]
    Leave {
        /// For whom.
        #[n(0)]
        to: PublicKey,
        /// What, in this order.
        #[n(1)]
        parcels: Vec<Left>,
    },
    /// Give what waits for the author that the asking peer runs for.
    #[n(1)]
    Fetch {
        /// The author's proof that it does.
        #[cbor(n(0), with = "minicbor::bytes")]
        proof: Vec<u8>,
        /// Only what came after this.
        #[n(1)]
        after: u64,
        /// Forget these first.
        #[n(2)]
        done: Vec<u64>,
    },
}

/// Something on its way into a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Left {
    /// Chosen by the sender: what it leaves twice under one id is kept once.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: Id,
    /// A sealed [`Parcel`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

/// Something in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Waiting {
    /// Its number in this mailbox.
    #[n(0)]
    pub place: u64,
    /// A sealed [`Parcel`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

/// What a mailbox says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum MailboxAnswer {
    /// So many of the parcels, from the first on, are on disk; for the next one there is no room.
    #[n(0)]
    Kept {
        /// How many.
        #[n(0)]
        count: u64,
    },
    /// The oldest of what waits.
    #[n(1)]
    Waiting {
        /// In the order in which it came.
        #[n(0)]
        entries: Vec<Waiting>,
        /// Whether there is more after these.
        #[n(1)]
        more: bool,
    },
    /// Not done.
    #[n(2)]
    Refused {
        /// Why.
        #[n(0)]
        why: Refusal,
    },
}

impl Delivery {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a message within its limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let delivery: Self = within(bytes, MAX_FRAME)?;
        match &delivery {
            Delivery::Messages { settled, messages } => {
                numbered(*settled)?;
                let sizes = messages.iter().all(|one| one.len() <= MAX_SIGNED_MESSAGE);
                bounded(sizes && (1..=DIRECT_BATCH).contains(&messages.len()))?;
            }
            Delivery::Receipt { receipt } => bounded(receipt.len() <= MAX_SIGNED_MESSAGE)?,
        }
        Ok(delivery)
    }
}

impl Taken {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a message within its limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let taken: Self = within(bytes, MAX_FRAME)?;
        if let Taken::Until { next } = &taken {
            numbered(*next)?;
        }
        Ok(taken)
    }
}

impl Parcel {
    /// The parcel's bytes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a parcel within its limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let parcel: Self = within(bytes, MAX_SEALED)?;
        if let Parcel::Message { settled, .. } = &parcel {
            numbered(*settled)?;
        }
        Ok(parcel)
    }
}

impl MailboxRequest {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a message within its limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let request: Self = within(bytes, MAX_FRAME)?;
        match &request {
            MailboxRequest::Leave { parcels, .. } => {
                let sizes = parcels.iter().all(|one| one.sealed.len() <= MAX_SEALED);
                bounded(sizes && (1..=DIRECT_BATCH).contains(&parcels.len()))?;
            }
            MailboxRequest::Fetch { proof, after, done } => {
                bounded(proof.len() <= MAX_ENVELOPE && done.len() <= MAILBOX_PAGE)?;
                numbered(*after)?;
                done.iter().try_for_each(|place| numbered(*place))?;
            }
        }
        Ok(request)
    }
}

impl MailboxAnswer {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a message within its limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let answer: Self = within(bytes, MAX_FRAME)?;
        if let MailboxAnswer::Waiting { entries, .. } = &answer {
            let sizes = entries.iter().all(|one| one.sealed.len() <= MAX_SEALED);
            bounded(sizes && entries.len() <= MAILBOX_PAGE)?;
            entries.iter().try_for_each(|one| numbered(one.place))?;
        }
        Ok(answer)
    }
}

fn within<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8], most: usize) -> Result<T, Refusal> {
    bounded(bytes.len() <= most)?;
    Ok(cbor::decode(bytes)?)
}

fn bounded(holds: bool) -> Result<(), Refusal> {
    match holds {
        true => Ok(()),
        false => Err(Refusal::Oversized),
    }
}

fn numbered(number: u64) -> Result<(), Refusal> {
    match number <= MAX_SAFE_INTEGER {
        true => Ok(()),
        false => Err(Refusal::Malformed),
    }
}
