//! WebRTC-direct behind a module of ours, so that the implementation underneath can be replaced.
//!
//! For now that is the stock transport with its faults worked around: small flushed writes, and
//! dials that are finished before they are dropped, because an abandoned one would leave its
//! `RTCPeerConnection` open.

use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, Transport};
use libp2p_webrtc_websys as stock;
use warren_shared::limits::DIAL_DEADLINE;
use warren_shared::net::chunked::Chunked;
use warren_shared::net::swarm::Connections;
use warren_shared::platform;
use wasm_bindgen::prelude::*;
use web_sys::ErrorEvent;

/// Whether this place has WebRTC: windows do, workers and Node do not.
pub(super) fn available() -> bool {
    let global = js_sys::global();
    let has = |name: &str| js_sys::Reflect::has(&global, &JsValue::from_str(name)).unwrap_or(false);
    has("RTCPeerConnection") && has("window")
}

pub(super) fn transport(key: &Keypair) -> Connections {
    silence_late_handlers();
    let stock = Finishing(stock::Transport::new(stock::Config::new(key)));
    TransportTimeout::new(stock, DIAL_DEADLINE)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(Chunked::new(connection))))
        .boxed()
}

/// Data channels of the stock transport fire events at handlers that are gone. Nothing is lost, but
/// each would show up as an uncaught error of the page.
fn silence_late_handlers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let handler = Closure::<dyn FnMut(ErrorEvent)>::new(|event: ErrorEvent| {
            if event
                .message()
                .contains("closure invoked recursively or after being dropped")
            {
                event.prevent_default();
            }
        });
        if let Some(window) = web_sys::window() {
            let _ =
                window.add_event_listener_with_callback("error", handler.as_ref().unchecked_ref());
        }
        handler.forget();
    });
}

/// Finishes every dial in the background; what nobody waits for any more is then closed properly.
struct Finishing<T>(T);

impl<T> Transport for Finishing<T>
where
    T: Transport + Unpin,
    T::Output: Send + 'static,
    T::Error: Send + 'static,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = DialFailed<T::Error>;
    type ListenerUpgrade = BoxFuture<'static, Result<Self::Output, Self::Error>>;
    type Dial = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.0
            .listen_on(id, address)
            .map_err(|error| error.map(DialFailed::Stock))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.0.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let dial = self
            .0
            .dial(address, options)
            .map_err(|error| error.map(DialFailed::Stock))?;
        let (done, result) = oneshot::channel();
        platform::spawn(async move {
            let _ = done.send(dial.await);
        });
        Ok(async move {
            match result.await {
                Ok(result) => result.map_err(DialFailed::Stock),
                Err(_) => Err(DialFailed::Abandoned),
            }
        }
        .boxed())
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Poll::Pending
    }
}

#[derive(Debug, thiserror::Error)]
enum DialFailed<E> {
    #[error(transparent)]
    Stock(E),
    #[error("the dial was abandoned")]
    Abandoned,
}
