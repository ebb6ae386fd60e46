//! Two ends of a stream in memory that holds little and moves few bytes at a time.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};

#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    closed: bool,
    /// Flips a bit of the byte with this number.
    spoil: Option<usize>,
    passed: usize,
    waiting: Vec<Waker>,
}

impl Lane {
    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.waiting.push(cx.waker().clone());
        Poll::Pending
    }
}

/// One end.
pub(in crate::net) struct Pipe {
    incoming: Arc<Mutex<Lane>>,
    outgoing: Arc<Mutex<Lane>>,
    room: usize,
    step: usize,
}

/// Both ends: each direction holds `room` bytes, and one call moves at most `step`.
pub(in crate::net) fn pipe(room: usize, step: usize) -> (Pipe, Pipe) {
    let (one, other) = (Arc::<Mutex<Lane>>::default(), Arc::<Mutex<Lane>>::default());
    let end = |incoming: &Arc<_>, outgoing: &Arc<_>| Pipe {
        incoming: Arc::clone(incoming),
        outgoing: Arc::clone(outgoing),
        room,
        step,
    };
    (end(&one, &other), end(&other, &one))
}

impl Pipe {
    /// Spoils the byte with this number among those that this end will send from now on.
    pub(super) fn spoil_next(&self, number: usize) {
        let mut lane = self.outgoing.lock().unwrap();
        lane.spoil = Some(lane.passed + number);
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut lane = self.outgoing.lock().unwrap();
        lane.closed = true;
        lane.wake();
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut lane = self.incoming.lock().unwrap();
        if lane.bytes.is_empty() {
            return if lane.closed {
                Poll::Ready(Ok(0))
            } else {
                lane.wait(cx)
            };
        }
        let count = buffer.len().min(lane.bytes.len()).min(self.step);
        for (to, from) in buffer.iter_mut().zip(lane.bytes.drain(..count)) {
            *to = from;
        }
        lane.wake();
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut lane = self.outgoing.lock().unwrap();
        let count = (self.room - lane.bytes.len())
            .min(bytes.len())
            .min(self.step);
        if count == 0 && !bytes.is_empty() {
            return lane.wait(cx);
        }
        for byte in &bytes[..count] {
            let flip = u8::from(lane.spoil == Some(lane.passed));
            lane.bytes.push_back(byte ^ flip);
            lane.passed += 1;
        }
        lane.wake();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lane = self.outgoing.lock().unwrap();
        lane.closed = true;
        lane.wake();
        Poll::Ready(Ok(()))
    }
}
