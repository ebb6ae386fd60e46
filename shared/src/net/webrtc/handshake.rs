//! The noise handshake on channel 0: who is at the other end of the DTLS connection.

use futures::AsyncWriteExt;
use libp2p::PeerId;
use libp2p::identity::Keypair;

use super::{Channel, Substream};
use crate::error::{Code, Error, Result};
use crate::net::noise::Noise;
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
    let stream = Substream::outbound(channel);
    let noise = Noise::of(key)?.with_prologue(noise_prologue(client, server));
    // The dialled end begins, so that it can send first and a round trip is saved.
    let proved = match side {
        Side::Client => noise.answer(stream).await,
        Side::Server => noise.begin(stream).await,
    };
    let (peer, mut output) = proved.map_err(|error| {
        Error::new(
            Code::ProtocolViolation,
            "the other end did not prove its identity",
        )
        .caused_by(error)
    })?;
    // The last message of the handshake is on its way; nothing depends on how the channel ends.
    let _ = output.close().await;
    Ok(peer)
}
