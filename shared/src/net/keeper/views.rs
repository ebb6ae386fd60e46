//! The homes as the snapshot shows them.

use libp2p::PeerId;

use super::super::snapshot::RelayView;
use super::super::table::Table;
use super::{Keeper, Known};

impl Keeper {
    pub fn views(&self, table: &Table) -> Vec<RelayView> {
        self.known
            .iter()
            .map(|(peer, known)| self.view(peer, known, table))
            .collect()
    }

    fn view(&self, peer: &PeerId, known: &Known, table: &Table) -> RelayView {
        let attempts = table.attempts(peer);
        let state = if known.connected.is_some() {
            "connected"
        } else if attempts.iter().any(|attempt| attempt.state == "dialing") {
            "dialing"
        } else if known.reason.is_some() {
            "failed"
        } else {
            "waiting"
        };
        RelayView {
            id: peer.to_string(),
            url: known.url.clone(),
            state,
            transport: known.connected,
            reserved: known.reserved,
            rtt_ms: table.best(peer).and_then(|connection| connection.rtt_ms),
            retry_at: self.homes.next_attempt(&peer.to_string()),
            reason: known.reason.clone().filter(|_| known.connected.is_none()),
            attempts,
        }
    }
}
