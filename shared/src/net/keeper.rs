//! Carries messages between the pure home-keeping state machine and the driver: peer ids and
//! addresses are text there and libp2p types here.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::{Multiaddr, PeerId};

use super::address::{self, Via};
use super::handle::Handle;
use super::outside::SharedOutside;
use crate::limits::{
    HINT_PATIENCE, MAX_HINT_ADDRESSES, MAX_HOME_ADDRESSES, MAX_JOIN_RELAYS, MAX_KNOWN_HOMES,
    MAX_MET_HOMES,
};
use crate::platform;
use crate::proto::Millis;
use crate::proto::homes::{Homes, HomesConfig, Output};
use crate::proto::join::RelayHint;
use crate::sorted::{SortedMap, sort_short};

/// Which addresses a platform can dial.
pub type Dialable = std::sync::Arc<dyn Fn(&Multiaddr) -> bool + Send + Sync>;

/// What the driver is to do next for the sake of a home.
pub(super) enum Step {
    Dial {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    },
    Reserve {
        peer: PeerId,
    },
    Check {
        peer: PeerId,
    },
    State {
        state: &'static str,
        reason: Option<String>,
    },
}

/// Keeps this peer attached to relays.
pub(super) struct Keeper {
    homes: Homes,
    known: SortedMap<PeerId, Known>,
    /// Which relays were asked to forward connections, and whether they do.
    listeners: HashMap<ListenerId, (PeerId, bool)>,
    outside: SharedOutside,
    handle: Handle,
    /// Which addresses this platform can dial.
    dialable: Dialable,
}

#[derive(Default)]
struct Known {
    addresses: Vec<Multiaddr>,
    url: Option<String>,
    connected: Option<Via>,
    reserved: bool,
    reason: Option<String>,
    /// Since when it is not connected, or could not be.
    absent: Option<Millis>,
    /// Whether it was only met, and named by nobody.
    met: bool,
    /// Whether this node has dialled it and it was who it should be.
    proven: bool,
}

impl Keeper {
    pub fn new(
        config: HomesConfig,
        outside: SharedOutside,
        handle: Handle,
        dialable: Dialable,
    ) -> Self {
        let seed = u64::from_be_bytes(platform::entropy());
        Keeper {
            homes: Homes::new(config, seed),
            known: SortedMap::default(),
            listeners: HashMap::new(),
            outside,
            handle,
            dialable,
        }
    }

    /// What was seen of other peers.
    #[cfg(feature = "server")]
    pub fn standings(&self) -> &super::standings::Standings {
        self.handle.standings()
    }

    /// Takes a hint of a person or a join document; returns whom it is about, unless it is of no use.
    pub fn learn(&mut self, hint: RelayHint) -> Option<PeerId> {
        let peer: PeerId = hint.peer.parse().ok()?;
        if peer == self.handle.id() || !self.make_room(&peer, false) {
            return None;
        }
        let page = hint.http.as_deref().and_then(address::websocket_of);
        let addresses = hint
            .addresses
            .iter()
            .filter_map(|text| text.parse().ok())
            .chain(page)
            .collect();
        self.known.or_default(peer).met = false;
        self.add(peer, self.dialable(addresses), hint.http);
        Some(peer)
    }

    /// Takes what a relay says about itself that this node has dialled; whether it is of use. Only
    /// addresses of hosts where it was dialled are believed: it would let us, and those we tell, dial
    /// and probe others.
    pub fn meet(&mut self, peer: PeerId, claimed: Vec<Multiaddr>, dialled: &[Multiaddr]) -> bool {
        if peer == self.handle.id() || !self.make_room(&peer, true) {
            return false;
        }
        let there = |claim: &Multiaddr| {
            dialled
                .iter()
                .any(|known| known.iter().next() == claim.iter().next())
        };
        let all = claimed.into_iter().filter(there);
        let all = all.chain(dialled.iter().cloned()).collect();
        self.known.or_default(peer).proven = true;
        self.add(peer, self.dialable(all), None);
        true
    }

