//! What applications do with a tab's peer beside joining: chat rooms, direct messages, JSON commands, files, choosing
//! whom to ask. A page downloads it when it is first used.
//!
//! It has no connections of its own: it borrows those of the engine, a WebAssembly module of the same page, through
//! objects that JavaScript hands over. Every rule is in `warren-shared`.
#![cfg(target_arch = "wasm32")]

mod engine;
mod files;
mod pipe;
mod shelf;
mod vessel;

use std::sync::Arc;

use send_wrapper::SendWrapper;
use warren_page::host::{Host, PageKeepsakes};
use warren_page::log;
use warren_page::port::{self, misfit, parameters};
use warren_shared::api::{AppCall, AppParams, AppSession, Lodging};
use warren_shared::net::webrtc::agent::Stacks;
use warren_shared::proto::key::SigningKey;
use wasm_bindgen::prelude::*;
use web_sys::MessagePort;

use self::engine::{Lending, PageEngine};
use self::files::PageStore;
use self::shelf::PageShelf;
use self::vessel::PageStacks;

/// Serves the calls of apps on a message port, for the peer whose engine has lent itself and whose seeds these are.
/// `direct` are settings of the `RTCPeerConnection`s to those that are reached over circuits; without any, circuits stay.
/// A `measurable` peer answers measurements of others.
#[wasm_bindgen]
pub fn serve(
    port: MessagePort,
    host: Host,
    engine: Lending,
    transport: &[u8],
    author: &[u8],
    direct: JsValue,
    measurable: bool,
) -> Result<(), JsValue> {
    log::install();
    let stacks = direct.is_object().then(|| {
        let stacks: Arc<dyn Stacks> = Arc::new(PageStacks::new(engine.clone(), direct));
        stacks
    });
    let shelves = SendWrapper::new(host.clone());
    let places = shelves.clone();
    let (session, outgoing) = AppSession::new(Lodging {
        engine: Arc::new(PageEngine::new(engine)),
        transport: key(transport)?,
        author: key(author)?,
        keepsakes: Arc::new(PageKeepsakes::new(host)),
        stacks,
        measurable,
        files: Box::new(move |network, author| Arc::new(PageStore::open(&places, network, author))),
        shelf: Box::new(move |network, author| Arc::new(PageShelf::new(&shelves, network, author))),
    });
    port::listen(port, Apps(session), outgoing);
    Ok(())
}

fn key(seed: &[u8]) -> Result<SigningKey, JsValue> {
    let seed = seed.try_into().map_err(|_| "a seed has 32 bytes")?;
    Ok(SigningKey::from_seed(seed))
}

#[derive(Clone)]
struct Apps(AppSession);

impl port::Session for Apps {
    type Call = AppCall;

    fn read(method: &str, params: JsValue) -> Result<AppCall, String> {
        let params: AppParams = parameters(params)?;
        params.call(method).ok_or_else(|| misfit(method))
    }

    fn is_last(call: &AppCall) -> bool {
        matches!(call, AppCall::Close {})
    }

    async fn serve(&self, id: f64, call: AppCall) {
        self.0.serve(id, call).await;
    }
}
