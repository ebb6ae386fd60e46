//! What the page lends to the engine: HTTP fetches, through the object that JavaScript passes in.

use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use js_sys::Promise;
use send_wrapper::SendWrapper;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::outside::Outside;
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

/// The message of a JavaScript error, or the value as text.
pub fn describe(value: &JsValue) -> String {
    match value.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => value.as_string().unwrap_or_else(|| format!("{value:?}")),
    }
}
