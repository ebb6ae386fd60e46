//! Somebody waits for a stream.
//!
//! Connections close while streams are on the way to them. Nothing was sent on such a stream, so it
//! can be opened elsewhere: an opening that is dropped without an outcome goes back to the behaviour.

use futures::channel::{mpsc, oneshot};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use super::{Failure, Opened, Protocol};

/// A stream that is to be opened.
#[derive(Debug)]
pub struct Opening {
    wanted: Option<Wanted>,
    lost: mpsc::UnboundedSender<Wanted>,
}

/// What is wanted, by whom.
#[derive(Debug)]
pub(super) struct Wanted {
    pub peer: PeerId,
    /// Where, when there is no connection.
    pub addresses: Vec<Multiaddr>,
    pub protocol: Protocol,
    pub reply: oneshot::Sender<Result<Opened, Failure>>,
    /// The connection that was chosen for it last.
    pub tried: Option<ConnectionId>,
    /// How often one was chosen.
    pub tries: usize,
}

impl Wanted {
    pub fn fail(self, failure: Failure) {
        let _ = self.reply.send(Err(failure));
    }
}

impl Opening {
    /// Comes back through `lost`; there are never more in there than callers that wait.
    pub(super) fn new(wanted: Wanted, lost: mpsc::UnboundedSender<Wanted>) -> Self {
        let wanted = Some(wanted);
        Opening { wanted, lost }
    }

    /// None: there is a better connection.
    pub(super) fn elsewhere(lost: mpsc::UnboundedSender<Wanted>) -> Self {
        Opening { wanted: None, lost }
    }

    pub(super) fn protocol(&self) -> Option<&Protocol> {
        self.wanted.as_ref().map(|wanted| &wanted.protocol)
    }

    /// The outcome.
    pub(super) fn end(mut self, outcome: Result<Opened, Failure>) {
        if let Some(wanted) = self.wanted.take() {
            let _ = wanted.reply.send(outcome);
        }
    }

    /// Nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        let wanted = self.wanted.as_ref();
        wanted.is_none_or(|wanted| wanted.reply.is_canceled())
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(wanted) = self.wanted.take().filter(|one| !one.reply.is_canceled()) {
            let _ = self.lost.unbounded_send(wanted);
        }
    }
}
