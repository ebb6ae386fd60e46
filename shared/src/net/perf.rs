//! `/perf/1.0.0`: measures a connection with a protocol that every libp2p implementation has.
//!
//! The client says how many bytes it wants back and then sends as many as it likes. Answering costs
//! bandwidth, so a node does it only when its operator has switched it on.

use std::time::Duration;

use futures::future::{Either, select};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{PeerId, StreamProtocol};
use serde::Serialize;

use super::handle::{Handle, Route};
use super::streams::{Failure, Incoming, Protocol, Registry, Stream};
use crate::error::{Code, Error, Result};
use crate::{limits, platform};

const PROTOCOL: Protocol = Protocol {
    name: StreamProtocol::new("/perf/1.0.0"),
    streams: limits::PERF_OPEN,
    hasty: false,
};
const PIECE: usize = 64 * 1024;

/// What a measurement found.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Bytes sent, and the milliseconds until the other end began to answer.
    pub sent: u64,
    /// See [`Measured::sent`].
    pub sending_ms: u64,
    /// Bytes received, and the milliseconds from the first to the last.
    pub received: u64,
    /// See [`Measured::received`].
    pub receiving_ms: u64,
}

/// Answers measurements in the background, a few at a time; the others wait for their turn.
pub(crate) fn serve(registry: &Registry) -> Result<()> {
    let incoming = registry
        .accept(PROTOCOL)
        .map_err(|_| Error::new(Code::Internal, "measurements are answered already"))?;
    platform::spawn(async move {
        incoming
            .for_each_concurrent(
                limits::PERF_STREAMS,
                |Incoming { peer, stream, .. }| async move {
                    let answered = Box::pin(answer(stream));
                    match select(answered, platform::sleep(limits::PERF_DEADLINE)).await {
                        Either::Left((Ok(()), _)) => {}
                        Either::Left((Err(error), _)) => {
                            tracing::debug!(%peer, %error, "a measurement ended early");
                        }
                        Either::Right(_) => tracing::debug!(%peer, "a measurement took too long"),
                    }
                },
            )
            .await;
    });
    Ok(())
}

async fn answer(mut stream: Stream) -> std::io::Result<()> {
    let mut wanted = [0; 8];
    stream.read_exact(&mut wanted).await?;
    let mut left = u64::from_be_bytes(wanted).min(limits::PERF_BYTES);
    let mut buffer = vec![0; PIECE];
    while stream.read(&mut buffer).await? > 0 {}
    buffer.fill(0);
    while left > 0 {
        let size = left.min(PIECE as u64) as usize;
        stream.write_all(&buffer[..size]).await?;
        left -= size as u64;
    }
    stream.close().await
}

/// Sends `upload` bytes to a connected peer, then receives `download` bytes.
pub(super) async fn measure(
    handle: &Handle,
    peer: PeerId,
    upload: u64,
    download: u64,
) -> Result<Measured> {
    if download > limits::PERF_BYTES || upload > limits::PERF_BYTES {
        return Err(Error::new(
            Code::TooLarge,
            "a measurement moves at most 1 GiB each way",
        ));
    }
    let route = Route {
        peer,
        addresses: Vec::new(),
    };
    let opened = handle.open(route, PROTOCOL).await.map_err(cannot_open)?;
    let exchanged = Box::pin(exchange(opened.stream, upload, download));
    match select(exchanged, platform::sleep(limits::PERF_DEADLINE)).await {
        Either::Left((measured, _)) => measured.map_err(|error| {
            Error::new(Code::NotConnected, "the measurement was cut off").caused_by(error)
        }),
        Either::Right(_) => Err(Error::new(
            Code::TimedOut,
            format!(
                "the measurement took longer than {} s",
                limits::PERF_DEADLINE.as_secs()
            ),
        )),
    }
}

async fn exchange(mut stream: Stream, upload: u64, download: u64) -> std::io::Result<Measured> {
    let mut buffer = vec![0; PIECE];
    let began = platform::now();
    stream.write_all(&download.to_be_bytes()).await?;
    let mut left = upload;
    while left > 0 {
        let size = left.min(PIECE as u64) as usize;
        stream.write_all(&buffer[..size]).await?;
        left -= size as u64;
    }
    stream.close().await?;
    // Whatever the other end answers, it has read everything by then.
    let mut received = stream.read(&mut buffer).await? as u64;
    let answered = platform::now();
    while received < download {
        match stream.read(&mut buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => received += count as u64,
        }
    }
    let ended = platform::now();
    Ok(Measured {
        sent: upload,
        sending_ms: answered.saturating_sub(began),
        received,
        receiving_ms: ended.saturating_sub(answered),
    })
}

fn cannot_open(failure: Failure) -> Error {
    match failure {
        Failure::Unsupported => Error::new(
            Code::Unsupported,
            "the other end does not answer measurements",
        )
        .with_remedy("start it with --perf"),
        other => Error::new(Code::NotConnected, "no stream could be opened").caused_by(other),
    }
}

impl Measured {
    /// MiB per second of the upload, when there was one.
    pub fn upload_rate(&self) -> Option<f64> {
        rate(self.sent, self.sending_ms)
    }

    /// MiB per second of the download, when there was one.
    pub fn download_rate(&self) -> Option<f64> {
        rate(self.received, self.receiving_ms)
    }
}

fn rate(bytes: u64, milliseconds: u64) -> Option<f64> {
    let seconds = Duration::from_millis(milliseconds).as_secs_f64();
    (bytes > 0 && seconds > 0.0).then(|| bytes as f64 / seconds / (1024.0 * 1024.0))
}
