//! Length-prefixed messages on a libp2p stream: reads a whole frame or fails, never more than the limit.
//!
//! Knows framing only; what a frame means is decided by the `Message` types of `proto`.

use std::io;
use std::marker::PhantomData;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;

use crate::limits::MAX_FRAME;

/// A message that travels in one frame.
pub trait Message: Sized + Send + Sync + 'static {
    /// The bytes inside the frame.
    fn to_frame(&self) -> Vec<u8>;
    /// Parses the bytes inside the frame; the error is for the log.
    fn from_frame(bytes: &[u8]) -> Result<Self, String>;
}

/// The codec of a protocol with one request and one response.
pub struct Framed<Req, Res>(PhantomData<fn() -> (Req, Res)>);

impl<Req, Res> Default for Framed<Req, Res> {
    fn default() -> Self {
        Framed(PhantomData)
    }
}

impl<Req, Res> Clone for Framed<Req, Res> {
    fn clone(&self) -> Self {
        Framed(PhantomData)
    }
}

impl<Req: Message, Res: Message> Codec for Framed<Req, Res> {
    type Protocol = StreamProtocol;
    type Request = Req;
    type Response = Res;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Req>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Res>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, req: Req) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &req).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        res: Res,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &res).await
    }
}

async fn read<T: AsyncRead + Unpin + Send, M: Message>(io: &mut T) -> io::Result<M> {
    let length = read_length(io).await?;
    let mut frame = vec![0; length];
    io.read_exact(&mut frame).await?;
    M::from_frame(&frame).map_err(invalid)
}

/// An unsigned varint of at most three bytes: enough for the limit, and nothing beyond it.
async fn read_length<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<usize> {
    let mut length = 0usize;
    for position in 0..3 {
        let mut byte = [0u8];
        io.read_exact(&mut byte).await?;
        length |= usize::from(byte[0] & 0x7f) << (7 * position);
        if byte[0] & 0x80 == 0 {
            return match length {
                0 => Err(invalid("an empty frame")),
                n if n > MAX_FRAME => Err(invalid("a frame beyond the limit")),
                n => Ok(n),
            };
        }
    }
    Err(invalid("a frame beyond the limit"))
}

async fn write<T: AsyncWrite + Unpin + Send, M: Message>(
    io: &mut T,
    message: &M,
) -> io::Result<()> {
    let body = message.to_frame();
    if body.len() > MAX_FRAME {
        return Err(invalid("a message beyond the frame limit"));
    }
    let mut prefix = unsigned_varint::encode::usize_buffer();
    let prefix = unsigned_varint::encode::usize(body.len(), &mut prefix);
    let frame = [prefix, body.as_slice()].concat();
    io.write_all(&frame).await?;
    io.close().await
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;

    #[derive(Debug, PartialEq)]
    struct Bytes(Vec<u8>);

    impl Message for Bytes {
        fn to_frame(&self) -> Vec<u8> {
            self.0.clone()
        }
        fn from_frame(bytes: &[u8]) -> Result<Self, String> {
            Ok(Bytes(bytes.to_vec()))
        }
    }

    fn round_trip(length: usize) -> io::Result<Bytes> {
        let mut wire = Cursor::new(Vec::new());
        block_on(write(&mut wire, &Bytes(vec![7; length])))?;
        wire.set_position(0);
        block_on(read(&mut wire))
    }

    #[test]
    fn frames_up_to_the_limit_travel() {
        for length in [1, 127, 128, 16_384, MAX_FRAME] {
            assert_eq!(round_trip(length).unwrap(), Bytes(vec![7; length]));
        }
        assert!(round_trip(MAX_FRAME + 1).is_err());
    }

    #[test]
    fn a_length_beyond_the_limit_allocates_nothing() {
        for wire in [
            &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
            &[0x81, 0x80, 0x04],
            &[0],
        ] {
            let mut wire = Cursor::new(wire.to_vec());
            assert!(block_on(read::<_, Bytes>(&mut wire)).is_err());
        }
    }
}
