//! Who is connected how, and how the attempts to reach each relay went. Plain bookkeeping, no swarm.

use std::collections::HashMap;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use super::address::{Via, is_relayed};
use super::handle::Link;
use super::snapshot::{AttemptView, ConnectionView};
use crate::proto::Millis;
use crate::sorted::{SortedMap, sort_short};

/// Of a dial that came to no end.
const STOPPED: &str = "not dialled to the end: another transport was faster";

/// One open connection.
pub(super) struct Connection {
    pub peer: PeerId,
    pub address: Multiaddr,
    pub dialled: bool,
    pub since: Millis,
    pub rtt_ms: Option<u64>,
}

/// All open connections and what is known of the peers behind them.
#[derive(Default)]
pub(super) struct Table {
    connections: HashMap<ConnectionId, Connection>,
    agents: HashMap<PeerId, String>,
    attempts: SortedMap<PeerId, Vec<Attempt>>,
}

struct Attempt {
    address: Multiaddr,
    started: Millis,
    state: &'static str,
    reason: Option<String>,
    ms: Option<u64>,
}

impl Table {
    pub fn open(&mut self, id: ConnectionId, connection: Connection) {
        self.connections.insert(id, connection);
    }

    pub fn close(&mut self, id: ConnectionId) -> Option<Connection> {
        let closed = self.connections.remove(&id)?;
        if !self.is_connected(&closed.peer) {
            self.agents.remove(&closed.peer);
        }
        Some(closed)
    }

    pub fn is_connected(&self, peer: &PeerId) -> bool {
        self.connections
            .values()
            .any(|connection| connection.peer == *peer)
    }

    /// Where this peer has dialled another one directly, of what is open.
    pub fn dialled(&self, peer: &PeerId) -> Vec<Multiaddr> {
        let own = self.connections.values().filter(|connection| {
            connection.peer == *peer && connection.dialled && !is_relayed(&connection.address)
        });
        own.map(|connection| connection.address.clone()).collect()
    }

    /// The best way to a peer: a direct connection before a circuit.
    pub fn best(&self, peer: &PeerId) -> Option<&Connection> {
        self.connections
            .values()
            .filter(|connection| connection.peer == *peer)
            .min_by_key(|connection| (is_relayed(&connection.address), connection.since))
    }

    pub fn set_rtt(&mut self, id: ConnectionId, ms: u64) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.rtt_ms = Some(ms);
        }
    }

    pub fn address(&self, id: ConnectionId) -> Option<&Multiaddr> {
        self.connections
            .get(&id)
            .map(|connection| &connection.address)
    }

    pub fn set_agent(&mut self, peer: PeerId, agent: String) {
        self.agents.insert(peer, agent);
    }

    /// Remembers that these addresses of a relay are being dialled.
    pub fn attempt(&mut self, peer: PeerId, addresses: &[Multiaddr], now: Millis) {
        let attempts = self.attempts.or_default(peer);
        let in_use = |attempt: &Attempt| attempt.state == "connected";
        attempts.retain(|attempt| in_use(attempt) || !addresses.contains(&attempt.address));
        let known: Vec<_> = attempts.iter().map(|each| each.address.clone()).collect();
        let new = addresses.iter().filter(|address| !known.contains(address));
        attempts.extend(new.map(|address| Attempt {
            address: address.clone(),
            started: now,
            state: "dialing",
            reason: None,
            ms: None,
        }));
    }

    /// The first address that answered wins; the others stay as the fallback.
    pub fn attempt_won(&mut self, peer: &PeerId, winner: &Multiaddr, now: Millis) {
        for attempt in self.attempts.get_mut(peer).into_iter().flatten() {
            if same_place(&attempt.address, winner) {
                attempt.state = "connected";
                attempt.reason = None;
                attempt.ms = Some(now.saturating_sub(attempt.started));
            } else if attempt.state == "connected" {
                attempt.state = "fallback";
            } else if attempt.state == "dialing" {
                attempt.state = "fallback";
                attempt.reason = Some(STOPPED.into());
            }
        }
    }

    /// An address answered when another one was in use already: it stays as a fallback.
    pub fn attempt_unused(&mut self, peer: &PeerId, address: &Multiaddr) {
        for attempt in self.attempts.get_mut(peer).into_iter().flatten() {
            if attempt.state == "dialing" {
                attempt.state = "fallback";
                let stopped = !same_place(&attempt.address, address);
                attempt.reason = stopped.then(|| STOPPED.into());
            }
        }
    }

    pub fn attempt_failed(
        &mut self,
        peer: &PeerId,
        address: &Multiaddr,
        reason: String,
        now: Millis,
    ) {
        for attempt in self.attempts.get_mut(peer).into_iter().flatten() {
            // Of several dials of one address one may work: that it is in use is what counts.
            if same_place(&attempt.address, address) && attempt.state != "connected" {
                attempt.state = "failed";
                attempt.reason = Some(reason.clone());
                attempt.ms = Some(now.saturating_sub(attempt.started));
            }
        }
    }

    /// Whatever still counts as under way or connected has ended.
    pub fn attempts_ended(&mut self, peer: &PeerId, reason: &str) {
        for attempt in self.attempts.get_mut(peer).into_iter().flatten() {
            if matches!(attempt.state, "dialing" | "connected") {
                attempt.state = "failed";
                attempt.reason = Some(reason.to_owned());
            }
        }
    }

    pub fn attempts(&self, peer: &PeerId) -> Vec<AttemptView> {
        self.attempts
            .get(peer)
            .into_iter()
            .flatten()
            .map(Attempt::view)
            .collect()
    }

    /// Every connection.
    pub fn links(&self) -> Vec<Link> {
        let links = self.connections.values();
        links
            .map(|link| (link.peer, Via::of(&link.address), link.dialled))
            .collect()
    }

    /// The direct connection to a peer that was negotiated over a circuit, if there is one.
    pub fn negotiated(&self, peer: &PeerId) -> Option<ConnectionId> {
        let negotiated =
            |link: &Connection| link.peer == *peer && Via::of(&link.address) == Via::Webrtc;
        let mut open = self.connections.iter();
        open.find(|(_, link)| negotiated(link)).map(|(id, _)| *id)
    }

    pub fn views(&self) -> Vec<ConnectionView> {
        let mut views: Vec<_> = self
            .connections
            .values()
            .map(|connection| ConnectionView {
                peer: connection.peer.to_string(),
                address: connection.address.to_string(),
                transport: Via::of(&connection.address),
                direction: if connection.dialled {
                    "outbound"
                } else {
                    "inbound"
                },
                relayed: is_relayed(&connection.address),
                since: connection.since,
                rtt_ms: connection.rtt_ms,
                agent: self.agents.get(&connection.peer).cloned(),
            })
            .collect();
        sort_short(&mut views, |a, b| {
            (a.since, &a.peer).cmp(&(b.since, &b.peer))
        });
        views
    }
}

