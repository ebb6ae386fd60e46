//! Streams whose end is not told before the other end has said something.
//!
//! What is sent goes with the proposal of a protocol. An end that went with it, too, would arrive before the other side has
//! agreed to the protocol: js-libp2p gives such a stream up, with what was sent in it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::SubstreamBox;

/// A stream that this side has opened.
pub(super) struct Patient {
    inner: SubstreamBox,
    heard: Heard,
    /// Who reads, and who ends it: the stream itself wakes only one of them.
    waiting: [Option<Waker>; 2],
}

enum Heard {
    Nothing,
    /// Before anybody has asked for it.
    Byte(u8),
    /// Or the stream has ended otherwise.
    Something,
}

const READER: usize = 0;
const ENDER: usize = 1;

impl Patient {
    pub(super) fn new(inner: SubstreamBox) -> Self {
        Patient {
            inner,
            heard: Heard::Nothing,
            waiting: [None, None],
        }
    }

    fn listen(
        &mut self,
        who: usize,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if let Heard::Nothing = self.heard {
            if read.is_pending() {
                self.waiting[who] = Some(cx.waker().clone());
            } else {
                self.heard = Heard::Something;
                self.waiting
                    .iter_mut()
                    .filter_map(Option::take)
                    .for_each(Waker::wake);
            }
        }
        read
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match (&this.heard, buffer) {
            (_, []) => Poll::Ready(Ok(0)),
            (Heard::Byte(byte), [first, ..]) => {
                *first = *byte;
                this.heard = Heard::Something;
                Poll::Ready(Ok(1))
            }
            (_, buffer) => this.listen(READER, cx, buffer),
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Heard::Nothing = this.heard {
            ready!(Pin::new(&mut this.inner).poll_flush(cx))?;
            let mut first = [0];
            if let Ok(1) = ready!(this.listen(ENDER, cx, &mut first)) {
                this.heard = Heard::Byte(first[0]);
            }
        }
        Pin::new(&mut this.inner).poll_close(cx)
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use futures::future::join;
    use futures::task::{ArcWake, waker};
    use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};

    use super::*;
    use crate::net::noise::tests::pipe::{Pipe, pipe};

    /// As streams of a connection: it wakes who has asked last.
    struct Last(Pipe, Arc<Slot>);

    #[derive(Default)]
    struct Slot(Mutex<Option<Waker>>);

    impl ArcWake for Slot {
        fn wake_by_ref(slot: &Arc<Self>) {
            slot.0
                .lock()
                .unwrap()
                .take()
                .into_iter()
                .for_each(Waker::wake);
        }
    }

    impl AsyncRead for Last {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let Last(inner, slot) = self.get_mut();
            *slot.0.lock().unwrap() = Some(cx.waker().clone());
            let waker = waker(slot.clone());
            Pin::new(inner).poll_read(&mut Context::from_waker(&waker), buffer)
        }
    }

    impl AsyncWrite for Last {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_close(cx)
        }
    }

    /// A stream, and its other end.
    fn pair() -> (Patient, Pipe) {
        let (one, other) = pipe(1_024, 1_024);
        (
            Patient::new(SubstreamBox::new(Last(one, Arc::default()))),
            other,
        )
    }

    #[tokio::test]
    async fn the_end_waits_for_the_first_word() {
        let (mut ours, mut theirs) = pair();
        ours.write_all(b"question").await.unwrap();
        let mut closing = ours.close();
        assert!((&mut closing).now_or_never().is_none());
        let mut question = [0; 8];
        theirs.read_exact(&mut question).await.unwrap();
        // It has not ended.
        assert!(theirs.read(&mut [0]).now_or_never().is_none());
        theirs.write_all(b"answer").await.unwrap();
        closing.await.unwrap();
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
        drop(theirs);
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
    }

    #[tokio::test]
    async fn whoever_reads_at_the_same_time_is_woken_too() {
        for reader_first in [true, false] {
            let (ours, mut theirs) = pair();
            let (mut reading, mut writing) = ours.split();
            let read = async move {
                let mut answer = [0; 6];
                reading.read_exact(&mut answer).await.unwrap();
                answer
            };
            let close = async move { writing.close().await.unwrap() };
            let tasks = match reader_first {
                true => (tokio::spawn(read), tokio::spawn(close)),
                false => {
                    let close = tokio::spawn(close);
                    tokio::task::yield_now().await;
                    (tokio::spawn(read), close)
                }
            };
            tokio::task::yield_now().await;
            theirs.write_all(b"answer").await.unwrap();
            let both = tokio::time::timeout(Duration::from_secs(30), join(tasks.0, tasks.1));
            let (answer, closed) = both.await.expect("both are woken");
            assert_eq!(&answer.unwrap(), b"answer");
            closed.unwrap();
        }
    }

    #[tokio::test]
    async fn a_stream_that_was_given_up_ends() {
        let (mut ours, theirs) = pair();
        drop(theirs);
        ours.close().await.unwrap();
        assert_eq!(ours.read(&mut [0]).await.unwrap(), 0);
    }
}
