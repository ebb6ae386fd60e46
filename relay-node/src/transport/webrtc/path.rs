//! Where the remote is: its addresses change, the stack must not notice.
//!
//! The stack knows a remote by the address of its first packet. What arrives from another address
//! of the same connection (its owner has proven that it is there) is given to the stack as if it
//! came from the first, and what the stack sends goes where the remote was heard last.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::limits;
use super::socket::Arrived;

/// The address in use has been quiet for so long that a check from another one moves us there.
const STALE: Duration = Duration::from_secs(1);

pub(super) struct Path {
    /// As the stack knows the remote.
    known: SocketAddr,
    current: SocketAddr,
    /// The address of ours that the remote talks to.
    local: Option<IpAddr>,
    heard: Instant,
    heard_current: Instant,
    /// Whose packet the stack is working on, and our address that it was sent to.
    asking: Option<(SocketAddr, IpAddr)>,
    answered: bool,
    fixed: bool,
}

impl Path {
    /// To a client, which may move.
    pub(super) fn to_client(source: SocketAddr, local: IpAddr, now: Instant) -> Self {
        Path {
            known: source,
            current: source,
            local: Some(local),
            heard: now,
            heard_current: now,
            asking: None,
            answered: false,
            fixed: false,
        }
    }

    /// To a server, which does not.
    pub(super) fn to_server(address: SocketAddr, known: SocketAddr, now: Instant) -> Self {
        Path {
            known,
            local: None,
            fixed: true,
            ..Path::to_client(address, address.ip(), now)
        }
    }

    pub(super) fn known(&self) -> SocketAddr {
        self.known
    }

    pub(super) fn current(&self) -> SocketAddr {
        self.current
    }

    pub(super) fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// When the remote counts as gone unless something arrives.
    pub(super) fn silent_at(&self) -> Instant {
        self.heard + limits::SILENCE
    }

    /// A datagram arrived that the stack can read, and is given to it next.
    pub(super) fn heard(&mut self, now: Instant, arrived: &Arrived, datagram: &[u8]) {
        self.heard = now;
        if self.fixed {
            return;
        }
        let local = arrived.local.ip();
        self.asking = Some((arrived.source, local));
        self.answered = false;
        // Encrypted traffic comes from where the client has decided to be; checks may come from
        // every address it has.
        if is_record(datagram) {
            self.move_to(arrived.source, local);
        }
        if arrived.source == self.current {
            self.heard_current = now;
        }
    }

    /// Where a packet of the stack goes.
    pub(super) fn destination(&mut self, datagram: &[u8]) -> SocketAddr {
        match self.asking {
            Some((asking, _)) if is_stun(datagram) => {
                // Only authentic checks are answered.
                self.answered = true;
                asking
            }
            _ => self.current,
        }
    }

    /// The stack is done with the packet.
    pub(super) fn settle(&mut self) {
        if let Some((asking, local)) = self.asking.take()
            && self.answered
            && self.heard.duration_since(self.heard_current) > STALE
        {
            self.move_to(asking, local);
            self.heard_current = self.heard;
        }
    }

    fn move_to(&mut self, source: SocketAddr, local: IpAddr) {
        if source != self.current {
            tracing::debug!(from = %self.current, to = %source, "a remote has moved");
            self.current = source;
            self.local = Some(local);
        }
    }
}

/// Whether it is of STUN.
pub(super) fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4)
}

/// Whether it is of DTLS (RFC 7983).
pub(super) fn is_record(datagram: &[u8]) -> bool {
    datagram
        .first()
        .is_some_and(|first| (20..64).contains(first))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const CHECK: &[u8] = &[0, 1];
    const ANSWER: &[u8] = &[1, 1];
    const RECORD: &[u8] = &[23, 254];

    fn address(port: u16) -> SocketAddr {
        SocketAddr::new([192, 0, 2, 1].into(), port)
    }

    /// A datagram arrives; the stack answers it or not.
    fn arrive(path: &mut Path, now: Instant, port: u16, datagram: &'static [u8], answer: bool) {
        let bytes = Bytes::from_static(datagram);
        let arrived = Arrived::single(address(port), address(9), bytes);
        path.heard(now, &arrived, datagram);
        if answer {
            assert_eq!(path.destination(ANSWER), address(port));
        }
        path.settle();
    }

    fn path() -> (Path, Instant) {
        let now = Instant::now();
        (Path::to_client(address(1), address(9).ip(), now), now)
    }

    #[test]
    fn encrypted_traffic_shows_where_a_client_is() {
        let (mut path, now) = path();
        arrive(&mut path, now, 2, RECORD, false);
        assert_eq!(path.destination(RECORD), address(2));
        assert_eq!(path.known(), address(1));
    }

    #[test]
    fn nothing_else_moves_a_client() {
        let (mut path, now) = path();
        // What begins as media or TURN does; anybody can send it.
        for first in [&[128, 96][..], &[64, 0], &[19, 0]] {
            arrive(&mut path, now, 2, first, false);
            assert_eq!(path.destination(RECORD), address(1));
        }
    }

    #[test]
    fn checks_are_answered_where_they_come_from_and_move_nobody_who_is_there() {
        let (mut path, now) = path();
        arrive(&mut path, now, 2, CHECK, true);
        assert_eq!(path.destination(RECORD), address(1));
    }

    #[test]
    fn a_check_moves_a_client_who_was_quiet_elsewhere() {
        let (mut path, now) = path();
        let later = now + 2 * STALE;
        arrive(&mut path, later, 2, CHECK, false);
        assert_eq!(path.destination(RECORD), address(1), "not authentic");
        arrive(&mut path, later, 2, CHECK, true);
        assert_eq!(path.destination(RECORD), address(2));
    }

    #[test]
    fn anything_ends_the_silence() {
        let (mut path, now) = path();
        let later = now + limits::SILENCE / 2;
        arrive(&mut path, later, 1, CHECK, false);
        assert_eq!(path.silent_at(), later + limits::SILENCE);
    }
}
