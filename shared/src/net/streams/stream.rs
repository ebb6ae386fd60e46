//! A stream that gives its place back when it is dropped.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::upgrade::NegotiationError;
use libp2p::swarm;

use super::slots::Slot;

/// A negotiated stream. It keeps its connection open; dropped before it was closed, it is reset.
#[derive(Debug)]
pub struct Stream {
    inner: Inner,
    _slot: Option<Slot>,
}

#[derive(Debug)]
enum Inner {
    Own(swarm::Stream),
    #[cfg(feature = "apps")]
    Lent(Box<dyn Duplex>),
}

/// A stream of another module.
#[cfg(feature = "apps")]
pub trait Duplex: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin {}

#[cfg(feature = "apps")]
impl<T: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin> Duplex for T {}

impl Stream {
    pub(super) fn new(inner: swarm::Stream, slot: Slot) -> Self {
        Stream {
            inner: Inner::Own(inner),
            _slot: Some(slot),
        }
    }

    /// One that another module has lent.
    #[cfg(feature = "apps")]
    pub(in crate::net) fn lent(stream: Box<dyn Duplex>) -> Self {
        Stream {
            inner: Inner::Lent(stream),
            _slot: None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = match &mut self.inner {
            Inner::Own(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(feature = "apps")]
            Inner::Lent(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        read.map_err(|error| match is_refusal(&error) {
            true => io::Error::new(io::ErrorKind::Unsupported, error),
            false => error,
        })
    }
}

/// Whether the remote has answered a proposal that was taken for agreed by refusing it.
fn is_refusal(error: &io::Error) -> bool {
    let inner = error.get_ref();
    let negotiation = inner.and_then(|inner| inner.downcast_ref::<NegotiationError>());
    matches!(negotiation, Some(NegotiationError::Failed))
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Own(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "apps")]
            Inner::Lent(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Own(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "apps")]
            Inner::Lent(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Own(stream) => Pin::new(stream).poll_close(cx),
            #[cfg(feature = "apps")]
            Inner::Lent(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
