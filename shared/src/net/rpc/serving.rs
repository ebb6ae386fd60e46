//! Calls of other peers to this one: a task for each message.
//!
//! Whether there is time for a message is decided before it is looked at. A caller that lets go of its stream
//! withdraws its calls; notifications are worked on without it.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{BoxFuture, Either, select};
use futures::stream::{self, BoxStream};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use libp2p::PeerId;
use serde_json::Value;

use super::super::budget::{Asker, Place};
use super::super::streams::{Incoming, Stream};
use super::super::texts::{receive, send};
use super::{Caller, Given, Outcome, Server};
use crate::limits::{RPC_BATCH_AT_ONCE, RPC_LONGEST, RPC_TRANSFER};
use crate::platform;
use crate::proto::rpc::{Batch, Fault, Incoming as Message, Request, Response};

type Checked = Result<Request, Response>;
type Results = BoxStream<'static, Result<Value, Fault>>;

/// Answers until the node ends.
pub(super) async fn run(server: Arc<Server>, mut incoming: mpsc::Receiver<Incoming>) {
    while let Some(incoming) = incoming.next().await {
        let (server, peer) = (server.clone(), incoming.peer);
        platform::spawn(async move {
            let standings = server.overlay.handle().standings().clone();
            if let Err(error) = serve(server, incoming).await {
                tracing::debug!(%peer, %error, "a command was not answered");
                standings.asks(&peer, &error);
            }
        });
    }
}

async fn serve(server: Arc<Server>, incoming: Incoming) -> io::Result<()> {
    let Incoming {
        peer,
        prefix,
        mut stream,
        ..
    } = incoming;
    let text = in_time(receive(&mut stream).boxed()).await?;
    let mut place = server.budget.place(Asker { peer, prefix });
    if place.is_none() {
        say(&mut stream, &refusal(Fault::busy())).await?;
        return end(stream).await;
    }
    match Message::read(&text) {
        Message::One(Ok(request)) if request.id.is_none() => {
            detach(server, peer, vec![request], place.take());
            say(&mut stream, "").await?;
        }
        Message::One(Ok(request)) => one(&server, peer, request, &mut stream).await?,
        Message::One(Err(refused)) => say(&mut stream, &refused.to_text()).await?,
        Message::Batch(all) => match notifications(&all) {
            Some(requests) => {
                detach(server, peer, requests, place.take());
                say(&mut stream, "").await?;
            }
            None => {
                let work = batch(server, peer, all).boxed();
                let text = unless_gone(&mut stream, work).await?;
                say(&mut stream, &text).await?;
            }
        },
    }
    // What is left is to wait for the caller.
    drop(place);
    end(stream).await
}

/// The requests of a batch to which nobody wants a response; nothing if somebody wants one.
fn notifications(all: &[Checked]) -> Option<Vec<Request>> {
    let silent = |one: &Checked| one.as_ref().ok().filter(|one| one.id.is_none()).cloned();
    all.iter().map(silent).collect()
}

/// Works on notifications whether or not whoever sent them stays.
fn detach(server: Arc<Server>, peer: PeerId, requests: Vec<Request>, place: Option<Place>) {
    platform::spawn(async move {
        let _place = place;
        let each = |request| server.perform(peer, request);
        let mut all = stream::iter(requests).map(each).buffered(RPC_BATCH_AT_ONCE);
        while all.next().await.is_some() {}
    });
}

async fn one(
    server: &Arc<Server>,
    peer: PeerId,
    request: Request,
    stream: &mut Stream,
) -> io::Result<()> {
    let id = request.id.clone().unwrap_or(Value::Null);
    let work = server.clone().perform(peer, request);
    match unless_gone(stream, work).await? {
        Ok(Given::One(value)) => say(stream, &Response::result(id, value).to_text()).await,
        Ok(Given::Many(results)) => many(id, results, stream).await,
        Err(fault) => say(stream, &Response::fault(id, fault).to_text()).await,
    }
}