    /// Those of some addresses that can be dialled from here.
    pub fn dialable(&self, addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
        let addresses = addresses.into_iter().map(address::without_peer);
        addresses
            .filter(|address| (self.dialable)(address))
            .collect()
    }

    fn add(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, url: Option<String>) {
        let known = self.known.or_default(peer);
        known.url = url
            .or(known.url.take())
            .or_else(|| addresses.iter().find_map(address::page_of));
        for address in addresses {
            if !known.addresses.contains(&address) {
                known.addresses.push(address);
            }
        }
        // The newest count: a relay that came back on other ports must not be dialled at the old ones for ever.
        let surplus = known.addresses.len().saturating_sub(MAX_HOME_ADDRESSES);
        known.addresses.drain(..surplus);
        let hint = RelayHint {
            peer: peer.to_string(),
            addresses: known.addresses.iter().map(ToString::to_string).collect(),
            http: known.url.clone(),
        };
        self.homes.learn(hint, platform::now());
    }

    /// Whether a relay has a place, or gets that of one that is worth less: relays that were only met
    /// have half of all places, and give theirs up to those that were named.
    fn make_room(&mut self, peer: &PeerId, met: bool) -> bool {
        if self.known.contains_key(peer) {
            return true;
        }
        let met_now = self.known.values().filter(|known| known.met).count();
        let full = self.known.len() >= MAX_KNOWN_HOMES || (met && met_now >= MAX_MET_HOMES);
        let worst = self
            .known
            .iter()
            .filter(|(_, known)| known.connected.is_none() && (known.met || !met))
            .filter(|(_, known)| known.reason.is_some() || (known.met && !met))
            .max_by_key(|(_, known)| (known.met, known.reason.is_some()))
            .map(|(peer, _)| *peer);
        match worst {
            _ if !full => {}
            Some(worst) => {
                self.known.remove(&worst);
                self.homes.forget(&worst.to_string(), platform::now());
            }
            None => return false,
        }
        let known = Known {
            met,
            ..Known::default()
        };
        self.known.insert(*peer, known);
        true
    }

    /// This node has dialled a relay and knows that it is the one it should be.
    pub fn proven(&mut self, peer: &PeerId) {
        if let Some(known) = self.known.get_mut(peer) {
            known.proven = true;
        }
    }

    /// Whether a relay is known and connected.
    pub fn is_connected(&self, peer: &PeerId) -> bool {
        let known = self.known.get(peer);
        known.is_some_and(|known| known.connected.is_some())
    }

    /// The relays that are connected.
    pub fn connected_homes(&self) -> Vec<PeerId> {
        let connected = self
            .known
            .iter()
            .filter(|(_, known)| known.connected.is_some());
        connected.map(|(peer, _)| *peer).collect()
    }

    /// Those of them that hold a place for this peer.
    pub fn reserved_homes(&self) -> Vec<PeerId> {
        let reserved = self
            .known
            .iter()
            .filter(|(_, known)| known.connected.is_some() && known.reserved);
        reserved.map(|(peer, _)| *peer).collect()
    }

    /// Where a relay can be dialled.
    pub fn routes(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.known
            .get(peer)
            .map(|known| known.addresses.clone())
            .unwrap_or_default()
    }

    pub fn wait(&self, now: Millis) -> Duration {
        let wake = self.homes.next_wake().unwrap_or(now + 60_000);
        Duration::from_millis(wake.saturating_sub(now))
    }

    pub fn tick(&mut self, now: Millis) {
        self.homes.tick(now);
    }

