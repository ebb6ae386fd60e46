//! The engine as the page hands it over: texts, streams, and what happens.

use futures::FutureExt;
use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use js_sys::Promise;
use send_wrapper::SendWrapper;
use warren_page::host::{describe, on_page};
use warren_shared::error::Result;
use warren_shared::limits::{EVENT_QUEUE, STREAMS_ACCEPTED};
use warren_shared::net::borrowed::{Engine, Lent, error_of, failure_of};
use warren_shared::net::streams::{Failure, Protocol};
use warren_shared::platform;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::pipe::{LentStream, Pipe};

#[wasm_bindgen]
extern "C" {
    /// `Lending` of the engine's module.
    #[derive(Clone)]
    pub type Lending;

    #[wasm_bindgen(method)]
    fn ask(this: &Lending, what: &str, about: &str) -> Promise;

    #[wasm_bindgen(method)]
    fn open(this: &Lending, to: &str, name: &str, streams: usize, hasty: bool) -> Promise;

    #[wasm_bindgen(method)]
    fn accept(this: &Lending, name: &str, streams: usize, hasty: bool, take: JsValue) -> Promise;

    #[wasm_bindgen(method)]
    fn events(this: &Lending, tell: JsValue);

    /// A connection to negotiate, with settings of an `RTCPeerConnection`.
    #[wasm_bindgen(method, catch)]
    pub fn vessel(this: &Lending, settings: &JsValue) -> Result<JsValue, JsValue>;

    /// Takes one that stands, to a peer by its id and where it is seen; it is the engine's in any case.
    #[wasm_bindgen(method, catch)]
    pub fn adopt(this: &Lending, vessel: &JsValue, peer: &str, seen: &str) -> Result<(), JsValue>;
}

/// See the module.
pub struct PageEngine(SendWrapper<Lending>);

impl PageEngine {
    pub fn new(lending: Lending) -> PageEngine {
        PageEngine(SendWrapper::new(lending))
    }
}

impl Engine for PageEngine {
    fn ask(&self, what: &'static str, about: String) -> BoxFuture<'static, Result<String>> {
        let engine = self.0.clone();
        on_page(async move {
            let answer = JsFuture::from(engine.ask(what, &about)).await;
            let text = answer.map_err(|thrown| error_of(&describe(&thrown)))?;
            Ok(text.as_string().unwrap_or_default())
        })
    }

    fn open(&self, to: String, protocol: Protocol) -> BoxFuture<'static, Result<Lent, Failure>> {
        let engine = self.0.clone();
        let (done, opened) = oneshot::channel();
        platform::spawn(async move {
            let Protocol {
                name,
                streams,
                hasty,
            } = protocol;
            let promise = engine.open(&to, name.as_ref(), streams, hasty);
            let pipe = JsFuture::from(promise).await;
            let _ = done.send(match pipe {
                Ok(pipe) => Ok(lent(pipe.unchecked_into())),
                Err(thrown) => Err(failure_of(&describe(&thrown))),
            });
        });
        opened
            .map(|opened| opened.unwrap_or(Err(Failure::Stopped)))
            .boxed()
    }

    fn accept(&self, protocol: Protocol) -> Result<mpsc::Receiver<(String, Lent)>> {
        let (mut to, incoming) = mpsc::channel(STREAMS_ACCEPTED);
        let take = Closure::<dyn FnMut(String, Pipe)>::new(move |peer, pipe| {
            let _ = to.try_send((peer, lent(pipe)));
        });
        let Protocol {
            name,
            streams,
            hasty,
        } = protocol;
        let take = take.into_js_value();
        let accepted = self.0.accept(name.as_ref(), streams, hasty, take);
        platform::spawn(async move {
            if let Err(thrown) = JsFuture::from(accepted).await {
                let cause = describe(&thrown);
                tracing::warn!(cause, "the engine does not lend streams of a protocol");
            }
        });
        Ok(incoming)
    }

    fn events(&self) -> mpsc::Receiver<String> {
        let (to, told) = mpsc::channel(EVENT_QUEUE);
        let mut to = Some(to);
        let tell = Closure::<dyn FnMut(Option<String>)>::new(move |text: Option<String>| {
            match (text, &mut to) {
                (Some(text), Some(to)) => drop(to.try_send(text)),
                // The peer was closed.
                _ => to = None,
            }
        });
        self.0.events(tell.into_js_value());
        told
    }
}

fn lent(pipe: Pipe) -> Lent {
    Box::new(LentStream::new(pipe))
}
