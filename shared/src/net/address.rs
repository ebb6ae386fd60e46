//! What a multiaddress tells: its transport, its peer, whether a circuit carries it, and which
//! address prefix a quota counts it under.

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use serde::Serialize;

use crate::error::{Code, Error, Result};
use crate::proto::record::provider::Prefix;
use crate::sorted::{SortedMap, sort_short};

/// How two peers are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    WebrtcDirect,
    Webrtc,
    Websocket,
    Circuit,
    Quic,
    Tcp,
}

impl Via {
    /// Reads the transport out of an address.
    pub fn of(address: &Multiaddr) -> Via {
        let has = |wanted: fn(&Protocol) -> bool| address.iter().any(|part| wanted(&part));
        if has(|p| matches!(p, Protocol::WebRTC)) {
            Via::Webrtc
        } else if has(|p| matches!(p, Protocol::P2pCircuit)) {
            Via::Circuit
        } else if has(|p| matches!(p, Protocol::WebRTCDirect)) {
            Via::WebrtcDirect
        } else if has(|p| matches!(p, Protocol::Ws(_) | Protocol::Wss(_))) {
            Via::Websocket
        } else if has(|p| matches!(p, Protocol::QuicV1 | Protocol::Quic)) {
            Via::Quic
        } else {
            Via::Tcp
        }
    }

    /// Reads what [`Via::as_str`] wrote.
    #[cfg(feature = "apps")]
    pub fn named(name: &str) -> Option<Via> {
        let all = [
            Via::WebrtcDirect,
            Via::Webrtc,
            Via::Websocket,
            Via::Circuit,
            Via::Quic,
            Via::Tcp,
        ];
        all.into_iter().find(|via| via.as_str() == name)
    }

    /// The name used in events, snapshots and JavaScript.
    pub fn as_str(self) -> &'static str {
        match self {
            Via::WebrtcDirect => "webrtc-direct",
            Via::Webrtc => "webrtc",
            Via::Websocket => "websocket",
            Via::Circuit => "circuit",
            Via::Quic => "quic",
            Via::Tcp => "tcp",
        }
    }
}

/// Parses an address that a person or another peer gave.
pub fn parse(text: &str) -> Result<Multiaddr> {
    text.parse().map_err(|error| {
        Error::new(Code::InvalidAddress, format!("{text:?} is not a multiaddress"))
            .caused_by(error)
            .with_remedy("write it like /ip4/203.0.113.7/tcp/4001/p2p/12D3Koo… or take it from the relay's output")
    })
}

/// Those of a record that are addresses.
pub fn parsed(bytes: Vec<Vec<u8>>) -> Vec<Multiaddr> {
    let parsed = bytes.into_iter().map(Multiaddr::try_from);
    parsed.filter_map(std::result::Result::ok).collect()
}

/// The last peer named in an address: the one that answers there.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    address
        .iter()
        .filter_map(|part| match part {
            Protocol::P2p(peer) => Some(peer),
            _ => None,
        })
        .last()
}

/// Whether a relay stands between.
pub fn is_relayed(address: &Multiaddr) -> bool {
    address
        .iter()
        .any(|part| matches!(part, Protocol::P2pCircuit))
}

/// Which relay stands between.
pub fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let relay = address.iter().find_map(|part| match part {
        Protocol::P2p(relay) => Some(relay),
        _ => None,
    });
    relay.filter(|_| is_relayed(address))
}

/// Leaves one circuit of each relay that is connected: it opens few to one peer at a time, and which of its addresses was
/// dialled makes no difference.
pub fn one_circuit_each(addresses: &mut Vec<Multiaddr>, connected: impl Fn(&PeerId) -> bool) {
    let mut chosen = Vec::new();
    addresses.retain(|address| match relay_of(address).filter(&connected) {
        Some(relay) if chosen.contains(&relay) => false,
        Some(relay) => {
            chosen.push(relay);
            true
        }
        None => true,
    });
}

/// The address without the peer at its end.
pub fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// The address with the peer at its end.
pub fn with_peer(address: Multiaddr, peer: PeerId) -> Multiaddr {
    without_peer(address).with(Protocol::P2p(peer))
}

/// The numeric address at the front, if there is one.
pub fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// Whether the address is this machine's own.
pub fn is_loopback(address: &Multiaddr) -> bool {
    ip_of(address).is_some_and(|ip| ip.is_loopback())
}

/// The most useful of many addresses: every transport gets its turn, what is reachable from
/// elsewhere comes before loopback.
pub fn best_mix(mut addresses: Vec<Multiaddr>, most: usize) -> Vec<Multiaddr> {
    let rank = |address: &Multiaddr| {
        (
            is_loopback(address),
            ip_of(address).is_some_and(|ip| ip.is_ipv6()),
        )
    };
    sort_short(&mut addresses, |one, two| rank(one).cmp(&rank(two)));
    let mut turns: SortedMap<Via, usize> = SortedMap::default();
    let mut ranked: Vec<(usize, Multiaddr)> = addresses
        .into_iter()
        .map(|address| {
            let turn = turns.or_default(Via::of(&address));
            *turn += 1;
            (*turn, address)
        })
        .collect();
    sort_short(&mut ranked, |(one, _), (two, _)| one.cmp(two));
    ranked
        .into_iter()
        .take(most)
        .map(|(_, address)| address)
        .collect()
}

