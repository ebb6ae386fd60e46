//! The multiaddrs of a WebSocket listener: `/ip/tcp` and one of `/ws`, `/tls/ws`, `/wss`.

use std::net::{IpAddr, SocketAddr};

use libp2p::{Multiaddr, multiaddr::Protocol};

/// How the connection is secured below the WebSocket, spelled as the listener spelled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    Plain,
    Tls,
    /// `/wss`, the older spelling of `/tls/ws`.
    Wss,
}

impl Security {
    pub(super) fn is_tls(self) -> bool {
        self != Self::Plain
    }
}

/// A socket address and what is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WsAddress {
    pub(super) socket: SocketAddr,
    pub(super) security: Security,
}

impl WsAddress {
    pub(super) fn new(socket: SocketAddr, security: Security) -> Self {
        Self { socket, security }
    }

    pub(super) fn parse(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter();
        let ip = match parts.next()? {
            Protocol::Ip4(ip) => IpAddr::V4(ip),
            Protocol::Ip6(ip) => IpAddr::V6(ip),
            _ => return None,
        };
        let Protocol::Tcp(port) = parts.next()? else {
            return None;
        };
        let security = match (parts.next()?, parts.next()) {
            (Protocol::Ws(_), None) => Security::Plain,
            (Protocol::Wss(_), None) => Security::Wss,
            (Protocol::Tls, Some(Protocol::Ws(_))) => Security::Tls,
            _ => return None,
        };
        match parts.next() {
            None => Some(Self::new(SocketAddr::new(ip, port), security)),
            Some(_) => None,
        }
    }

    pub(super) fn to_multiaddr(self) -> Multiaddr {
        let address = Multiaddr::from(self.socket.ip()).with(Protocol::Tcp(self.socket.port()));
        match self.security {
            Security::Plain => address.with(Protocol::Ws("/".into())),
            Security::Wss => address.with(Protocol::Wss("/".into())),
            Security::Tls => address.with(Protocol::Tls).with(Protocol::Ws("/".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_a_round_trip() {
        for text in [
            "/ip4/127.0.0.1/tcp/8080/ws",
            "/ip6/::1/tcp/443/tls/ws",
            "/ip4/10.0.0.1/tcp/443/wss",
        ] {
            let address: Multiaddr = text.parse().unwrap();
            let parsed = WsAddress::parse(&address).unwrap();
            assert_eq!(parsed.to_multiaddr().to_string(), text);
        }
    }

    #[test]
    fn other_addresses_are_left_to_other_transports() {
        for text in [
            "/ip4/127.0.0.1/tcp/8080",
            "/ip4/127.0.0.1/udp/8080/ws",
            "/dns/example.org/tcp/443/wss",
            "/ip4/127.0.0.1/tcp/8080/tls",
            "/ip4/127.0.0.1/tcp/8080/ws/p2p-circuit",
        ] {
            assert_eq!(WsAddress::parse(&text.parse().unwrap()), None, "{text}");
        }
    }
}
