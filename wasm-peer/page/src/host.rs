//! What the page lends to the engine, through the object that JavaScript passes in: HTTP fetches, a
//! place for what must not be forgotten, and a thread that solves puzzles.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use js_sys::{Promise, Uint8Array};
use send_wrapper::SendWrapper;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::names::{Solver, cooperative};
use warren_shared::net::outside::{Keepsakes, Outside};
use warren_shared::platform;
use warren_shared::proto::names::work::Puzzle;
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

    /// The last rows from one key to before another one, the last first.
    #[wasm_bindgen(method, catch, js_name = lastRows)]
    pub fn last_rows(this: &Host, from: &str, to: &str, most: u32) -> Result<Promise, JsValue>;

    /// Writes or removes rows, all or none.
    #[wasm_bindgen(method, catch, js_name = writeRows)]
    pub fn write_rows(this: &Host, rows: js_sys::Array) -> Result<Promise, JsValue>;

    /// Resolves with a number that solves the puzzle.
    #[wasm_bindgen(method, catch)]
    fn solve(this: &Host, seed: Uint8Array, bits: u32) -> Result<Promise, JsValue>;

    /// Nobody waits for the solution any more.
    #[wasm_bindgen(method, catch, js_name = stopSolving)]
    fn stop_solving(this: &Host, seed: Uint8Array) -> Result<(), JsValue>;
}

/// Runs `ask` on the page's task queue, so that the future may cross `Send` bounds.
pub fn on_page<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + 'static,
) -> BoxFuture<'static, Result<T>> {
    let (done, answer) = oneshot::channel();
    platform::spawn(async move {
        let _ = done.send(work.await);
    });
    answer
        .map(|answer| {
            let dropped = || Error::new(Code::Cancelled, "the page gave this up");
            answer.unwrap_or_else(|_| Err(dropped()))
        })
        .boxed()
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
        let host = self.0.clone();
        on_page(async move { fetch(&host, &url, patience).await })
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
}

impl Keepsakes for PageKeepsakes {
    fn load(&self, what: String) -> BoxFuture<'static, Result<Option<Vec<u8>>>> {
        let host = self.0.clone();
        on_page(async move {
            let loaded = settled(host.load_bytes(&what)).await.map_err(not_stored)?;
            Ok(loaded.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec))
        })
    }

    fn save(&self, what: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<()>> {
        let host = self.0.clone();
        on_page(async move {
            let bytes = Uint8Array::from(bytes.as_slice());
            let saved = settled(host.save_bytes(&what, bytes)).await;
            saved.map(drop).map_err(not_stored)
        })
    }
}

pub fn not_stored(cause: JsValue) -> Error {
    Error::new(Code::StorageFailed, "the browser's storage failed").caused_by(describe(&cause))
}

pub async fn settled(promise: Result<Promise, JsValue>) -> Result<JsValue, JsValue> {
    JsFuture::from(promise?).await
}

/// Solves puzzles in the page's worker; where there is none, here, a little at a time.
pub fn solver(host: Host) -> Solver {
    let host = SendWrapper::new(host);
    Arc::new(move |puzzle| {
        let asked = Asked(host.clone(), puzzle);
        async move {
            match asked.answer().await {
                Ok(nonce) => nonce,
                Err(_) => cooperative()(puzzle).await,
            }
        }
        .boxed()
    })
}

/// A puzzle that was given to the page. Dropping it stops the work.
struct Asked(SendWrapper<Host>, Puzzle);

impl Asked {
    fn answer(&self) -> BoxFuture<'static, Result<u64>> {
        let (host, puzzle) = (self.0.clone(), self.1);
        on_page(async move {
            let seed = Uint8Array::from(puzzle.seed().as_slice());
            let solved = settled(host.solve(seed, puzzle.bits)).await;
            let nonce = solved.ok().and_then(|nonce| nonce.as_f64());
            let nonce = nonce.map(|nonce| nonce as u64);
            let right = nonce.filter(|nonce| puzzle.solved_by(*nonce));
            right.ok_or_else(|| Error::new(Code::Unsupported, "the page solved nothing"))
        })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let _ = self
            .0
            .stop_solving(Uint8Array::from(self.1.seed().as_slice()));
    }
}

/// The message of a JavaScript error, or the value as text.
pub fn describe(value: &JsValue) -> String {
    match value.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => value.as_string().unwrap_or_else(|| format!("{value:?}")),
    }
}
