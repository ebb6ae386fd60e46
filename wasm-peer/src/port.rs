//! The engine's end of the message port: calls in, answers and events out, as structured clones.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::{AbortHandle, abortable};
use js_sys::{Object, Reflect};
use send_wrapper::SendWrapper;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use warren_shared::api::{Call, Outgoing, Params, Reply, Session, Surroundings};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::Event;
use warren_shared::platform;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

use crate::host::{Host, PageFetch, PageKeepsakes, describe, solver};
use crate::shelf::PageShelf;
use crate::{log, transport};

type Running = Rc<RefCell<HashMap<u64, AbortHandle>>>;
type OnMessage = Closure<dyn FnMut(MessageEvent)>;

/// One peer's end of its port.
#[derive(Clone)]
struct Served {
    session: Session,
    port: MessagePort,
    running: Running,
    on_message: Rc<RefCell<Option<OnMessage>>>,
}

/// Serves the peer API on a message port until the peer is closed.
#[wasm_bindgen]
pub fn serve(port: MessagePort, host: Host) {
    log::install();
    let surroundings = Surroundings {
        outside: Arc::new(PageFetch::new(host.clone())),
        keepsakes: Arc::new(PageKeepsakes::new(host.clone())),
        shelf: {
            let host = SendWrapper::new(host.clone());
            Box::new(move |network, author| Arc::new(PageShelf::new(&host, network, author)))
        },
        solver: solver(host),
        connections: Box::new(transport::connections),
        dialable: transport::dialable,
    };
    let (session, mut outgoing) = Session::new(surroundings);
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

impl Served {
    fn receive(&self, data: &JsValue) {
        if let Some(id) = number(data, "cancel") {
            if let Some(call) = self.running.borrow_mut().remove(&id.to_bits()) {
                call.abort();
            }
            return;
        }
        let Some(id) = number(data, "id") else { return };
        let call = match call(data) {
            Ok(call) => call,
            Err(error) => return post(&self.port, &Outgoing::Error { id, error }),
        };
        let last = matches!(call, Call::Close {});
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

fn call(data: &JsValue) -> Result<Call> {
    let not_understood = |cause: String| {
        let what = "the engine does not understand this call";
        Error::new(Code::InvalidArgument, what).caused_by(cause)
    };
    let method = Reflect::get(data, &"method".into()).ok();
    let method = method.and_then(|method| method.as_string());
    let method = method.unwrap_or_default();
    let params = Reflect::get(data, &"params".into()).unwrap_or(JsValue::NULL);
    let wrong = |error: serde_wasm_bindgen::Error| not_understood(error.to_string());
    if method == "start" {
        let start = serde_wasm_bindgen::from_value(params);
        return start.map(Call::Start).map_err(wrong);
    }
    let params: Params = serde_wasm_bindgen::from_value(params).map_err(wrong)?;
    let call = params.call(&method);
    call.ok_or_else(|| not_understood(format!("{method:?} with these parameters")))
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
pub(crate) fn encode_reply(reply: &Reply) -> Result<JsValue> {
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
