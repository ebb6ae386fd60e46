//! `/perf/1.0.0`: the client says in eight bytes how many it wants back, sends as many as it likes and closes.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;

pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/perf/1.0.0");
const PIECE: usize = 64 * 1024;

/// Reads what a client sends, then sends what it asked for.
pub async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut wanted = [0; 8];
    stream.read_exact(&mut wanted).await?;
    let mut buffer = vec![0; PIECE];
    while stream.read(&mut buffer).await? > 0 {}
    send(&mut stream, &mut buffer, u64::from_be_bytes(wanted)).await
}

/// How long each way took, in the unit of the clock.
pub struct Measured {
    /// Until the other end began to answer, or ended: it has read everything by then.
    pub sending: f64,
    /// From the first byte to the last.
    pub receiving: f64,
}

/// Sends `upload` bytes, then receives `download` bytes.
pub async fn measure(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    upload: u64,
    download: u64,
    clock: impl Fn() -> f64,
) -> io::Result<Measured> {
    let mut buffer = vec![0; PIECE];
    let began = clock();
    stream.write_all(&download.to_be_bytes()).await?;
    send(&mut stream, &mut buffer, upload).await?;
    let mut received = stream.read(&mut buffer).await? as u64;
    let answered = clock();
    while received < download {
        match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => received += count as u64,
        }
    }
    Ok(Measured {
        sending: answered - began,
        receiving: clock() - answered,
    })
}

async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    buffer: &mut [u8],
    mut left: u64,
) -> io::Result<()> {
    buffer.fill(0);
    while left > 0 {
        let size = left.min(PIECE as u64) as usize;
        stream.write_all(&buffer[..size]).await?;
        left -= size as u64;
    }
    stream.close().await
}
