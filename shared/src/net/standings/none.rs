//! Where nobody chooses among peers by what was seen of them, nothing is remembered of it.

use libp2p::PeerId;

use super::streams::Failure;
use crate::proto::Millis;
use crate::proto::reputation::Evidence;

/// Stands for the ledger of one peer.
#[derive(Clone, Default)]
pub struct Standings(());

impl Standings {
    /// Something was seen of a peer.
    pub fn note(&self, _: &PeerId, _: Evidence) {}

    pub(super) fn asked(&self, _: &PeerId, _: Millis, _: Option<&Failure>) {}
}
