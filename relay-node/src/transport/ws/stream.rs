//! A WebSocket as a stream of bytes.
//!
//! Bytes travel in binary messages; where one message ends means nothing. Knows nothing of what the
//! bytes are, or of how the socket came to be.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, close_code};
use bytes::{Buf, Bytes, BytesMut};
use futures::{AsyncRead, AsyncWrite, Sink, Stream};
use tokio::time::Sleep;

/// Writes are gathered into messages of at most this size: the longest noise frame, with its length. One byte less, and each would
/// be followed by a message for the rest of it.
pub(super) const MAX_OUTBOUND_MESSAGE: usize = 2 + 65_535;

/// What a remote may send as one message. Implementations that hand over several noise frames at
/// once stay far below; anything larger is an attempt to make us allocate.
pub(super) const MAX_INBOUND_MESSAGE: usize = 1024 * 1024;

/// How long a remote may take to answer a close frame before its socket is dropped anyway.
pub(super) const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Bytes over WebSocket messages. `S` is axum's `WebSocket`, or a stand-in in tests.
pub struct WsStream<S> {
    socket: S,
    /// The rest of the last message.
    unread: Bytes,
    /// Written, not yet a message.
    unsent: BytesMut,
    ended: bool,
    closing: Option<Closing>,
}

struct Closing {
    frame_sent: bool,
    deadline: Pin<Box<Sleep>>,
}

impl<S> WsStream<S> {
    /// Wraps a socket whose upgrade is done.
    pub fn new(socket: S) -> Self {
        Self {
            socket,
            unread: Bytes::new(),
            unsent: BytesMut::new(),
            ended: false,
            closing: None,
        }
    }
}

impl<S> fmt::Debug for WsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WsStream")
            .field("unread", &self.unread.len())
            .field("unsent", &self.unsent.len())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl<S, E> WsStream<S>
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Waits for bytes; empty at the end of the stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unread.is_empty() && !self.ended {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.unread = bytes,
                Some(Ok(Message::Text(_))) => return Poll::Ready(Err(self.refuse_text(cx))),
                // Pings are answered below us. After a close frame the socket ends by itself, once
                // the answer to it has been sent.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => {}
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Err(broken(error)));
                }
                None => self.ended = true,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn refuse_text(&mut self, cx: &mut Context<'_>) -> io::Error {
        self.ended = true;
        let frame = Message::Close(Some(CloseFrame {
            code: close_code::UNSUPPORTED,
            reason: "libp2p speaks in binary messages".into(),
        }));
        // A courtesy to whoever debugs the other end; when the socket is full it is not worth waiting.
        let mut socket = Pin::new(&mut self.socket);
        if let Poll::Ready(Ok(())) = socket.as_mut().poll_ready(cx)
            && socket.as_mut().start_send(frame).is_ok()
        {
            let _ = socket.poll_flush(cx);
        }
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the remote sent a text message; libp2p speaks in binary messages",
        )
    }

    /// Hands the gathered bytes to the socket as one message, waiting until it takes them.
    fn poll_send_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut socket = Pin::new(&mut self.socket);
        ready!(socket.as_mut().poll_ready(cx)).map_err(broken)?;
        let message = Message::Binary(self.unsent.split().freeze());
        Poll::Ready(socket.start_send(message).map_err(broken))
    }

    fn poll_close_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing.as_ref().is_some_and(|c| c.frame_sent) {
            ready!(self.poll_send_gathered(cx))?;
            ready!(Pin::new(&mut self.socket).poll_close(cx)).map_err(broken)?;
            if let Some(closing) = &mut self.closing {
                closing.frame_sent = true;
            }
        }
        // Reading until the remote's close frame keeps the kernel from resetting the connection,
        // which would take the bytes that the remote has not read yet with it.
        while !self.ended {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => self.ended = true,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S, E> AsyncRead for WsStream<S>
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_fill(cx))?;
        let count = buffer.len().min(self.unread.len());
        self.unread.copy_to_slice(&mut buffer[..count]);
        Poll::Ready(Ok(count))
    }
}

impl<S, E> AsyncWrite for WsStream<S>
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.closing.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.unsent.len() >= MAX_OUTBOUND_MESSAGE {
            ready!(self.poll_send_gathered(cx))?;
        }
        let count = bytes.len().min(MAX_OUTBOUND_MESSAGE - self.unsent.len());
        self.unsent.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_gathered(cx))?;
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closing = self.closing.get_or_insert_with(|| Closing {
            frame_sent: false,
            deadline: Box::pin(tokio::time::sleep(CLOSE_PATIENCE)),
        });
        if closing.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the remote did not answer the close frame",
            )));
        }
        self.poll_close_handshake(cx)
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
