//! What the page lends to the engine, through the object that JavaScript passes in: HTTP fetches, and a
//! place for what must not be forgotten.

use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use js_sys::{Promise, Uint8Array};
use send_wrapper::SendWrapper;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::outside::{Keepsakes, Outside};
use warren_shared::platform;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// The engine's surroundings; see `Host` in the npm package.
    #[derive(Clone)]
    pub type Host;

    #[wasm_bindgen(method, catch, js_name = fetchText)]
    fn fetch_text(this: &Host, url: &str, timeout_ms: f64) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = loadBytes)]
    fn load_bytes(this: &Host, what: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = saveBytes)]
    fn save_bytes(this: &Host, what: &str, bytes: Uint8Array) -> Result<Promise, JsValue>;
}

/// Fetches through the page.
pub struct PageFetch(SendWrapper<Host>);

impl PageFetch {
    pub fn new(host: Host) -> Self {
        PageFetch(SendWrapper::new(host))
    }
}

impl Outside for PageFetch {
    fn fetch(&self, url: String, patience: Duration) -> BoxFuture<'static, Result<String>> {
        let (done, answer) = oneshot::channel();
        let host = self.0.clone();
        platform::spawn(async move {
            let _ = done.send(fetch(&host, &url, patience).await);
        });
        answer
            .map(|answer| {
                answer.unwrap_or_else(|_| Err(Error::new(Code::Cancelled, "the fetch was dropped")))
            })
            .boxed()
    }
}

async fn fetch(host: &Host, url: &str, patience: Duration) -> Result<String> {
    let failed = |cause: JsValue| {
        Error::new(Code::JoinFailed, format!("{url} could not be fetched"))
            .caused_by(describe(&cause))
    };
    let promise = host
        .fetch_text(url, patience.as_millis() as f64)
        .map_err(failed)?;
    let text = JsFuture::from(promise).await.map_err(failed)?;
    text.as_string()
        .ok_or_else(|| failed("the answer is not text".into()))
}

/// Keeps small things in the page's storage.
pub struct PageKeepsakes(SendWrapper<Host>);

impl PageKeepsakes {
    pub fn new(host: Host) -> Self {
        PageKeepsakes(SendWrapper::new(host))
    }

    /// Runs `ask` on the page's task queue, so that the future may cross `Send` bounds.
    fn ask<T: Send + 'static>(
        &self,
        ask: impl AsyncFnOnce(&Host) -> std::result::Result<T, JsValue> + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let (done, answer) = oneshot::channel();
        let host = self.0.clone();
        platform::spawn(async move {
            let failed = |cause: JsValue| {
                Error::new(Code::StorageFailed, "the browser's storage failed")
                    .caused_by(describe(&cause))
            };
            let _ = done.send(ask(&host).await.map_err(failed));
        });
        answer
            .map(|answer| {
                let dropped = || Error::new(Code::Cancelled, "the storage was given up");
                answer.unwrap_or_else(|_| Err(dropped()))
            })
            .boxed()
    }
}

impl Keepsakes for PageKeepsakes {
    fn load(&self, what: String) -> BoxFuture<'static, Result<Option<Vec<u8>>>> {
        self.ask(async move |host: &Host| {
            let found = JsFuture::from(host.load_bytes(&what)?).await?;
            Ok(found.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec))
        })
    }

    fn save(&self, what: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<()>> {
        self.ask(async move |host: &Host| {
            let bytes = Uint8Array::from(bytes.as_slice());
            JsFuture::from(host.save_bytes(&what, bytes)?).await.map(drop)
        })
    }
}

/// The message of a JavaScript error, or the value as text.
pub fn describe(value: &JsValue) -> String {
    match value.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => value.as_string().unwrap_or_else(|| format!("{value:?}")),
    }
}
