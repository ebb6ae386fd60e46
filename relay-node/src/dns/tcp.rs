//! DNS over TCP: each message behind its length in two bytes, answered one after the other.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use warren_shared::net::admission::Admission;
use warren_shared::proto::names::dns::{MAX_QUESTION, Transport};

use super::DnsLimits;
use super::responder::{Next, Responder};

/// Out of file descriptors, most likely: others get time to close some.
const RETRY: Duration = Duration::from_millis(200);

pub(super) async fn serve(listener: TcpListener, responder: Arc<Responder>, limits: DnsLimits) {
    let admission = Admission::new(limits.connections, limits.connections_per_address);
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let (socket, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "cannot accept DNS connections");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let Some(permit) = admission.admit(from.ip()) else {
            responder.dropped();
            continue;
        };
        let responder = responder.clone();
        tasks.spawn(async move {
            let ended = converse(socket, from.ip(), &responder, limits.idle).await;
            if let Err(error) = ended {
                tracing::debug!(%from, %error, "DNS connection ended");
            }
            drop(permit);
        });
    }
}

async fn converse(
    mut socket: TcpStream,
    from: IpAddr,
    responder: &Responder,
    idle: Duration,
) -> io::Result<()> {
    // Answers are written whole; none waits for more to come.
    socket.set_nodelay(true)?;
    while let Some(question) = timeout(idle, next(&mut socket)).await?? {
        let answer = match responder.receive(&question, from, Transport::Tcp) {
            Next::Nothing => return Ok(()),
            Next::Send(answer) => answer,
            Next::Resolve(query) => responder.answer(&query, Transport::Tcp).await,
        };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
        timeout(idle, socket.write_all(&framed)).await??;
    }
    Ok(())
}

/// Nothing when the other side has ended, or sends what is no question.
async fn next(socket: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let length = match socket.read_u16().await {
        Ok(length) => usize::from(length),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > MAX_QUESTION {
        return Ok(None);
    }
    let mut question = vec![0; length];
    socket.read_exact(&mut question).await?;
    Ok(Some(question))
}
