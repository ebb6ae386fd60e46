//! Frames that the remote may make as long as it likes.
//!
//! js-libp2p puts as much into a frame as the window allows, and windows grow with the distance; ours ends the connection when
//! a frame is longer than a mebibyte. So what arrives in long frames is handed on in short ones, which mean the same.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};

use crate::limits::YAMUX_FRAME;

const HEADER: usize = 12;
/// The second byte of a frame with data.
const DATA: u8 = 0;
/// In the fourth byte: the frame opens its stream, or confirms it.
const OPENS: u8 = 1 | 2;
/// In the fourth byte: the frame ends its stream, or gives it up.
const ENDS: u8 = 4 | 8;

/// A stream of frames none of which is long.
pub struct Portioned<C> {
    io: C,
    /// As it came, or as far as it has.
    header: [u8; HEADER],
    arrived: usize,
    /// What is handed on of it, and how much of that has been.
    portion: [u8; HEADER],
    handed: usize,
    /// Bytes of data that follow in this portion.
    data: u32,
    /// Bytes of data that the frame has beyond it.
    beyond: u32,
}

impl<C> Portioned<C> {
    pub(super) fn new(io: C) -> Self {
        Portioned {
            io,
            header: [0; HEADER],
            arrived: 0,
            portion: [0; HEADER],
            handed: HEADER,
            data: 0,
            beyond: 0,
        }
    }

    /// The header is there.
    fn begin(&mut self) {
        self.arrived = 0;
        let [_, kind, .., a, b, c, d] = self.header;
        if kind == DATA {
            self.beyond = u32::from_be_bytes([a, b, c, d]);
            self.next_portion();
        } else {
            (self.portion, self.handed) = (self.header, 0);
        }
    }

    fn next_portion(&mut self) {
        self.data = self.beyond.min(YAMUX_FRAME);
        self.beyond -= self.data;
        (self.portion, self.handed) = (self.header, 0);
        self.portion[8..].copy_from_slice(&self.data.to_be_bytes());
        // The first one opens the stream, and the last one ends it.
        self.header[3] &= !OPENS;
        if self.beyond > 0 {
            self.portion[3] &= !ENDS;
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Portioned<C> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            if this.handed < HEADER {
                let rest = &this.portion[this.handed..];
                let length = rest.len().min(out.len());
                out[..length].copy_from_slice(&rest[..length]);
                this.handed += length;
                return Poll::Ready(Ok(length));
            }
            if this.data > 0 {
                let length = out.len().min(this.data as usize);
                let read = ready!(Pin::new(&mut this.io).poll_read(cx, &mut out[..length]))?;
                this.data -= read as u32;
                return Poll::Ready(Ok(read));
            }
            if this.beyond > 0 {
                this.next_portion();
                continue;
            }
            let missing = &mut this.header[this.arrived..];
            let read = ready!(Pin::new(&mut this.io).poll_read(cx, missing))?;
            if read == 0 {
                return Poll::Ready(match this.arrived {
                    0 => Ok(0),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                });
            }
            this.arrived += read;
            if this.arrived == HEADER {
                this.begin();
            }
        }
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Portioned<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        all: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, all)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use futures::{AsyncReadExt, FutureExt};

    use super::*;

    const LONG: usize = 2 * YAMUX_FRAME as usize + 7;

    fn frame(kind: u8, flags: u8, length: u32, data: &[u8]) -> Vec<u8> {
        let mut frame = vec![0, kind, 0, flags, 0, 0, 0, 3];
        frame.extend(length.to_be_bytes());
        frame.extend(data);
        frame
    }

    fn some(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    /// What comes out, read in so many bytes at a time.
    fn read(input: &[u8], step: usize) -> io::Result<Vec<u8>> {
        let mut portioned = Portioned::new(Cursor::new(input));
        let (mut all, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            let read = portioned.read(&mut buffer).now_or_never();
            match read.expect("all of it is there")? {
                0 => return Ok(all),
                read => all.extend_from_slice(&buffer[..read]),
            }
        }
    }

    /// Kind, flags and data of each frame.
    fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
        let mut found = Vec::new();
        while let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() {
            assert_eq!((header[0], &header[4..8]), (0, &[0, 0, 0, 3][..]));
            let length = match header[1] {
                DATA => u32::from_be_bytes(*header.last_chunk().unwrap()) as usize,
                _ => 0,
            };
            let (data, after) = rest.split_at(length);
            found.push((header[1], header[3], data.to_vec()));
            bytes = after;
        }
        assert!(bytes.is_empty());
        found
    }

    #[test]
    fn long_frames_come_in_portions_that_mean_the_same() {
        let data = some(LONG);
        let input = frame(DATA, 1 | 4, LONG as u32, &data);
        for step in [1, 11, 12, 13, 4_096, LONG] {
            let found = frames(&read(&input, step).unwrap());
            let flags: Vec<u8> = found.iter().map(|(_, flags, _)| *flags).collect();
            assert_eq!(flags, [1, 0, 4], "by {step}");
            let longest = found.iter().map(|(.., data)| data.len()).max();
            assert_eq!(longest, Some(YAMUX_FRAME as usize));
            let whole: Vec<u8> = found.into_iter().flat_map(|(.., data)| data).collect();
            assert!(whole == data, "by {step}");
        }
    }

    #[test]
    fn all_others_stay_as_they_are() {
        let input = [
            frame(DATA, 1, 0, &[]),
            // A window of this size, and the number of a ping.
            frame(1, 2, u32::MAX, &[]),
            frame(2, 1, 5_000_000, &[]),
            frame(DATA, 0, YAMUX_FRAME, &some(YAMUX_FRAME as usize)),
            frame(DATA, 8, 3, &[1, 2, 3]),
            frame(3, 0, 1, &[]),
        ]
        .concat();
        for step in [1, 12, 100_000] {
            assert!(read(&input, step).unwrap() == input, "by {step}");
        }
    }

    #[test]
    fn what_ends_within_a_header_is_no_end() {
        let whole = frame(DATA, 0, 3, &[1, 2, 3]);
        let cut = [whole.as_slice(), &whole[..5]].concat();
        let error = read(&cut, 100).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(read(&[], 100).unwrap().is_empty());
    }
}
