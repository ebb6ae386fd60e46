//! Works around the faults of the stock WebRTC transports.
//!
//! Both ends fail on messages above 8 to 16 KiB and coalesce what is written without a flush, so
//! every write is cut small and flushed before the next. The browser end loses streams that are
//! opened before it listens, so a gated muxer opens none until the remote has opened one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

/// With its frame below the 8 KiB that the native end reads at most. Half of it is slower by a quarter towards the page.
const LARGEST_WRITE: usize = 8 * 1024 - 64;

/// How long a listener waits for the first inbound stream before it opens one itself.
pub const LONGEST_GATE: Duration = Duration::from_millis(700);

/// A muxer whose streams write in small, flushed pieces.
pub struct Chunked<M> {
    inner: M,
    gate: Option<BoxFuture<'static, ()>>,
}

impl<M> Chunked<M> {
    /// Opens outbound streams at once.
    pub fn new(inner: M) -> Self {
        Chunked { inner, gate: None }
    }

    /// Holds outbound streams back until the first inbound one, or until the gate opens by itself.
    pub fn gated(inner: M, gate: BoxFuture<'static, ()>) -> Self {
        Chunked {
            inner,
            gate: Some(gate),
        }
    }
}

impl<M> StreamMuxer for Chunked<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin,
{
    type Substream = ChunkedStream<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_inbound(cx))?;
        self.gate = None;
        Poll::Ready(Ok(ChunkedStream::new(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        if let Some(gate) = &mut self.gate {
            ready!(gate.poll_unpin(cx));
            self.gate = None;
        }
        let stream = ready!(Pin::new(&mut self.inner).poll_outbound(cx))?;
        Poll::Ready(Ok(ChunkedStream::new(stream)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// A stream that writes in small, flushed pieces.
pub struct ChunkedStream<S> {
    inner: S,
    unflushed: bool,
}

impl<S> ChunkedStream<S> {
    fn new(inner: S) -> Self {
        ChunkedStream {
            inner,
            unflushed: false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ChunkedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ChunkedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(cx))?;
        let piece = &bytes[..bytes.len().min(LARGEST_WRITE)];
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, piece))?;
        self.unflushed = true;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