impl Attempt {
    fn view(&self) -> AttemptView {
        AttemptView {
            transport: Via::of(&self.address),
            address: self.address.to_string(),
            state: self.state,
            reason: self.reason.clone(),
            ms: self.ms,
        }
    }
}

/// Whether two addresses differ in nothing but a trailing peer id.
fn same_place(a: &Multiaddr, b: &Multiaddr) -> bool {
    use super::address::without_peer;
    without_peer(a.clone()) == without_peer(b.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_dial_that_was_cut_short_says_so() {
        let (mut table, relay) = (Table::default(), PeerId::random());
        let [fast, slow] = ["/ip4/192.0.2.1/tcp/1/ws", "/ip4/192.0.2.1/udp/1/quic-v1"].map(address);
        table.attempt(relay, &[fast.clone(), slow.clone()], 0);
        table.attempt_won(&relay, &fast, 5);
        let seen: Vec<_> = table.attempts(&relay);
        assert_eq!((seen[0].state, &seen[0].reason), ("connected", &None));
        assert_eq!(seen[1].state, "fallback");
        assert_eq!(seen[1].reason.as_deref(), Some(STOPPED));
        table.attempt_won(&relay, &slow, 9);
        let seen: Vec<_> = table.attempts(&relay);
        assert_eq!((seen[0].state, &seen[0].reason), ("fallback", &None));
        assert_eq!((seen[1].state, &seen[1].reason), ("connected", &None));
    }

    #[test]
    fn a_way_in_use_does_not_fail_because_another_dial_of_it_did() {
        let (mut table, relay) = (Table::default(), PeerId::random());
        let way = [address("/ip4/192.0.2.1/tcp/1/ws")];
        let state = |table: &Table| {
            let seen = table.attempts(&relay);
            assert_eq!(seen.len(), 1);
            seen[0].state
        };
        table.attempt(relay, &way, 0);
        table.attempt_won(&relay, &way[0], 5);
        table.attempt(relay, &way, 6);
        assert_eq!(state(&table), "connected");
        table.attempt_failed(&relay, &way[0], "late".into(), 7);
        assert_eq!(state(&table), "connected");
        table.attempts_ended(&relay, "gone");
        assert_eq!(state(&table), "failed");
        table.attempt(relay, &way, 8);
        assert_eq!(state(&table), "dialing");
    }

    #[test]
    fn a_second_dial_that_was_answered_takes_nothing_from_the_way_in_use() {
        let (mut table, relay) = (Table::default(), PeerId::random());
        let ways = ["/ip4/192.0.2.1/tcp/1/ws", "/ip4/192.0.2.1/udp/1/quic-v1"].map(address);
        table.attempt(relay, &ways, 0);
        table.attempt_won(&relay, &ways[0], 5);
        table.attempt(relay, &ways, 6);
        table.attempt_unused(&relay, &ways[1]);
        let seen = table.attempts(&relay);
        assert_eq!((seen[0].state, seen[1].state), ("connected", "fallback"));
        assert_eq!(seen[1].reason, None);
    }

    #[test]
    fn only_own_direct_dials_prove_where_a_peer_is() {
        let (mut table, peer) = (Table::default(), PeerId::random());
        let relay = PeerId::random();
        for (id, text, dialled) in [
            (1, "/ip4/192.0.2.1/tcp/1".to_owned(), false),
            (
                2,
                format!("/ip4/192.0.2.2/tcp/1/p2p/{relay}/p2p-circuit"),
                true,
            ),
        ] {
            let connection = Connection {
                peer,
                address: address(&text),
                dialled,
                since: 0,
                rtt_ms: None,
            };
            table.open(ConnectionId::new_unchecked(id), connection);
        }
        assert!(table.dialled(&peer).is_empty());
    }
}
