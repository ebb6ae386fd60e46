//! The result of a resolution: what a name leads to, and why one may believe it.
//!
//! Knows how to put it for people and for JSON. Does not find or check anything: `resolver` and
//! `verify` do.

use serde::Serialize;

use super::certificate::Binding;
use super::name::{Name, Root};
use super::resource::Resource;
use super::set::KnownSets;
use super::zone::SignedZone;
use crate::error::{Code, Error};
use crate::proto::Millis;
use crate::proto::date::day;
use crate::proto::key::PublicKey;

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolution {
    /// The name that was asked for.
    pub name: Name,
    /// The names on the way, when there were aliases; the last one is where the resources are.
    pub via: Vec<Name>,
    /// What is there, in the owner's order.
    pub resources: Vec<Resource>,
    /// Resources that were left out because they lead into private networks.
    pub hidden: usize,
    /// For how many milliseconds it may be kept.
    pub ttl: Millis,
    /// One for each zone on the way.
    pub proofs: Vec<Proof>,
}

/// Why a zone is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Whose zone.
    pub name: Name,
    /// The owner's key.
    pub owner: PublicKey,
    /// The owner's key as a name, `k51…`.
    pub owner_name: String,
    /// Which holder of the name this is; 0 for names of keys.
    pub generation: u64,
    /// Sequence of the zone.
    pub seq: u64,
    /// When its owner signed the zone.
    pub zone_issued: Millis,
    /// When the zone stops counting.
    pub zone_expires: Millis,
    /// The end of the owner's term; none for names of keys.
    pub expires: Option<Millis>,
    /// Until when the witnesses' signatures count.
    pub live_until: Option<Millis>,
    /// Epoch of the witness set.
    pub epoch: Option<u64>,
    /// Which witnesses signed, and until when each signature counts.
    pub witnesses: Vec<Signer>,
    /// How many witnesses there are, and how many are needed.
    pub of: usize,
    /// How many are needed.
    pub quorum: usize,
    /// Whether it came from the cache.
    pub cached: bool,
    /// Whether its time to live is over and it is being asked for again.
    pub stale: bool,
    /// How long ago it was received.
    pub age: Millis,
}

/// A witness that signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signer {
    /// Its key.
    pub key: PublicKey,
    /// Until when its signature counts.
    pub until: Millis,
}

impl Proof {
    /// Until when it counts: as long as the witnesses' signatures and the zone do.
    pub fn counts_until(&self) -> Millis {
        let live = self.live_until.unwrap_or(Millis::MAX);
        live.min(self.zone_expires)
    }

    /// The proof of a zone, with the binding if its name is a human one.
    pub fn new(
        root: &Root,
        binding: Option<&Binding>,
        zone: &SignedZone,
        sets: &KnownSets,
        now: Millis,
    ) -> Proof {
        let set = binding.and_then(|binding| sets.get(binding.certificate().epoch));
        let signers = binding.zip(set).map(|(binding, set)| {
            let live = binding.signers(set).filter(|(_, until)| *until > now);
            live.map(|(key, until)| Signer { key, until }).collect()
        });
        Proof {
            name: root.name(),
            owner: zone.owner(),
            owner_name: zone.owner().to_base36(),
            generation: zone.zone().generation,
            seq: zone.floor().seq,
            zone_issued: zone.envelope().body().issued,
            zone_expires: zone.expires(),
            expires: binding.map(|binding| binding.claim().expires()),
            live_until: binding.map(Binding::live_until),
            epoch: set.map(|set| set.epoch()),
            witnesses: signers.unwrap_or_default(),
            of: set.map_or(0, |set| set.keys().len()),
            quorum: binding.map_or(0, Binding::quorum),
            cached: false,
            stale: false,
            age: 0,
        }
    }
}

/// Why a name does not resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// Nobody holds it.
    Unclaimed,
    /// Its owner published nothing there.
    Empty {
        /// The owner.
        owner: PublicKey,
    },
    /// All signatures that were found are past their time.
    Expired {
        /// The owner that had it.
        owner: PublicKey,
        /// Until when they counted.
        until: Millis,
    },
    /// Only zones or certificates older than what was seen before were found.
    RolledBack,
    /// Too few witnesses answered.
    NoQuorum {
        /// Those that did.
        answered: Vec<PublicKey>,
        /// How many are needed.
        wanted: usize,
    },
    /// Aliases lead in a circle, or too far.
    AliasLoop(Name),
    /// The operators of the witnesses refuse it.
    Denied,
    /// Nobody answered in time.
    TimedOut,
    /// Too many resolutions at once.
    Overloaded,
}

impl From<Unresolved> for Error {
    fn from(why: Unresolved) -> Error {
        match why {
            Unresolved::Unclaimed => Error::new(Code::NameNotFound, "nobody holds this name"),
            Unresolved::Empty { owner } => {
                let owner = owner.to_base36();
                let what = format!("its owner {owner} published nothing under this name");
                Error::new(Code::NameNotFound, what)
                    .with_remedy("Check the spelling; if it is yours, put something there.")
                    .with_detail("holder", owner)
            }
            Unresolved::Expired { until, owner } => {
                expired(until).with_detail("holder", owner.to_base36())
            }
            Unresolved::RolledBack => Error::new(
                Code::Older,
                "nothing as new as what was seen before was found",
            )
            .with_remedy("Somebody may be hiding the newer one; try another network path."),
            Unresolved::NoQuorum { answered, wanted } => no_quorum(&answered, wanted),
            Unresolved::AliasLoop(name) => {
                let what = format!("the aliases of this name come to no end; the last was {name}");
                Error::new(Code::NameInvalid, what)
                    .with_remedy("Its owner must correct the aliases.")
            }
            Unresolved::Denied => {
                Error::new(Code::Refused, "the witnesses refuse this name").with_remedy(DENIED)
            }
            Unresolved::TimedOut => Error::new(Code::TimedOut, "nobody answered in time")
                .with_remedy("Check the connection, and try again."),
            Unresolved::Overloaded => Error::new(Code::Overloaded, "too many resolutions at once"),
        }
    }
}

/// What to do about a name that operators refuse. Why they do is in their books, not in the answer.
pub(super) const DENIED: &str =
    "The operators of the witnesses refuse this name, for a reason that they keep: ask them.";

/// The error that says how many witnesses answered, and who.
pub(super) fn no_quorum(answered: &[PublicKey], wanted: usize) -> Error {
    let names: Vec<String> = answered.iter().map(PublicKey::to_peer_id).collect();
    let what = format!("{} witnesses answered, {wanted} are needed", names.len());
    let names = names.join(", ");
    Error::new(Code::NoQuorum, what)
        .caused_by(format!("answered: {names}"))
        .with_detail("answered", names)
        .with_detail("wanted", wanted)
}

/// The error of a proof past its time.
pub(super) fn expired(until: Millis) -> Error {
    let what = format!("the witnesses' signatures ended on {}", day(until));
    Error::new(Code::NameExpired, what).with_detail("until", until)
}
