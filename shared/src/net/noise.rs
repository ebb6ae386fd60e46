//! Noise XX as libp2p speaks it: who is at the other end, and an encrypted stream to it.
//!
//! The handshake itself is the `snow` crate's. What is here is libp2p's part of it (the signed
//! payload and the frames) over exactly the primitives it uses: the stock upgrade brings every
//! cipher and hash that noise knows into a page.

mod handshake;
mod primitives;
mod stream;
#[cfg(test)]
pub(in crate::net) mod tests;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use futures::{AsyncRead, AsyncWrite};
use libp2p::PeerId;
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::identity::Keypair;

use self::handshake::{Identity, Side};
pub use self::stream::Encrypted;
#[cfg(test)]
pub(in crate::net) use self::stream::MAX_PLAIN;
use crate::error::{Code, Error, Result};

/// The upgrade of one peer: cheap to clone, good for any number of connections.
#[derive(Clone)]
pub struct Noise {
    identity: Arc<Identity>,
    prologue: Vec<u8>,
}

impl Noise {
    /// Speaks for the owner of `key`.
    pub fn of(key: &Keypair) -> Result<Self> {
        let identity = Identity::new(key).map_err(|error| {
            Error::new(Code::Internal, "the identity cannot sign a handshake").caused_by(error)
        })?;
        Ok(Noise {
            identity: Arc::new(identity),
            prologue: Vec::new(),
        })
    }

    /// Binds the handshake to what both ends must have seen alike; it fails when they did not.
    pub fn with_prologue(self, prologue: Vec<u8>) -> Self {
        Noise { prologue, ..self }
    }

    /// Proves both ends to each other. The side that begins sends the first message.
    pub async fn begin<T>(self, io: T) -> io::Result<(PeerId, Encrypted<T>)>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        handshake::run(io, &self.identity, &self.prologue, Side::Begins).await
    }

    /// Proves both ends to each other; the remote begins.
    pub async fn answer<T>(self, io: T) -> io::Result<(PeerId, Encrypted<T>)>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        handshake::run(io, &self.identity, &self.prologue, Side::Answers).await
    }
}

type Authenticating<T> = Pin<Box<dyn Future<Output = io::Result<(PeerId, Encrypted<T>)>> + Send>>;

impl UpgradeInfo for Noise {
    type Info = &'static str;
    type InfoIter = std::iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/noise")
    }
}

impl<T> InboundConnectionUpgrade<T> for Noise
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, Encrypted<T>);
    type Error = io::Error;
    type Future = Authenticating<T>;

    fn upgrade_inbound(self, io: T, _: Self::Info) -> Self::Future {
        Box::pin(self.answer(io))
    }
}

impl<T> OutboundConnectionUpgrade<T> for Noise
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, Encrypted<T>);
    type Error = io::Error;
    type Future = Authenticating<T>;

    fn upgrade_outbound(self, io: T, _: Self::Info) -> Self::Future {
        Box::pin(self.begin(io))
    }
}
