//! A libp2p stream on one data channel: the pure state machine with a channel underneath.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, poll_fn, select};
use futures::task::{ArcWake, AtomicWaker, waker};
use futures::{AsyncRead, AsyncWrite};

use crate::platform;
use crate::webrtc::frame::MAX_MESSAGE;
use crate::webrtc::stream::{Failed, LIMIT_STEP, Read, Stream, Urgency};

/// How long a stream that the application has dropped waits for the remote to end it too. Nothing
/// below waits once more.
const LINGER: Duration = Duration::from_secs(10);
/// Messages taken in one go: the rest waits until other tasks had their turn.
const MESSAGES_AT_ONCE: usize = 256;

/// A data channel of some platform. Messages arrive whole and in order.
pub trait Channel: Unpin + Send + 'static {
    /// By how much a limit moves before the remote is told.
    const LIMIT_STEP: u64 = LIMIT_STEP;

    /// Bytes of the largest message that it carries.
    fn largest(&self) -> usize {
        MAX_MESSAGE
    }

    /// Ready when one more message may be sent: the platform's buffer is below its bound.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Sends a message. Small ones may be sent without asking first: they end streams.
    fn send(&mut self, message: Vec<u8>) -> io::Result<()>;

    /// The next message. It stays charged to the connection until [`Channel::hold`] says less.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received>;

    /// Says how many bytes the stream holds of all that it has taken. Answers how much the remote may
    /// have under way on this stream: less when the connection has many.
    fn hold(&mut self, bytes: usize) -> u64;

    /// Closes the channel, after what was sent has arrived.
    fn close(&mut self);
}

/// What a channel gave.
#[derive(Debug)]
pub enum Received {
    /// A message.
    Message(Bytes),
    /// The channel is closed, and everything was taken.
    Closed,
    /// More had arrived than may wait for a reader, and was dropped. The channel can still send.
    Overrun,
}

/// A stream. Dropping it tells the remote; the channel closes once both ends know.
pub struct Substream<C: Channel> {
    inner: Option<Inner<C>>,
}

impl<C: Channel> Substream<C> {
    /// A stream on a channel that this end opened, and that carries nothing else.
    pub fn outbound(channel: C) -> Self {
        Substream {
            inner: Some(Inner::new(channel, true)),
        }
    }

    /// A stream on a channel that the remote opened.
    pub fn inbound(channel: C) -> Self {
        Substream {
            inner: Some(Inner::new(channel, false)),
        }
    }

    fn inner(&mut self) -> &mut Inner<C> {
        self.inner.as_mut().expect("only dropping takes it")
    }
}

struct Inner<C> {
    channel: C,
    state: Stream,
    /// What was written and not flushed: many small writes become one message.
    gathered: Vec<u8>,
    wakers: Arc<Wakers>,
    waker: Waker,
    gone: bool,
    /// What the channel was told about [`Stream::held`].
    held: usize,
    /// Something was taken since.
    taken: bool,
    /// Whoever opened a channel closes it: some implementations use a number again as soon as the other
    /// end has closed, and then lose the new channel to the end of the old one.
    opened_here: bool,
}

/// Reader and writer may be different tasks, but a channel knows one waker: this one wakes both.
#[derive(Default)]
struct Wakers {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl ArcWake for Wakers {
    fn wake_by_ref(wakers: &Arc<Self>) {
        wakers.reader.wake();
        wakers.writer.wake();
    }
}

impl<C: Channel> Inner<C> {
    fn new(channel: C, opened_here: bool) -> Self {
        let wakers = Arc::new(Wakers::default());
        let mut state = Stream::default();
        state.set_step(C::LIMIT_STEP);
        state.set_largest(channel.largest());
        Inner {
            channel,
            state,
            gathered: Vec::new(),
            waker: waker(wakers.clone()),
            wakers,
            gone: false,
            held: 0,
            // The first look tells the state machine its window.
            taken: true,
            opened_here,
        }
    }

    /// Takes what has arrived and sends what the state machine has to say.
    fn exchange(&mut self) {
        self.take_messages();
        self.send_frames();
        self.account();
    }

    fn take_messages(&mut self) {
        for _ in 0..MESSAGES_AT_ONCE {
            if self.gone {
                return;
            }
            let mut cx = Context::from_waker(&self.waker);
            match self.channel.poll_receive(&mut cx) {
                Poll::Ready(Received::Message(message)) => {
                    self.taken = true;
                    self.state.receive(message);
                }
                Poll::Ready(Received::Overrun) => self.state.overrun(),
                Poll::Ready(Received::Closed) => {
                    self.gone = true;
                    self.state.lost();
                }
                Poll::Pending => return,
            }
        }
        self.waker.wake_by_ref();
    }

