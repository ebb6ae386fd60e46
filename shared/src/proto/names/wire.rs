//! Messages of `/warren/<network>/names/1`: one request, one answer, as frames of the record protocol.
//!
//! Knows bytes and limits. What is inside (claims, certificates, zones) stays bytes here; `witness`
//! and `resolver` verify it.

mod refusal;

pub use refusal::NameRefusal;

use minicbor::{Decode, Encode};

use super::certificate::WitnessSignature;
use super::name::Label;
use super::set::Succession;
use crate::limits::{
    MAX_CERTIFICATE, MAX_CLAIM, MAX_ENVELOPE, MAX_FRAME, MAX_SAFE_INTEGER, MAX_WITNESS_SETS,
    MAX_WITNESSES,
};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// What is asked of a witness.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Request {
    /// What is known of a name.
    #[n(0)]
    Ask {
        /// Which.
        #[n(0)]
        name: Label,
    },
    /// A provisional signature for a claim.
    #[n(1)]
    Propose {
        /// The claim.
        #[cbor(n(0), with = "minicbor::bytes")]
        claim: Vec<u8>,
        /// The certificate it follows, if the name is held.
        #[cbor(n(1), with = "minicbor::bytes")]
        follows: Option<Vec<u8>>,
    },
    /// A final signature for a claim that a quorum has signed provisionally.
    #[n(2)]
    Finalise {
        /// The claim.
        #[cbor(n(0), with = "minicbor::bytes")]
        claim: Vec<u8>,
        /// Of which set the signers are.
        #[n(1)]
        epoch: u64,
        /// Their provisional signatures, by member.
        #[n(2)]
        provisionals: Vec<WitnessSignature>,
    },
    /// Take note of a certificate and sign its lease again.
    #[n(3)]
    Renew {
        /// The certificate.
        #[cbor(n(0), with = "minicbor::bytes")]
        certificate: Vec<u8>,
    },
    /// Forget a provisional signature.
    #[n(4)]
    Abandon {
        /// The owner's word.
        #[cbor(n(0), with = "minicbor::bytes")]
        abandon: Vec<u8>,
    },
    /// Keep a zone.
    #[n(5)]
    Publish {
        /// The zone.
        #[cbor(n(0), with = "minicbor::bytes")]
        zone: Vec<u8>,
        /// The certificate of its owner, for witnesses that do not have it.
        #[cbor(n(1), with = "minicbor::bytes")]
        certificate: Option<Vec<u8>>,
    },
    /// The witness sets after an epoch.
    #[n(6)]
    Sets {
        /// The newest one the asker knows.
        #[n(0)]
        after: u64,
    },
}

/// A signature and the epoch of its signer's set.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Signed {
    /// The epoch.
    #[n(0)]
    pub epoch: u64,
    /// The signature.
    #[n(1)]
    pub signature: WitnessSignature,
}

/// A claim that this witness signed finally, without having seen that a quorum did.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct HalfFinal {
    /// The claim.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub claim: Vec<u8>,
    /// Its own signature.
    #[n(1)]
    pub signed: Signed,
}

/// What a witness knows of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Known {
    /// Epoch of the set it signs in.
    #[n(0)]
    pub epoch: u64,
    /// The highest generation it ever signed or saw certified; 0 for none.
    #[n(1)]
    pub top: u64,
    /// The certificate in force, as it was shown.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub certificate: Option<Vec<u8>>,
    /// Its own newest signature of that claim.
    #[n(3)]
    pub own: Option<Signed>,
    /// A later claim that it signed and that may be certified somewhere.
    #[n(4)]
    pub half: Option<HalfFinal>,
    /// Until when the name is reserved for somebody who is claiming it.
    #[n(5)]
    pub busy: Option<Millis>,
    /// The newest zone of the owner.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub zone: Option<Vec<u8>>,
}

