//! When a peer tries to come to a direct connection with those that it reaches over circuits only.
//!
//! Pure: whoever drives it says what there is, does what [`Upgrades::next`] says, and looks again at
//! [`Upgrades::next_wake`].

use std::collections::{BTreeMap, VecDeque};

use crate::limits::{
    UPGRADE_AGAIN, UPGRADE_AGAIN_MOST, UPGRADE_LATER, UPGRADE_SOON, WASTED_FOR, WASTED_OFFERS,
    WASTED_OFFERS_OF_ONE,
};
use crate::proto::Millis;

/// How a peer is connected, as far as that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// By a circuit that the remote has dialled: it may want to go on by itself.
    Circuit,
    /// By a circuit that this end has dialled.
    OwnCircuit,
    /// Without one.
    Direct,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Upgrades<Peer> {
    peers: BTreeMap<Peer, Wish>,
}

/// What is to become of a circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    /// When the next attempt begins; nothing while one is under way, or when there is no use in any.
    due: Option<Millis>,
    under_way: bool,
    hopeless: bool,
    failures: u32,
}

impl<Peer: Copy + Ord> Default for Upgrades<Peer> {
    fn default() -> Self {
        Upgrades {
            peers: BTreeMap::new(),
        }
    }
}

impl<Peer: Copy + Ord> Upgrades<Peer> {
    /// All connections there are. Who has dialled the circuit begins, soon; the other end waits a little longer.
    pub fn seen(&mut self, links: impl IntoIterator<Item = (Peer, Reach)>, now: Millis) {
        let mut reached: BTreeMap<Peer, Reach> = BTreeMap::new();
        for (peer, reach) in links {
            let best = reached.entry(peer).or_insert(reach);
            *best = reach.max(*best);
        }
        reached.retain(|_, reach| *reach != Reach::Direct);
        self.peers.retain(|peer, _| reached.contains_key(peer));
        for (peer, reach) in reached {
            let due = match reach {
                Reach::Circuit => now + UPGRADE_LATER,
                _ => now + UPGRADE_SOON,
            };
            self.peers.entry(peer).or_insert_with(|| Wish {
                due: Some(due),
                under_way: false,
                hopeless: false,
                failures: 0,
            });
        }
    }

    /// Whose attempt is to begin now.
    pub fn next(&mut self, now: Millis) -> Option<Peer> {
        let ripe = |wish: &Wish| wish.due.is_some_and(|due| due <= now);
        let (peer, wish) = self.peers.iter_mut().find(|(_, wish)| ripe(wish))?;
        wish.due = None;
        wish.under_way = true;
        Some(*peer)
    }

    /// When there may be something to do.
    pub fn next_wake(&self) -> Option<Millis> {
        self.peers.values().filter_map(|wish| wish.due).min()
    }

    /// An attempt has led to a connection, which will be seen. Should it not be, there is a next attempt.
    pub fn succeeded(&mut self, peer: &Peer, now: Millis) {
        if let Some(wish) = self.peers.get_mut(peer) {
            wish.under_way = false;
            wish.failures = 0;
            wish.due = Some(now + UPGRADE_AGAIN);
        }
    }

    /// An attempt came to nothing. Returns when the next one begins, if the circuit is still there.
    pub fn failed(&mut self, peer: &Peer, now: Millis) -> Option<Millis> {
        let wish = self.peers.get_mut(peer)?;
        let wait = UPGRADE_AGAIN.saturating_mul(1 << wish.failures.min(16));
        let due = now + wait.min(UPGRADE_AGAIN_MOST);
        wish.under_way = false;
        wish.failures += 1;
        wish.due = Some(due);
        wish.due
    }

    /// The remote cannot do it: nothing is tried as long as it is connected.
    pub fn hopeless(&mut self, peer: &Peer) {
        if let Some(wish) = self.peers.get_mut(peer) {
            wish.due = None;
            wish.under_way = false;
            wish.hopeless = true;
        }
    }

    /// The network around this peer is another one: what failed may work now.
    pub fn network_changed(&mut self, now: Millis) {
        for wish in self.peers.values_mut() {
            if !wish.under_way && !wish.hopeless && wish.failures > 0 {
                wish.failures = 0;
                wish.due = Some(wish.due.map_or(now, |due| due.min(now)));
            }
        }
    }
}

/// Offers that were answered and came to nothing. Each costs a connection object, and browsers give a page only so many in its
/// life; so whoever has wasted some is not answered for a while.
#[derive(Clone, Debug)]
pub struct Wasted<Peer>(VecDeque<(Millis, Peer)>);

impl<Peer> Default for Wasted<Peer> {
    fn default() -> Self {
        Wasted(VecDeque::new())
    }
}

