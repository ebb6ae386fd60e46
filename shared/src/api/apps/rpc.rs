//! JSON commands: calls of the application, and those of other peers, which the application answers.
//!
//! A method that is served is a call that does not end: its items are what other peers want, each with a number,
//! and the application answers by that number. Ending the call ends the service.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::pending;
use futures::stream::{once, unfold};
use futures::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};

use super::AppSession;
use super::messages::{RpcAction, RpcCall};
use crate::api::messages::{Outgoing, Reply};
use crate::error::{Code, Error, Result};
use crate::limits::RPC_DEADLINE;
use crate::net::Route;
use crate::net::apps::Apps;
use crate::net::node::parse_peer;
use crate::net::rpc::{Allow, Ask, Caller, Fault, Given, Handler, Rpc};
use crate::net::standings::standing_value;
use crate::proto::key::PublicKey;
use crate::proto::select::{Resources, TERMS, Weights};
use crate::sorted::SortedMap;

/// Calls of other peers that wait for the application. As many as there are calls under way.
#[derive(Clone, Default)]
pub(super) struct Calls(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    last: u64,
    /// With the service that each belongs to.
    calls: SortedMap<u64, (f64, mpsc::Sender<Told>)>,
}

/// What the application says to a call.
enum Told {
    Result(Value),
    Item(Value),
    End,
    Fault(Fault),
}

impl AppSession {
    pub(super) async fn rpc(&self, id: f64, call: RpcCall) -> Result<Reply> {
        match call.action {
            RpcAction::Serve => self.offer(id, call).await,
            RpcAction::Result | RpcAction::Item | RpcAction::End | RpcAction::Fault => {
                self.tell(call).await
            }
            RpcAction::Describe => {
                let own = Resources::from_value(&parsed(&call.text)?);
                let apps = self.here().await?;
                apps.rpc().describe(Arc::new(move || own.clone()));
                Ok(Reply::Nothing {})
            }
            RpcAction::Reputation => {
                let peer = parse_peer(&call.id)?;
                let standing = self.here().await?.reputation(&peer).await;
                Ok(Reply::Json(standing_value(&peer, &standing)))
            }
            RpcAction::Select => {
                let weights = weights(&parsed(&call.text)?)?;
                let apps = self.joined().await?;
                let chosen = apps.select(&call.namespace, weights).await?.into_iter();
                let told = chosen.map(|choice| choice.to_value(weights)).collect();
                Ok(Reply::Json(Value::Array(told)))
            }
            RpcAction::Batch => {
                let apps = self.joined().await?;
                batch(&apps, call).await
            }
            _ => {
                let apps = self.reaching(&call.id).await?;
                self.ask(id, &apps, call).await
            }
        }
    }

    async fn ask(&self, id: f64, apps: &Apps, call: RpcCall) -> Result<Reply> {
        let params = match call.text.is_empty() {
            true => Value::Null,
            false => parsed(&call.text)?,
        };
        let ask = Ask::new(&call.method, params).within(patience(&call));
        let route = route(apps, &call).await?;
        match call.action {
            RpcAction::Notify => {
                apps.rpc().notify(route, &ask).await?;
                Ok(Reply::Nothing {})
            }
            RpcAction::Stream => {
                let mut results = apps.rpc().stream(route, &ask).await?;
                while let Some(item) = results.next().await {
                    let item = Reply::Json(item?);
                    self.say(Outgoing::Item { id, item }).await;
                }
                Ok(Reply::Nothing {})
            }
            _ => Ok(Reply::Json(apps.rpc().call(route, &ask).await?)),
        }
    }

    /// Serves a method until this is dropped. Needs no relay, only a network.
    async fn offer(&self, id: f64, call: RpcCall) -> Result<Reply> {
        let allow = rule(&parsed(&call.text)?)?;
        let apps = self.here().await?;
        let handler = self.calls.handler(id, self.outgoing.clone());
        apps.rpc().serve(&call.method, allow, handler)?;
        let _served = Served {
            rpc: apps.rpc(),
            method: &call.method,
            calls: &self.calls,
            id,
        };
        let item = Reply::Nothing {};
        self.say(Outgoing::Item { id, item }).await;
        pending().await
    }

    /// Passes on what the application says to a call; returns when the next part of it may follow.
    async fn tell(&self, call: RpcCall) -> Result<Reply> {
        let told = match call.action {
            RpcAction::Result => Told::Result(parsed(&call.text)?),
            RpcAction::Item => Told::Item(parsed(&call.text)?),
            RpcAction::Fault => Told::Fault(fault(parsed(&call.text)?)),
            _ => Told::End,
        };
        let found = {
            let open = self.calls.open();
            open.calls.get(&(call.call as u64)).cloned()
        };
        let gone = || Error::new(Code::Cancelled, "the caller does not wait any more");
        let (_, mut found) = found.ok_or_else(gone)?;
        found.send(told).await.map_err(|_| gone())?;
        Ok(Reply::Nothing {})
    }
}

/// A service of the application. Dropped, it ends, and so do the calls that wait for it.
struct Served<'a> {
    rpc: &'a Rpc,
    method: &'a str,
    calls: &'a Calls,
    id: f64,
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.rpc.unserve(self.method);
        let mut open = self.calls.open();
        open.calls.retain(|_, (service, _)| *service != self.id);
    }
}

