//! The two streams between a leaf and another peer: one is read, one is written.

use futures::channel::{mpsc, oneshot};
use futures::{AsyncWriteExt, SinkExt, StreamExt};
use libp2p::PeerId;

use super::wire::{self, Rpc};
use crate::net::codec::read_frame;
use crate::net::finding::connected;
use crate::net::handle::Handle;
use crate::net::protocols::GOSSIP;
use crate::net::streams::{Incoming, Stream};
use crate::platform;
use crate::proto::record::wire::encode_frame;

/// One that sends, and what it has to say.
pub(super) enum Said {
    Rpc(PeerId, Rpc),
    /// The stream to it has ended.
    Ended(PeerId),
}

/// What is to be written.
pub(super) enum Line {
    Frame(Vec<u8>),
    /// Tells that everything before was.
    Written(oneshot::Sender<()>),
}

/// Reads what a peer says until it has nothing more to say.
pub(super) fn listen(incoming: Incoming, mut said: mpsc::Sender<Said>) {
    let Incoming {
        peer, mut stream, ..
    } = incoming;
    platform::spawn(async move {
        while let Ok(frame) = read_frame(&mut stream).await {
            let Ok(rpc) = wire::decode(frame) else {
                break;
            };
            if said.send(Said::Rpc(peer, rpc)).await.is_err() {
                break;
            }
        }
    });
}

/// Writes what is for a relay until it is gone.
pub(super) async fn speak(
    handle: Handle,
    peer: PeerId,
    lines: mpsc::Receiver<Line>,
    mut said: mpsc::Sender<Said>,
) {
    match handle.open(connected(peer), GOSSIP).await {
        Ok(opened) => {
            let ended = write_all(opened.stream, lines).await;
            tracing::debug!(%peer, ?ended, "no more topics with this relay");
        }
        Err(failure) => tracing::debug!(%peer, %failure, "no topics with this relay"),
    }
    let _ = said.send(Said::Ended(peer)).await;
}

async fn write_all(mut stream: Stream, mut lines: mpsc::Receiver<Line>) -> std::io::Result<()> {
    while let Some(line) = lines.next().await {
        match line {
            Line::Frame(frame) => {
                let frame = encode_frame(&frame).map_err(std::io::Error::other)?;
                stream.write_all(&frame).await?;
                stream.flush().await?;
            }
            Line::Written(told) => drop(told.send(())),
        }
    }
    stream.close().await
}