impl<Peer: PartialEq> Wasted<Peer> {
    /// Whether an offer of a peer is to be answered.
    pub fn may_answer(&mut self, peer: &Peer, now: Millis) -> bool {
        self.forget(now);
        let of_peer = self.0.iter().filter(|(_, other)| other == peer).count();
        self.0.len() < WASTED_OFFERS && of_peer < WASTED_OFFERS_OF_ONE
    }

    /// One has come to nothing.
    pub fn note(&mut self, peer: Peer, now: Millis) {
        self.forget(now);
        if self.0.len() < WASTED_OFFERS {
            self.0.push_back((now, peer));
        }
    }

    fn forget(&mut self, now: Millis) {
        let old = |(at, _): &(Millis, Peer)| at.saturating_add(WASTED_FOR) <= now;
        while self.0.front().is_some_and(old) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_wastes_offers_is_not_answered_for_a_while() {
        let mut wasted = Wasted::default();
        for _ in 0..WASTED_OFFERS_OF_ONE {
            assert!(wasted.may_answer(&1, 0));
            wasted.note(1, 0);
        }
        assert!(!wasted.may_answer(&1, WASTED_FOR - 1));
        assert!(wasted.may_answer(&2, 0));
        assert!(wasted.may_answer(&1, WASTED_FOR));
        for peer in 0..2 * WASTED_OFFERS {
            wasted.note(peer, 2 * WASTED_FOR);
        }
        assert_eq!(wasted.0.len(), WASTED_OFFERS);
        assert!(
            !wasted.may_answer(&usize::MAX, 2 * WASTED_FOR),
            "all together"
        );
    }

    fn upgrades(links: &[(u8, Reach)]) -> Upgrades<u8> {
        let mut upgrades = Upgrades::default();
        upgrades.seen(links.iter().copied(), 0);
        upgrades
    }

    #[test]
    fn whoever_dialled_the_circuit_goes_on_soon_and_the_other_a_little_later() {
        let mut upgrades = upgrades(&[(1, Reach::OwnCircuit), (11, Reach::Circuit)]);
        assert_eq!(upgrades.next_wake(), Some(UPGRADE_SOON));
        assert_eq!(upgrades.next(UPGRADE_SOON - 1), None, "it is used first");
        assert_eq!(upgrades.next(UPGRADE_SOON), Some(1));
        assert_eq!(upgrades.next(UPGRADE_SOON), None);
        assert_eq!(upgrades.next_wake(), Some(UPGRADE_LATER));
        assert_eq!(upgrades.next(UPGRADE_LATER), Some(11));
        assert_eq!(upgrades.next_wake(), None, "both are under way");
    }

    #[test]
    fn nothing_is_tried_beside_a_direct_connection() {
        let links = [
            (1, Reach::Circuit),
            (1, Reach::Direct),
            (2, Reach::Direct),
            (2, Reach::Circuit),
        ];
        assert_eq!(upgrades(&links).next(u64::MAX), None);
    }

    #[test]
    fn failures_are_tried_again_ever_later_and_at_once_in_another_network() {
        let mut upgrades = upgrades(&[(1, Reach::OwnCircuit)]);
        let (mut now, mut waits) = (UPGRADE_SOON, Vec::new());
        for _ in 0..8 {
            assert_eq!(upgrades.next(now), Some(1));
            let due = upgrades.failed(&1, now).expect("it is still there");
            waits.push(due - now);
            assert_eq!(upgrades.next(due - 1), None);
            now = due;
        }
        assert_eq!(waits[..3], [1, 2, 4].map(|times| times * UPGRADE_AGAIN));
        assert_eq!(waits[7], UPGRADE_AGAIN_MOST);
        upgrades.failed(&1, now);
        upgrades.network_changed(now + 1);
        assert_eq!(upgrades.next(now + 1), Some(1));
        assert_eq!(upgrades.failed(&1, now), Some(now + UPGRADE_AGAIN));
    }

    #[test]
    fn who_cannot_is_left_alone_until_it_comes_again() {
        let mut upgrades = upgrades(&[(1, Reach::OwnCircuit)]);
        assert_eq!(upgrades.next(UPGRADE_SOON), Some(1));
        upgrades.hopeless(&1);
        upgrades.network_changed(5);
        assert_eq!(upgrades.next(u64::MAX), None);
        upgrades.seen([], 6);
        upgrades.seen([(1, Reach::OwnCircuit)], 7);
        assert_eq!(upgrades.next(7 + UPGRADE_SOON), Some(1));
    }

    #[test]
    fn a_connection_that_never_shows_is_tried_again() {
        let mut upgrades = upgrades(&[(1, Reach::OwnCircuit)]);
        assert_eq!(upgrades.next(UPGRADE_SOON), Some(1));
        upgrades.succeeded(&1, 100);
        assert_eq!(upgrades.next(100 + UPGRADE_AGAIN), Some(1));
        upgrades.seen([(1, Reach::Direct)], 200);
        assert_eq!(upgrades.failed(&1, 300), None);
    }
}
