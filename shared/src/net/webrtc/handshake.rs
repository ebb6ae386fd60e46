//! The noise handshake on channel 0: who is at the other end of the DTLS connection.

use futures::AsyncWriteExt;
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise};

use super::{Channel, Substream};
use crate::error::{Code, Error, Result};
use crate::webrtc::fingerprint::{Fingerprint, noise_prologue};

/// Which end of a connection this peer is, with the certificates it saw.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// This peer dialled.
    Client,
    /// This peer was dialled.
    Server,
}

/// Proves both ends to each other, bound to the certificates of both. Channel 0 is given up then.
pub async fn authenticate<C: Channel>(
    channel: C,
    key: &Keypair,
    side: Side,
    client: Fingerprint,
    server: Fingerprint,
) -> Result<PeerId> {
    let failed = |error: noise::Error| {
        Error::new(
            Code::ProtocolViolation,
            "the other end did not prove its identity",
        )
        .caused_by(error)
    };
    let stream = Substream::outbound(channel);
    let noise = noise::Config::new(key)
        .map_err(failed)?
        .with_prologue(noise_prologue(client, server));
    let protocol = noise
        .protocol_info()
        .next()
        .ok_or_else(|| Error::new(Code::Internal, "noise has no protocol name"))?;
    // The dialled end begins, so that it can send first and a round trip is saved.
    let (peer, mut output) = match side {
        Side::Client => noise.upgrade_inbound(stream, protocol).await,
        Side::Server => noise.upgrade_outbound(stream, protocol).await,
    }
    .map_err(failed)?;
    // The last message of the handshake is on its way; nothing depends on how the channel ends.
    let _ = output.close().await;
    Ok(peer)
}
