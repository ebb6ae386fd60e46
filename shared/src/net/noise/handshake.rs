//! Three messages; the second and the third say who sends them, with a signature over the key that
//! noise proves.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::PeerId;
use libp2p::identity::{Keypair, PublicKey, SigningError};
use snow::HandshakeState;
use snow::params::{
    BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifierList, HandshakePattern,
    HashChoice, NoiseParams,
};
use snow::resolvers::BoxedCryptoResolver;
use snow::types::Dh;

use super::primitives::{Exchange, KEY, Primitives};
use super::stream::Encrypted;
use crate::platform;
use crate::protobuf::{Damaged, put_bytes, skip, take_bytes, take_varint};

/// What noise calls this choice of pattern and primitives; both ends mix it into their keys.
const NAME: &str = "Noise_XX_25519_ChaChaPoly_SHA256";
/// What identities sign, before the key.
const DOMAIN: &[u8] = b"noise-libp2p-static-key:";
/// Room for keys and tags around a payload.
const AROUND: usize = 2 * KEY + 64;
/// No identity is as long; strangers cannot make us reserve more.
const LONGEST: usize = 8 * 1024;

const IDENTITY_KEY: u64 = (1 << 3) | 2;
const IDENTITY_SIGNATURE: u64 = (2 << 3) | 2;

/// Who sends the first message.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Begins,
    Answers,
}

/// What a peer needs to prove itself: a key of noise, and its identity's word for it.
pub(super) struct Identity {
    pub(super) exchange: Exchange,
    pub(super) payload: Vec<u8>,
    /// Where fast ciphers come from, if there are any.
    pub(super) fast: fn() -> Option<BoxedCryptoResolver>,
}

impl Identity {
    pub(super) fn new(key: &Keypair) -> Result<Self, SigningError> {
        let exchange = Exchange::fresh();
        let signature = key.sign(&[DOMAIN, exchange.pubkey()].concat())?;
        let mut payload = Vec::new();
        put_bytes(&mut payload, IDENTITY_KEY, &key.public().encode_protobuf());
        put_bytes(&mut payload, IDENTITY_SIGNATURE, &signature);
        Ok(Identity {
            exchange,
            payload,
            fast: platform::fast_ciphers,
        })
    }

    fn state(&self, prologue: &[u8], side: Side) -> Result<HandshakeState, snow::Error> {
        let primitives = Primitives {
            fast: (self.fast)(),
        };
        let builder = snow::Builder::with_resolver(params(), Box::new(primitives))
            .prologue(prologue)?
            .local_private_key(self.exchange.privkey())?;
        match side {
            Side::Begins => builder.build_initiator(),
            Side::Answers => builder.build_responder(),
        }
    }
}

fn params() -> NoiseParams {
    NoiseParams::new(
        NAME.to_owned(),
        BaseChoice::Noise,
        HandshakeChoice {
            pattern: HandshakePattern::XX,
            modifiers: HandshakeModifierList { list: Vec::new() },
        },
        DHChoice::Curve25519,
        CipherChoice::ChaChaPoly,
        HashChoice::SHA256,
    )
}

/// The whole handshake. Nothing behind its last message is taken from `io`.
pub(super) async fn run<T>(
    mut io: T,
    identity: &Identity,
    prologue: &[u8],
    side: Side,
) -> io::Result<(PeerId, Encrypted<T>)>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut state = identity.state(prologue, side).map_err(failed)?;
    let remote = match side {
        Side::Begins => {
            send(&mut io, &mut state, &[]).await?;
            let payload = receive(&mut io, &mut state).await?;
            // Only who has proved itself learns who calls.
            let remote = proved(payload, &state)?;
            send(&mut io, &mut state, &identity.payload).await?;
            remote
        }
        Side::Answers => {
            if !receive(&mut io, &mut state).await?.is_empty() {
                return Err(broken("the first message of the handshake says something"));
            }
            send(&mut io, &mut state, &identity.payload).await?;
            let payload = receive(&mut io, &mut state).await?;
            proved(payload, &state)?
        }
    };
    let session = state.into_transport_mode().map_err(failed)?;
    Ok((remote, Encrypted::new(io, session)))
}

async fn send<T: AsyncWrite + Unpin>(
    io: &mut T,
    state: &mut HandshakeState,
    payload: &[u8],
) -> io::Result<()> {
    let mut frame = vec![0; 2 + payload.len() + AROUND];
    let length = state
        .write_message(payload, &mut frame[2..])
        .map_err(failed)?;
    let prefix = u16::try_from(length).map_err(|_| broken("the identity is too long"))?;
    frame[..2].copy_from_slice(&prefix.to_be_bytes());
    io.write_all(&frame[..2 + length]).await?;
    io.flush().await
}

async fn receive<T: AsyncRead + Unpin>(
    io: &mut T,
    state: &mut HandshakeState,
) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 2];
    io.read_exact(&mut prefix).await?;
    let length = usize::from(u16::from_be_bytes(prefix));
    if length > LONGEST {
        return Err(broken("a message of the handshake is too long"));
    }
    let mut message = vec![0; length];
    io.read_exact(&mut message).await?;
    let mut payload = vec![0; message.len()];
    let length = state.read_message(&message, &mut payload).map_err(failed)?;
    payload.truncate(length);
    Ok(payload)
}

/// Whose payload this is, if it vouches for the key that noise has proved.
fn proved(payload: Vec<u8>, state: &HandshakeState) -> io::Result<PeerId> {
    let key = state.get_remote_static().unwrap_or_default();
    let (identity, signature) =
        read(payload.into()).map_err(|_| broken("the remote does not say who it is"))?;
    let identity = PublicKey::try_decode_protobuf(&identity)
        .map_err(|_| broken("the remote's key is of no kind that is known here"))?;
    if !identity.verify(&[DOMAIN, key].concat(), &signature) {
        return Err(broken("the remote's signature does not verify"));
    }
    Ok(identity.to_peer_id())
}

/// Key and signature. Extensions say nothing to us.
fn read(mut payload: Bytes) -> Result<(Bytes, Bytes), Damaged> {
    let (mut key, mut signature) = (Bytes::new(), Bytes::new());
    while !payload.is_empty() {
        match take_varint(&mut payload)? {
            IDENTITY_KEY => key = take_bytes(&mut payload)?,
            IDENTITY_SIGNATURE => signature = take_bytes(&mut payload)?,
            tag => skip(tag, &mut payload)?,
        }
    }
    Ok((key, signature))
}

pub(super) fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

pub(super) fn failed(error: snow::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
