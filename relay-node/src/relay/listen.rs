//! Where a relay listens, and where it can be reached.

use std::net::{IpAddr, SocketAddr};

use futures::StreamExt;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::address::{Via, ip_of};
use warren_shared::net::{Event, Node};

use crate::config::RelayConfig;

pub(super) fn listen_addresses(
    config: &RelayConfig,
    http: Option<SocketAddr>,
) -> Result<Vec<Multiaddr>> {
    let mut all = Vec::new();
    if let Some(address) = config.tcp.address() {
        all.push(ip(address.ip()).with(Protocol::Tcp(address.port())));
    }
    if let Some(address) = config.quic.address() {
        all.push(
            ip(address.ip())
                .with(Protocol::Udp(address.port()))
                .with(Protocol::QuicV1),
        );
    }
    if let Some(address) = config.udp.address() {
        all.push(
            ip(address.ip())
                .with(Protocol::Udp(address.port()))
                .with(Protocol::WebRTCDirect),
        );
    }
    for ip_address in http
        .map(|http| interfaces(http.ip()))
        .transpose()?
        .into_iter()
        .flatten()
    {
        let port = http.map_or(0, |http| http.port());
        let address = ip(ip_address).with(Protocol::Tcp(port));
        all.push(match config.tls {
            Some(_) => address.with(Protocol::Tls).with(Protocol::Ws("/".into())),
            None => address.with(Protocol::Ws("/".into())),
        });
    }
    Ok(all)
}

/// The transports share a port silently with another process that lets them; so ask first, in the
/// one way that is refused when anybody else is there.
pub(super) fn check_free(config: &RelayConfig) -> Result<()> {
    if let Some(address) = config.tcp.address() {
        std::net::TcpListener::bind(address).map_err(|error| taken("TCP", address, &error))?;
    }
    for address in [config.quic.address(), config.udp.address()]
        .into_iter()
        .flatten()
    {
        std::net::UdpSocket::bind(address).map_err(|error| taken("UDP", address, &error))?;
    }
    Ok(())
}

fn taken(protocol: &str, address: SocketAddr, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::AddrInUse => Code::PortInUse,
        std::io::ErrorKind::PermissionDenied => Code::PermissionDenied,
        _ => Code::ConfigInvalid,
    };
    Error::new(code, format!("cannot listen on {protocol} {address}")).caused_by(error)
}

/// The concrete addresses behind "all interfaces".
fn interfaces(address: IpAddr) -> Result<Vec<IpAddr>> {
    if !address.is_unspecified() {
        return Ok(vec![address]);
    }
    let all = if_addrs::get_if_addrs().map_err(|error| {
        Error::new(
            Code::Internal,
            "the machine's network interfaces cannot be listed",
        )
        .caused_by(error)
    })?;
    Ok(all
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| ip.is_ipv4() || address.is_ipv6())
        .collect())
}

fn ip(address: IpAddr) -> Multiaddr {
    Multiaddr::from(address)
}

/// Which transports must have an address before the relay is ready.
pub(super) fn expected(config: &RelayConfig) -> Vec<Via> {
    [
        (config.tcp.address(), Via::Tcp),
        (config.quic.address(), Via::Quic),
        (config.udp.address(), Via::WebrtcDirect),
        (config.http.address(), Via::Websocket),
    ]
    .into_iter()
    .filter_map(|(address, via)| address.map(|_| via))
    .collect()
}

pub(super) async fn all_listening(node: &Node, expected: Vec<Via>) -> Result<Vec<Multiaddr>> {
    let mut events = node.handle().events_only().await?;
    let mut addresses = node.handle().addresses().await?;
    loop {
        let parsed: Vec<Multiaddr> = addresses
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        if expected
            .iter()
            .all(|via| parsed.iter().any(|address| Via::of(address) == *via))
        {
            return Ok(parsed);
        }
        addresses = loop {
            match events.next().await {
                Some(Event::Addresses { addresses }) => break addresses,
                Some(_) => {}
                None => return Err(stopped()),
            }
        };
    }
}

fn stopped() -> Error {
    Error::new(Code::Closed, "the node stopped before it listened")
}

/// The listening addresses as seen from outside, with the addresses that the operator declared.
pub(super) fn external(listening: &[Multiaddr], declared: &[IpAddr]) -> Vec<Multiaddr> {
    let mut all: Vec<Multiaddr> = declared
        .iter()
        .flat_map(|outside| {
            listening
                .iter()
                .filter(|address| {
                    ip_of(address).is_some_and(|inside| inside.is_ipv4() == outside.is_ipv4())
                })
                .filter_map(|address| {
                    address.replace(0, |_| {
                        Some(match outside {
                            IpAddr::V4(ip) => Protocol::Ip4(*ip),
                            IpAddr::V6(ip) => Protocol::Ip6(*ip),
                        })
                    })
                })
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

pub(super) fn local_url(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let host: IpAddr = match address.ip() {
        ip if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("{scheme}://{}", SocketAddr::new(host, address.port()))
}
