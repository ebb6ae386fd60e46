//! The browser peer: wasm-bindgen bindings, web transports, and the port to the JavaScript API.
//!
//! Everything a peer decides is in `warren-shared`; this crate only connects it to a browser.
#![cfg(target_arch = "wasm32")]

mod lending;
mod transport;

#[cfg(feature = "selftest")]
mod selftest;

use std::sync::Arc;

use warren_page::host::{Host, PageFetch, PageKeepsakes, solver};
use warren_page::log;
use warren_page::port::{self, misfit, parameters};
use warren_shared::api::{Call, Params, Session, StartParams, Surroundings};
use wasm_bindgen::prelude::*;
use web_sys::MessagePort;

pub use lending::{Lending, Pipe};
pub use transport::Vessel;

/// Serves the peer API on a message port until the peer is closed. Gives what a module beside this one borrows.
#[wasm_bindgen]
pub fn serve(port: MessagePort, host: Host) -> Lending {
    log::install();
    let adoption = transport::Adoption::new();
    let adopting = adoption.clone();
    let surroundings = Surroundings {
        outside: Arc::new(PageFetch::new(host.clone())),
        keepsakes: Arc::new(PageKeepsakes::new(host.clone())),
        solver: solver(host),
        connections: Box::new(move |key, allowed| transport::connections(key, allowed, &adopting)),
        dialable: transport::dialable,
    };
    let (session, outgoing) = Session::new(surroundings);
    port::listen(port, Engine(session.clone()), outgoing);
    Lending::new(session, adoption)
}

#[derive(Clone)]
struct Engine(Session);

impl port::Session for Engine {
    type Call = Call;

    fn read(method: &str, params: JsValue) -> Result<Call, String> {
        if method == "start" {
            let start: StartParams = parameters(params)?;
            return Ok(Call::Start(start));
        }
        let params: Params = parameters(params)?;
        params.call(method).ok_or_else(|| misfit(method))
    }

    fn is_last(call: &Call) -> bool {
        matches!(call, Call::Close {})
    }

    async fn serve(&self, id: f64, call: Call) {
        self.0.serve(id, call).await;
    }
}
