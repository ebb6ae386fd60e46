//! Whose share of a witness a request is taken from.
//!
//! Pure: time is an argument. Whoever comes from an address of its own shares with its network. An
//! address behind which anybody may be, such as a proxy's on this machine, says nothing: there each peer
//! has a share, and all of them together a wide one, because new peers cost nothing.

use libp2p::PeerId;

use super::rates::Rates;
use crate::net::budget::Asker;
use crate::proto::Millis;
use crate::proto::record::provider::Prefix;

/// The peers without an address of their own have so many shares together.
const UNPLACED: u32 = 10;

#[derive(Debug, PartialEq, Eq, Hash)]
enum Who {
    Network(Prefix),
    Peer(PeerId),
}

/// The shares of one kind of requests.
pub(super) struct Shares {
    each: Rates<Who>,
    unplaced: Rates<()>,
}

impl Shares {
    /// Everybody may come so often in a minute.
    pub fn new(a_minute: u32) -> Shares {
        Shares {
            each: Rates::new(a_minute),
            unplaced: Rates::new(a_minute.saturating_mul(UNPLACED)),
        }
    }

    /// Takes one from the share of whoever asks, if there is one.
    pub fn take(&mut self, asker: Asker, now: Millis) -> bool {
        match asker.prefix {
            Some(prefix) => self.each.take(Who::Network(prefix), now),
            None => self.each.take(Who::Peer(asker.peer), now) && self.unplaced.take((), now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::address::quota_prefix;

    fn asker(address: &str) -> Asker {
        let address: std::net::IpAddr = address.parse().unwrap();
        Asker {
            peer: PeerId::random(),
            prefix: quota_prefix(&address.into()),
        }
    }

    fn taken(shares: &mut Shares, asker: Asker) -> usize {
        (0..100).filter(|_| shares.take(asker, 0)).count()
    }

    #[test]
    fn a_network_has_one_share_and_behind_a_proxy_each_peer_has_its_own() {
        let mut shares = Shares::new(3);
        assert_eq!(taken(&mut shares, asker("203.0.113.1")), 3);
        assert_eq!(taken(&mut shares, asker("203.0.113.2")), 0);
        for _ in 0..UNPLACED {
            assert_eq!(taken(&mut shares, asker("127.0.0.1")), 3);
        }
        assert_eq!(
            taken(&mut shares, asker("127.0.0.1")),
            0,
            "new peers are free"
        );
        assert_eq!(taken(&mut shares, asker("198.51.100.1")), 3);
    }
}