/// What a quota counts a connection under. `None` for loopback and private networks: proxies and
/// container gateways hide many people behind one of these, so there each peer counts for itself.
pub fn quota_prefix(address: &Multiaddr) -> Option<Prefix> {
    if is_relayed(address) {
        let relay = address.iter().find_map(|part| match part {
            Protocol::P2p(peer) => Some(peer.to_bytes()),
            _ => None,
        })?;
        let digest = blake3::hash(&relay);
        let mut short = [0; 8];
        short.copy_from_slice(&digest.as_bytes()[..8]);
        return Some(Prefix::Relay(u64::from_be_bytes(short)));
    }
    match ip_of(address)?.to_canonical() {
        ip if is_shared(ip) => None,
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Some(Prefix::V4([a, b, c]))
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, ..] = ip.octets();
            Some(Prefix::V6([a, b, c, d, e, f]))
        }
    }
}

/// Whether an address says nothing about who is behind it.
fn is_shared(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The WebSocket address on the port of an HTTP URL: a relay serves both there.
pub fn websocket_of(url: &str) -> Option<Multiaddr> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let secure = scheme == "https";
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, if secure { 443 } else { 80 }),
    };
    let host = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => Multiaddr::from(ip),
        Err(_) => Multiaddr::empty().with(Protocol::Dns(host.into())),
    };
    let address = host.with(Protocol::Tcp(port));
    Some(match secure {
        true => address.with(Protocol::Tls).with(Protocol::Ws("/".into())),
        false => address.with(Protocol::Ws("/".into())),
    })
}

/// The HTTP URL on the port of a WebSocket address: the counterpart of [`websocket_of`].
pub fn page_of(address: &Multiaddr) -> Option<String> {
    let mut parts = address.iter();
    let host = match parts.next()? {
        Protocol::Ip4(ip) => ip.to_string(),
        Protocol::Ip6(ip) => format!("[{ip}]"),
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => name.into_owned(),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else {
        return None;
    };
    match parts.next()? {
        Protocol::Ws(_) => Some(format!("http://{host}:{port}")),
        Protocol::Tls | Protocol::Wss(_) => Some(format!("https://{host}:{port}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_are_told_apart() {
        let relay = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        for (text, via) in [
            ("/ip4/127.0.0.1/tcp/1".to_owned(), Via::Tcp),
            (
                "/dns4/relay.example/tcp/443/tls/ws".to_owned(),
                Via::Websocket,
            ),
            ("/ip4/127.0.0.1/udp/1/quic-v1".to_owned(), Via::Quic),
            (
                "/ip4/127.0.0.1/udp/1/webrtc-direct".to_owned(),
                Via::WebrtcDirect,
            ),
            (
                format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{relay}/p2p-circuit"),
                Via::Circuit,
            ),
            (
                format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{relay}/p2p-circuit/webrtc"),
                Via::Webrtc,
            ),
        ] {
            assert_eq!(Via::of(&parse(&text).unwrap()), via, "{text}");
        }
        assert_eq!(parse("nonsense").unwrap_err().code(), Code::InvalidAddress);
    }

    #[test]
    fn of_each_connected_relay_one_circuit_is_dialled() {
        let [one, other, unknown, far] = [(); 4].map(|()| PeerId::random());
        let circuit = |way: &str, relay: PeerId| {
            let text = format!("/ip4/192.0.2.1/{way}/p2p/{relay}/p2p-circuit/p2p/{far}");
            parse(&text).unwrap()
        };
        let direct = |port: u16| parse(&format!("/ip4/192.0.2.9/tcp/{port}/p2p/{one}")).unwrap();
        let mut all = vec![
            circuit("tcp/1", one),
            direct(1),
            circuit("tcp/2/ws", one),
            circuit("tcp/1", unknown),
            circuit("udp/1/quic-v1", other),
            circuit("tcp/2/ws", unknown),
            circuit("tcp/1", other),
            direct(2),
        ];
        one_circuit_each(&mut all, |relay| *relay != unknown);
        let expected = [
            circuit("tcp/1", one),
            direct(1),
            circuit("tcp/1", unknown),
            circuit("udp/1/quic-v1", other),
            circuit("tcp/2/ws", unknown),
            direct(2),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn quotas_count_networks_and_relays_but_not_loopback() {
        let prefix = |text: &str| quota_prefix(&parse(text).unwrap());
        assert_eq!(prefix("/ip4/127.0.0.1/tcp/1"), None);
        assert_eq!(prefix("/ip4/172.17.0.1/tcp/1"), None);
        assert_eq!(prefix("/ip6/fd00::1/tcp/1"), None);
        assert_eq!(
            prefix("/ip4/203.0.113.9/tcp/1"),
            Some(Prefix::V4([203, 0, 113]))
        );
        assert_eq!(
            prefix("/ip4/203.0.113.9/tcp/1"),
            prefix("/ip4/203.0.113.200/udp/9/quic-v1")
        );
    }

    #[test]
    fn a_page_url_says_where_its_websocket_is() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", "/ip4/127.0.0.1/tcp/8080/ws"),
            (
                "https://relay.example/x",
                "/dns/relay.example/tcp/443/tls/ws",
            ),
            ("http://[::1]:81/", "/ip6/::1/tcp/81/ws"),
        ] {
            let address = websocket_of(url).unwrap();
            assert_eq!(address.to_string(), expected);
            assert_eq!(websocket_of(&page_of(&address).unwrap()), Some(address));
        }
        assert_eq!(websocket_of("nonsense"), None);
    }

    #[test]
    fn a_short_list_has_every_transport_and_prefers_what_others_can_reach() {
        let all = ["127.0.0.1", "10.0.0.1", "203.0.113.7"]
            .iter()
            .flat_map(|ip| {
                ["tcp/1", "udp/1/quic-v1", "tcp/2/ws"]
                    .map(|rest| parse(&format!("/ip4/{ip}/{rest}")).unwrap())
            });
        let best = best_mix(all.collect(), 3);
        let vias: std::collections::BTreeSet<Via> = best.iter().map(Via::of).collect();
        assert_eq!(vias.len(), 3);
        assert!(best.iter().all(|address| !is_loopback(address)));
    }
}