    pub fn next_step(&mut self) -> Option<Step> {
        loop {
            match self.homes.poll()? {
                Output::Dial {
                    peer, websocket, ..
                } => {
                    let Some((peer, known)) = self.find(&peer) else {
                        continue;
                    };
                    let addresses = known
                        .addresses
                        .iter()
                        .filter(|address| websocket || Via::of(address) != Via::Websocket)
                        .cloned()
                        .collect();
                    return Some(Step::Dial { peer, addresses });
                }
                Output::Probe { peer, url } => self.probe(peer, &url),
                Output::Reserve { peer } => {
                    if let Some((peer, _)) = self.find(&peer) {
                        return Some(Step::Reserve { peer });
                    }
                }
                Output::Ping { peer } => {
                    if let Some((peer, _)) = self.find(&peer) {
                        return Some(Step::Check { peer });
                    }
                }
                Output::State { state, reason } => {
                    return Some(Step::State {
                        state: state.as_str(),
                        reason,
                    });
                }
            }
        }
    }

    fn find(&self, peer: &str) -> Option<(PeerId, &Known)> {
        let peer: PeerId = peer.parse().ok()?;
        self.known.get(&peer).map(|known| (peer, known))
    }

    fn probe(&self, peer: String, url: &str) {
        let fetch = self.outside.fetch(
            format!("{}/health", url.trim_end_matches('/')),
            Duration::from_secs(2),
        );
        let handle = self.handle.clone();
        platform::spawn(async move {
            let alive = fetch.await.is_ok();
            handle.probed(peer, alive).await;
        });
    }

    pub fn probed(&mut self, peer: &str, alive: bool, now: Millis) {
        self.homes.probe_result(peer, alive, now);
    }

    /// Whether the peer is one of the relays we know.
    pub fn connected(&mut self, peer: &PeerId, via: Via, now: Millis) -> bool {
        let Some(known) = self.known.get_mut(peer) else {
            return false;
        };
        known.connected = Some(via);
        known.reason = None;
        known.absent = None;
        self.homes.connected(&peer.to_string(), now);
        true
    }

    pub fn disconnected(&mut self, peer: &PeerId, now: Millis) -> bool {
        let Some(known) = self.known.get_mut(peer) else {
            return false;
        };
        known.connected = None;
        known.absent = Some(now);
        known.reserved = false;
        self.homes.disconnected(&peer.to_string(), now);
        true
    }

    pub fn dial_failed(&mut self, peer: &PeerId, reason: &str, now: Millis) -> bool {
        let Some(known) = self.known.get_mut(peer) else {
            return false;
        };
        known.reason = Some(reason.to_owned());
        known.absent.get_or_insert(now);
        self.homes.dial_failed(&peer.to_string(), reason, now);
        true
    }

    pub fn network(&mut self, online: bool, now: Millis) {
        self.homes.network(online, now);
    }

    pub fn visible(&mut self, visible: bool, now: Millis) {
        self.homes.visible(visible, now);
    }

    pub fn woke(&mut self, now: Millis) {
        self.homes.woke(now);
    }

    /// Relays that this node has dialled and that were who they should be, the named and the connected
    /// first: what it may pass on as hints.
    pub fn hints(&self, now: Millis) -> Vec<RelayHint> {
        let gone = |known: &Known| {
            let absent = known.absent.map(|since| now.saturating_sub(since));
            absent.is_some_and(|absent| absent > HINT_PATIENCE)
        };
        let of_use = |known: &Known| known.proven && !gone(known);
        let mut hints: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| of_use(known))
            .collect();
        let rank = |known: &Known| (known.connected.is_none(), known.met);
        sort_short(&mut hints, |(_, one), (_, two)| rank(one).cmp(&rank(two)));
        hints
            .into_iter()
            .take(MAX_JOIN_RELAYS)
            .map(|(peer, known)| {
                let best = address::best_mix(known.addresses.clone(), MAX_HINT_ADDRESSES);
                RelayHint {
                    peer: peer.to_string(),
                    addresses: best.iter().map(ToString::to_string).collect(),
                    http: known.url.clone(),
                }
            })
            .collect()
    }
}

mod places;
mod views;

#[cfg(test)]
mod tests;
