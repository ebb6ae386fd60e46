//! Calls of other peers: opens a stream for each message and reads what comes back.
//!
//! The stream stays open until the caller has what it wants: letting go of it withdraws the call.

use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use futures::stream::{BoxStream, unfold};
use futures::{FutureExt, StreamExt};
use libp2p::PeerId;
use serde_json::Value;

use super::super::handle::{Handle, Route};
use super::super::protocols;
use super::super::streams::{Failure, Stream};
use super::super::texts::{MAX_TEXT, receive, send};
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_RPC_BATCH, RPC_DEADLINE, RPC_LONGEST};
use crate::platform;
use crate::proto::reputation::Evidence;
use crate::proto::rpc::{
    Part, Request, batch_text, check_method, check_params, read_batch, read_part,
};

/// The id of the only call of a message.
const ONLY: u64 = 1;

/// What is called, and how long to wait.
#[derive(Clone, Debug)]
pub struct Ask {
    method: String,
    params: Value,
    patience: Duration,
    credited: bool,
}

impl Ask {
    /// A method and what it is called with: an array, an object or null.
    pub fn new(method: &str, params: Value) -> Ask {
        Ask {
            method: method.to_owned(),
            params,
            patience: RPC_DEADLINE,
            credited: true,
        }
    }

    /// An answer says nothing about how a peer works, and is not to its credit; a failure is held against it.
    pub(in crate::net) fn uncredited(mut self) -> Ask {
        self.credited = false;
        self
    }

    /// Waits so long for the result, or for each of many.
    pub fn within(mut self, patience: Duration) -> Ask {
        self.patience = patience.min(RPC_LONGEST);
        self
    }

    fn request(&self, id: Option<u64>) -> Result<Request> {
        check_method(&self.method)?;
        check_params(&self.params)?;
        Ok(Request {
            id: id.map(Value::from),
            method: self.method.clone(),
            params: self.params.clone(),
        })
    }
}

/// Calls a method that has one result.
pub(super) async fn call(handle: &Handle, route: Route, ask: &Ask) -> Result<Value> {
    let text = ask.request(Some(ONLY))?.to_text();
    let peer = route.peer;
    let answer = exchange(handle, route, text, ask.patience, ask.credited).await?;
    match understood(handle, &peer, read_part(&answer, ONLY))? {
        Part::Whole(value) => Ok(value),
        Part::Item(_) | Part::End => Err(Error::new(
            Code::Unsupported,
            "this method has many results",
        )
        .with_remedy("Read them one by one, as a stream.")),
    }
}

/// Calls a method that may have many results. One that has a single result gives that.
pub(super) async fn stream(
    handle: &Handle,
    route: Route,
    ask: &Ask,
) -> Result<BoxStream<'static, Result<Value>>> {
    let text = ask.request(Some(ONLY))?.to_text();
    let (peer, patience) = (route.peer, ask.patience);
    let opening = begin(handle, route, text).boxed();
    let opened = within(patience, opening).await;
    let opened = opened.map_err(|failure| failure.at(&peer))?;
    let start = (opened, handle.clone());
    Ok(unfold(Some(start), move |state| async move {
        let (mut stream, handle) = state?;
        let began = platform::now();
        let text = within(patience, next(&mut stream).boxed()).await;
        handle.standings().asked(&peer, began, text.as_ref().err());
        let text = text.map_err(|failure| failure.at(&peer));
        let part = text.and_then(|text| understood(&handle, &peer, read_part(&text, ONLY)));
        match part {
            Ok(Part::Item(value)) => Some((Ok(value), Some((stream, handle)))),
            Ok(Part::Whole(value)) => Some((Ok(value), None)),
            Ok(Part::End) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed())
}

/// Tells without expecting a response; returns when the other end has taken it.
pub(super) async fn notify(handle: &Handle, route: Route, ask: &Ask) -> Result<()> {
    let text = ask.request(None)?.to_text();
    let taken = exchange(handle, route, text, ask.patience, true).await?;
    match taken.is_empty() {
        true => Ok(()),
        // Only what went wrong before it was read as a notification.
        false => read_part(&taken, ONLY).map(drop),
    }
}

/// Calls several methods in one message; what became of each, in their order.
pub(super) async fn batch(
    handle: &Handle,
    route: Route,
    asks: &[Ask],
    patience: Duration,
) -> Result<Vec<Result<Value>>> {
    if asks.is_empty() || asks.len() > MAX_RPC_BATCH {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("a batch has one to {MAX_RPC_BATCH} calls"),
        ));
    }
    let numbered = asks.iter().zip(1..);
    let requests: Vec<Request> = numbered
        .map(|(ask, id)| ask.request(Some(id)))
        .collect::<Result<_>>()?;
    let peer = route.peer;
    let patience = patience.min(RPC_LONGEST);
    let answer = exchange(handle, route, batch_text(&requests), patience, true).await?;
    understood(handle, &peer, read_batch(&answer, asks.len()))
}

/// Tells of those that answer with what is no answer.
fn understood<T>(handle: &Handle, peer: &PeerId, read: Result<T>) -> Result<T> {
    if let Err(error) = &read
        && error.code() == Code::ProtocolViolation
        && error.detail("rpcCode").is_none()
    {
        handle.standings().note(peer, Evidence::Violated);
    }
    read
}

async fn begin(handle: &Handle, route: Route, text: String) -> Result<Stream, Failure> {
    if text.len() > MAX_TEXT {
        return Err(Failure::TooLarge);
    }
    let protocol = protocols::rpc(handle.network());
    let mut stream = handle.open(route, protocol).await?.stream;
    send(&mut stream, &text).await?;
    Ok(stream)
}

async fn exchange(
    handle: &Handle,
    route: Route,
    text: String,
    patience: Duration,
    credited: bool,
) -> Result<String> {
    let (peer, began) = (route.peer, platform::now());
    let exchange = async {
        let mut stream = begin(handle, route, text).await?;
        next(&mut stream).await
    };
    let answer = within(patience, exchange.boxed()).await;
    if credited || answer.is_err() {
        let standings = handle.standings();
        standings.asked(&peer, began, answer.as_ref().err());
    }
    answer.map_err(|failure| failure.at(&peer))
}

async fn next(stream: &mut Stream) -> Result<String, Failure> {
    Ok(receive(stream).await?)
}

async fn within<T>(
    patience: Duration,
    work: BoxFuture<'_, Result<T, Failure>>,
) -> Result<T, Failure> {
    match select(work, platform::sleep(patience)).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(Failure::Timeout),
    }
}
