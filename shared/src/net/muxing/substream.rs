//! A stream of yamux whose waiting reader and writer hear of it when this end closes the connection.
//!
//! The crate wakes them when the remote closes it and when it breaks, but not then: they would wait for ever.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use futures::{AsyncRead, AsyncWrite};
use yamux::Stream;

/// Who waits for a stream.
#[derive(Default)]
struct Waiting {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

/// The streams of a connection.
#[derive(Default)]
pub(super) struct Streams(Vec<Weak<Waiting>>);

impl Streams {
    pub(super) fn add(&mut self, stream: Stream) -> Substream {
        if self.0.len() == self.0.capacity() {
            self.0.retain(|one| one.strong_count() > 0);
        }
        let waiting = Arc::new(Waiting::default());
        self.0.push(Arc::downgrade(&waiting));
        Substream { stream, waiting }
    }

    /// Whoever waits looks again.
    pub(super) fn wake(&mut self) {
        for waiting in self.0.drain(..).filter_map(|one| one.upgrade()) {
            waiting.reader.wake();
            waiting.writer.wake();
        }
    }
}

/// See the module.
pub struct Substream {
    stream: Stream,
    waiting: Arc<Waiting>,
}

impl AsyncRead for Substream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Before it looks: what happens in between wakes it.
        this.waiting.reader.register(cx.waker());
        Pin::new(&mut this.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Substream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.waiting.writer.register(cx.waker());
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_close(cx)
    }
}
