//! How the stack underneath is set up for each end of WebRTC-direct, and its primitives.
//!
//! The cryptography is that of aws-lc, which QUIC has in the tree anyway.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use str0m::channel::{ChannelConfig, ChannelId};
use str0m::config::{CryptoProvider, Fingerprint as DtlsFingerprint};
use str0m::{Candidate, IceCreds, Rtc, RtcConfig, RtcError};
use warren_shared::error::{Code, Error, Result};
use warren_shared::webrtc::ufrag::{Call, Credentials, Version};

use super::{Certificate, limits};

/// Our own address as the stack knows it. It demands one, but which socket is used is ours to say.
pub(super) const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
/// A server's address as the client's stack knows it.
pub(super) const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2);

/// The stock Rust client is ready for channel 0 a moment after the association is up, and for
/// streams a moment after the handshake; it loses what arrives before. It is known by the length of
/// its fragment.
const HESITATION: Duration = Duration::from_millis(50);
const STOCK_UFRAG: usize = "libp2p+webrtc+v1/".len() + 64;

static CRYPTO: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(str0m::crypto::from_feature_flags()));

/// The digest of fingerprints.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    CRYPTO.sha256_provider.sha256(bytes)
}

/// The signature of STUN.
pub(super) fn hmac_sha1(key: &str, bytes: &[u8]) -> [u8; 20] {
    CRYPTO
        .sha1_hmac_provider
        .sha1_hmac(key.as_bytes(), &[bytes])
}

/// The primitives of the stack itself.
#[cfg(test)]
pub(super) fn crypto() -> Arc<CryptoProvider> {
    CRYPTO.clone()
}

/// What a connection begins with, beside streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Channel 0 of WebRTC-direct, where both ends say who they are.
    Handshake(ChannelId),
    /// The channel `init` of a connection that this end negotiates: there has to be something to connect.
    Init(ChannelId),
    /// That of the remote, and whether it has come.
    TheirInit(bool),
}

/// One end of a connection.
pub(super) struct Agent {
    pub(super) rtc: Rtc,
    pub(super) beginning: Beginning,
    pub(super) client: bool,
    /// How long to wait with the first message on channel 0, and with the first stream.
    pub(super) hesitation: Duration,
}

impl Agent {
    /// The end that was called. Whoever knows the certificate's hash may be anyone: the client's
    /// certificate is proven by the noise handshake alone.
    pub(super) fn server(certificate: &Certificate, call: &Call) -> Result<Agent> {
        let config = config(certificate, &call.server)
            .set_ice_lite(true)
            .set_fingerprint_verification(false);
        let mut rtc = config.build(Instant::now());
        add_local(&mut rtc)?;
        let mut api = rtc.direct_api();
        api.set_remote_ice_credentials(credentials(&call.client));
        api.set_ice_controlling(false);
        api.set_remote_fingerprint(any_fingerprint());
        let mut agent = start(rtc, false)?;
        if call.version == Version::V1 && call.client.ufrag.len() == STOCK_UFRAG {
            agent.hesitation = HESITATION;
        }
        Ok(agent)
    }

    /// The end that calls. Which certificates the server may have is for the caller to see to, once
    /// one was shown: it may be one of several.
    pub(super) fn client(certificate: &Certificate, call: &Call) -> Result<Agent> {
        let config = config(certificate, &call.client).set_fingerprint_verification(false);
        let mut rtc = config.build(Instant::now());
        add_local(&mut rtc)?;
        rtc.add_remote_candidate(candidate(SERVER)?);
        let mut api = rtc.direct_api();
        api.set_remote_ice_credentials(credentials(&call.server));
        api.set_ice_controlling(true);
        api.set_remote_fingerprint(any_fingerprint());
        start(rtc, true)
    }

    /// One end of a connection that is negotiated: a full ICE agent, which believes in the certificate that the
    /// remote has described and in no other.
    pub(super) fn negotiated(certificate: &Certificate, dialled: bool) -> Agent {
        let config = common(certificate).set_fingerprint_verification(true);
        let mut rtc = config.build(Instant::now());
        let mut api = rtc.direct_api();
        api.set_ice_controlling(dialled);
        let beginning = match dialled {
            true => Beginning::Init(api.create_data_channel(ChannelConfig {
                label: INIT.to_owned(),
                ..channel()
            })),
            false => Beginning::TheirInit(false),
        };
        Agent {
            rtc,
            beginning,
            client: false,
            hesitation: Duration::ZERO,
        }
    }
}

/// The name of the channel that negotiated connections begin with.
pub(super) const INIT: &str = "init";

/// A stream of ours; the number that the remote sees is chosen by the stack.
pub(super) fn channel() -> ChannelConfig {
    ChannelConfig::default()
}

/// The channel of the handshake, which both ends open without a word.
pub(super) fn channel_0() -> ChannelConfig {
    ChannelConfig {
        negotiated: Some(0),
        ..channel()
    }
}

fn config(certificate: &Certificate, local: &Credentials) -> RtcConfig {
    common(certificate).set_local_ice_credentials(credentials(local))
}

fn common(certificate: &Certificate) -> RtcConfig {
    RtcConfig::new()
        .set_crypto_provider(CRYPTO.clone())
        .set_dtls_cert(certificate.for_dtls())
        .clear_codecs()
        .clear_extension_map()
        // One message more than we ever let in, so that it never refuses one.
        .set_sctp_max_buffered_amount(2 * limits::STACK_BUFFER)
}

fn start(mut rtc: Rtc, active: bool) -> Result<Agent> {
    let mut api = rtc.direct_api();
    api.start_dtls(active).map_err(failed)?;
    api.start_sctp(active);
    let handshake = api.create_data_channel(channel_0());
    Ok(Agent {
        rtc,
        beginning: Beginning::Handshake(handshake),
        client: active,
        hesitation: Duration::ZERO,
    })
}

fn add_local(rtc: &mut Rtc) -> Result<()> {
    rtc.add_local_candidate(candidate(LOCAL)?)
        .map(drop)
        .ok_or_else(|| Error::new(Code::Internal, "the stack refused its own address"))
}

fn candidate(address: SocketAddr) -> Result<Candidate> {
    Candidate::host(address, "udp").map_err(|error| {
        Error::new(Code::Internal, "the stack refused an address").caused_by(error)
    })
}

pub(super) fn credentials(from: &Credentials) -> IceCreds {
    IceCreds {
        ufrag: from.ufrag.clone(),
        pass: from.password.clone(),
    }
}

/// Nothing is compared with it, but without one the stack refuses any certificate.
fn any_fingerprint() -> DtlsFingerprint {
    DtlsFingerprint {
        hash_func: "sha-256".into(),
        bytes: vec![0; 32],
    }
}

fn failed(error: RtcError) -> Error {
    Error::new(Code::Internal, "a WebRTC connection cannot be prepared").caused_by(error)
}
