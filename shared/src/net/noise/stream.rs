//! The stream after the handshake: frames of at most 65,535 sealed bytes behind their length.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use snow::TransportState;

use super::handshake::{broken, failed};
use super::primitives::TAG;

/// The longest sealed message.
pub(super) const MAX_MESSAGE: usize = 65_535;
/// The most that one message carries.
pub(in crate::net) const MAX_PLAIN: usize = MAX_MESSAGE - TAG;
const PREFIX: usize = 2;
/// Asked of the stream below at once, unless a longer frame has begun.
const CHUNK: usize = 8 * 1024;
/// An idle connection keeps no more than this of each buffer.
const KEPT: usize = 16 * 1024;

/// A stream whose bytes only the proven remote can read.
///
/// What is written goes out when a message is full or the stream is flushed. After a message that
/// does not verify, or is cut, nothing more comes out of it or goes in.
pub struct Encrypted<T> {
    pub(super) io: T,
    /// Nothing when the stream is broken.
    session: Option<TransportState>,
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
            session: Some(session),
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
        let session = self.session.as_mut().ok_or_else(broken_before)?;
        if let Err(error) = session.write_message(&self.written, body) {
            return Err(self.give_up(failed(error)));
        }
        empty(&mut self.written);
        Ok(())
    }

    /// Opens the next message, when all of it is here.
    fn open(&mut self) -> io::Result<bool> {
        let session = self.session.as_mut().ok_or_else(broken_before)?;
        let Some(message) = self.arrived.message() else {
            return Ok(false);
        };
        self.opened.resize(message.len(), 0);
        match session.read_message(message, &mut self.opened) {
            Ok(length) => {
                self.opened.truncate(length);
                Ok(true)
            }
            Err(error) => Err(self.give_up(failed(error))),
        }
    }

    /// Breaks the stream: what did not verify must not come out of it.
    fn give_up(&mut self, error: io::Error) -> io::Error {
        self.session = None;
        for buffer in [&mut self.opened, &mut self.written, &mut self.sealed] {
            *buffer = Vec::new();
        }
        (self.read, self.sent) = (0, 0);
        error
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
            this.opened.clear();
            this.read = 0;
            if this.open()? {
                continue;
            }
            match this.arrived.poll_more(&mut this.io, cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => return Poll::Ready(Ok(0)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(this.give_up(error))),
                Poll::Pending => {
                    empty(&mut this.opened);
                    return Poll::Pending;
                }
            }
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
        if this.session.is_none() {
            return Poll::Ready(Err(broken_before()));
        }
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
        if this.session.is_none() {
            return Poll::Ready(Err(broken_before()));
        }
        ready!(this.poll_send(cx))?;
        if !this.written.is_empty() {
            this.seal()?;
            ready!(this.poll_send(cx))?;
        }
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.session.is_some() {
            ready!(self.as_mut().poll_flush(cx))?;
        }
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
        let Poll::Ready(count) = Pin::new(io).poll_read(cx, room) else {
            self.rest();
            return Poll::Pending;
        };
        let count = count?;
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
        let wanted = self.wanted();
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
    }

    /// Room for the next frame, or for several small ones.
    fn wanted(&self) -> usize {
        self.frame().unwrap_or_default().max(CHUNK)
    }

    /// Nothing comes at the moment.
    fn rest(&mut self) {
        let wanted = self.wanted();
        if self.bytes.len() > KEPT && wanted <= KEPT {
            self.bytes.truncate(wanted);
            self.bytes.shrink_to_fit();
        }
    }
}

fn broken_before() -> io::Error {
    broken("a message of this connection did not verify")
}

/// Empties a buffer; the memory of a large message is not kept for small ones.
fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    }
}
