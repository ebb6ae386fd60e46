//! A sign of life, asked for by the command that every peer has.
//!
//! Where there are no other commands, this answers it, too.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Either, select};

use super::handle::{Handle, Route};
use super::protocols;
use super::streams::{Failure, Stream};
use super::texts::{receive, send};
use crate::error::{Code, Error, Result};
use crate::limits::RPC_DEADLINE;
use crate::platform;

/// A call of `warren.ping`, as `spec/rpc.md` has it.
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"warren.ping"}"#;
/// What every answer has that is no error.
const RESULT: &str = "\"result\"";

impl Handle {
    /// Round-trip time to a peer, dialling it when needed.
    pub async fn ping(&self, route: Route) -> Result<Duration> {
        let (peer, began) = (route.peer, platform::now());
        let asking = async {
            let opened = self.open(route, protocols::rpc(self.network())).await?;
            ask(opened.stream).await
        };
        let answer = in_time(asking.boxed()).await;
        self.standings().asked(&peer, began, answer.as_ref().err());
        let answer = answer.map_err(|failure| failure.at(&peer))?;
        match answer.contains(RESULT) {
            true => Ok(Duration::from_millis(platform::now().saturating_sub(began))),
            false => Err(Error::new(
                Code::Refused,
                format!("{peer} does not answer pings: {answer}"),
            )),
        }
    }
}

/// A ping on a stream that is open.
pub(super) async fn ping(opened: Stream) -> Option<()> {
    in_time(ask(opened).boxed()).await.ok().map(drop)
}

async fn ask(mut stream: Stream) -> std::result::Result<String, Failure> {
    send(&mut stream, PING).await?;
    Ok(receive(&mut stream).await?)
}

async fn in_time<T>(
    work: BoxFuture<'_, std::result::Result<T, Failure>>,
) -> std::result::Result<T, Failure> {
    match select(work, platform::sleep(RPC_DEADLINE)).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(Failure::Timeout),
    }
}

#[cfg(not(feature = "apps"))]
pub(super) use self::few::answer;

/// What there is of commands in a peer without them.
#[cfg(not(feature = "apps"))]
mod few {
    use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
    use serde_json::{Value, json};

    use super::*;
    use crate::net::streams::{Incoming, Registry};

    /// Answers from now on. The registry bounds how many ask at a time.
    pub(in crate::net) fn answer(handle: &Handle, streams: &Registry) -> Result<()> {
        let mut incoming = streams
            .accept(protocols::rpc(handle.network()))
            .map_err(|_| Error::new(Code::Internal, "pings are answered already"))?;
        platform::spawn(async move {
            while let Some(Incoming { peer, stream, .. }) = incoming.next().await {
                platform::spawn(async move {
                    if let Err(failure) = in_time(one(stream).boxed()).await {
                        tracing::debug!(%peer, %failure, "a ping was not answered");
                    }
                });
            }
        });
        Ok(())
    }

    async fn one(mut stream: Stream) -> std::result::Result<(), Failure> {
        let text = receive(&mut stream).await?;
        send(&mut stream, &reply(&text)).await?;
        stream.close().await?;
        // The caller ends the stream when it has read.
        let _ = stream.read(&mut [0]).await;
        Ok(())
    }

    fn reply(text: &str) -> String {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let mut reply = json!({"jsonrpc": "2.0", "id": message["id"]});
        match message["method"].as_str() {
            Some("warren.ping") => reply["result"] = json!("pong"),
            _ => {
                let error = json!({"code": -32601, "message": "this peer serves no commands"});
                reply["error"] = error;
            }
        }
        reply.to_string()
    }
}
