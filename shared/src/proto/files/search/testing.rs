//! Listings for tests.

use super::{Listing, Signed};
use crate::limits::HOUR;
use crate::proto::Millis;
use crate::proto::files::cid::Cid;
use crate::proto::key::{NetworkId, SigningKey};

pub(super) const NOW: Millis = 1_700_000_000_000;

pub(super) fn network() -> NetworkId {
    "test".parse().unwrap()
}

/// What an author says about a file.
pub(super) fn signed_by(author: u8, file: u8, name: &str, seq: u64) -> Signed {
    let listing = Listing {
        cid: Cid::file([file; 32]),
        name: name.to_owned(),
        size: 5,
        media: String::new(),
        tags: Vec::new(),
    };
    let key = SigningKey::from_seed([author; 32]);
    listing
        .sign(&key, &network(), seq, (NOW, NOW + HOUR))
        .unwrap()
}
