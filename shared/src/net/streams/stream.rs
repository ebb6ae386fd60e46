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
    inner: swarm::Stream,
    _slot: Slot,
}

impl Stream {
    pub(super) fn new(inner: swarm::Stream, slot: Slot) -> Self {
        Stream { inner, _slot: slot }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
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
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