/// What a witness says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Response {
    /// To `Ask`.
    #[n(0)]
    Known {
        /// What it knows.
        #[n(0)]
        known: Box<Known>,
    },
    /// Signed: provisionally, finally, or a fresh lease. Durable before it is sent.
    #[n(1)]
    Signed {
        /// The signature.
        #[n(0)]
        signed: Signed,
    },
    /// Forgotten, or there was nothing to forget.
    #[n(2)]
    Abandoned,
    /// The sets that followed.
    #[n(3)]
    Sets {
        /// Oldest first.
        #[n(0)]
        sets: Vec<Succession>,
    },
    /// No.
    #[n(4)]
    Refused {
        /// The reason.
        #[n(0)]
        why: NameRefusal,
        /// When it may be different.
        #[n(1)]
        until: Option<Millis>,
        /// The highest generation known.
        #[n(2)]
        top: u64,
        /// The certificate that stands against it, or that is newer.
        #[cbor(n(3), with = "minicbor::bytes")]
        certificate: Option<Vec<u8>>,
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
    /// The canonical bytes, without a length prefix.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads canonical bytes within the limits.
    pub fn decode(bytes: &[u8]) -> Result<Request, Refusal> {
        let request: Request = message(bytes)?;
        match &request {
            Request::Ask { .. } => {}
            Request::Propose { claim, follows } => {
                at_most(Some(claim), MAX_CLAIM)?;
                at_most(follows.as_ref(), MAX_CERTIFICATE)?;
            }
            Request::Finalise {
                claim,
                epoch,
                provisionals,
            } => {
                at_most(Some(claim), MAX_CLAIM)?;
                integers(&[*epoch])?;
                let ascending = provisionals
                    .windows(2)
                    .all(|pair| pair[0].member < pair[1].member);
                if !ascending || provisionals.len() > MAX_WITNESSES {
                    return Err(Refusal::Malformed);
                }
                provisionals.iter().try_for_each(signature)?;
            }
            Request::Renew { certificate } => at_most(Some(certificate), MAX_CERTIFICATE)?,
            Request::Abandon { abandon } => at_most(Some(abandon), MAX_CLAIM)?,
            Request::Publish { zone, certificate } => {
                at_most(Some(zone), MAX_ENVELOPE)?;
                at_most(certificate.as_ref(), MAX_CERTIFICATE)?;
            }
            Request::Sets { after } => integers(&[*after])?,
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
        let answer: Answer = message(bytes)?;
        integers(&[answer.now])?;
        match &answer.response {
            Response::Known { known } => check_known(known)?,
            Response::Signed { signed } => check_signed(signed)?,
            Response::Abandoned => {}
            Response::Sets { sets } if sets.len() > MAX_WITNESS_SETS => {
                return Err(Refusal::Oversized);
            }
            Response::Sets { .. } => {}
            Response::Refused {
                until,
                top,
                certificate,
                ..
            } => {
                integers(&[until.unwrap_or(0), *top])?;
                at_most(certificate.as_ref(), MAX_CERTIFICATE)?;
            }
        }
        Ok(answer)
    }
}

fn check_known(known: &Known) -> Result<(), Refusal> {
    integers(&[known.epoch, known.top, known.busy.unwrap_or(0)])?;
    at_most(known.certificate.as_ref(), MAX_CERTIFICATE)?;
    at_most(known.zone.as_ref(), MAX_ENVELOPE)?;
    known.own.iter().try_for_each(check_signed)?;
    let half = known.half.as_ref();
    at_most(half.map(|half| &half.claim), MAX_CLAIM)?;
    half.map_or(Ok(()), |half| check_signed(&half.signed))
}

fn check_signed(signed: &Signed) -> Result<(), Refusal> {
    integers(&[signed.epoch])?;
    signature(&signed.signature)
}

fn signature(signature: &WitnessSignature) -> Result<(), Refusal> {
    integers(&[signature.member, signature.not_after, signature.floor.seq])
}

fn message<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, Refusal> {
    if bytes.len() > MAX_FRAME {
        return Err(Refusal::Oversized);
    }
    Ok(cbor::decode(bytes)?)
}

fn at_most(bytes: Option<&Vec<u8>>, most: usize) -> Result<(), Refusal> {
    match bytes.is_none_or(|bytes| bytes.len() <= most) {
        true => Ok(()),
        false => Err(Refusal::Oversized),
    }
}

fn integers(numbers: &[u64]) -> Result<(), Refusal> {
    match numbers.iter().all(|number| *number <= MAX_SAFE_INTEGER) {
        true => Ok(()),
        false => Err(Refusal::Malformed),
    }
}