async fn many(id: Value, mut results: Results, stream: &mut Stream) -> io::Result<()> {
    loop {
        let next = patiently(results.next().map(Ok).boxed());
        let response = match unless_gone(stream, next.boxed()).await? {
            Ok(Some(Ok(item))) => Response::part(id.clone(), Some(item)),
            Ok(None) => Response::part(id.clone(), None),
            Ok(Some(Err(fault))) | Err(fault) => Response::fault(id.clone(), fault),
        };
        let (text, fits) = response.written();
        say(stream, &text).await?;
        // What is too large for a message ends it all.
        if response.more != Some(true) || !fits {
            return Ok(());
        }
    }
}

/// What becomes of each request; those without an id are worked on, too.
async fn batch(server: Arc<Server>, peer: PeerId, all: Vec<Checked>) -> String {
    let expected = all.iter().filter(|one| !is_notification(one)).count();
    let each = |one: Checked| {
        let server = server.clone();
        async move {
            match one {
                Ok(request) => single(server, peer, request).await,
                Err(refused) => Some(refused),
            }
        }
        .boxed()
    };
    let mut responses = stream::iter(all).map(each).buffered(RPC_BATCH_AT_ONCE);
    let mut batch = Batch::new(expected);
    while let Some(response) = responses.next().await {
        if let Some(response) = response {
            batch.add(&response);
        }
    }
    batch.end()
}

fn is_notification(one: &Checked) -> bool {
    one.as_ref().is_ok_and(|request| request.id.is_none())
}

async fn single(server: Arc<Server>, peer: PeerId, request: Request) -> Option<Response> {
    let id = request.id.clone();
    let outcome = match server.perform(peer, request).await {
        Ok(Given::One(value)) => Ok(value),
        Ok(Given::Many(_)) => Err(Fault::streamed()),
        Err(fault) => Err(fault),
    };
    Some(Response {
        id: id?,
        outcome,
        more: None,
    })
}

impl Server {
    /// Does what a request asks for, if its sender may ask for it.
    fn perform(self: &Arc<Self>, peer: PeerId, request: Request) -> BoxFuture<'static, Outcome> {
        let server = self.clone();
        async move {
            let Request { id, method, params } = request;
            if let Some(value) = server.built_in(&method).await {
                return Ok(Given::One(value));
            }
            let Some(found) = server.method(&method) else {
                return Err(Fault::method_not_found());
            };
            if !server.may(peer, &found.allow).await {
                return Err(Fault::not_allowed());
            }
            let notification = id.is_none();
            let caller = Caller { peer, notification };
            let work = AssertUnwindSafe(async move { (found.handler)(caller, params).await });
            let work = work.catch_unwind().map(|done| {
                done.unwrap_or_else(|_| {
                    tracing::error!(method, "a method has panicked");
                    Err(Fault::internal())
                })
            });
            patiently(work.boxed()).await
        }
        .boxed()
    }
}

async fn patiently<T>(work: BoxFuture<'_, Result<T, Fault>>) -> Result<T, Fault> {
    match select(work, platform::sleep(RPC_LONGEST)).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(Fault::too_late()),
    }
}

/// Works as long as the caller waits: what it still says, or its end, means that it does not.
async fn unless_gone<T>(stream: &mut Stream, work: BoxFuture<'_, T>) -> io::Result<T> {
    let mut byte = [0];
    match select(work, stream.read(&mut byte)).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(io::Error::other("the call was withdrawn")),
    }
}

async fn say(stream: &mut Stream, text: &str) -> io::Result<()> {
    in_time(send(stream, text).boxed()).await
}

/// Nothing more is said. The stream stays until the caller has read it all and leaves.
async fn end(mut stream: Stream) -> io::Result<()> {
    in_time(stream.close().boxed()).await?;
    let mut byte = [0];
    let _ = in_time(stream.read(&mut byte).boxed()).await;
    Ok(())
}

async fn in_time<T>(work: BoxFuture<'_, io::Result<T>>) -> io::Result<T> {
    let patience: Duration = RPC_TRANSFER;
    match select(work, platform::sleep(patience)).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn refusal(fault: Fault) -> String {
    Response::fault(Value::Null, fault).to_text()
}
