//! One call of one server: descriptions, ICE, DTLS, and the proof of who answered.

use std::cell::Cell;
use std::fmt::Display;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;

use futures::future::{Either, select};
use libp2p::PeerId;
use libp2p::identity::Keypair;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::webrtc::{Session, Side, authenticate};
use warren_shared::platform;
use warren_shared::webrtc::fingerprint::Fingerprint;
use warren_shared::webrtc::sdp::{Description, server_answer, with_credentials};
use warren_shared::webrtc::ufrag::{Call, Version};
use wasm_bindgen::JsValue;

use super::connection::PeerConnection;
use super::peer::RtcPeer;
use warren_page::host::describe;

/// The channel of the handshake; both ends have it without a word.
const HANDSHAKE: u16 = 0;

/// Whom to call, and how.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub socket: SocketAddr,
    pub certificate: Fingerprint,
    pub version: Version,
    pub key: &'a Keypair,
}

impl Attempt<'_> {
    /// Calls. Dropping the future hangs up. `answered` becomes true with the first sign of life.
    pub async fn run(self, answered: &Cell<bool>) -> Result<(PeerId, PeerConnection)> {
        let mut connection = PeerConnection::new()?;
        let channel = connection.agreed_channel(HANDSHAKE)?;
        let (call, own) = self.describe_ourselves(connection.js()).await?;
        let answer = server_answer(self.socket, self.certificate, &call, &own.mid);
        let accepted = connection.js().set_remote(&answer).await;
        accepted.map_err(|cause| unusable(describe(&cause)))?;
        connection.watch_carrier();
        let handshake = authenticate(
            channel,
            self.key,
            Side::Client,
            own.fingerprint,
            self.certificate,
        );
        let peer = {
            let watch = poll_fn(|cx| {
                let ended = connection.poll_ended(cx);
                let ice = connection.js().ice_state().unwrap_or_default();
                answered.set(answered.get() || ice == "connected" || ice == "completed");
                ended
            });
            match select(pin!(handshake), watch).await {
                Either::Left((peer, _)) => peer?,
                Either::Right((reason, _)) => return Err(self.refused(answered.get(), reason)),
            }
        };
        Ok((peer, connection))
    }

    /// Settles our own half, and with it what both halves will be.
    async fn describe_ourselves(self, peer: &RtcPeer) -> Result<(Call, Description)> {
        let offer = peer
            .offer()
            .await
            .map_err(|cause| unusable(describe(&cause)))?;
        let own = |peer: &RtcPeer| {
            let sdp = peer.local().map_err(|cause| unusable(describe(&cause)))?;
            Description::parse(&sdp).map_err(unusable)
        };
        match self.version {
            Version::V2 => {
                let set = peer.set_local(&offer).await;
                set.map_err(|cause| unusable(describe(&cause)))?;
                let own = own(peer)?;
                let call = Call::v2(own.credentials.clone()).map_err(unusable)?;
                Ok((call, own))
            }
            Version::V1 => {
                let call = Call::v1(&platform::entropy());
                let offer = with_credentials(&offer, &call.client);
                peer.set_local(&offer).await.map_err(forbidden)?;
                let own = own(peer)?;
                if own.credentials != call.client {
                    return Err(forbidden(JsValue::UNDEFINED));
                }
                Ok((call, own))
            }
        }
    }

    fn refused(self, answered: bool, reason: impl Display) -> Error {
        let message = if answered {
            "the server answered, but not as the address promises"
        } else {
            "no answer by UDP"
        };
        Error::new(Code::DialFailed, message)
            .caused_by(reason)
            .with_remedy("Check that UDP gets through, and that the address is current.")
    }
}

fn unusable(cause: impl Display) -> Error {
    Error::new(
        Code::Unsupported,
        "this browser's WebRTC cannot be used for WebRTC-direct",
    )
    .caused_by(cause)
}

fn forbidden(cause: JsValue) -> Error {
    let error = Error::new(
        Code::Unsupported,
        "the server seems to know only version 1 of WebRTC-direct, which this browser forbids: \
         update the server, or use WebSocket",
    )
    .with_remedy("Update the server, or join it by WebSocket.");
    if cause.is_undefined() {
        return error;
    }
    error.caused_by(describe(&cause))
}
