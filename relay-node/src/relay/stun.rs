//! Where this relay answers "what is my address?": its WebRTC-direct port does.

use axum::http::uri::Authority;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use warren_shared::net::address::{Via, ip_of};

use crate::http::RequestOrigin;

/// The STUN address for whoever made this request, given the relay's own addresses, best first.
///
/// Who reached the relay under some name reaches its other port under the same one. Only when that
/// port is on other interfaces, their address is told instead.
pub(super) fn stun_address(origin: &RequestOrigin, addresses: &[String]) -> Option<String> {
    let direct: Vec<Multiaddr> = addresses
        .iter()
        .filter_map(|text| text.parse().ok())
        .filter(|address| Via::of(address) == Via::WebrtcDirect)
        .collect();
    let here = origin.local.ip().to_canonical();
    let same = direct.iter().find(|address| ip_of(address) == Some(here));
    let chosen = same.or(direct.first())?;
    let port = chosen.iter().find_map(|part| match part {
        Protocol::Udp(port) => Some(port),
        _ => None,
    })?;
    let claimed = origin.host.as_deref().filter(|_| same.is_some());
    let host = match claimed.and_then(|host| host.parse::<Authority>().ok()) {
        Some(authority) => authority.host().to_owned(),
        None => match ip_of(chosen)? {
            ip if ip.is_ipv6() => format!("[{ip}]"),
            ip => ip.to_string(),
        },
    };
    Some(format!("stun:{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g";

    fn at(host: Option<&str>, local: &str, ips: &[&str]) -> Option<String> {
        let origin = RequestOrigin {
            tls: false,
            host: host.map(str::to_owned),
            local: local.parse().unwrap(),
            remote: "192.0.2.9:9".parse().unwrap(),
        };
        let mut addresses = vec!["/ip4/192.0.2.1/tcp/4001".to_owned()];
        addresses.extend(
            ips.iter()
                .map(|ip| format!("{ip}/udp/4002/webrtc-direct/certhash/{HASH}")),
        );
        stun_address(&origin, &addresses)
    }

    #[test]
    fn the_port_is_told_under_the_name_that_the_client_used() {
        let ips = ["/ip4/192.0.2.1", "/ip4/127.0.0.1", "/ip6/2001:db8::1"];
        for (host, local, expected) in [
            (
                Some("relay.example:8080"),
                "192.0.2.1:8080",
                "relay.example",
            ),
            (Some("localhost"), "127.0.0.1:80", "localhost"),
            (
                Some("[2001:db8::1]:80"),
                "[2001:db8::1]:80",
                "[2001:db8::1]",
            ),
            (None, "127.0.0.1:80", "127.0.0.1"),
            (None, "[2001:db8::1]:80", "[2001:db8::1]"),
        ] {
            let expected = Some(format!("stun:{expected}:4002"));
            assert_eq!(at(host, local, &ips), expected);
        }
    }

    #[test]
    fn a_port_on_other_interfaces_has_its_own_address() {
        let told = at(Some("relay.example"), "127.0.0.1:80", &["/ip4/192.0.2.1"]);
        assert_eq!(told.as_deref(), Some("stun:192.0.2.1:4002"));
    }

    #[test]
    fn without_webrtc_there_is_none() {
        assert_eq!(at(Some("relay.example"), "127.0.0.1:80", &[]), None);
    }
}
