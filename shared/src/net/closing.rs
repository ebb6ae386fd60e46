//! Connections that close in bounded time, whatever becomes of the other end.
//!
//! Closing tells the remote, and a socket whose remote is gone, or that the network has swallowed, may never
//! say that it was told. Until a connection is closed its peer counts as connected, and is not dialled again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox};

use super::patient::Patient;
use crate::{limits, platform};

/// A connection that waits for its farewell so long and no longer.
pub(super) struct Closing {
    inner: StreamMuxerBox,
    patience: Option<BoxFuture<'static, ()>>,
}

impl Closing {
    pub(super) fn new(inner: StreamMuxerBox) -> Self {
        Closing {
            inner,
            patience: None,
        }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut StreamMuxerBox> {
        Pin::new(&mut self.get_mut().inner)
    }
}

impl StreamMuxer for Closing {
    type Substream = SubstreamBox;
    type Error = io::Error;

    fn poll_inbound(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        self.inner().poll_inbound(cx)
    }

    fn poll_outbound(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        let opened = self.inner().poll_outbound(cx)?;
        opened.map(|stream| Ok(SubstreamBox::new(Patient::new(stream))))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(&mut this.inner).poll_close(cx);
        let patience = this
            .patience
            .get_or_insert_with(|| platform::sleep(limits::FAREWELL));
        match patience.poll_unpin(cx) {
            Poll::Ready(()) if closed.is_pending() => Poll::Ready(Ok(())),
            _ => closed,
        }
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        self.inner().poll(cx)
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::future::poll_fn;

    use futures::io::Cursor;

    use super::*;

    /// Its remote is gone, and it does not know.
    struct Deaf;

    impl StreamMuxer for Deaf {
        type Substream = Cursor<Vec<u8>>;
        type Error = io::Error;

        fn poll_inbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<io::Result<Self::Substream>> {
            Poll::Pending
        }

        fn poll_outbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<io::Result<Self::Substream>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_closes_though_nobody_hears_its_farewell() {
        let mut closing = Closing::new(StreamMuxerBox::new(Deaf));
        let began = tokio::time::Instant::now();
        let closed = poll_fn(|cx| Pin::new(&mut closing).poll_close(cx));
        closed.await.expect("closed");
        assert!(began.elapsed() >= limits::FAREWELL);
    }
}
