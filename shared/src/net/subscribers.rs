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
}

struct Listener {
    events: mpsc::Sender<Event>,
    dropped: u64,
}

impl Default for Subscribers {
    fn default() -> Self {
        Subscribers {
            listeners: Vec::new(),
            state: ("joining", None),
        }
    }
}

impl Subscribers {
    pub fn add(&mut self) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(limits::EVENT_QUEUE);
        self.listeners.push(Listener { events, dropped: 0 });
        receiver
    }

    pub fn any(&self) -> bool {
        !self.listeners.is_empty()
    }

    pub fn current(&self) -> (&'static str, Option<String>) {
        self.state.clone()
    }

    pub fn send(&mut self, event: Event) {
        self.listeners.retain_mut(|listener| listener.offer(&event));
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

    pub fn addresses(&mut self, addresses: Vec<String>) {
        self.send(Event::Addresses { addresses });
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
