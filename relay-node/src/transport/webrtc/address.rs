//! The multiaddrs of WebRTC-direct.

use std::net::{IpAddr, SocketAddr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::multihash::Multihash;
use warren_shared::net::webrtc::Target;
use warren_shared::webrtc::fingerprint::Fingerprint;

/// `/ip4|ip6/…/udp/…/webrtc-direct`, as a listener is told to use.
pub(super) fn parse_listen(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match (parts.next()?, parts.next()?, parts.next()) {
        (Protocol::Udp(port), Protocol::WebRTCDirect, None) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// A server that this transport can call.
pub(super) fn parse_dial(address: &Multiaddr) -> Option<Target> {
    Target::of(address).filter(|target| !target.socket.ip().is_unspecified())
}

/// What a listener announces.
pub(super) fn announced(socket: SocketAddr, certificate: Fingerprint) -> Multiaddr {
    let address = remote(socket);
    match Multihash::from_bytes(&certificate.to_multihash()) {
        Ok(hash) => address.with(Protocol::Certhash(hash)),
        Err(_) => address,
    }
}

/// A remote of ours: it has no certificate that anybody could dial.
pub(super) fn remote(socket: SocketAddr) -> Multiaddr {
    Multiaddr::from(socket.ip())
        .with(Protocol::Udp(socket.port()))
        .with(Protocol::WebRTCDirect)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g";

    #[test]
    fn what_is_announced_can_be_dialled() {
        let fingerprint = Fingerprint::new([7; 32]);
        for text in ["127.0.0.1:4002", "[::1]:4002"] {
            let socket: SocketAddr = text.parse().unwrap();
            let address = announced(socket, fingerprint);
            let target = parse_dial(&address).unwrap();
            assert_eq!(
                (target.socket, target.certificates),
                (socket, vec![fingerprint])
            );
            assert_eq!(parse_listen(&address), None);
            assert_eq!(parse_listen(&remote(socket)), Some(socket));
        }
    }

    #[test]
    fn a_peer_may_follow_the_hash() {
        let peer = libp2p::PeerId::random();
        let address = format!("/ip4/10.0.0.1/udp/1/webrtc-direct/certhash/{HASH}/p2p/{peer}");
        assert!(parse_dial(&address.parse().unwrap()).is_some());
    }

    #[test]
    fn a_server_may_have_several_certificates() {
        let address = format!("/ip4/10.0.0.1/udp/1/webrtc-direct/certhash/{HASH}/certhash/{HASH}");
        let target = parse_dial(&address.parse().unwrap()).unwrap();
        assert_eq!(target.certificates.len(), 2);
    }

    #[test]
    fn other_addresses_are_left_to_other_transports() {
        for text in [
            "/ip4/127.0.0.1/udp/1/webrtc-direct".to_owned(),
            "/ip4/127.0.0.1/udp/1/quic-v1".to_owned(),
            "/ip4/127.0.0.1/tcp/1".to_owned(),
            format!("/ip4/127.0.0.1/udp/0/webrtc-direct/certhash/{HASH}"),
            format!("/ip4/0.0.0.0/udp/1/webrtc-direct/certhash/{HASH}"),
            format!("/ip4/1.2.3.4/udp/1/webrtc-direct/certhash/{HASH}/p2p-circuit"),
        ] {
            assert_eq!(parse_dial(&text.parse().unwrap()), None, "{text}");
        }
    }
}
