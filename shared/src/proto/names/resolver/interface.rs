//! What goes into and comes out of a [`Resolver`](super::Resolver).

use crate::proto::Millis;
use crate::proto::key::{Key, PublicKey};
use crate::proto::names::name::Name;
use crate::proto::names::resolution::{Proof, Resolution, Unresolved};
use crate::proto::names::wire::Request;

/// How to resolve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Ask even if there is an answer in the cache.
    pub fresh: bool,
    /// Ask if the answer in the cache is as old as this, whatever its time to live.
    pub within: Option<Millis>,
    /// Give addresses in private networks and on this device too.
    pub private: bool,
    /// Give an alias itself, not what it leads to: what is wrong with another's name says nothing.
    pub literal: bool,
}

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a request to a witness; report with [`answered`](super::Resolver::answered) or [`failed`](super::Resolver::failed).
    Ask {
        /// The witness.
        to: PublicKey,
        /// The number.
        id: u64,
        /// The request.
        request: Request,
    },
    /// Read the record at this location from the overlay; report all that was found with
    /// [`zones_found`](super::Resolver::zones_found), or that it could not be read with
    /// [`failed`](super::Resolver::failed).
    FindZone {
        /// The number.
        id: u64,
        /// The location.
        key: Key,
    },
    /// A resolution has come to its end.
    Done {
        /// Its number.
        query: u64,
        /// What came of it.
        result: Result<Box<Resolution>, Unresolved>,
    },
    /// The cache has something new for a name: whoever watches it should look.
    Changed(Name),
    /// The floors rose: keep them.
    FloorsRose,
    /// A new witness set was learned: keep it.
    SetsGrew,
}

/// One row of the cache, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CachedName {
    /// Why it is believed.
    pub proof: Proof,
    /// How many entries its zone has.
    pub entries: usize,
}
