//! Where this machine is: the addresses that others may find it at, and which of theirs are worth trying.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use str0m::Candidate as Way;
use str0m::net::Protocol;
use warren_shared::webrtc::signaling::candidate::Candidate;

use super::super::limits;

/// Somewhere far away, by either family: the way there is the default one. (Addresses for documentation, where nobody is.)
const ANYBODY: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        9,
    ),
];

/// The addresses of this machine. Its own loopback is of use to others on it only: if there is nothing else, or if the
/// servers that were asked are there.
pub(super) fn hosts(servers: &[SocketAddr]) -> Vec<IpAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::debug!(%error, "the addresses of this machine are not known");
        Vec::new()
    });
    let local = servers.iter().any(|server| server.ip().is_loopback());
    let all = found.iter().map(|interface| interface.ip());
    choose(all, local, &used_outside(servers))
}

/// The addresses of this machine that others see: those which it sends from, to these servers or to anybody. Nothing is
/// sent to find them out.
fn used_outside(servers: &[SocketAddr]) -> Vec<IpAddr> {
    let servers = servers.iter().copied().chain(ANYBODY);
    let own = servers.filter_map(|to| {
        let any: IpAddr = match to.is_ipv4() {
            true => Ipv4Addr::UNSPECIFIED.into(),
            false => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    own.collect()
}

fn choose(all: impl Iterator<Item = IpAddr>, local: bool, first: &[IpAddr]) -> Vec<IpAddr> {
    let (own, mut others): (Vec<IpAddr>, Vec<IpAddr>) = all
        .filter(|ip| is_usable(*ip))
        .partition(IpAddr::is_loopback);
    // Of too many the others are left out.
    others.sort_by_key(|ip| !first.contains(ip));
    if local || others.is_empty() {
        others.splice(0..0, own);
    }
    others.truncate(limits::HOSTS);
    others
}

/// Of a remote's ways those that a UDP socket can reach. `None` for what others understand: names, TCP, another
/// generation.
pub fn reachable(told: &Candidate, ufrag: &str, loopback: bool) -> Option<Way> {
    if told.ufrag.as_deref().is_some_and(|other| other != ufrag) {
        return None;
    }
    let way = Way::from_sdp_string(&told.text).ok()?;
    let at = way.addr();
    let wanted = way.proto() == Protocol::Udp
        && at.port() != 0
        && is_usable(at.ip())
        && (loopback || !at.ip().is_loopback());
    wanted.then_some(way)
}

/// Whether it can be the address of one machine, and be written without the name of an interface.
fn is_usable(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || is_embedded(ip),
    };
    !(link_local || ip.is_unspecified() || ip.is_multicast())
}

/// Whether it is an IPv4 address in another dress.
fn is_embedded(ip: Ipv6Addr) -> bool {
    ip.to_ipv4_mapped().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(all: &[&str], local: bool) -> Vec<String> {
        let all = all.iter().map(|text| text.parse().unwrap());
        let chosen = choose(all, local, &[]).into_iter();
        chosen.map(|ip| ip.to_string()).collect()
    }

    #[test]
    fn loopback_is_for_those_who_have_nothing_else() {
        let all = ["127.0.0.1", "192.0.2.1", "::1", "fe80::1", "2001:db8::1"];
        assert_eq!(chosen(&all, false), ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(
            chosen(&all, true),
            ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1"]
        );
        assert_eq!(chosen(&["127.0.0.1", "169.254.1.1"], false), ["127.0.0.1"]);
        let many: Vec<String> = (1..99).map(|last| format!("192.0.2.{last}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(chosen(&many, false).len(), limits::HOSTS);
    }

    #[test]
    fn of_too_many_those_stay_that_others_see() {
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        let many = || (1..99).map(ip);
        let chosen = choose(many(), false, &[ip(98), ip(200), ip(50)]);
        assert_eq!(chosen[..3], [ip(50), ip(98), ip(1)]);
        assert_eq!(chosen.len(), limits::HOSTS);
        let local = choose(many().chain([[127, 0, 0, 1].into()]), true, &[ip(98)]);
        assert!(local[0].is_loopback());
        assert_eq!((local[1], local.len()), (ip(98), limits::HOSTS));
    }

    #[test]
    fn this_machine_sends_to_itself_from_itself() {
        let here: SocketAddr = "127.0.0.1:9".parse().unwrap();
        assert_eq!(used_outside(&[here])[0], here.ip());
    }

    fn told(text: &str) -> Candidate {
        Candidate {
            text: text.to_owned(),
            mid: None,
            line: Some(0),
            ufrag: Some("abcd".into()),
        }
    }

    fn at(text: &str) -> Option<String> {
        reachable(&told(text), "abcd", false).map(|way| way.addr().to_string())
    }

    /// As Chromium, Firefox and libdatachannel write them.
    #[test]
    fn candidates_of_others_are_understood() {
        let chromium = "candidate:1510613869 1 udp 2122260223 192.0.2.7 49203 typ host generation 0 ufrag abcd network-id 1 network-cost 10";
        assert_eq!(at(chromium).unwrap(), "192.0.2.7:49203");
        let reflexive = "candidate:842163049 1 udp 1677729535 203.0.113.4 49203 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag abcd network-cost 999";
        assert_eq!(at(reflexive).unwrap(), "203.0.113.4:49203");
        let firefox = "candidate:0 1 UDP 2122252543 2001:db8::7 60404 typ host";
        assert_eq!(at(firefox).unwrap(), "[2001:db8::7]:60404");
        let libdatachannel =
            "candidate:2 1 UDP 1686109951 203.0.113.3 49152 typ srflx raddr 0.0.0.0 rport 0";
        assert_eq!(at(libdatachannel).unwrap(), "203.0.113.3:49152");
    }

    #[test]
    fn what_leads_nowhere_is_passed_over() {
        for text in [
            "candidate:0 1 UDP 2122187007 2c0b4b5e-9c1d-4d5c-8d3b-0d3a2a5f6b11.local 60404 typ host",
            "candidate:3 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active generation 0 ufrag abcd",
            "candidate:0 1 udp 2122252543 192.0.2.7 0 typ host",
            "candidate:0 1 udp 2122252543 0.0.0.0 60404 typ host",
            "candidate:0 1 udp 2122252543 255.255.255.255 60404 typ host",
            "candidate:0 1 udp 2122252543 224.0.0.1 60404 typ host",
            "candidate:0 1 udp 2122252543 fe80::1 60404 typ host",
            "candidate:0 1 udp 2122252543 ::ffff:127.0.0.1 60404 typ host",
            "candidate:0 1 udp 2122252543 127.0.0.1 60404 typ host",
            "candidate:0",
            "hello",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
        let own = told("candidate:0 1 udp 2122252543 127.0.0.1 60404 typ host");
        assert!(reachable(&own, "abcd", true).is_some());
        assert!(reachable(&own, "of another time", true).is_none());
    }
}
