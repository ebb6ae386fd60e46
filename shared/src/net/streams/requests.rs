//! One request and one answer on a stream: a frame each way, and a deadline for both together.
//!
//! What is in the frames is not known here.

use std::io;
use std::pin::pin;
use std::time::Duration;

use futures::SinkExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use super::{Failure, Service, Stream};
use crate::net::codec::{read_frame, write_frame};
use crate::platform;

/// A request of a remote. Dropped without an answer, its stream is reset.
#[derive(Debug)]
pub struct Asked {
    /// Who asks.
    pub peer: PeerId,
    /// Over which connection.
    pub connection: ConnectionId,
    /// What is asked.
    pub service: Service,
    /// The request as it came.
    pub frame: Vec<u8>,
    /// Where the frame of the answer goes.
    pub reply: oneshot::Sender<Vec<u8>>,
}

/// Sends a request on a fresh stream; gives the answer.
pub async fn ask(
    mut stream: Stream,
    request: &[u8],
    deadline: Duration,
) -> Result<Vec<u8>, Failure> {
    let exchange = async {
        write_frame(&mut stream, request).await?;
        read_frame(&mut stream).await
    };
    within(deadline, exchange).await
}

/// Reads a request off a stream, lets somebody answer it, and sends that.
pub(super) async fn answer(
    mut stream: Stream,
    (peer, connection): (PeerId, ConnectionId),
    service: Service,
    mut to: mpsc::Sender<Asked>,
) {
    let exchange = async {
        let frame = read_frame(&mut stream).await?;
        let (reply, answer) = oneshot::channel();
        let asked = Asked {
            peer,
            connection,
            service,
            frame,
            reply,
        };
        to.send(asked).await.map_err(io::Error::other)?;
        let answer = answer
            .await
            .map_err(|_| io::Error::other("nobody answers it"))?;
        write_frame(&mut stream, &answer).await
    };
    if let Err(failure) = within(service.deadline(), exchange).await {
        tracing::debug!(%peer, ?service, %failure, "a request was not answered");
    }
}

async fn within<T>(
    deadline: Duration,
    exchange: impl Future<Output = io::Result<T>>,
) -> Result<T, Failure> {
    match select(pin!(exchange), platform::sleep(deadline)).await {
        Either::Left((done, _)) => Ok(done?),
        Either::Right(_) => Err(Failure::Timeout),
    }
}
