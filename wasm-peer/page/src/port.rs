//! A module's end of the message port: calls in, answers and events out, as structured clones.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{AbortHandle, abortable};
use js_sys::{Object, Reflect};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use warren_shared::api::{Outgoing, Reply};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::Event;
use warren_shared::platform;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

use crate::host::describe;

type Running = Rc<RefCell<HashMap<u64, AbortHandle>>>;
type OnMessage = Closure<dyn FnMut(MessageEvent)>;

/// What answers the calls of a port.
pub trait Session: Clone + 'static {
    /// A method and its parameters.
    type Call: 'static;
    /// Reads a call; the error is for whoever sent it.
    fn read(method: &str, params: JsValue) -> std::result::Result<Self::Call, String>;
    /// Whether nothing follows it.
    fn is_last(call: &Self::Call) -> bool;
    /// Serves a call; its answer goes out with its id. Dropping the future cancels it.
    fn serve(&self, id: f64, call: Self::Call) -> impl Future<Output = ()>;
}

/// One end of a port.
#[derive(Clone)]
struct Served<S> {
    session: S,
    port: MessagePort,
    running: Running,
    on_message: Rc<RefCell<Option<OnMessage>>>,
}

/// Serves a session on a message port until its last call, and passes on what it says.
pub fn listen<S: Session>(port: MessagePort, session: S, mut outgoing: mpsc::Receiver<Outgoing>) {
    let out = port.clone();
    platform::spawn(async move {
        while let Some(message) = outgoing.next().await {
            post(&out, &message);
        }
    });
    let served = Served {
        session,
        port: port.clone(),
        running: Running::default(),
        on_message: Rc::default(),
    };
    let receiver = served.clone();
    let on_message = OnMessage::new(move |event: MessageEvent| {
        receiver.receive(&event.data());
    });
    port.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    *served.on_message.borrow_mut() = Some(on_message);
}

impl<S: Session> Served<S> {
    fn receive(&self, data: &JsValue) {
        if let Some(id) = number(data, "cancel") {
            if let Some(call) = self.running.borrow_mut().remove(&id.to_bits()) {
                call.abort();
            }
            return;
        }
        let Some(id) = number(data, "id") else { return };
        let call = match call::<S>(data) {
            Ok(call) => call,
            Err(error) => return post(&self.port, &Outgoing::Error { id, error }),
        };
        let last = S::is_last(&call);
        let session = self.session.clone();
        let (work, abort) = abortable(async move { session.serve(id, call).await });
        self.running.borrow_mut().insert(id.to_bits(), abort);
        let served = self.clone();
        platform::spawn(async move {
            let _ = work.await;
            served.running.borrow_mut().remove(&id.to_bits());
            if last {
                served.end();
            }
        });
    }

    /// Lets go of everything that keeps a closed peer in memory: the listener holds the session, and
    /// the task that posts ends with the last session.
    fn end(&self) {
        self.port.set_onmessage(None);
        for (_, call) in self.running.borrow_mut().drain() {
            call.abort();
        }
        self.on_message.borrow_mut().take();
    }
}

fn call<S: Session>(data: &JsValue) -> Result<S::Call> {
    let method = Reflect::get(data, &"method".into()).ok();
    let method = method.and_then(|method| method.as_string());
    let params = Reflect::get(data, &"params".into()).unwrap_or(JsValue::NULL);
    S::read(&method.unwrap_or_default(), params).map_err(|cause| {
        let what = "the engine does not understand this call";
        Error::new(Code::InvalidArgument, what).caused_by(cause)
    })
}

/// The parameters of a call.
pub fn parameters<P: serde::de::DeserializeOwned>(
    params: JsValue,
) -> std::result::Result<P, String> {
    serde_wasm_bindgen::from_value(params).map_err(|error| error.to_string())
}

/// Why a call is none.
pub fn misfit(method: &str) -> String {
    format!("{method:?} with these parameters")
}

fn number(object: &JsValue, name: &str) -> Option<f64> {
    Reflect::get(object, &name.into()).ok()?.as_f64()
}

fn post(port: &MessagePort, message: &Outgoing) {
    let object = Object::new();
    let set = |name: &str, value: JsValue| {
        let _ = Reflect::set(&object, &name.into(), &value);
    };
    match message {
        Outgoing::Ok { id, reply } => match encode_reply(reply) {
            Ok(value) => {
                set("id", (*id).into());
                set("ok", value);
            }
            Err(error) => return post(port, &Outgoing::Error { id: *id, error }),
        },
        Outgoing::Error { id, error } => {
            set("id", (*id).into());
            set("error", encode(error));
        }
        Outgoing::Item { id, item } => {
            set("id", (*id).into());
            set("item", encode_reply(item).unwrap_or(JsValue::NULL));
        }
        Outgoing::Snapshot(snapshot) => {
            set("event", "snapshot".into());
            set("detail", encode(snapshot));
        }
        Outgoing::Event(event) => return post_event(port, event),
    }
    let _ = port.post_message(&object);
}

/// Events serialise as `{event, detail}` by themselves.
fn post_event(port: &MessagePort, event: &Event) {
    let _ = port.post_message(&encode(event));
}

/// What another peer returned arrives as `JSON.parse` reads it: null stays null, and integers
/// beyond 2⁵³ are rounded, as everywhere in JavaScript.
pub fn encode_reply(reply: &Reply) -> Result<JsValue> {
    match reply {
        Reply::Json(value) => parsed(&value.to_string()),
        Reply::Text(text) => parsed(text),
        other => other.serialize(&plain()).map_err(not_encoded),
    }
}

fn parsed(text: &str) -> Result<JsValue> {
    js_sys::JSON::parse(text).map_err(|cause| not_encoded(describe(&cause)))
}

fn not_encoded(cause: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, "the result cannot be handed to JavaScript").caused_by(cause)
}

fn encode(value: &impl Serialize) -> JsValue {
    value.serialize(&plain()).unwrap_or(JsValue::NULL)
}

fn plain() -> Serializer {
    Serializer::new().serialize_maps_as_objects(true)
}
