//! A connection of yamux as the swarm drives it.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use yamux::{Connection, ConnectionError};

use super::substream::{Streams, Substream};

/// Asking for the next stream of the remote is what moves all others. So some are here before the swarm wants them.
pub struct Muxer<C> {
    connection: Connection<C>,
    streams: Streams,
    early: VecDeque<Substream>,
    /// Waits for one.
    waiting: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    pub(super) fn new(connection: Connection<C>) -> Self {
        Muxer {
            connection,
            streams: Streams::default(),
            early: VecDeque::new(),
            waiting: None,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Substream>> {
        let next = ready!(self.connection.poll_next_inbound(cx));
        let next = next.unwrap_or(Err(ConnectionError::Closed));
        Poll::Ready(next.map(|stream| self.streams.add(stream)).map_err(broken))
    }
}

fn broken(error: ConnectionError) -> io::Error {
    match error {
        ConnectionError::Io(error) => error,
        other => io::Error::other(other),
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Substream;
    type Error = io::Error;

    fn poll_inbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Substream>> {
        let this = self.get_mut();
        if let Some(stream) = this.early.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let next = this.poll_next(cx);
        if next.is_pending() {
            this.waiting = Some(cx.waker().clone());
        }
        next
    }

    fn poll_outbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Substream>> {
        let this = self.get_mut();
        let opened = ready!(this.connection.poll_new_outbound(cx));
        Poll::Ready(
            opened
                .map(|stream| this.streams.add(stream))
                .map_err(broken),
        )
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = this.connection.poll_close(cx).map_err(broken);
        this.streams.wake();
        closed
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        let this = self.get_mut();
        // One a turn: others have work, too. There are never more than the connection may have.
        let stream = ready!(this.poll_next(cx))?;
        this.early.push_back(stream);
        if let Some(waiting) = this.waiting.take() {
            waiting.wake();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
