//! WebRTC-direct behind a module of ours, so that the stack underneath can be replaced.
//!
//! For now that is the stock transport, with its message limits worked around.

use libp2p::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;
use libp2p_webrtc::tokio as stock;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::chunked::Chunked;
use warren_shared::net::swarm::Connections;

/// The certificate whose hash is part of the node's address.
pub struct Certificate(stock::Certificate);

impl Certificate {
    /// A new certificate, as PEM with its key.
    pub fn generate() -> Result<Vec<u8>> {
        stock::Certificate::generate(&mut rand::rng())
            .map(|certificate| certificate.serialize_pem().into_bytes())
            .map_err(|error| {
                Error::new(Code::Internal, "no WebRTC certificate could be made").caused_by(error)
            })
    }

    /// Reads what [`Certificate::generate`] made.
    pub fn from_pem(bytes: &[u8]) -> Result<Self> {
        let damaged = |cause: String| {
            Error::new(Code::StorageFailed, "the stored WebRTC certificate cannot be read")
                .caused_by(cause)
                .with_remedy("restore webrtc.pem from a backup, or delete it: the relay's WebRTC address then changes")
        };
        let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        let certificate =
            stock::Certificate::from_pem(text).map_err(|error| damaged(error.to_string()))?;
        Ok(Certificate(certificate))
    }
}

/// The transport: listens on `/udp/…/webrtc-direct`, and dials it.
pub(super) fn transport(key: &Keypair, certificate: &Certificate) -> Connections {
    stock::Transport::new(key.clone(), certificate.0.clone())
        .map(|(peer, connection), point| {
            let muxer = match point.is_listener() {
                true => Chunked::gated(connection),
                false => Chunked::new(connection),
            };
            (peer, StreamMuxerBox::new(muxer))
        })
        .boxed()
}
