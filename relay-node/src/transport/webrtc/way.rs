//! How the datagrams of a connection travel, and what its task sees to beside streams.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use str0m::net::Transmit;
use str0m::{Event, Input, Rtc};

use super::agent;
use super::outgoing::Outgoing;
use super::path::Path;
use super::socket::{Arrived, Socket};
use super::state::Ended;
use super::table::Place;

/// What [`super::driver::Driver`] asks of it. What has a body here concerns connections that are negotiated.
pub(super) trait Way: Send + 'static {
    /// Where the remote is, for logs.
    fn remote(&self) -> SocketAddr;

    /// The remote's end of a datagram and ours, as the stack knows them.
    fn ends(&self, arrived: &Arrived) -> (SocketAddr, SocketAddr);

    /// A datagram arrived that the stack can read, and is given to it next.
    fn heard(&mut self, now: Instant, arrived: &Arrived, datagram: &[u8]);

    /// The stack is done with it.
    fn settle(&mut self);

    /// The stack wants to send.
    fn transmit(&mut self, transmit: &Transmit);

    /// Sends all of it.
    fn send(&mut self) -> impl Future<Output = ()> + Send;

    /// When the remote counts as gone unless something arrives.
    fn silent_at(&self) -> Instant;

    /// Whether a datagram was meant for somebody else than the stack.
    fn intercepts(&mut self, _rtc: &mut Rtc, _arrived: &Arrived, _datagram: &[u8]) -> bool {
        false
    }

    /// Whether the stack may see it.
    fn admits(&mut self, _: &Rtc, _: &Input<'_>, _from: SocketAddr, _datagram: &[u8]) -> bool {
        true
    }

    /// Waits until there is work.
    fn asked(&mut self) -> impl Future<Output = ()> + Send {
        pending()
    }

    /// When there is work whatever happens.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Does it.
    fn work(&mut self, _rtc: &mut Rtc, _now: Instant) -> Result<(), Ended> {
        Ok(())
    }

    /// The stack tells something.
    fn on_event(&mut self, _rtc: &mut Rtc, _event: &Event) -> Result<(), Ended> {
        Ok(())
    }
}

/// One socket, which may be that of a listener, and one remote, which may move.
pub(super) struct Direct {
    socket: Arc<Socket>,
    path: Path,
    outgoing: Outgoing,
    place: Option<Place>,
}

impl Direct {
    pub(super) fn new(socket: Arc<Socket>, path: Path, place: Option<Place>) -> Self {
        Direct {
            outgoing: Outgoing::new(&socket),
            socket,
            path,
            place,
        }
    }
}

impl Way for Direct {
    fn remote(&self) -> SocketAddr {
        self.path.current()
    }

    fn ends(&self, _: &Arrived) -> (SocketAddr, SocketAddr) {
        (self.path.known(), agent::LOCAL)
    }

    fn heard(&mut self, now: Instant, arrived: &Arrived, datagram: &[u8]) {
        self.path.heard(now, arrived, datagram);
    }

    fn settle(&mut self) {
        self.path.settle();
        if let Some(place) = &mut self.place {
            place.uses(self.path.current());
        }
    }

    fn transmit(&mut self, transmit: &Transmit) {
        let to = self.path.destination(&transmit.contents);
        self.outgoing
            .push(self.path.local(), to, &transmit.contents);
    }

    async fn send(&mut self) {
        self.outgoing.send(&self.socket).await;
    }

    fn silent_at(&self) -> Instant {
        self.path.silent_at()
    }
}
