//! Where a WebRTC-direct address leads.

use std::net::{IpAddr, SocketAddr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use crate::webrtc::fingerprint::Fingerprint;

/// Certificates of one server: the current one and those it changes to.
const MAX_CERTIFICATES: usize = 4;

/// A server as an address names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where its packets go.
    pub socket: SocketAddr,
    /// The certificates it may have; never empty.
    pub certificates: Vec<Fingerprint>,
}

impl Target {
    /// Reads `/ip4|ip6/…/udp/…/webrtc-direct/certhash/…[/certhash/…][/p2p/…]`; nothing for any
    /// other address. Hashes of other kinds than SHA-256 are passed over.
    pub fn of(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter().peekable();
        let ip: IpAddr = match parts.next()? {
            Protocol::Ip4(ip) => ip.into(),
            Protocol::Ip6(ip) => ip.into(),
            _ => return None,
        };
        let Protocol::Udp(port) = parts.next()? else {
            return None;
        };
        if port == 0 || parts.next()? != Protocol::WebRTCDirect {
            return None;
        }
        let mut certificates = Vec::new();
        while let Some(Protocol::Certhash(hash)) = parts.peek() {
            certificates.extend(Fingerprint::from_multihash(&hash.to_bytes()));
            parts.next();
        }
        certificates.truncate(MAX_CERTIFICATES);
        if matches!(parts.peek(), Some(Protocol::P2p(_))) {
            parts.next();
        }
        let whole = parts.next().is_none() && !certificates.is_empty();
        whole.then(|| Target {
            socket: SocketAddr::new(ip, port),
            certificates,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "uEiAkH5a4DPGKUuOBjYw0CgwjLa2R_RF71v86aVxlqdKNOQ";
    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    fn of(text: &str) -> Option<Target> {
        Target::of(&text.parse().unwrap())
    }

    #[test]
    fn servers_are_read_out_of_addresses() {
        let plain = format!("/ip4/192.0.2.1/udp/4001/webrtc-direct/certhash/{HASH}");
        let target = of(&plain).unwrap();
        assert_eq!(target.socket, "192.0.2.1:4001".parse().unwrap());
        assert_eq!(target.certificates[0].digest()[..3], [0x24, 0x1f, 0x96]);
        assert_eq!(of(&format!("{plain}/p2p/{PEER}")), Some(target));
        let two = of(&format!(
            "/ip6/2001:db8::1/udp/9/webrtc-direct/certhash/{HASH}/certhash/{HASH}"
        ))
        .unwrap();
        assert_eq!(two.socket, "[2001:db8::1]:9".parse().unwrap());
        assert_eq!(two.certificates.len(), 2);
    }

    #[test]
    fn everything_else_is_not_for_this_transport() {
        for other in [
            "/ip4/192.0.2.1/udp/4001/webrtc-direct".to_owned(),
            format!("/ip4/192.0.2.1/udp/0/webrtc-direct/certhash/{HASH}"),
            format!("/ip4/192.0.2.1/tcp/1/webrtc-direct/certhash/{HASH}"),
            format!("/dns4/a.example/udp/1/webrtc-direct/certhash/{HASH}"),
            format!("/ip4/192.0.2.1/udp/1/webrtc-direct/certhash/{HASH}/p2p/{PEER}/p2p-circuit"),
            format!("/ip4/192.0.2.1/udp/1/quic-v1/webtransport/certhash/{HASH}"),
            // An identity hash is no hash at all.
            "/ip4/192.0.2.1/udp/1/webrtc-direct/certhash/uAAEB".to_owned(),
            "/ip4/192.0.2.1/tcp/1/ws".to_owned(),
        ] {
            assert_eq!(of(&other), None, "{other}");
        }
    }
}