    fn send_frames(&mut self) {
        let Some(urgency) = self.state.has_frames() else {
            return;
        };
        let mut cx = Context::from_waker(&self.waker);
        if urgency == Urgency::Limit && self.channel.poll_ready(&mut cx).is_pending() {
            return;
        }
        while let Some(frame) = self.state.next_frame() {
            if self.channel.send(frame.encode()).is_err() {
                self.state.lost();
            }
        }
    }

    /// Charges the connection for what is kept here.
    fn account(&mut self) {
        // What was taken is charged in full until it is counted here.
        let held = self.state.held();
        if std::mem::replace(&mut self.held, held) != held || self.taken {
            self.taken = false;
            let window = self.channel.hold(held);
            self.state.set_window(window);
        }
    }

    fn poll_read(&mut self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.take_messages();
        let result = self.state.read(buffer);
        self.send_frames();
        self.account();
        if result == Ok(Read::Nothing) && !self.gathered.is_empty() {
            // Whoever waits for an answer should have flushed; holding the question back helps nobody.
            let _ = self.poll_send_gathered();
        }
        match result {
            Ok(Read::Bytes(count)) => Poll::Ready(Ok(count)),
            Ok(Read::End) => Poll::Ready(Ok(0)),
            Ok(Read::Nothing) => Poll::Pending,
            Err(why) => Poll::Ready(Err(why.into())),
        }
    }

    /// Ready with the number of bytes that the next message may carry.
    fn poll_room(&mut self) -> Poll<io::Result<usize>> {
        self.exchange();
        match self.state.writable() {
            Err(why) => return Poll::Ready(Err(why.into())),
            Ok(0) => return Poll::Pending,
            Ok(_) => {}
        }
        let mut cx = Context::from_waker(&self.waker);
        ready!(self.channel.poll_ready(&mut cx))?;
        Poll::Ready(self.state.writable().map_err(io::Error::from))
    }

    fn poll_write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let largest = self.state.largest();
        if self.gathered.len() >= largest {
            ready!(self.poll_send_gathered())?;
        }
        if self.gathered.is_empty() && bytes.len() >= largest {
            let room = ready!(self.poll_room())?;
            let message = self.state.write(&bytes[..room.min(bytes.len())]);
            self.channel.send(message)?;
            return Poll::Ready(Ok(room.min(bytes.len())));
        }
        if let Err(why) = self.state.writable() {
            return Poll::Ready(Err(why.into()));
        }
        let room = (largest - self.gathered.len()).min(bytes.len());
        self.gathered.extend_from_slice(&bytes[..room]);
        Poll::Ready(Ok(room))
    }

    fn poll_send_gathered(&mut self) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let room = ready!(self.poll_room())?.min(self.gathered.len());
            let message = self.state.write(&self.gathered[..room]);
            self.gathered.drain(..room);
            self.channel.send(message)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self) -> Poll<io::Result<()>> {
        match ready!(self.poll_send_gathered()) {
            // A remote that does not want the rest has been told all it cares about.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.gathered.clear(),
            other => other?,
        }
        self.state.finish();
        self.exchange();
        Poll::Ready(Ok(()))
    }

    /// Whether the channel may be closed.
    fn is_over(&self) -> bool {
        self.gone || (self.opened_here && self.state.settled())
    }

    /// Waits until both ends know that the stream is over.
    async fn linger(mut self) {
        self.state.abandon();
        let settled = poll_fn(|cx| {
            self.wakers.reader.register(cx.waker());
            self.exchange();
            match self.is_over() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        let waited = select(settled, platform::sleep(LINGER)).await;
        if let Either::Right(_) = waited {
            tracing::trace!("the remote did not end a stream in time");
        }
        self.channel.close();
    }
}

impl<C: Channel> AsyncRead for Substream<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let inner = self.inner();
        inner.wakers.reader.register(cx.waker());
        inner.poll_read(buffer)
    }
}

impl<C: Channel> AsyncWrite for Substream<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let inner = self.inner();
        inner.wakers.writer.register(cx.waker());
        inner.poll_write(bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = self.inner();
        inner.wakers.writer.register(cx.waker());
        inner.poll_send_gathered()
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = self.inner();
        inner.wakers.writer.register(cx.waker());
        inner.poll_close()
    }
}

impl<C: Channel> Drop for Substream<C> {
    fn drop(&mut self) {
        let Some(mut inner) = self.inner.take() else {
            return;
        };
        inner.state.abandon();
        inner.exchange();
        if inner.is_over() || !platform::can_spawn() {
            inner.channel.close();
        } else {
            platform::spawn(inner.linger());
        }
    }
}

impl From<Failed> for io::Error {
    fn from(why: Failed) -> Self {
        let kind = match why {
            Failed::Reset | Failed::Lost => io::ErrorKind::ConnectionReset,
            Failed::Stopped => io::ErrorKind::BrokenPipe,
            Failed::Closed => io::ErrorKind::WriteZero,
            Failed::TooSlow => io::ErrorKind::QuotaExceeded,
            Failed::Frame(_) => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, why)
    }
}

#[cfg(test)]
mod tests;
