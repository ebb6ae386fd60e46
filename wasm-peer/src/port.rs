//! The engine's end of the message port: calls in, answers and events out, as structured clones.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::{AbortHandle, abortable};
use js_sys::{Object, Reflect};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use warren_shared::api::{Call, Outgoing, Session, Surroundings};
use warren_shared::error::{Code, Error};
use warren_shared::net::Event;
use warren_shared::platform;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

use crate::host::{Host, PageFetch};
use crate::{log, transport};

type Running = Rc<RefCell<HashMap<u64, AbortHandle>>>;

/// Serves the peer API on a message port until the port is closed.
#[wasm_bindgen]
pub fn serve(port: MessagePort, host: Host) {
    log::install();
    let surroundings = Surroundings {
        outside: Arc::new(PageFetch::new(host)),
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
    let running = Running::default();
    let replies = port.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        receive(&session, &replies, &running, &event.data());
    });
    port.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // The engine lives as long as its page or worker.
    on_message.forget();
}

fn receive(session: &Session, port: &MessagePort, running: &Running, data: &JsValue) {
    if let Some(id) = number(data, "cancel") {
        if let Some(call) = running.borrow_mut().remove(&id.to_bits()) {
            call.abort();
        }
        return;
    }
    let Some(id) = number(data, "id") else { return };
    let call = match serde_wasm_bindgen::from_value::<Call>(data.clone()) {
        Ok(call) => call,
        Err(error) => {
            let error = Error::new(
                Code::InvalidArgument,
                "the engine does not understand this call",
            )
            .caused_by(error);
            return post(port, &Outgoing::Error { id, error });
        }
    };
    let session = session.clone();
    let (work, abort) = abortable(async move { session.serve(id, call).await });
    running.borrow_mut().insert(id.to_bits(), abort);
    let running = running.clone();
    platform::spawn(async move {
        let _ = work.await;
        running.borrow_mut().remove(&id.to_bits());
    });
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
        Outgoing::Ok { id, reply } => {
            set("id", (*id).into());
            set("ok", encode(reply));
        }
        Outgoing::Error { id, error } => {
            set("id", (*id).into());
            set("error", encode(error));
        }
        Outgoing::Item { id, item } => {
            set("id", (*id).into());
            set("item", encode(item));
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

fn encode(value: &impl Serialize) -> JsValue {
    let serializer = Serializer::new().serialize_maps_as_objects(true);
    value.serialize(&serializer).unwrap_or(JsValue::NULL)
}
