//! Whose turn it is: one attempt, and one connection, with each peer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::channel::oneshot;
use libp2p::PeerId;

use crate::limits::SIGNALING_TURNS;
use crate::webrtc::signaling::{Meeting, Verdict, dials_first};

/// The meetings with all peers. Cheap to clone.
#[derive(Clone)]
pub struct Meetings(Arc<Mutex<Inner>>);

struct Inner {
    own: PeerId,
    next: u64,
    peers: HashMap<PeerId, Meeting<u64>>,
    /// Who is told when another one takes its place.
    turns: HashMap<u64, oneshot::Sender<()>>,
}

/// One attempt and the connection that it leads to. Dropping it ends both, as far as others wait for them.
pub struct Turn {
    meetings: Meetings,
    peer: PeerId,
    id: u64,
    displaced: oneshot::Receiver<()>,
}

impl Meetings {
    /// Those of this peer.
    pub fn new(own: PeerId) -> Self {
        Meetings(Arc::new(Mutex::new(Inner {
            own,
            next: 0,
            peers: HashMap::new(),
            turns: HashMap::new(),
        })))
    }

    /// An own attempt; nothing when there is one, or a connection, to wait for.
    pub fn dial(&self, peer: PeerId) -> Option<Turn> {
        let turn = self.turn(peer)?;
        let begun = turn.meeting(|meeting| meeting.dial(turn.id));
        begun.then_some(turn)
    }

    /// An attempt of the remote; nothing when there are too many.
    pub fn answer(&self, peer: PeerId) -> Option<Turn> {
        self.turn(peer)
    }

    /// Whether there is an attempt with a peer, or a connection.
    pub fn is_busy(&self, peer: &PeerId) -> bool {
        self.inner().peers.contains_key(peer)
    }

    fn turn(&self, peer: PeerId) -> Option<Turn> {
        let mut inner = self.inner();
        if inner.turns.len() >= SIGNALING_TURNS {
            return None;
        }
        let id = inner.next;
        inner.next += 1;
        let (displace, displaced) = oneshot::channel();
        inner.turns.insert(id, displace);
        drop(inner);
        Some(Turn {
            meetings: self.clone(),
            peer,
            id,
            displaced,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// The offer, if it is an own one, goes out.
    pub fn offering(&self) {
        self.meeting(|meeting| meeting.offering(self.id));
    }

    /// Whether the offer of the remote is taken.
    pub fn offered(&self) -> bool {
        match self.meeting(|meeting| meeting.offered(self.id)) {
            Verdict::Take(other) => {
                self.displace(other);
                true
            }
            Verdict::Refuse => false,
        }
    }

    /// The connection stands. An older one to the same peer is told to close.
    pub fn connected(&self) {
        let older = self.meeting(|meeting| meeting.connected(self.id));
        self.displace(older);
    }

    /// Ready once another one has taken its place.
    pub fn poll_displaced(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.displaced.poll_unpin(cx).map(drop)
    }

    fn displace(&self, other: Option<u64>) {
        let told = other.and_then(|other| self.meetings.inner().turns.remove(&other));
        if let Some(displaced) = told {
            let _ = displaced.send(());
        }
    }

    fn meeting<T>(&self, ask: impl FnOnce(&mut Meeting<u64>) -> T) -> T {
        let mut inner = self.meetings.inner();
        let first = dials_first(&inner.own.to_bytes(), &self.peer.to_bytes());
        let meeting = inner
            .peers
            .entry(self.peer)
            .or_insert_with(|| Meeting::new(first));
        let answer = ask(meeting);
        if meeting.is_empty() {
            inner.peers.remove(&self.peer);
        }
        answer
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.meeting(|meeting| meeting.ended(self.id));
        self.meetings.inner().turns.remove(&self.id);
    }
}
