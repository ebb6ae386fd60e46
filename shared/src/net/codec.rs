//! Length-prefixed messages on a libp2p stream: reads a whole frame or fails, never more than the limit.
//!
//! Knows framing only; what a frame means is decided by the [`Message`] types of `proto`.

use std::io;

#[cfg(any(feature = "files", test))]
use futures::{AsyncBufRead, AsyncBufReadExt};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits::MAX_FRAME_PREFIX;
use crate::proto::record::Refusal;
use crate::proto::record::wire::{decode_length, encode_frame};

/// A message that travels in one frame.
pub trait Message: Sized + Send + Sync + 'static {
    /// The bytes inside the frame.
    fn to_frame(&self) -> Vec<u8>;
    /// Parses the bytes inside the frame; the error is for the log.
    fn from_frame(bytes: &[u8]) -> Result<Self, String>;
}

/// Reads one frame: the bytes inside.
pub(super) async fn read_frame<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<Vec<u8>> {
    let length = read_length(io).await?;
    // Whoever announces a long frame has to send it before there is memory for it.
    let mut frame = Vec::new();
    io.take(length as u64).read_to_end(&mut frame).await?;
    if frame.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(frame)
}

/// Reads one frame of somebody who was asked for it, of at most so many bytes: there is room for all of it at once.
#[cfg(any(feature = "files", test))]
pub(super) async fn read_asked<T: AsyncBufRead + Unpin>(
    io: &mut T,
    most: usize,
) -> io::Result<Vec<u8>> {
    let length = read_length(io).await?;
    if length > most {
        return Err(invalid(Refusal::Oversized.as_str()));
    }
    // Not cleared before it is filled: there are thousands of them a second.
    let mut frame = Vec::with_capacity(length);
    while frame.len() < length {
        let there = io.fill_buf().await?;
        let taken = there.len().min(length - frame.len());
        if taken == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        frame.extend_from_slice(&there[..taken]);
        io.consume_unpin(taken);
    }
    Ok(frame)
}

/// Writes one frame, after which nothing more is written.
pub(super) async fn write_frame<T: AsyncWrite + Unpin>(
    io: &mut T,
    message: &[u8],
) -> io::Result<()> {
    send_frame(io, message).await?;
    io.close().await
}

/// Writes one frame of several.
pub(super) async fn send_frame<T: AsyncWrite + Unpin>(
    io: &mut T,
    message: &[u8],
) -> io::Result<()> {
    let frame = encode_frame(message).map_err(|refusal| invalid(refusal.as_str()))?;
    io.write_all(&frame).await?;
    io.flush().await
}

async fn read_length<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<usize> {
    let mut head = [0u8; MAX_FRAME_PREFIX];
    for position in 0..head.len() {
        io.read_exact(&mut head[position..=position]).await?;
        match decode_length(&head[..=position]) {
            Ok(Some((length, _))) => return Ok(length),
            Ok(None) => {}
            Err(refusal) => return Err(invalid(refusal.as_str())),
        }
    }
    Err(invalid(Refusal::Oversized.as_str()))
}

/// What came is not what was agreed on.
pub(super) fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_FRAME;
    use futures::executor::block_on;
    use futures::io::Cursor;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    fn round_trip(length: usize) -> io::Result<Vec<u8>> {
        let mut wire = Cursor::new(Vec::new());
        block_on(write_frame(&mut wire, &vec![7; length]))?;
        wire.set_position(0);
        block_on(read_frame(&mut wire))
    }

    #[test]
    fn frames_up_to_the_limit_travel() {
        for length in [1, 127, 128, 16_384, MAX_FRAME] {
            assert_eq!(round_trip(length).unwrap(), vec![7; length]);
        }
        assert!(round_trip(MAX_FRAME + 1).is_err());
    }

    #[test]
    fn a_length_beyond_the_limit_or_in_a_long_form_is_refused() {
        for wire in [
            &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
            &[0x81, 0x80, 0x04],
            &[0x81, 0x00, 7],
            &[0x81, 0x80, 0x00, 7],
        ] {
            let mut wire = Cursor::new(wire.to_vec());
            let read = block_on(read_frame(&mut wire));
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_frame_that_ends_early_is_refused() {
        let mut wire = Cursor::new(vec![3, 7, 7]);
        let read = block_on(read_frame(&mut wire));
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_was_asked_for_is_read_up_to_its_limit() {
        let read = |frame: &[u8], most| {
            let mut wire = Cursor::new(encode_frame(frame).unwrap());
            wire.get_mut().extend([9; 3]);
            block_on(read_asked(&mut wire, most)).map_err(|error| error.kind())
        };
        for length in [0, 1, 200] {
            assert_eq!(read(&vec![7; length], 200).unwrap(), vec![7; length]);
        }
        assert_eq!(read(&[7; 201], 200), Err(io::ErrorKind::InvalidData));
        let early = block_on(read_asked(&mut Cursor::new(vec![3, 7, 7]), 200));
        assert_eq!(early.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    /// A stream that remembers the most room that was ever made for its bytes.
    struct Watched {
        wire: Cursor<Vec<u8>>,
        most: usize,
    }

    impl AsyncRead for Watched {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.most = self.most.max(buffer.len());
            Pin::new(&mut self.wire).poll_read(cx, buffer)
        }
    }

    #[test]
    fn a_long_frame_gets_memory_only_as_it_arrives() {
        let mut prefix = unsigned_varint::encode::usize_buffer();
        let mut wire = unsigned_varint::encode::usize(MAX_FRAME, &mut prefix).to_vec();
        wire.extend([7; 100]);
        let mut stream = Watched {
            wire: Cursor::new(wire),
            most: 0,
        };
        assert!(block_on(read_frame(&mut stream)).is_err());
        assert!(stream.most <= 1_024, "room for {} bytes", stream.most);
    }
}
