//! Delivers events to whoever listens, and never waits for a slow listener.

use futures::channel::mpsc;
use libp2p::{Multiaddr, PeerId};

use super::address::{Via, is_relayed};
use super::handle::Event;
use crate::limits;

/// All listeners, and the state that the last state event told them.
pub(super) struct Subscribers {
    listeners: Vec<Listener>,
    state: (&'static str, Option<String>),
    addresses: Vec<String>,
}

struct Listener {
    events: mpsc::Sender<Event>,
    snapshots: bool,
    dropped: u64,
}

impl Default for Subscribers {
    fn default() -> Self {
        Subscribers {
            listeners: Vec::new(),
            state: ("joining", None),
            addresses: Vec::new(),
        }
    }
}

impl Subscribers {
    /// A new listener; snapshots come to those only who want them.
    pub fn add(&mut self, snapshots: bool) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(limits::EVENT_QUEUE);
        self.listeners.push(Listener {
            events,
            snapshots,
            dropped: 0,
        });
        receiver
    }

    /// Whether it is worth while to make a snapshot.
    pub fn want_snapshots(&mut self) -> bool {
        self.listeners
            .retain(|listener| !listener.events.is_closed());
        self.listeners.iter().any(|listener| listener.snapshots)
    }

    pub fn current(&self) -> (&'static str, Option<String>) {
        self.state.clone()
    }

    pub fn send(&mut self, event: Event) {
        let is_snapshot = matches!(event, Event::Snapshot(_));
        self.listeners
            .retain_mut(|listener| (is_snapshot && !listener.snapshots) || listener.offer(&event));
    }

    pub fn state(&mut self, state: &'static str, reason: Option<String>) {
        let previous = std::mem::replace(&mut self.state, (state, reason.clone())).0;
        if previous != state {
            tracing::info!(state, previous, "state");
            self.send(Event::State {
                state,
                previous,
                reason,
            });
        }
    }

    pub fn relay(
        &mut self,
        peer: &PeerId,
        state: &'static str,
        transport: Option<Via>,
        reason: Option<String>,
    ) {
        self.send(Event::Relay {
            id: peer.to_string(),
            state,
            transport,
            reason,
        });
    }

    pub fn connection(
        &mut self,
        change: &'static str,
        peer: &PeerId,
        address: &Multiaddr,
        transport: Via,
    ) {
        self.send(Event::Connection {
            change,
            peer: peer.to_string(),
            address: address.to_string(),
            transport,
            relayed: is_relayed(address),
        });
    }

    /// Tells the addresses, if they are others than the last time.
    pub fn addresses(&mut self, addresses: Vec<String>) {
        if self.addresses != addresses {
            self.addresses.clone_from(&addresses);
            self.send(Event::Addresses { addresses });
        }
    }
}

impl Listener {
    /// Whether the listener is still there.
    fn offer(&mut self, event: &Event) -> bool {
        if self.dropped > 0 {
            match self.events.try_send(Event::Lagged {
                dropped: self.dropped,
            }) {
                Ok(()) => self.dropped = 0,
                Err(refused) if refused.is_disconnected() => return false,
                Err(_) => {
                    self.dropped += 1;
                    return true;
                }
            }
        }
        match self.events.try_send(event.clone()) {
            Ok(()) => true,
            Err(refused) if refused.is_disconnected() => false,
            Err(_) => {
                self.dropped += 1;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(events: &mut mpsc::Receiver<Event>) -> usize {
        std::iter::from_fn(|| events.try_recv().ok()).count()
    }

    #[test]
    fn addresses_are_told_when_they_differ() {
        let mut subscribers = Subscribers::default();
        let mut events = subscribers.add(false);
        for addresses in [vec![], vec!["a"], vec!["a"], vec!["a", "b"], vec![]] {
            subscribers.addresses(addresses.into_iter().map(str::to_owned).collect());
        }
        assert_eq!(received(&mut events), 3);
    }

    #[test]
    fn snapshots_are_made_for_those_only_who_want_them() {
        let mut subscribers = Subscribers::default();
        let mut plain = subscribers.add(false);
        assert!(!subscribers.want_snapshots());
        let mut full = subscribers.add(true);
        assert!(subscribers.want_snapshots());
        subscribers.send(Event::Snapshot(Box::default()));
        assert_eq!((received(&mut plain), received(&mut full)), (0, 1));
        drop(full);
        assert!(!subscribers.want_snapshots());
    }
}
