//! JSON commands between peers: methods that this one serves, and calls of those of others.
//!
//! What a message means is decided in `proto/rpc`; here it is carried, one message a stream. `spec/rpc.md` has
//! both. [`Rpc::serve`] offers a method to those whom a rule lets in; nobody else may call it.

mod allowed;
mod calling;
mod serving;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use libp2p::PeerId;
use serde_json::{Value, json};

use self::allowed::Looked;
pub use self::calling::Ask;
use super::address::Via;
use super::budget::{Limits, SharedBudget};
use super::handle::{Handle, Route};
use super::overlay::{Kademlia, Overlay};
use super::protocols;
use super::streams::Registry;
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_METHODS, RPC_CALLS, RPC_CALLS_PER_PEER, RPC_CALLS_PER_PREFIX};
use crate::platform;
pub use crate::proto::rpc::{Allow, Fault};
use crate::proto::rpc::{CAPABILITIES, PING, check_method};
use crate::proto::select::Resources;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its id, proven by its connection.
    pub peer: PeerId,
    /// Nobody waits for what this gives.
    pub notification: bool,
}

/// What a method gives.
pub enum Given {
    /// One result.
    One(Value),
    /// Many, one after the other. The next one is asked for when the last one is on its way.
    Many(BoxStream<'static, std::result::Result<Value, Fault>>),
}

/// What a handler comes to.
pub type Outcome = std::result::Result<Given, Fault>;

/// Does the work of one method. Its future is dropped when the caller withdraws the call.
pub type Handler = Arc<dyn Fn(Caller, Value) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// A [`Handler`] of a method that has one result.
pub fn handler<F>(work: impl Fn(Caller, Value) -> F + Send + Sync + 'static) -> Handler
where
    F: Future<Output = std::result::Result<Value, Fault>> + Send + 'static,
{
    Arc::new(move |caller, params| {
        let work = work(caller, params);
        async move { work.await.map(Given::One) }.boxed()
    })
}

#[derive(Clone)]
struct Method {
    allow: Arc<Allow>,
    handler: Handler,
}

/// Says what this peer has at the moment.
pub type Described = Arc<dyn Fn() -> Resources + Send + Sync>;

/// The commands of one peer. Cheap to clone.
#[derive(Clone)]
pub struct Rpc {
    handle: Handle,
    server: Arc<Server>,
}

/// What this peer serves, and how much of it.
struct Server {
    overlay: Arc<Kademlia>,
    methods: RwLock<HashMap<String, Method>>,
    resources: RwLock<Option<Described>>,
    looked: Mutex<Looked>,
    budget: SharedBudget,
}

impl Rpc {
    /// Answers from now on.
    pub(super) fn start(handle: Handle, overlay: Arc<Kademlia>, streams: &Registry) -> Result<Rpc> {
        let incoming = streams
            .accept(protocols::rpc(handle.network()))
            .map_err(|_| Error::new(Code::Internal, "commands are answered already"))?;
        let share = Limits(RPC_CALLS, RPC_CALLS_PER_PEER, RPC_CALLS_PER_PREFIX);
        let server = Arc::new(Server {
            overlay,
            methods: RwLock::default(),
            resources: RwLock::default(),
            looked: Mutex::default(),
            budget: SharedBudget::new(share),
        });
        platform::spawn(serving::run(server.clone(), incoming));
        Ok(Rpc { handle, server })
    }

    /// Offers a method to whom the rule lets in, until [`Rpc::unserve`].
    pub fn serve(&self, method: &str, allow: Allow, handler: Handler) -> Result<()> {
        check_method(method)?;
        let mut methods = self.methods();
        if matches!(method, PING | CAPABILITIES) || methods.contains_key(method) {
            let taken = format!("{method:?} is served already");
            return Err(Error::new(Code::InvalidArgument, taken));
        }
        if methods.len() >= MAX_METHODS {
            let full = format!("a peer serves at most {MAX_METHODS} methods");
            return Err(Error::new(Code::Overloaded, full));
        }
        let allow = Arc::new(allow);
        methods.insert(method.to_owned(), Method { allow, handler });
        Ok(())
    }

    /// Says from now on, coarsely, what this peer has: `warren.capabilities`.
    pub fn describe(&self, resources: Described) {
        let known = self.server.resources.write();
        *known.unwrap_or_else(PoisonError::into_inner) = Some(resources);
    }

    /// Serves a method no longer; calls under way are finished.
    pub fn unserve(&self, method: &str) {
        self.methods().remove(method);
    }

    fn methods(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<String, Method>> {
        let methods = self.server.methods.write();
        methods.unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a method that has one result. Sent once, never repeated.
    pub async fn call(&self, route: Route, ask: &Ask) -> Result<Value> {
        calling::call(&self.handle, route, ask).await
    }

    /// Calls a method that may have many results; dropping the stream withdraws the call. A method that has one
    /// gives that.
    pub async fn stream(
        &self,
        route: Route,
        ask: &Ask,
    ) -> Result<BoxStream<'static, Result<Value>>> {
        calling::stream(&self.handle, route, ask).await
    }

    /// Tells a peer something without expecting a response; returns when it was taken.
    pub async fn notify(&self, route: Route, ask: &Ask) -> Result<()> {
        calling::notify(&self.handle, route, ask).await
    }

    /// Calls several methods in one message: what became of each, in their order.
    pub async fn batch(
        &self,
        route: Route,
        asks: &[Ask],
        patience: Duration,
    ) -> Result<Vec<Result<Value>>> {
        calling::batch(&self.handle, route, asks, patience).await
    }
}

impl Handle {
    /// Calls a method of another peer, dialling it when needed.
    pub async fn call(&self, route: Route, method: &str, params: Value) -> Result<Value> {
        calling::call(self, route, &Ask::new(method, params)).await
    }
}

impl Server {
    fn method(&self, name: &str) -> Option<Method> {
        let methods = self.methods.read();
        let methods = methods.unwrap_or_else(PoisonError::into_inner);
        methods.get(name).cloned()
    }

    /// The methods that every peer has.
    async fn built_in(&self, name: &str) -> Option<Value> {
        match name {
            PING => Some(json!("pong")),
            CAPABILITIES => Some(self.capabilities().await),
            _ => None,
        }
    }

    async fn capabilities(&self) -> Value {
        let known = self.resources.read();
        let describe = known.unwrap_or_else(PoisonError::into_inner).clone();
        let mut resources = describe.map_or_else(Resources::default, |describe| describe());
        let handle = self.overlay.client().handle();
        for address in handle.addresses().await.unwrap_or_default() {
            let via = address.parse().map(|address| Via::of(&address).as_str());
            if let Ok(via) = via
                && !resources.transports.iter().any(|known| known == via)
            {
                resources.transports.push(via.to_owned());
            }
        }
        let agent = concat!("warren/", env!("CARGO_PKG_VERSION"));
        resources.coarse().to_value(agent)
    }
}
