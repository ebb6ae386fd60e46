//! The browser's transports, composed into the one kind of connection the shared crate drives.

mod handler;
mod webrtc;
mod websocket;

pub use self::webrtc::{Adoption, Vessel};

use std::net::IpAddr;
use std::sync::Arc;

use libp2p::Transport;
use libp2p::core::transport::OrTransport;
use libp2p::multiaddr::{Multiaddr, Protocol};
use warren_shared::api::StartParams;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::Dialable;
use warren_shared::net::address::{Via, ip_of, is_relayed};
use warren_shared::net::node::keypair;
use warren_shared::net::swarm::Connections;
use warren_shared::proto::key::SigningKey;

/// The transports that the application allows and this browser has.
pub fn connections(
    key: &SigningKey,
    allowed: &[String],
    adoption: &Adoption,
) -> Result<Connections> {
    let key = keypair(key)?;
    let wants = |name: &str| allowed.is_empty() || allowed.iter().any(|allowed| allowed == name);
    // Also where no relay may be dialled by it: other pages are reached by nothing else.
    let webrtc = webrtc::available().then(|| webrtc::transport(&key, adoption));
    let websocket = wants(Via::Websocket.as_str())
        .then(|| websocket::transport(&key))
        .transpose()?;
    match (websocket, webrtc) {
        (Some(first), Some(second)) => Ok(OrTransport::new(first, second)
            .map(|either, _| either.into_inner())
            .boxed()),
        (Some(only), None) | (None, Some(only)) => Ok(only),
        (None, None) => Err(Error::new(
            Code::Unsupported,
            "none of the allowed transports exists in this browser",
        )),
    }
}

/// Which addresses this page may and should dial.
pub fn dialable(params: &StartParams) -> Dialable {
    let allowed = params.transports.clone();
    let secure_page = params
        .page_origin
        .as_deref()
        .is_some_and(|origin| origin.starts_with("https:"));
    let local_page = params.page_origin.as_deref().is_none_or(is_local_origin);
    Arc::new(move |address| {
        let via = Via::of(address);
        let known = match via {
            Via::WebrtcDirect => address
                .iter()
                .any(|part| matches!(part, Protocol::Certhash(_))),
            // A page that came over TLS may not open plain WebSockets.
            Via::Websocket => !secure_page || is_encrypted(address),
            _ => false,
        };
        let wanted = allowed.is_empty() || allowed.iter().any(|name| name == via.as_str());
        // A page from elsewhere has no business on this machine's loopback, and browsers ask about it.
        let in_reach = local_page || !ip_of(address).is_some_and(|ip| ip.is_loopback());
        known && wanted && in_reach && !is_relayed(address)
    })
}

fn is_encrypted(address: &Multiaddr) -> bool {
    address
        .iter()
        .any(|part| matches!(part, Protocol::Tls | Protocol::Wss(_)))
}

fn is_local_origin(origin: &str) -> bool {
    let host = origin.split("://").nth(1).unwrap_or(origin);
    let host = host
        .rsplit_once(':')
        .map_or(host, |(host, _)| host)
        .trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}
