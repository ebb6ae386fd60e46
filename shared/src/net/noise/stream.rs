//! The stream after the handshake: frames of at most 65,535 sealed bytes behind their length.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use snow::TransportState;

use super::handshake::failed;
use super::primitives::TAG;

/// The longest sealed message.
pub(super) const MAX_MESSAGE: usize = 65_535;
/// The most that one message carries.
pub(super) const MAX_PLAIN: usize = MAX_MESSAGE - TAG;
const PREFIX: usize = 2;
/// Asked of the stream below at once, unless a longer frame has begun.
const CHUNK: usize = 8 * 1024;
/// An idle connection keeps no more than this of each buffer.
const KEPT: usize = 16 * 1024;

/// A stream whose bytes only the proven remote can read.
///
/// What is written goes out when a message is full or the stream is flushed.
pub struct Encrypted<T> {
    pub(super) io: T,
    session: TransportState,
    arrived: Arrived,
    /// Opened, from `read` on not yet read.
    opened: Vec<u8>,
    read: usize,
    /// Written, not yet sealed.
    written: Vec<u8>,
    /// Sealed, from `sent` on not yet sent.
    sealed: Vec<u8>,
    sent: usize,
}

impl<T> Encrypted<T> {
    pub(super) fn new(io: T, session: TransportState) -> Self {
        Encrypted {
            io,
            session,
            arrived: Arrived::default(),
            opened: Vec::new(),
            read: 0,
            written: Vec::new(),
            sealed: Vec::new(),
            sent: 0,
        }
    }

    /// Makes one message of what was written.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        let length = self.written.len() + TAG;
        self.sealed.resize(PREFIX + length, 0);
        self.sent = 0;
        let (prefix, body) = self.sealed.split_at_mut(PREFIX);
        prefix.copy_from_slice(&(length as u16).to_be_bytes());
        self.session
            .write_message(&self.written, body)
            .map_err(failed)?;
        empty(&mut self.written);
        Ok(())
    }
}

impl<T: AsyncWrite + Unpin> Encrypted<T> {
    /// Sends what is sealed.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.sealed.len() {
            let rest = &self.sealed[self.sent..];
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        empty(&mut self.sealed);
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Encrypted<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        while this.read == this.opened.len() {
            empty(&mut this.opened);
            this.read = 0;
            let Some(message) = this.arrived.message() else {
                if ready!(this.arrived.poll_more(&mut this.io, cx))? {
                    continue;
                }
                return Poll::Ready(Ok(0));
            };
            this.opened.resize(message.len(), 0);
            let length = this
                .session
                .read_message(message, &mut this.opened)
                .map_err(failed)?;
            this.opened.truncate(length);
        }
        let unread = &this.opened[this.read..];
        let count = unread.len().min(buffer.len());
        buffer[..count].copy_from_slice(&unread[..count]);
        this.read += count;
        Poll::Ready(Ok(count))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Encrypted<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.written.len() == MAX_PLAIN {
            ready!(this.poll_send(cx))?;
            this.seal()?;
        }
        let count = bytes.len().min(MAX_PLAIN - this.written.len());
        this.written.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        if !this.written.is_empty() {
            this.seal()?;
            ready!(this.poll_send(cx))?;
        }
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().io).poll_close(cx)
    }
}

/// Bytes from below, out of which messages are cut.
#[derive(Default)]
struct Arrived {
    bytes: Vec<u8>,
    /// Where the next frame begins, and where what has arrived ends.
    start: usize,
    end: usize,
}

impl Arrived {
    /// The next message, when all of it is here.
    fn message(&mut self) -> Option<&[u8]> {
        let whole = self.frame()?;
        if self.end - self.start < whole {
            return None;
        }
        let begin = self.start + PREFIX;
        self.start += whole;
        Some(&self.bytes[begin..self.start])
    }

    /// How long the next frame is, with its prefix.
    fn frame(&self) -> Option<usize> {
        let prefix = self.bytes[self.start..self.end].first_chunk()?;
        Some(PREFIX + usize::from(u16::from_be_bytes(*prefix)))
    }

    /// Takes more from below; `false` when it has ended, between two frames.
    fn poll_more<T: AsyncRead + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        self.make_room();
        let room = &mut self.bytes[self.end..];
        let count = ready!(Pin::new(io).poll_read(cx, room))?;
        self.end += count;
        match count {
            0 if self.start == self.end => Poll::Ready(Ok(false)),
            0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            _ => Poll::Ready(Ok(true)),
        }
    }

    /// Moves the beginning of a frame to the front, with room for its rest behind it.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let wanted = self.frame().unwrap_or_default().max(CHUNK);
        if self.bytes.len() > KEPT && wanted <= KEPT && self.end <= wanted {
            self.bytes.truncate(wanted);
            self.bytes.shrink_to_fit();
        } else if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
    }
}

/// Empties a buffer; the memory of a large message is not kept for small ones.
fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    }
}