impl Calls {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the application, as items of the call with this id.
    fn handler(&self, id: f64, outgoing: mpsc::Sender<Outgoing>) -> Handler {
        let calls = self.clone();
        Arc::new(move |caller, params| {
            let (asking, mut told) = calls.ask(id, outgoing.clone());
            async move {
                asking.say(caller, params).await;
                match told.next().await {
                    Some(Told::Result(value)) => Ok(Given::One(value)),
                    Some(Told::Item(first)) => {
                        let rest = unfold((told, asking), |(mut told, asking)| async {
                            let item = match told.next().await? {
                                Told::Item(item) | Told::Result(item) => Ok(item),
                                Told::Fault(fault) => Err(fault),
                                Told::End => return None,
                            };
                            Some((item, (told, asking)))
                        });
                        let first = once(async { Ok(first) });
                        Ok(Given::Many(first.chain(rest).boxed()))
                    }
                    Some(Told::End) => Ok(Given::Many(futures::stream::empty().boxed())),
                    Some(Told::Fault(fault)) => Err(fault),
                    None => Err(Fault::internal()),
                }
            }
            .boxed()
        })
    }

    fn ask(&self, id: f64, outgoing: mpsc::Sender<Outgoing>) -> (Asking, mpsc::Receiver<Told>) {
        // Whoever tells something waits until it was taken.
        let (tell, told) = mpsc::channel(0);
        let mut open = self.open();
        open.last += 1;
        let number = open.last;
        open.calls.insert(number, (id, tell));
        let asking = Asking {
            calls: self.clone(),
            outgoing,
            id,
            number,
        };
        (asking, told)
    }
}

/// The application works on a call. Dropped, it is told that nobody waits for it.
struct Asking {
    calls: Calls,
    outgoing: mpsc::Sender<Outgoing>,
    id: f64,
    number: u64,
}

impl Asking {
    async fn say(&self, caller: Caller, params: Value) {
        let item = Reply::Json(json!({
            "call": self.number,
            "peer": caller.peer.to_string(),
            "notification": caller.notification,
            "params": params,
        }));
        let id = self.id;
        let _ = self
            .outgoing
            .clone()
            .send(Outgoing::Item { id, item })
            .await;
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.calls.open().calls.remove(&self.number);
        let item = Reply::Json(json!({"gone": self.number}));
        // A sender that is new has a place in the queue, however full it is.
        let _ = self
            .outgoing
            .clone()
            .try_send(Outgoing::Item { id: self.id, item });
    }
}

async fn batch(apps: &Apps, call: RpcCall) -> Result<Reply> {
    let Value::Array(calls) = parsed(&call.text)? else {
        return Err(not_understood("no list of calls"));
    };
    let ask = |mut call: Value| {
        let params = call["params"].take();
        Ask::new(call["method"].as_str().unwrap_or_default(), params)
    };
    let asks: Vec<Ask> = calls.into_iter().map(ask).collect();
    let route = route(apps, &call).await?;
    let answers = apps.rpc().batch(route, &asks, patience(&call)).await?;
    let told = answers.into_iter().map(|answer| match answer {
        Ok(value) => json!({"ok": value}),
        Err(error) => json!({"error": error}),
    });
    Ok(Reply::Json(Value::Array(told.collect())))
}

async fn route(apps: &Apps, call: &RpcCall) -> Result<Route> {
    match call.id.is_empty() {
        true => apps.any_member(&call.namespace).await,
        false => apps.overlay().route_to(parse_peer(&call.id)?).await,
    }
}

fn patience(call: &RpcCall) -> Duration {
    let given = call.patience.map(|patience| patience as u64);
    given.map_or(RPC_DEADLINE, Duration::from_millis)
}

/// `{anyone, peers, authors, namespaces}`, each of which may be missing.
fn rule(rule: &Value) -> Result<Allow> {
    let texts = |name: &str| -> Result<Vec<String>> {
        let all = rule[name].as_array().into_iter().flatten();
        let text = |one: &Value| one.as_str().map(str::to_owned);
        let all: Option<_> = all.map(text).collect();
        all.ok_or_else(|| not_understood("what is no text"))
    };
    let mut allow = Allow {
        anyone: rule["anyone"] == true,
        namespaces: texts("namespaces")?,
        ..Allow::default()
    };
    for peer in texts("peers")? {
        allow.peers.push(parse_peer(&peer)?.to_bytes());
    }
    for author in texts("authors")? {
        let author: PublicKey = author.parse()?;
        allow.authors.push(*author.as_bytes());
    }
    Ok(allow)
}

/// `{cpu, memory, disk, latency, reputation}`, each at least 0; those that are missing count as usual.
fn weights(given: &Value) -> Result<Weights> {
    let mut weights = Weights::default();
    for (name, weight) in TERMS.iter().zip(&mut weights.0) {
        match given[*name].as_f64() {
            Some(given) if (0.0..=1_000.0).contains(&given) => *weight = (given * 1_000.0) as u32,
            None if given[*name].is_null() => {}
            _ => return Err(not_understood("a weight is a number from 0 to 1000")),
        }
    }
    Ok(weights)
}

/// `{code, message, data}`.
fn fault(told: Value) -> Fault {
    match (told["code"].as_i64(), told["message"].as_str()) {
        (Some(code), Some(message)) => Fault {
            data: told["data"].clone(),
            ..Fault::new(code, message)
        },
        _ => Fault::internal(),
    }
}

fn parsed(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| not_understood(&error.to_string()))
}

fn not_understood(why: &str) -> Error {
    Error::new(Code::InvalidArgument, "this command is not understood").caused_by(why)
}
