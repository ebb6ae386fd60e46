//! Names for ordinary software: a DNS server for `.p2p`, over UDP and TCP on one port.
//!
//! Knows sockets and how much of this relay's work strangers may have. What questions and answers look
//! like is in `proto/names/dns`; who finds a name out is the relay's own agent.

mod responder;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::names::Agent;

pub use self::responder::Counts;
use self::responder::Responder;

/// Attempts to find a free port that is free for both protocols.
const PORTS: usize = 16;

/// Bounds of the DNS port.
#[derive(Debug, Clone, Copy)]
pub struct DnsLimits {
    /// Questions over UDP in a minute from one address prefix. Their addresses can be forged: so many
    /// answers go to somebody who did not ask, and those who did are sent to TCP. Private addresses hide
    /// forwarders and have no limit of their own.
    pub udp_per_prefix: u32,
    /// Questions over TCP in a minute from one address prefix, whatever comes in its name over UDP: a
    /// busy office.
    pub tcp_per_prefix: u32,
    /// Names that are being resolved for UDP at one time.
    pub under_way: usize,
    /// Open TCP connections.
    pub connections: usize,
    /// Of these, from one public address.
    pub connections_per_address: usize,
    /// How long resolving may take: askers give up after five seconds.
    pub deadline: Duration,
    /// How long a connection may be silent, or not take its answer.
    pub idle: Duration,
}

impl Default for DnsLimits {
    fn default() -> Self {
        Self {
            udp_per_prefix: 600,
            tcp_per_prefix: 6_000,
            under_way: 256,
            connections: 256,
            connections_per_address: 16,
            deadline: Duration::from_secs(4),
            idle: Duration::from_secs(10),
        }
    }
}

/// A bound port, not yet answering.
pub struct DnsServer {
    udp: UdpSocket,
    tcp: TcpListener,
    local: SocketAddr,
    limits: DnsLimits,
}

impl DnsServer {
    /// Takes the port, with the usual bounds.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        Self::bind_with(address, DnsLimits::default()).await
    }

    /// As [`DnsServer::bind`], with bounds of the caller's.
    pub async fn bind_with(address: SocketAddr, limits: DnsLimits) -> Result<Self> {
        let mut attempts = PORTS;
        loop {
            attempts -= 1;
            match bind(address).await {
                // A port that was free for one protocol may be taken in the other.
                Err(_) if address.port() == 0 && attempts > 0 => {}
                Err(error) => return Err(error),
                Ok((udp, tcp, local)) => {
                    return Ok(Self {
                        udp,
                        tcp,
                        local,
                        limits,
                    });
                }
            }
        }
    }

    /// The address with the port that the system chose, if it was asked to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Answers for as long as the future is polled. The counts go on being kept in `counts`.
    pub async fn serve(self, agent: Agent, counts: Arc<Counts>) {
        let responder = Arc::new(Responder::new(agent, self.limits, counts));
        tokio::join!(
            udp::serve(self.udp, responder.clone(), self.limits),
            tcp::serve(self.tcp, responder, self.limits),
        );
    }
}

async fn bind(address: SocketAddr) -> Result<(UdpSocket, TcpListener, SocketAddr)> {
    let explain = |error| cannot_listen(address, &error);
    let udp = UdpSocket::bind(address).await.map_err(explain)?;
    let local = udp.local_addr().map_err(explain)?;
    let tcp = TcpListener::bind(local).await.map_err(explain)?;
    Ok((udp, tcp, local))
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Error {
    let (code, remedy) = match error.kind() {
        std::io::ErrorKind::AddrInUse => (
            Code::PortInUse,
            "Stop the other program, or choose another port with --dns (0 takes any free one).",
        ),
        std::io::ErrorKind::PermissionDenied => (
            Code::PermissionDenied,
            "Choose a port from 1024 up with --dns, or allow this program to use lower ones.",
        ),
        std::io::ErrorKind::AddrNotAvailable => (
            Code::ConfigInvalid,
            "This machine does not have that address: use one of its own with --dns.",
        ),
        _ => (Code::ConfigInvalid, "Choose another address with --dns."),
    };
    Error::new(code, format!("cannot listen for DNS on {address}"))
        .caused_by(error)
        .with_remedy(remedy)
}
